"""The commands that a rehearsal runs: none outlives it."""

import contextlib
import os
import signal
import subprocess
import threading


def finished(command: list, **options) -> subprocess.CompletedProcess:
    """Runs a command until it exits, and returns what it printed."""
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


@contextlib.contextmanager
def started(command: list, **options):
    """Starts a command, and at the end of the block ends it and everything that it started."""
    process = None
    try:
        with uninterrupted():
            process = subprocess.Popen(command, start_new_session=True, **options)
        yield process
    finally:
        if process:
            end(process)


def end(process: subprocess.Popen):
    """Kills everything in a process's session; none has anything to save."""
    with process, contextlib.suppress(ProcessLookupError):  # Finally waits for it, and closes its pipes.
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def uninterrupted():
    """Delays SIGINT and SIGTERM until the end of the block: nobody can end a process that is just being started."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread is interrupted.
        return
    arrived = []
    former = {
        each: signal.signal(each, lambda number, _: arrived.append(number)) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
    for number in arrived:
        signal.raise_signal(number)
