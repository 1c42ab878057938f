"""`make advisories` with an offline copy of the database: one hit, and one miss."""

import pathlib
import subprocess
import tempfile
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADVISORY = """```toml
[advisory]
id = "RUSTSEC-2099-0001"
package = "{name}"
date = "2026-01-01"

[versions]
patched = ["{patched}"]
```

# Made up for a test

It is no advisory.
"""


class Advisories(unittest.TestCase):
    def advisories(self, patched: str) -> subprocess.CompletedProcess:
        locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
        [tokio] = [package for package in locked if package["name"] == "tokio"]
        with tempfile.TemporaryDirectory() as database:
            file = pathlib.Path(database) / "crates/tokio/RUSTSEC-2099-0001.md"
            file.parent.mkdir(parents=True)
            file.write_text(ADVISORY.format(name="tokio", patched=patched.format(tokio["version"])))
            command = ["make", "advisories", f"ADVISORY_DB={database}"]
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)

    def test_a_vulnerable_crate_fails(self):
        done = self.advisories(patched="> {}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("RUSTSEC-2099-0001", done.stdout + done.stderr)

    def test_a_patched_crate_passes(self):
        done = self.advisories(patched=">= {}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("RUSTSEC-2099-0001", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
