"""An emulation of CodeBuild: runs a project's buildspec, phase by phase, with its role and environment."""

import functools
import json
import pathlib
import subprocess
import tempfile
import time
import zipfile

import yaml

from aws import REGION, TOOLS, Aws, Failed, expect, root_of
from processes import started
from strict import strict


class Project:
    """A CodeBuild project of the tools account, as its template describes it."""

    def __init__(self, aws: Aws, name: str):
        [found] = aws.call(root_of(TOOLS), "codebuild", "batch_get_projects", names=[name])["projects"]
        self.aws, self.name, self.role = aws, name, found["serviceRole"]
        self.buildspec = found["source"]["buildspec"]
        self.environment = {each["name"]: each["value"] for each in found["environment"]["environmentVariables"]}

    @functools.cached_property
    def credentials(self) -> dict:
        """A build's credentials."""
        arn = f"arn:aws:codebuild:{REGION}:{TOOLS}:project/{self.name}"
        return self.aws.assume_as("codebuild.amazonaws.com", self.role, arn)

    def build(
        self,
        source: pathlib.Path,
        artifact: pathlib.Path | None,
        log: pathlib.Path,
        say,
        received: dict,
        given: dict,
        **inputs: pathlib.Path,
    ) -> tuple[int, dict]:
        """Runs the buildspec's phases in `source`, with the folders of further inputs, and zips its artifacts.

        The variables in `given` replace the project's. A command in `received` is not run: the function there puts its
        results into `source`, and returns their origin. Returns the exit code of the first command that fails, or 0,
        and the variables that the build exports.
        """
        spec = yaml.safe_load((source / self.buildspec).read_text())
        commands = [command for phase in spec["phases"].values() for command in phase.get("commands", [])]
        if unknown := received.keys() - set(commands):
            raise Failed(f"{self.buildspec} has no command {', '.join(unknown)}")
        folders = {f"CODEBUILD_SRC_DIR_{name}": str(folder) for name, folder in inputs.items()}
        stream = f"{self.name}/{log.stem}"
        here = {"CODEBUILD_SRC_DIR": str(source), "CODEBUILD_LOG_PATH": stream, "PWD": str(source), **folders}
        variables = {**spec.get("env", {}).get("variables", {}), **self.environment, **given, **here}
        environment = {**self.aws.environment(self.credentials), **variables}
        with log.open("w") as written:
            for phase in ("install", "pre_build", "build", "post_build"):
                for command in spec["phases"].get(phase, {}).get("commands", []):
                    written.write(f"\n# {phase}: {command}\n")
                    written.flush()
                    if command in received:
                        say(f"{phase:<9} {command}: taken from {received[command](source)}")
                        continue
                    since = time.monotonic()
                    code, environment = self.run(command, environment, written)
                    say(f"{phase:<9} {command}", since, failed=code != 0)
                    if code != 0:
                        return code, {}
        exported = spec.get("env", {}).get("exported-variables", [])
        if missing := set(exported) - environment.keys():
            raise Failed(f"{self.buildspec} exports {', '.join(missing)}, but no command has set it")
        if artifact:
            self.zip(spec, source, artifact)
        return 0, {name: environment[name] for name in exported}

    def run(self, command: str, environment: dict, log) -> tuple[int, dict]:
        """Runs a command as if in one shell: the next command sees its variables and working directory."""
        with tempfile.TemporaryFile() as left:
            with started(
                ["bash", "-c", f"trap 'env -0 >&{left.fileno()}' EXIT\n{command}"],
                cwd=environment["PWD"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[left.fileno()],
            ) as process:
                code = process.wait()
            left.seek(0)
            variables = left.read().decode().split("\0")
        return code, dict(each.split("=", 1) for each in variables if each) or environment

    def zip(self, spec: dict, source: pathlib.Path, artifact: pathlib.Path):
        with zipfile.ZipFile(artifact, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
            for pattern in spec["artifacts"]["files"]:
                files = [path for path in sorted(source.glob(pattern)) if path.is_file()]
                if not files:
                    raise Failed(f"{self.buildspec}: there is no artifact {pattern}")
                for path in files:
                    zipped.write(path, path.relative_to(source))


def environment_of(action: dict) -> dict:
    """The variables that a pipeline action passes to its build."""
    listed = json.loads(action["configuration"].get("EnvironmentVariables", "[]"))
    expect(all(each.get("type", "PLAINTEXT") == "PLAINTEXT" for each in listed), "an action gives plain variables")
    return {each["name"]: each["value"] for each in listed}


def unzip(artifact: pathlib.Path, folder: pathlib.Path):
    """An input of a build."""
    with zipfile.ZipFile(artifact) as zipped:
        for each in zipped.infolist():
            path = pathlib.Path(zipped.extract(each, folder))
            if not path.is_dir():
                path.chmod(0o644 if strict("modes") else each.external_attr >> 16 & 0o777 or 0o644)
