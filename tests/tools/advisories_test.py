"""`make advisories` with an offline copy of the database: one hit, and one miss."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATABASE = ROOT / "tests/tools/advisories"
ADVISORY = "RUSTSEC-2099-0001"


def advisories(database: pathlib.Path | str) -> subprocess.CompletedProcess:
    command = ["make", "advisories", f"ADVISORY_DB={database}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


class Advisories(unittest.TestCase):
    def test_a_vulnerable_crate_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(DATABASE, folder, dirs_exist_ok=True)
            file = pathlib.Path(folder, f"crates/tokio/{ADVISORY}.md")
            file.write_text(file.read_text().replace(">= 1.0.0", ">= 9999.0.0"))
            done = advisories(folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(ADVISORY, done.stdout + done.stderr)

    def test_a_patched_crate_passes(self):
        done = advisories(DATABASE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(ADVISORY, done.stdout + done.stderr)

    def test_without_a_database_it_fails(self):
        done = advisories("/nonexistent")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/nonexistent", done.stderr)


if __name__ == "__main__":
    unittest.main()
