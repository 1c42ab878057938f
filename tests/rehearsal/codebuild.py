"""What CodeBuild does with a project: its role, its environment, its buildspec, phase by phase."""

import functools
import pathlib
import subprocess
import time
import zipfile

import yaml

from aws import REGION, TOOLS, Aws, Failed, end, root_of
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
        """The credentials of a build."""
        arn = f"arn:aws:codebuild:{REGION}:{TOOLS}:project/{self.name}"
        return self.aws.assume_as("codebuild.amazonaws.com", self.role, arn)

    def build(
        self,
        source: pathlib.Path,
        artifact: pathlib.Path,
        log: pathlib.Path,
        say,
        received: dict,
        **inputs: pathlib.Path,
    ) -> int:
        """Runs the buildspec's phases in `source`, with the folders of further inputs, and zips its artifacts.

        A command in `received` is not run: the function there puts its results into `source`, and returns their origin.
        Returns the exit code of the first command that fails, or 0.
        """
        spec = yaml.safe_load((source / self.buildspec).read_text())
        commands = [command for phase in spec["phases"].values() for command in phase.get("commands", [])]
        if unknown := received.keys() - set(commands):
            raise Failed(f"{self.buildspec} has no command {', '.join(unknown)}")
        folders = {f"CODEBUILD_SRC_DIR_{name}": str(folder) for name, folder in inputs.items()}
        variables = {**spec.get("env", {}).get("variables", {}), **self.environment, "CODEBUILD_SRC_DIR": str(source)}
        environment = {**self.aws.environment(self.credentials), **variables, **folders}
        with log.open("w") as written:
            for phase in ("install", "pre_build", "build", "post_build"):
                for command in spec["phases"].get(phase, {}).get("commands", []):
                    written.write(f"\n# {phase}: {command}\n")
                    written.flush()
                    if command in received:
                        say(f"{phase:<9} {command}: taken from {received[command](source)}")
                        continue
                    since = time.monotonic()
                    process = subprocess.Popen(
                        ["bash", "-c", command],
                        cwd=source,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=written,
                        stderr=written,
                        start_new_session=True,
                    )
                    try:
                        code = process.wait()
                    finally:
                        end(process)
                    say(f"{phase:<9} {command}", since, failed=code != 0)
                    if code != 0:
                        return code
        with zipfile.ZipFile(artifact, "w", zipfile.ZIP_DEFLATED) as zipped:
            for pattern in spec["artifacts"]["files"]:
                files = [path for path in sorted(source.glob(pattern)) if path.is_file()]
                if not files:
                    raise Failed(f"{self.buildspec}: there is no artifact {pattern}")
                for path in files:
                    zipped.write(path, path.relative_to(source))
        return 0


def unzip(artifact: pathlib.Path, folder: pathlib.Path):
    """What a build finds as an input."""
    with zipfile.ZipFile(artifact) as zipped:
        for each in zipped.infolist():
            path = pathlib.Path(zipped.extract(each, folder))
            if not path.is_dir():
                path.chmod(0o644 if strict("modes") else each.external_attr >> 16 & 0o777 or 0o644)
