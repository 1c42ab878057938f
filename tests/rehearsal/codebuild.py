"""What CodeBuild does with a project: its role, its environment, its buildspec, phase by phase."""

import functools
import json
import pathlib
import subprocess
import time
import zipfile

import yaml

from aws import TOOLS, Aws, Failed, end, root_of


class Project:
    """A CodeBuild project of the tools account, as its template describes it."""

    def __init__(self, aws: Aws, name: str):
        [found] = aws.ask(root_of(TOOLS), "codebuild", "batch_get_projects", names=[name])["projects"]
        self.aws, self.name, self.role = aws, name, found["serviceRole"]
        self.buildspec = found["source"]["buildspec"]
        self.environment = {each["name"]: each["value"] for each in found["environment"]["environmentVariables"]}

    @functools.cached_property
    def credentials(self) -> dict:
        """Those that CodeBuild gives to a build."""
        # The emulator cannot speak as CodeBuild, whose builds alone the role trusts: for as long as it
        # takes to get its credentials, the role trusts the account, as any service's role does there.
        name = self.role.rsplit("/", 1)[1]
        trust = self.aws.ask(root_of(TOOLS), "iam", "get_role", RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        statements = [{k: v for k, v in each.items() if k != "Condition"} for each in trust["Statement"]]
        open_trust = json.dumps({**trust, "Statement": statements})
        update = functools.partial(self.aws.ask, root_of(TOOLS), "iam", "update_assume_role_policy", RoleName=name)
        update(PolicyDocument=open_trust)
        try:
            return self.aws.assume(root_of(TOOLS), self.role)
        finally:
            update(PolicyDocument=json.dumps(trust))

    def build(self, source: pathlib.Path, artifact: pathlib.Path, log: pathlib.Path, say, received: dict) -> int:
        """Runs the buildspec's phases in `source` and zips its artifacts.

        A command in `received` is not run: the function there puts its results into `source`, and returns their origin.
        Gives the exit code of the first command that fails, or 0.
        """
        spec = yaml.safe_load((source / self.buildspec).read_text())
        commands = [command for phase in spec["phases"].values() for command in phase.get("commands", [])]
        if strange := received.keys() - set(commands):
            raise Failed(f"{self.buildspec} has no command {', '.join(strange)}")
        variables = {**spec.get("env", {}).get("variables", {}), **self.environment, "CODEBUILD_SRC_DIR": str(source)}
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
    """What the next build finds as its source, its files' modes kept."""
    with zipfile.ZipFile(artifact) as zipped:
        for each in zipped.infolist():
            path = pathlib.Path(zipped.extract(each, folder))
            path.chmod(each.external_attr >> 16 & 0o777 or 0o644)
