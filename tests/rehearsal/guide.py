"""An engineer with a clone of this repository, who runs the commands in docs/."""

import os
import pathlib
import re
import shutil
import subprocess
import time

from aws import ARCHITECTURE, NAME, REGION, ROOT, STAGES, TOOLS, Aws, Failed, expect
from processes import finished
from report import Report
from strict import SWITCHES, strict

GUIDE = "docs/deploy.md"
REPOSITORY = "product-catalog-service"


class Guide:
    def __init__(self, aws: Aws, report: Report, accounts: dict):
        self.aws, self.report, self.folder = aws, report, aws.folder
        self.accounts = {"tools": TOOLS, **accounts}  # By profile.
        self.clone = aws.folder / "clone"
        self.bare = aws.folder / "repositories" / REPOSITORY
        self.variables = {}
        self.ran = set()  # The blocks of commands.

    def prepare(self):
        """An engineer's clone of this working tree, and an empty repository to push it to."""
        (self.folder / "bin").mkdir()
        self.replace(
            "aws",
            "# Keeps what sts hands out, to look for it later where it must not be.\n"
            f'if [[ "$1 $2" != "sts assume-role" ]]; then exec {self.aws.cli} "$@"; fi\n'
            f'response=$({self.aws.cli} "$@") || exit\ntee -a "{self.aws.handed_out}" <<<"$response"\n',
        )
        self.replace(
            "make",
            "# STAGE's tests are those that are compiled in this folder.\n"
            "if [[ $1 == build || $1 == test-deployed ]]; then\n"
            f'  cd "{ROOT}"\n'
            f'  export SSL_CERT_FILE="{self.aws.ca}" CARGO_NET_OFFLINE=true\n'
            'fi\nexec "$REAL" "$@"\n',
        )
        # The scripts wait for what takes AWS seconds and the emulator none.
        self.replace("sleep", 'exec "$REAL" "$(awk "BEGIN { print $1 / 20 }")"\n')
        profiles = [
            f"[profile {name}]\naws_access_key_id = {account}\naws_secret_access_key = test\n"
            for name, account in self.accounts.items()
        ]
        (self.folder / "aws.config").write_text("".join(profiles))
        (self.folder / ".curlrc").write_text(f'cacert = "{self.aws.ca}"\nconnect-to = "::127.0.0.1:{self.aws.port}"\n')
        trusted = os.environ.get("NODE_EXTRA_CA_CERTS")
        others = pathlib.Path(trusted).read_text() if trusted else ""
        (self.folder / "node.pem").write_text(self.aws.ca.read_text() + others)

        subprocess.run(["git", "init", "--quiet", "--bare", str(self.bare)], check=True)
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(self.clone)], check=True)
        list_files = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(list_files, cwd=ROOT, check=True, capture_output=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            (self.clone / name).unlink(missing_ok=True)
            if (ROOT / name).exists():
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.clone / name)
        # One of the two places that name the service; the commands set the other.
        stack = self.clone / "serverless.yml"
        text = stack.read_text()
        expect("\nservice: product-catalog-service\n" in text, "serverless.yml names the service")
        stack.write_text(text.replace("\nservice: product-catalog-service\n", f"\nservice: {NAME}\n"))
        self.in_clone("git", "add", "--all")
        self.in_clone("git", "commit", "--quiet", "--allow-empty", "--message", "The working tree")

    def expect_all_run(self, commands: str, pages: tuple, is_theirs):
        """Checks that every command of these pages was run, in the sections whose title `is_theirs`.

        With a switch off, some are not run, and nothing is checked.
        """
        if not all(map(strict, SWITCHES)):
            return
        for page in pages:
            _, *sections = re.split(r"(?m)^## ", (ROOT / page).read_text())
            for section in sections:
                title = section.splitlines()[0]
                for block in re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S):
                    expect(block in self.ran or not is_theirs(title), f"{page}, {title} was run: {block}")
        self.report.say(f"\nEvery command {commands} was run.")

    def replace(self, command: str, script: str):
        """Puts a script in front of a command of this machine, which it finds as $REAL."""
        replaced = self.folder / "bin" / command
        replaced.write_text(f'#!/usr/bin/env bash\nREAL="{shutil.which(command)}"\n{script}')
        replaced.chmod(0o755)

    def choose(self, stages: dict = STAGES):
        """The guide's choices, adapted to this rehearsal, these stages and this machine's architecture."""
        self.run("1. Choose")
        chosen = self.left()
        ours = {f"{stage}_ACCOUNT": account for stage, account in STAGES.items()}
        ours |= {"TOOLS_ACCOUNT": TOOLS, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        expect(ours.items() <= chosen.items(), "docs/deploy.md chooses the rehearsal's accounts and region")
        self.variables = {**ours, "EXTERNAL_ID": chosen["EXTERNAL_ID"]}
        self.variables |= {f"{stage}_ACCOUNT": "" for stage in STAGES.keys() - stages.keys()}
        self.variables |= {"ARCHITECTURE": ARCHITECTURE, "SERVICE": NAME, "PIPELINE": NAME}

    def update(self):
        """Updates all stacks of a pipeline for one stage, with another external id."""
        self.run("Update", blocks=slice(1))
        self.variables["EXTERNAL_ID"] = self.left()["EXTERNAL_ID"]
        self.run("Update", blocks=slice(1, 2), EXTERNAL_ID=self.external_id)
        self.run("Update", blocks=slice(2, None))

    @property
    def external_id(self) -> str:
        """The external id that the accounts of the stage share."""
        return f"{self.variables['EXTERNAL_ID']}-{self.variables['STAGE']}"

    def left(self) -> dict:
        """The variables that the last commands have set."""
        return dict(each.split("=", 1) for each in (self.folder / "variables").read_text().split("\0") if each)

    def run(
        self, title: str, page: str = GUIDE, blocks: slice = slice(None), choosing: tuple = ("", ""), **chosen: str
    ) -> str:
        """Runs a section's commands in the engineer's clone, with these variables, and returns their output.

        Before them, it runs the commands that stand before all sections. Of the words that the reader is to choose, the
        first of `choosing` becomes the second.
        """
        preamble, *rest = re.split(r"(?m)^## ", (ROOT / page).read_text())
        sections = dict(each.split("\n", 1) for each in rest)
        found = re.findall(r"^```sh\n(.*?)^```", sections[title], re.M | re.S)[blocks]
        expect(found, f"{page}, {title} has commands")
        self.ran.update(found)
        commands = "".join(re.findall(r"^```sh\n(.*?)^```", preamble, re.M | re.S) + found).replace(*choosing)
        for line in re.findall(r"^(?:[A-Z_]+=\$\()?((?:aws|git|curl) .*?)(?: \\)?$", commands, re.M):
            self.report.detail(f"$ {line}")
        since = time.monotonic()
        environment = {**self.aws.environment({}), **self.git()}
        if strict("region"):  # The pages must set the region that they need.
            del environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]
        environment |= self.variables | chosen
        if strict("region") and page != GUIDE:
            environment.pop("AWS_DEFAULT_REGION", None)
        command = f"{commands}\nenv -0 >{self.folder}/variables"
        shell = ["bash", "-euo", "pipefail", "-c", command]
        done = finished(shell, cwd=self.clone, env=environment)
        if done.returncode != 0:
            raise Failed(f"{page}, {title}: {(done.stderr or done.stdout).strip()}")
        self.report.detail("done", since)
        return done.stdout

    def git(self) -> dict:
        """Runs git with this folder as CodeCommit."""
        return {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.bare.parent}/.insteadOf",
            "GIT_CONFIG_VALUE_0": f"https://git-codecommit.{REGION}.amazonaws.com/v1/repos/",
            **{f"GIT_{who}_NAME": "An engineer" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "engineer@example.com" for who in ("AUTHOR", "COMMITTER")},
        }

    def in_clone(self, *command):
        environment = {**self.aws.environment({}), **self.git()}
        done = subprocess.run(command, cwd=self.clone, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout
