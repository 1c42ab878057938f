"""`make secrets`: what it finds, what it ignores, and that it prints no secret."""

import pathlib
import random
import string
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools/secrets.sh"
# Generated here, so that no source file contains one. Always the same.
CHOICE = random.Random(1)
AWS_SECRET_KEY = "".join(CHOICE.choices(string.ascii_letters + string.digits + "/+", k=40))
GITHUB_TOKEN = "ghp_" + "".join(CHOICE.choices(string.ascii_letters, k=36))


def private_key(*options: str) -> str:
    return subprocess.run(["openssl", "genpkey", *options], check=True, capture_output=True, text=True).stdout


class Secrets(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def search(self, **files: str) -> subprocess.CompletedProcess:
        for name, content in files.items():
            (self.folder / name).write_text(content)
        return subprocess.run([SCRIPT, self.folder], capture_output=True, text=True, timeout=300)

    def test_a_secret_is_found_and_not_printed(self):
        rsa, elliptic = private_key("-algorithm", "rsa"), private_key("-algorithm", "ed25519")
        for content, secret in (
            (f"AWS_SECRET_ACCESS_KEY={AWS_SECRET_KEY}", AWS_SECRET_KEY),
            (f"provider:\n  awsSecretAccessKey: '{AWS_SECRET_KEY}'", AWS_SECRET_KEY),
            (f"aws configure set aws_secret_access_key {AWS_SECRET_KEY} --profile x", AWS_SECRET_KEY),
            (f"git clone https://{GITHUB_TOKEN}@github.com/owner/name", GITHUB_TOKEN),
            (rsa, rsa.splitlines()[1]),
            (elliptic, elliptic.splitlines()[1]),
        ):
            done = self.search(planted=content)
            self.assertEqual(done.returncode, 1, content)
            self.assertRegex(done.stdout, r"Path\W+planted\n")
            self.assertIn("kingfisher:ignore", done.stderr)
            self.assertNotIn(secret, done.stdout + done.stderr)

    def test_what_is_no_secret_or_excused_passes(self):
        done = self.search(
            plain="AWS_SECRET_ACCESS_KEY=test\nAWS_REGION=eu-central-1",
            excused=f"# kingfisher:ignore: made up for a test\nAWS_SECRET_ACCESS_KEY={AWS_SECRET_KEY}",
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout, "No secrets in 2 files.\n")

    def test_a_repository_is_searched_without_what_it_ignores(self):
        subprocess.run(["git", "init", "--quiet", self.folder], check=True)
        (self.folder / ".gitignore").write_text("ignored\n")
        (self.folder / "deleted").touch()
        subprocess.run(["git", "add", "deleted"], cwd=self.folder, check=True)
        (self.folder / "deleted").unlink()
        done = self.search(ignored=f"TOKEN={GITHUB_TOKEN}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = self.search(untracked=f"TOKEN={GITHUB_TOKEN}")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"Path\W+untracked\n")

    def test_an_empty_folder_is_an_error(self):
        self.assertIn("there are no files", self.search().stderr)


if __name__ == "__main__":
    unittest.main()
