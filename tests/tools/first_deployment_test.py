"""The commands of docs/first-deployment.md, as far as they can be checked without AWS."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The AWS CLI parses its options and the query, but makes no call and prints nothing.
AWS = '#!/bin/sh\nexec python3 -m awscli "$@" --generate-cli-skeleton input >/dev/null\n'
# curl parses its options, and fails to connect.
CURL = '#!/bin/sh\nPATH="$OLD_PATH" curl --connect-to ::127.0.0.1:1 "$@"\n[ $? -ne 2 ]\n'
MAKE = '#!/bin/sh\nexec env PATH="$OLD_PATH" make --dry-run "$@"\n'


class FirstDeployment(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, script in (("aws", AWS), ("curl", CURL), ("make", MAKE)):
            (self.folder / name).write_text(script)
            (self.folder / name).chmod(0o755)
        (self.folder / "config").write_text("[profile tools]\n[profile DEV]\n[profile PROD]\n")

    def run_block(self, block: str) -> subprocess.CompletedProcess:
        environment = {
            **os.environ,
            "AWS_CONFIG_FILE": str(self.folder / "config"),
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "ENDPOINT": "https://api.example.com/DEV",
            "OLD_PATH": os.environ["PATH"],
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "PIPELINE": "catalog",
            "SERVICE": "catalog",
        }
        shell = ["bash", "-euo", "pipefail", "-c", block]
        return subprocess.run(shell, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)

    def test_each_tool_understands_its_commands(self):
        blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/first-deployment.md").read_text(), re.M | re.S)
        self.assertTrue(blocks)
        for block in blocks:
            done = self.run_block(block)
            self.assertEqual(done.returncode, 0, f"{block}{done.stderr}")

    def test_a_command_that_is_wrong_is_found(self):
        for block in (
            "aws lambda list-function",
            "aws lambda list-functions --name x",
            'aws lambda list-functions --query "Functions[?"',
            "curl --tls-maximum 1.1 https://api.example.com",
            "make measure-awz",
        ):
            self.assertNotEqual(self.run_block(block).returncode, 0, block)


if __name__ == "__main__":
    unittest.main()
