"""An emulation of AWS after a push: EventBridge's event, and CodePipeline's executions, stages and rollbacks."""

import concurrent.futures
import copy
import functools
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import time
import uuid
import zipfile

from aws import REGION, ROOT, TOOLS, Aws, Failed, expect, root_of
from codebuild import Project, environment_of, unzip
from execution import Execution, responses
from guide import REPOSITORY, Guide
from received import RECEIVED
from report import Report
from strict import strict


class CodePipeline:
    def __init__(self, aws: Aws, guide: Guide, report: Report, work: pathlib.Path, name: str):
        self.aws, self.guide, self.report, self.work, self.folder = aws, guide, report, work, aws.folder
        self.name = name
        self.received = RECEIVED if os.environ.get("RECEIVED") else {}
        self.decide = None  # Decides an approval with a command.
        self.executions = []  # Latest first.
        self.is_brief = False  # Whether it reports actions, not commands.
        self.asked = 0  # The number of requests already handled.
        # A rehearsal works without github.com, as NOT_SHOWN says.
        os.environ.setdefault("ADVISORY_DB", str(ROOT / "tests/tools/advisories"))

    # ---- The template ----

    @property
    def described(self) -> dict:
        return self.aws.call(root_of(TOOLS), "codepipeline", "get_pipeline", name=self.name)["pipeline"]

    @property
    def stages(self) -> list:
        return self.described["stages"]

    def stage(self, name: str) -> dict:
        return next(stage for stage in self.stages if stage["name"] == name)

    def action(self, stage: str, name: str | None = None) -> dict:
        """An action of a stage, or its first."""
        return next(each for each in self.stage(stage)["actions"] if name in (None, each["name"]))

    def project(self, stage: str, action: str | None = None) -> Project:
        return self.described_project(self.action(stage, action)["configuration"]["ProjectName"])

    @functools.cache
    def described_project(self, name: str) -> Project:
        return Project(self.aws, name)

    @functools.cached_property
    def bucket(self) -> str:
        return self.described["artifactStore"]["location"]

    @functools.cached_property
    def credentials(self) -> dict:
        arn = f"arn:aws:codepipeline:{REGION}:{TOOLS}:{self.name}"
        source = None if strict("conditions") else arn
        return self.aws.assume_as("codepipeline.amazonaws.com", self.described["roleArn"], source)

    # ---- Executions ----

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
        rule = self.aws.call(tools, "events", "describe_rule", Name=f"{self.name}-push")
        [target] = self.aws.call(tools, "events", "list_targets_by_rule", Rule=f"{self.name}-push")["Targets"]
        expect(target["Arn"] == f"arn:aws:codepipeline:{account}:{self.name}", "the rule starts this pipeline")
        pattern = {"EventPattern": rule["EventPattern"], "Event": json.dumps(event)}
        return self.aws.call(tools, "events", "test_event_pattern", **pattern)["Result"]

    def starts_early(self):
        """A new pipeline starts automatically."""
        try:
            self.start()
        except Failed as failed:
            expect(not self.executions[0].artifacts, "nothing was stored")
            return self.report.detail(f"it fails, and nothing is built or deployed: {failed}")
        raise Failed("the first execution found something in an empty repository")

    def start(self) -> Execution:
        """CodePipeline fetches the branch with its own role."""
        execution = Execution(self.stages)
        self.executions.insert(0, execution)
        try:
            self.fetch(execution)
        except Failed:
            self.ends(execution, "Source", "Failed")
            raise
        self.ends(execution, "Source", "Succeeded")
        return execution

    def fetch(self, execution: Execution):
        action = self.action("Source")
        branch = action["configuration"]["BranchName"]
        described = ["git", "log", "-1", "--format=%H%x00%B", branch, "--"]
        found = subprocess.run(described, cwd=self.guide.bare, capture_output=True, text=True)
        if found.returncode != 0:
            raise Failed(f"Source: the repository has no branch {branch}")
        execution.commit, message = found.stdout.split("\0")
        execution.message = message.strip()
        artifact = self.folder / "source.zip"
        archive = ["git", "archive", "--format=zip", f"--output={artifact}", execution.commit]
        subprocess.run(archive, cwd=self.guide.bare, check=True)
        [output] = action["outputArtifacts"]
        self.store(execution, output["name"], artifact, self.credentials)
        variables = {"BranchName": branch, "CommitId": execution.commit, "CommitMessage": execution.message}
        execution.variables[action.get("namespace", "")] = variables

    def run(self, title: str) -> Execution:
        """Runs the pipeline for the pushed commit."""
        execution = self.start()
        for stage in self.stages[1:]:
            self.play(execution, stage, title)
        return execution

    def run_all(self, executions: list, title: str) -> list:
        """Runs queued executions, one at a time and in order in each stage. Returns the result of each."""
        stages, ends = self.stages[1:], [""] * len(executions)

        def play(turn: int, behind: int):
            if 0 <= turn - behind < len(stages) and not ends[behind]:
                try:
                    self.play(executions[behind], stages[turn - behind], f"{title} ({behind + 1})")
                except Failed as failed:
                    ends[behind] = str(failed)

        for turn in range(len(stages) + len(executions)):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                list(pool.map(functools.partial(play, turn), range(len(executions))))
        return ends

    def play(self, execution: Execution, stage: dict, title: str):
        """Runs the actions of a stage. If one fails, rolls the stage back if it is configured to."""
        try:
            for action in sorted(stage["actions"], key=lambda each: each.get("runOrder", 1)):
                execution.stages[stage["name"]] = "InProgress"
                provider = action["actionTypeId"]["provider"]
                perform = {"CodeBuild": self.perform_build, "Manual": self.wait_for_approval}[provider]
                perform(execution, stage["name"], action, title)
        except Failed as failed:
            self.ends(execution, stage["name"], "Failed")
            if stage.get("onFailure", {}).get("result") == "ROLLBACK" and execution.kind == "STANDARD":
                try:
                    self.roll_back_to_the_last(stage)
                except Failed as worse:
                    raise Failed(f"{failed}, and then the rollback: {worse}") from worse
            raise
        self.ends(execution, stage["name"], "Succeeded")

    def ends(self, execution: Execution, stage: str, status: str):
        execution.stages[stage] = status
        if status == "Failed" or stage == self.stages[-1]["name"] or execution.kind == "ROLLBACK":
            execution.status = status
        self.tell()

    def perform_build(self, execution: Execution, stage: str, action: dict, title: str):
        name, project = action["name"], self.project(stage, action["name"])
        where = stage if name == stage else f"{stage}, {name}"
        log = self.work / f"{where.lower().replace(', ', '-')}.log"
        since = time.monotonic()
        if not self.is_brief:
            self.report.step(f"{where} {title}: CodeBuild's project {project.name} runs {project.buildspec}")
            self.report.detail(f"as {project.role}")
        say = (lambda *_, **__: None) if self.is_brief else self.report.detail
        code = self.build(stage, log, say, action=name, execution=execution)
        if self.is_brief:
            self.report.detail(f"{where} {title}", since, failed=code != 0)
        for line in self.aws.logged("CodeDeploy (our emulation)"):
            self.report.detail(line)
        if code != 0:
            raise Failed(f"{where} ended with exit code {code}: see {log}")

    # ---- Approvals, and an engineer's requests ----

    def wait_for_approval(self, execution: Execution, stage: str, action: dict, title: str):
        shown = execution.resolved(action["configuration"])
        token = str(uuid.uuid4())
        if topic := shown.pop("NotificationArn", None):
            message = {"approval": {"pipelineName": self.name, "stageName": stage, "token": token, **shown}}
            self.aws.call(self.credentials, "sns", "publish", TopicArn=topic, Message=json.dumps(message))
        self.report.detail(f"{stage} waits for {action['name']}, and shows:")
        for text in shown.values():
            for line in text.splitlines():
                self.report.detail(f"  {line}")
        self.tell({stage: {"actionName": action["name"], "latestExecution": {"status": "InProgress", "token": token}}})
        self.decide()
        [decision] = self.take("PutApprovalResult")
        expect(decision["token"] == token, "the decision is about this approval")
        self.report.detail(f"{decision['result']['status']}: {decision['result']['summary']}")
        if decision["result"]["status"] != "Approved":
            raise Failed(f"{stage} was rejected: {decision['result']['summary']}")

    def tell(self, approval: dict | None = None):
        """Writes CodePipeline's responses for pipelines.py."""
        folder = self.folder / "codepipeline"
        folder.mkdir(exist_ok=True)
        for operation, response in responses(self.name, self.stages, self.executions, approval or {}).items():
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as written:
                json.dump(response, written)
            pathlib.Path(written.name).rename(folder / f"{self.name}.{operation}.json")

    def take(self, operation: str) -> list:
        """New requests to CodePipeline."""
        file = self.folder / "codepipeline/asked"
        lines = file.read_text().splitlines() if file.exists() else []
        fresh, self.asked = [json.loads(line) for line in lines[self.asked :]], len(lines)
        return [each for each in fresh if each["operation"] == operation]

    # ---- Rollbacks ----

    def roll_back_to_the_last(self, stage: dict):
        """Rolls a stage back to its last successful execution, if that has the pipeline's current structure."""
        name, structure = stage["name"], self.stages
        for each in self.executions:
            if each.kind == "STANDARD" and each.stages.get(name) == "Succeeded" and each.structure == structure:
                return self.roll_back(stage, each)
        self.report.detail(f"{name} is not rolled back: nothing of this pipeline has succeeded there so far")

    def roll_back_as_asked(self):
        """Performs the rollback that `aws codepipeline rollback-stage` requested."""
        [asked] = self.take("RollbackStage")
        [target] = [each for each in self.executions if each.id == asked["targetPipelineExecutionId"]]
        stage = self.stage(asked["stageName"])
        expect(target.kind == "STANDARD", "it is not a rollback itself")
        expect(target.stages.get(stage["name"]) == "Succeeded", "it has succeeded in this stage")
        expect(target.structure == self.stages, "the pipeline was not changed since")
        self.roll_back(stage, target)

    def roll_back(self, stage: dict, target: Execution):
        """A new execution of one stage, with the artifacts and variables of an earlier one."""
        execution = Execution(self.stages, "ROLLBACK")
        execution.commit, execution.message = target.commit, target.message
        execution.artifacts, execution.variables = dict(target.artifacts), copy.deepcopy(target.variables)
        self.executions.insert(0, execution)
        self.report.detail(f"{stage['name']} is rolled back to commit {target.commit[:7]}")
        self.play(execution, stage, "that was there before")

    # ---- Builds and artifacts ----

    @property
    def last(self) -> Execution:
        """The last execution that has an artifact."""
        return next(each for each in self.executions if each.artifacts)

    @property
    def endpoint(self) -> str:
        """The address of the last deployed API."""
        endpoints = [each.get("ENDPOINT", "") for each in self.last.variables.values()]
        return [each for each in endpoints if each.startswith("https:")][-1]

    def build(
        self,
        stage: str,
        log: pathlib.Path,
        say,
        received: dict | None = None,
        action: str | None = None,
        execution: Execution | None = None,
    ) -> int:
        """Runs the project of a stage on the artifacts of an execution, or of the last one. Returns its exit code."""
        action = self.action(stage, action)
        project = self.project(stage, action["name"])
        execution = execution or self.last
        inputs = [each["name"] for each in action["inputArtifacts"]]
        primary = action["configuration"].get("PrimarySource", inputs[0])
        folders = {name: self.unpacked(name, project.credentials, execution) for name in inputs}
        [output] = action.get("outputArtifacts", []) or [None]
        made = self.folder / f"{stage.lower()}.zip" if output else None
        if received is None:
            received = (execution.received or self.received).get(project.buildspec, {})
        others = {name: folder for name, folder in folders.items() if name != primary}
        given = environment_of(execution.resolved(action))
        if "ENDPOINT" in given:
            given["ENDPOINT"] = self.aws.reachable(given["ENDPOINT"])
        code, exported = project.build(folders[primary], made, log, say, received, given, **others)
        if code == 0 and output:
            self.store(execution, output["name"], made, project.credentials)
        if code == 0 and "namespace" in action:
            execution.variables[action["namespace"]] = exported
        for folder in folders.values():
            shutil.rmtree(folder / "target", ignore_errors=True)
        return code

    def zips(self) -> dict:
        """The zips in the last package."""
        with zipfile.ZipFile(self.fetched("Package")) as package:
            return {name: package.read(name) for name in package.namelist() if name.endswith(".zip")}

    def deployable(self) -> pathlib.Path:
        """A folder from which scripts/deploy.sh can deploy the last package."""
        folder = self.unpacked("Source")
        (self.unpacked("Package") / "dist").rename(folder / "dist")
        return folder

    def store(self, execution: Execution, name: str, artifact: pathlib.Path, credentials: dict):
        """Stores an artifact in the pipeline's bucket. CodePipeline truncates both names in its key."""
        key = f"{self.name[:20]}/{name[:10]}/{secrets.token_urlsafe(5)}"
        self.aws.call(credentials, "s3", "put_object", Bucket=self.bucket, Key=key, Body=artifact.read_bytes())
        execution.artifacts[name] = key

    def fetched(self, name: str, credentials: dict | None = None, execution: Execution | None = None) -> pathlib.Path:
        execution = execution or self.last
        asked = {"Bucket": self.bucket, "Key": execution.artifacts[name]}
        found = self.aws.call(credentials or self.credentials, "s3", "get_object", **asked)
        artifact = self.folder / f"{name.lower()}-{execution.id}.zip"
        artifact.write_bytes(found["Body"].read())
        return artifact

    def unpacked(self, name: str, credentials: dict | None = None, execution: Execution | None = None) -> pathlib.Path:
        """The folder of a build's artifact, different for each build."""
        folder = self.folder / "src" / name
        if strict("folders"):
            folder = pathlib.Path(tempfile.mkdtemp(prefix="src", dir=self.folder)) / "src"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        unzip(self.fetched(name, credentials, execution), folder)
        return folder


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
