"""The commands of a rehearsal end with it."""

import os
import select
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1] / "rehearsal"))

import processes

SLEEP = ["sh", "-c", "sleep 600 & wait"]


def interrupted(*command, popen=subprocess.Popen, **options):
    process = popen(*command, **options)
    os.kill(os.getpid(), signal.SIGINT)
    return process


INTERRUPTED = mock.patch("subprocess.Popen", interrupted)


class Processes(unittest.TestCase):
    def setUp(self):
        # A shell's job in the background ignores it, and so would this process.
        former = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, former)
        # Its end is read when nothing that was started is left to hold the other end.
        self.left, held = os.pipe()
        self.addCleanup(os.close, self.left)
        self.options = {"pass_fds": [held]}
        self.held = held

    def test_a_command_that_exits_leaves_nothing(self):
        done = processes.finished(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo started"], **self.options)
        self.assertEqual((done.returncode, done.stdout), (0, "started\n"))
        self.assert_nothing_is_left()

    def test_an_interrupt_while_a_command_starts_leaves_nothing(self):
        handler = signal.getsignal(signal.SIGINT)
        with INTERRUPTED, self.assertRaises(KeyboardInterrupt):
            processes.finished(SLEEP, **self.options)
        self.assertIs(signal.getsignal(signal.SIGINT), handler)
        self.assert_nothing_is_left()

    def test_an_ignored_interrupt_interrupts_nothing(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with INTERRUPTED:
            done = processes.finished(["echo", "done"], **self.options)
        self.assertEqual(done.stdout, "done\n")
        self.assert_nothing_is_left()

    def test_an_interrupt_of_a_running_command_leaves_nothing(self):
        with self.assertRaises(KeyboardInterrupt), processes.started(SLEEP, **self.options) as process:
            os.kill(os.getpid(), signal.SIGINT)
            process.wait()
        self.assert_nothing_is_left()

    def assert_nothing_is_left(self):
        os.close(self.held)
        ended, _, _ = select.select([self.left], [], [], 60)
        self.assertTrue(ended, "something that was started still runs")


if __name__ == "__main__":
    unittest.main()
