"""tools/parts.py, the runner of `make test`, with parts that are short shell commands."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

PARTS = pathlib.Path(__file__).resolve().parents[2] / "tools/parts.py"
sys.path.insert(0, str(PARTS.parent))
from parts import processors  # noqa: E402

# Takes all jobs, as Cargo does, returns them, and prints how many there are with the one that it is.
TAKE = """
import os
import re

tokens, returned = map(int, re.search(r"--jobserver-auth=(\\d+),(\\d+)", os.environ["CARGO_MAKEFLAGS"]).groups())
os.set_blocking(tokens, False)
try:
    jobs = os.read(tokens, 1000)
except BlockingIOError:
    jobs = b""
os.set_blocking(tokens, True)
os.write(returned, jobs)
print(len(jobs) + 1)
"""


class Parts(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "tools").mkdir()
        (self.folder / ".gitignore").write_text("/target/\n/made/\n")
        subprocess.run(["git", "init", "--quiet", temporary.name], check=True)

    def run_parts(self, toml: str, plan: str = "test", **variables: str) -> subprocess.CompletedProcess:
        (self.folder / "tools/parts.toml").write_text(toml)
        environment = {name: value for name, value in os.environ.items() if name != "CI"} | variables
        command = [sys.executable, str(PARTS), plan]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60)

    def test_a_part_runs_again_only_after_one_of_its_inputs_has_changed(self):
        toml = '[prerequisites]\n[test.count]\ncommand = "echo ran >>target/runs"\ninputs = ["input"]\n'
        for content, runs, result in (("a", 1, "passed"), ("a", 1, "no input has changed"), ("b", 2, "passed")):
            (self.folder / "input").write_text(content)
            done = self.run_parts(toml)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(result, done.stdout)
            self.assertEqual((self.folder / "target/runs").read_text(), "ran\n" * runs)
        self.assertTrue(done.stdout.endswith("1 passed, 0 failed, 0 skipped\n"), done.stdout)

    def test_parts_that_compile_share_a_job_for_each_processor(self):
        (self.folder / "take.py").write_text(TAKE)
        command = f'compiles = true\ncommand = "{sys.executable} take.py >>target/jobs"\n'
        toml = (
            f'[prerequisites]\n[test.first]\n{command}[test.second]\nafter = ["first"]\n{command}'
            "[test.other]\ncommand = 'test -z \"$CARGO_MAKEFLAGS\"'\n"
        )
        done = self.run_parts(toml, CARGO_MAKEFLAGS="-j --jobserver-auth=100,101")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # The first one leaves the job of the second, which starts later.
        count = processors()
        self.assertEqual((self.folder / "target/jobs").read_text(), f"{max(1, count - 1)}\n{count}\n")

    def test_a_failed_part_shows_its_output_and_keeps_back_what_needs_it(self):
        toml = (
            '[prerequisites]\n[test.first]\ncommand = "echo the reason; exit 3"\n'
            '[test.second]\ncommand = "touch made-by-second"\nafter = ["first"]\n'
        )
        done = self.run_parts(toml)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the reason\n", done.stdout)
        self.assertIn("target/parts/first.log", done.stdout)
        self.assertIn("not run", done.stdout)
        self.assertFalse((self.folder / "made-by-second").exists())

    def test_a_skipped_part_is_listed_with_what_installs_it_and_is_an_error_in_ci(self):
        toml = (
            '[prerequisites]\n[test.a]\ncommand = "true"\n'
            '[test.b]\ncommand = "true"\nneeds = { nobody-has-this = "a-package" }\n'
        )
        done = self.run_parts(toml)
        self.assertEqual(done.returncode, 0)
        self.assertIn("skipped: b needs nobody-has-this: apt-get install a-package\n", done.stdout)
        self.assertTrue(done.stdout.endswith("1 passed, 0 failed, 1 skipped\n"), done.stdout)
        done = self.run_parts(toml, CI="true")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "error: b needs nobody-has-this: apt-get install a-package\n")

    def test_a_missing_prerequisite_is_reported_before_anything_runs(self):
        toml = '[prerequisites]\nnobody-has-this = "install it"\n[test.a]\ncommand = "touch ran"\n'
        done = self.run_parts(toml)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "error: nobody-has-this is missing: install it\n")
        self.assertFalse((self.folder / "ran").exists())

    def test_two_parts_run_at_once(self):
        toml = (
            '[prerequisites]\n[test.a]\ncommand = "mkfifo target/pipe; echo hello >target/pipe"\n'
            '[test.b]\ncommand = "until [ -p target/pipe ]; do sleep 0.01; done; read line <target/pipe"\n'
        )
        done = self.run_parts(toml)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_parts_that_others_wait_for_have_priority_and_then_the_first_of_the_list(self):
        (self.folder / "part.py").write_text("import os\nprint(os.getsid(0), os.nice(0))\n")
        (self.folder / "input").touch()
        toml = "[prerequisites]\n" + "".join(
            f'[test.{name}]\ncommand = "python3 part.py >target/{name}"\ninputs = {inputs}\n'
            for name, inputs in (("build", []), ("second", ["input"]), ("third", ["input"]))
        )
        self.assertEqual(self.run_parts(toml).returncode, 0)
        session, nice = os.getsid(0), os.nice(0)
        for name, lower in (("build", 0), ("second", 6), ("third", 7)):
            self.assertEqual((self.folder / "target" / name).read_text(), f"{session} {min(nice + lower, 19)}\n")

    def test_a_part_that_measures_runs_alone(self):
        toml = (
            '[prerequisites]\n[test.a]\ncommand = "touch target/a-ended"\n'
            '[test.b]\ncommand = "test -e target/a-ended && touch target/b-ended"\nalone = true\n'
            '[test.c]\ncommand = "test -e target/b-ended"\n'
        )
        done = self.run_parts(toml)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_part_is_not_told_of_the_make_that_started_the_runner(self):
        toml = '[prerequisites]\n[test.a]\ncommand = "env >target/environment"\n'
        self.assertEqual(self.run_parts(toml, MAKEFLAGS="-j2 --jobserver-auth=3,4").returncode, 0)
        self.assertNotIn("MAKEFLAGS", (self.folder / "target/environment").read_text())

    def test_interrupted_it_ends_what_it_has_started(self):
        # The part waits for the other end of the pipe, and so does this test. Its clean-up outlives its shell.
        part = "trap 'sleep 1; touch ended' EXIT; mkfifo pipe; mv pipe ready; read line <ready"
        (self.folder / "part.sh").write_text(f"cd target; {part}")
        (self.folder / "tools/parts.toml").write_text('[prerequisites]\n[test.a]\ncommand = "bash part.sh"\n')
        # A shell without job control starts `make test &` with SIGINT ignored, which the runner would inherit.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        for interruption in (signal.SIGINT, signal.SIGTERM):
            shutil.rmtree(self.folder / "target", ignore_errors=True)
            command = [sys.executable, str(PARTS), "test"]
            runner = subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            pipe = self.folder / "target/ready"
            while not pipe.exists():
                self.assertIsNone(runner.poll())
            # Opens once the part has opened it, and must stay open until the part has ended.
            with pipe.open("w"):
                runner.send_signal(interruption)
                _, stderr = runner.communicate(timeout=60)
            self.assertEqual((runner.returncode, stderr), (130, "\nInterrupted.\n"))
            self.assertTrue((self.folder / "target/ended").exists())

    def test_make_verify_runs_what_has_not_changed_and_takes_its_own_commands(self):
        toml = (
            '[prerequisites]\n[test.a]\ncommand = "echo test >>target/runs"\ninputs = ["input"]\n'
            '[verify.a]\ncommand = "echo verify >>target/runs"\ninputs = ["input"]\n'
        )
        for plan in ("test", "verify", "verify"):
            self.assertEqual(self.run_parts(toml, plan).returncode, 0)
        self.assertEqual((self.folder / "target/runs").read_text(), "test\nverify\nverify\n")


if __name__ == "__main__":
    unittest.main()
