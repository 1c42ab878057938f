"""What AWS does on a push: EventBridge's event, and CodePipeline's stages."""

import functools
import json
import os
import pathlib
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


class CodePipeline:
    def __init__(self, aws: Aws, guide: Guide, report: Report, work: pathlib.Path):
        self.aws, self.guide, self.report, self.work, self.folder = aws, guide, report, work, aws.folder
        self.is_receiving = bool(os.environ.get("RECEIVED"))
        self.source = (self.folder if self.is_receiving else work) / "source"
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
        rule = self.aws.ask(tools, "events", "describe_rule", Name=f"{SERVICE}-push")
        [target] = self.aws.ask(tools, "events", "list_targets_by_rule", Rule=f"{SERVICE}-push")["Targets"]
        expect(target["Arn"] == f"arn:aws:codepipeline:{account}:{SERVICE}", "the rule starts this pipeline")
        pattern = {"EventPattern": rule["EventPattern"], "Event": json.dumps(event)}
        return self.aws.ask(tools, "events", "test_event_pattern", **pattern)["Result"]

    def run(self, title: str):
        """CodePipeline's stages, in the order of the template: each build's artifact is the next one's source."""
        resources = yaml.load((ROOT / "pipeline/pipeline.yml").read_text(), Tags)["Resources"]
        stages = resources["Pipeline"]["Properties"]["Stages"]
        names = [stage["Name"] for stage in stages]
        expect(names == ["Source", "Build", "Deploy"], "the pipeline has a source, a build and a deployment")
        artifact = self.folder / "source.zip"
        subprocess.run(
            ["git", "archive", "--format=zip", f"--output={artifact}", "master"], cwd=self.guide.bare, check=True
        )
        for stage in stages[1:]:
            [action] = stage["Actions"]
            project = self.project(self.aws.resource(TOOLS, PIPELINE, action["Configuration"]["ProjectName"]))
            self.report.step(f"{stage['Name']} {title}: CodeBuild's project {project.name} runs {project.buildspec}")
            self.report.detail(f"as {project.role}")
            artifact = self.build(project, stage["Name"], artifact)
        self.endpoint = zipfile.ZipFile(artifact).read("api-endpoint.txt").decode().strip()

    @functools.cache
    def project(self, name: str) -> Project:
        return Project(self.aws, name)

    def build(self, project: Project, stage: str, artifact: pathlib.Path) -> pathlib.Path:
        made = self.folder / f"{stage.lower()}.zip"
        log = self.work / f"{stage.lower()}.log"
        received = RECEIVED[stage] if self.is_receiving else {}
        code = project.build(self.unpacked(stage, artifact), made, log, self.report.detail, received)
        if code != 0:
            raise Failed(f"{stage} ended with exit code {code}: see {log}")
        self.hand_on(project, made)
        return made

    def unpacked(self, stage: str, artifact: pathlib.Path) -> pathlib.Path:
        """The source of a build. That of Build keeps the last rehearsal's folder, to save time; CodeBuild's is new."""
        if stage == "Build":
            if not (self.source / ".git").exists():
                subprocess.run(["git", "init", "--quiet", str(self.source)], check=True)
                for cached in (".tools", "target"):
                    (ROOT / cached).mkdir(exist_ok=True)
                    (self.source / cached).symlink_to(ROOT / cached)
                (self.source / ".git/info/exclude").write_text(".tools\ntarget\n")
            subprocess.run(["git", "fetch", "--quiet", str(self.guide.bare), "master"], cwd=self.source, check=True)
            subprocess.run(["git", "checkout", "--quiet", "--force", "FETCH_HEAD"], cwd=self.source, check=True)
            subprocess.run(["git", "clean", "-fdq"], cwd=self.source, check=True)
            return self.source
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        unzip(artifact, folder)
        return folder

    def hand_on(self, project: Project, artifact: pathlib.Path):
        """The artifact goes through the pipeline's bucket, with the build's own permissions."""
        bucket = self.aws.output(TOOLS, PIPELINE, "OutCodePipelineS3Bucket")
        where = {"Bucket": bucket, "Key": f"{SERVICE}/{artifact.name}"}
        self.aws.ask(project.credentials, "s3", "put_object", Body=artifact.read_bytes(), **where)
        read = self.aws.ask(project.credentials, "s3", "get_object", **where)["Body"].read()
        expect(read == artifact.read_bytes(), "the bucket gives what was put into it")


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
        "make advisories": lambda _: "nobody: only make verify runs it",
        "make test-api": lambda _: "make test-rust",
        "scripts/build.sh": receive_build,
        "make sbom": lambda _: "nobody: only make verify runs it",
    },
    "Deploy": {"npm ci --omit=dev --no-audit --no-fund": receive_tools},
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
