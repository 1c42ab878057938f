"""The commands of docs/first-deployment.md, as far as they can be checked without AWS."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import unittest.mock

from awscli.clidriver import create_clidriver

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Keeps the arguments, one call per line, for the AWS CLI in this process: each start of it would take most of a second.
AWS = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
"""
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

    def errors(self, block: str) -> str:
        """What each tool says that is wrong with its commands in a block."""
        calls = self.folder / "calls"
        calls.write_text("")
        environment = {
            **os.environ,
            "AWS_CONFIG_FILE": str(self.folder / "config"),
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "CALLS": str(calls),
            "ENDPOINT": "https://api.example.com/DEV",
            "OLD_PATH": os.environ["PATH"],
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "PIPELINE": "catalog",
            "SERVICE": "catalog",
        }
        shell = ["bash", "-euo", "pipefail", "-c", block]
        done = subprocess.run(shell, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            return done.stderr or f"exit code {done.returncode}"
        stderr = io.StringIO()
        with (
            unittest.mock.patch.dict(os.environ, environment),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(stderr),
        ):
            for call in map(json.loads, calls.read_text().splitlines()):
                # The AWS CLI parses its options and the query, but makes no call.
                try:
                    code = create_clidriver().main([*call, "--generate-cli-skeleton", "input"])
                except SystemExit as wrong:
                    code = wrong.code
                if code != 0:
                    return stderr.getvalue() or f"exit code {code}"
        return ""

    def test_each_tool_understands_its_commands(self):
        blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/first-deployment.md").read_text(), re.M | re.S)
        self.assertTrue(blocks)
        for block in blocks:
            self.assertEqual(self.errors(block), "", block)

    def test_a_command_that_is_wrong_is_found(self):
        for block in (
            "aws lambda list-function",
            "aws lambda list-functions --name x",
            'aws lambda list-functions --query "Functions[?"',
            "curl --tls-maximum 1.1 https://api.example.com",
            "make measure-awz",
        ):
            self.assertNotEqual(self.errors(block), "", block)


if __name__ == "__main__":
    unittest.main()
