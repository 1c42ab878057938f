"""What AWS does on a push: EventBridge's event, and CodePipeline's stages."""

import functools
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import time
import zipfile

import yaml

from aws import PIPELINE, REGION, ROOT, SERVICE, TOOLS, Aws, Failed, expect, root_of
from codebuild import Project, unzip
from guide import REPOSITORY, Guide
from report import Report
from strict import strict


class CodePipeline:
    def __init__(self, aws: Aws, guide: Guide, report: Report, work: pathlib.Path):
        self.aws, self.guide, self.report, self.work, self.folder = aws, guide, report, work, aws.folder
        self.is_receiving = bool(os.environ.get("RECEIVED"))
        self.artifacts = {}  # The key of each artifact of the last execution.
        self.endpoint = ""
        # A rehearsal works without github.com. NOT_SHOWN says so.
        os.environ.setdefault("ADVISORY_DB", str(ROOT / "tests/tools/advisories"))

    def pushed(self, branch: str) -> bool:
        """Whether the event that CodeCommit sends for a push to `branch` starts the pipeline."""
        account = f"{REGION}:{TOOLS}"
        event = {
            "version": "0",
            "id": "1",
            "account": TOOLS,
            "region": REGION,
            "time": now(),
            "source": "aws.codecommit",
            "detail-type": "CodeCommit Repository State Change",
            "resources": [f"arn:aws:codecommit:{account}:{REPOSITORY}"],
            "detail": {
                "event": "referenceUpdated",
                "referenceType": "branch",
                "referenceName": branch,
                "repositoryName": REPOSITORY,
                "commitId": self.guide.in_clone("git", "rev-parse", "HEAD").strip(),
            },
        }
        tools = root_of(TOOLS)
        rule = self.aws.call(tools, "events", "describe_rule", Name=f"{SERVICE}-push")
        [target] = self.aws.call(tools, "events", "list_targets_by_rule", Rule=f"{SERVICE}-push")["Targets"]
        expect(target["Arn"] == f"arn:aws:codepipeline:{account}:{SERVICE}", "the rule starts this pipeline")
        pattern = {"EventPattern": rule["EventPattern"], "Event": json.dumps(event)}
        return self.aws.call(tools, "events", "test_event_pattern", **pattern)["Result"]

    def run(self, title: str):
        """Runs the stages of the template."""
        commit = self.source()
        for stage in list(self.actions)[1:]:
            project = self.project(stage)
            self.report.step(f"{stage} {title}: CodeBuild's project {project.name} runs {project.buildspec}")
            self.report.detail(f"as {project.role}")
            log = self.work / f"{stage.lower()}.log"
            code = self.build(stage, log, self.report.detail)
            if code != 0:
                raise Failed(f"{stage} ended with exit code {code}: see {log}")
        self.endpoint = zipfile.ZipFile(self.fetched("Endpoint")).read("api-endpoint.txt").decode().strip()
        self.guide.executed(commit)

    def starts_early(self):
        """A new pipeline starts by itself."""
        try:
            self.source()
        except Failed as failed:
            expect(not self.artifacts, "nothing was stored")
            return self.report.detail(f"it fails, and nothing is built or deployed: {failed}")
        raise Failed("the first execution found something in an empty repository")

    @functools.cached_property
    def actions(self) -> dict:
        """The action of each stage in the template. Source has two alternatives, of which this is the first."""
        resources = yaml.load((ROOT / "pipeline/pipeline.yml").read_text(), Tags)["Resources"]
        stages = resources["Pipeline"]["Properties"]["Stages"]
        actions = {stage["Name"]: stage["Actions"][0] for stage in stages}
        expect(list(actions) == ["Source", "Build", "Deploy"], "the pipeline has a source, a build and a deployment")
        return actions

    def source(self) -> str:
        """CodePipeline fetches the branch with its own role."""
        rev = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "master"], cwd=self.guide.bare, stdout=subprocess.PIPE
        )
        if rev.returncode != 0:
            raise Failed("Source: the repository has no branch master")
        artifact = self.folder / "source.zip"
        archive = ["git", "archive", "--format=zip", f"--output={artifact}", "master"]
        subprocess.run(archive, cwd=self.guide.bare, check=True)
        self.store("Source", artifact, self.credentials)
        return rev.stdout.decode().strip()

    @functools.cached_property
    def credentials(self) -> dict:
        role = self.aws.resource(TOOLS, PIPELINE, "PipelineRole")
        arn = f"arn:aws:codepipeline:{REGION}:{TOOLS}:{SERVICE}"
        source = None if strict("conditions") else arn
        return self.aws.assume_as("codepipeline.amazonaws.com", f"arn:aws:iam::{TOOLS}:role/{role}", source)

    @functools.cache
    def project(self, stage: str) -> Project:
        return Project(
            self.aws, self.aws.resource(TOOLS, PIPELINE, self.actions[stage]["Configuration"]["ProjectName"])
        )

    def build(self, stage: str, log: pathlib.Path, say, received: dict | None = None) -> int:
        """Runs the project of a stage on the artifacts of the last execution. Returns its exit code."""
        action, project = self.actions[stage], self.project(stage)
        inputs = [each["Name"] for each in action["InputArtifacts"]]
        primary = action["Configuration"].get("PrimarySource", inputs[0])
        folders = {name: self.unpacked(name, project.credentials) for name in inputs}
        made = self.folder / f"{stage.lower()}.zip"
        made.unlink(missing_ok=True)
        if received is None:
            received = RECEIVED[stage] if self.is_receiving else {}
        others = {name: folder for name, folder in folders.items() if name != primary}
        code = project.build(folders[primary], made, log, say, received, **others)
        if code == 0:
            [output] = action["OutputArtifacts"]
            self.store(output["Name"], made, project.credentials)
        for folder in folders.values():
            shutil.rmtree(folder / "target", ignore_errors=True)
        return code

    def zips(self) -> dict:
        """The code of the functions in the last package."""
        with zipfile.ZipFile(self.fetched("Package")) as package:
            return {name: package.read(name) for name in package.namelist() if name.endswith(".zip")}

    def deployable(self) -> pathlib.Path:
        """A folder in which scripts/deploy.sh can deploy the last package."""
        folder = self.unpacked("Source")
        (self.unpacked("Package") / "dist").rename(folder / "dist")
        return folder

    @functools.cached_property
    def bucket(self) -> str:
        return self.aws.output(TOOLS, PIPELINE, "OutCodePipelineS3Bucket")

    def store(self, name: str, artifact: pathlib.Path, credentials: dict):
        """An artifact goes through the pipeline's bucket. CodePipeline shortens both names in its key."""
        key = f"{SERVICE[:20]}/{name[:10]}/{secrets.token_urlsafe(5)}"
        self.aws.call(credentials, "s3", "put_object", Bucket=self.bucket, Key=key, Body=artifact.read_bytes())
        self.artifacts[name] = key

    def fetched(self, name: str, credentials: dict | None = None) -> pathlib.Path:
        asked = {"Bucket": self.bucket, "Key": self.artifacts[name]}
        found = self.aws.call(credentials or self.credentials, "s3", "get_object", **asked)
        artifact = self.folder / f"{name.lower()}.zip"
        artifact.write_bytes(found["Body"].read())
        return artifact

    def unpacked(self, name: str, credentials: dict | None = None) -> pathlib.Path:
        """The folder in which a build finds an artifact, of which each build has another."""
        folder = self.folder / "src" / name
        if strict("folders"):
            folder = pathlib.Path(tempfile.mkdtemp(prefix="src", dir=self.folder)) / "src"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        unzip(self.fetched(name, credentials), folder)
        return folder


def receive_tools(source: pathlib.Path) -> str:
    for folder in (".venv", "node_modules"):
        if not (source / folder).exists():
            (source / folder).symlink_to(ROOT / folder)
    return "make tools"


def receive_build(source: pathlib.Path) -> str:
    built = [*sorted((ROOT / "dist").glob("*.zip")), *sorted((ROOT / "dist/debug").iterdir())]
    expect(built, "make release has left zips and symbols in dist/")
    for each in built:
        copy = source / each.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(each, copy)
    return "make release"


# The commands of each build that `make test` runs in this folder. `make verify` receives nothing.
RECEIVED = {
    "Build": {
        "make pipeline-tools": receive_tools,
        "make secrets": lambda _: "make secrets",
        "make advisories": lambda _: "nowhere: only make verify runs it",
        "make test-api": lambda _: "make test-rust",
        "bash scripts/build.sh": receive_build,
        "make sbom": lambda _: "nowhere: only make verify runs it",
    },
    "Deploy": {"npm ci --omit=dev --ignore-scripts --no-audit --no-fund": receive_tools},
}


class Tags(yaml.SafeLoader):
    """YAML whose short tags of CloudFormation are read as what stands behind them."""


def plain(loader, _, node):
    constructors = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: loader.construct_sequence,
        yaml.MappingNode: loader.construct_mapping,
    }
    return constructors[type(node)](node)


Tags.add_multi_constructor("!", plain)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
