"""A push to master, whole, on two emulated AWS accounts: `make rehearse`.

It does what docs/deploy.md says, and docs/runbook.md and docs/migrate.md, by running the commands in them, and plays
what AWS does in between: the event of a push, CodePipeline's stages, CodeBuild's builds. Everything else is the real
thing. With RECEIVED=1, as in `make test`, the builds receive what was installed, tested and built in this folder.
"""

import fcntl
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

import yaml

import permissions
from aws import ARCHITECTURE, REGION, ROOT, TARGET, TOOLS, Aws, Failed, root_of
from codebuild import Project, unzip

STRANGER = "333333333333"
SERVICE = "product-catalog-service-DEV"
PIPELINE = "product-catalog-service-pipeline-DEV"
REPOSITORY = "product-catalog-service"
GUIDE, RUNBOOK, MIGRATION = "docs/deploy.md", "docs/runbook.md", "docs/migrate.md"
DEPLOYMENT_ROLE = "cross-account-role-serverless-deployment-DEV"
# The emulator has no such resources: the rehearsal plays them.
PLAYED = ("AWS::CodeCommit::Repository", "AWS::CodePipeline::Pipeline")
NOT_SHOWN = """
  Not shown here, because the emulator has no CodeCommit, CodePipeline and CodeBuild that run:
    - that they work with these roles and images, and nobody else does: tests/deployment/policies.test.mjs asks an
      evaluator
    - the execution role and who may pass it, which the emulator does not enforce: asked there, too, and held against
      the permissions that CloudFormation's resource schemas name
    - API Gateway's limits, logs and traces, and its times
    - that an alarm goes off by itself, and that its topic's key and policy let it: asked there, too
    - that a table is restored to what it was: the emulator makes it of what is there
    - the original's functions, and a push over its own table on AWS: docs/migrate.md ends with what was not tried
    - arm64 on another machine: the zips are built for {architecture}
  docs/deploy.md ends with what to look at in a first deployment on AWS."""


class Rehearsal:
    def __init__(self, folder: pathlib.Path, work: pathlib.Path):
        self.folder, self.work = folder, work
        self.aws = Aws(folder, work / "aws.log")
        self.clone = folder / "clone"
        self.bare = folder / "repositories" / REPOSITORY
        self.is_receiving = bool(os.environ.get("RECEIVED"))
        self.source = (folder if self.is_receiving else work) / "source"
        self.variables = {}
        self.steps = 0
        self.began = time.monotonic()
        self.said = []

    # ---- Telling --------------------------------------------------------------------------------

    def say(self, line=""):
        print(line, flush=True)
        self.said.append(line)

    def step(self, title):
        self.steps += 1
        self.say(f"\n{self.steps:2}. {title}")

    def detail(self, text, since=None, failed=False):
        took = "" if since is None else f"{time.monotonic() - since:5.1f} s"
        self.say(f"    {'FAILED' if failed else took:>7}  {text}")

    # ---- The guide ------------------------------------------------------------------------------

    def guide(self, title: str, page: str = GUIDE, blocks: slice = slice(None), **chosen: str) -> str:
        """Runs the commands of a section of a page in the engineer's clone, with these variables: what they print."""
        sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", (ROOT / page).read_text(), re.M | re.S))
        found = re.findall(r"^```sh\n(.*?)^```", sections[title], re.M | re.S)[blocks]
        expect(found, f"{page}, {title} has commands")
        commands = "".join(found)
        for line in re.findall(r"^(?:[A-Z_]+=\$\()?((?:aws|git|curl) .*?)(?: \\)?$", commands, re.M):
            self.detail(f"$ {line}")
        since = time.monotonic()
        environment = {**self.aws.environment({}), **self.git(), **self.variables, **chosen}
        command = f"{commands}\nenv -0 >{self.folder}/variables"
        shell = ["bash", "-euo", "pipefail", "-c", command]
        done = subprocess.run(shell, cwd=self.clone, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{page}, {title}: {(done.stderr or done.stdout).strip()}")
        self.detail("done", since)
        return done.stdout

    def choose(self):
        """The guide's choices, which are this rehearsal's; only the architecture is this machine's."""
        self.guide("1. Choose")
        chosen = dict(each.split("=", 1) for each in (self.folder / "variables").read_text().split("\0") if each)
        names = ("TOOLS_ACCOUNT", "TARGET_ACCOUNT", "AWS_REGION", "EXTERNAL_ID")
        self.variables = {name: chosen[name] for name in names} | {"ARCHITECTURE": ARCHITECTURE}
        ours = {"TOOLS_ACCOUNT": TOOLS, "TARGET_ACCOUNT": TARGET, "AWS_REGION": REGION}
        expect(ours.items() <= self.variables.items(), "docs/deploy.md chooses the rehearsal's accounts and region")

    def git(self) -> dict:
        """git, to which this folder is CodeCommit."""
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

    # ---- Setting up -----------------------------------------------------------------------------

    def prepare(self):
        """An engineer's clone of this working tree, and an empty repository to push it to."""
        real = shutil.which("aws", path=f"{ROOT}/.venv/bin")
        (self.folder / "bin").mkdir()
        shim = self.folder / "bin/aws"
        shim.write_text(
            "#!/usr/bin/env bash\n"
            "# Keeps what sts hands out, to look for it later where it must not be.\n"
            'if [[ "$1 $2" == "sts assume-role" ]]; then\n'
            f'  answer=$("{real}" "$@") || exit\n'
            f'  tee -a "{self.aws.handed_out}" <<<"$answer"\n'
            "else\n"
            f'  exec "{real}" "$@"\n'
            "fi\n"
        )
        shim.chmod(0o755)
        profiles = [
            f"[profile {name}]\naws_access_key_id = {account}\naws_secret_access_key = test\n"
            for name, account in (("tools", TOOLS), ("target", TARGET))
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
        self.in_clone("git", "add", "--all")
        self.in_clone("git", "commit", "--quiet", "--allow-empty", "--message", "The working tree")

    def without_what_is_played(self):
        """Takes out of the clone's pipeline template what the emulator does not have."""
        template = self.clone / "pipeline/pipeline.yml"
        parts = re.split(r"(?m)^(?=  \w+:\n)", template.read_text())
        kept = [part for part in parts if not re.match(rf"  \w+:\n    Type: ({'|'.join(PLAYED)})\n", part)]
        expect(len(kept) == len(parts) - len(PLAYED), f"pipeline.yml has one {' and one '.join(PLAYED)}")
        template.write_text("".join(kept))

    # ---- What AWS does on a push ----------------------------------------------------------------

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
                "commitId": self.in_clone("git", "rev-parse", "HEAD").strip(),
            },
        }
        tools = root_of(TOOLS)
        rule = self.aws.ask(tools, "events", "describe_rule", Name=f"{SERVICE}-push")
        [target] = self.aws.ask(tools, "events", "list_targets_by_rule", Rule=f"{SERVICE}-push")["Targets"]
        expect(target["Arn"] == f"arn:aws:codepipeline:{account}:{SERVICE}", "the rule starts this pipeline")
        pattern = {"EventPattern": rule["EventPattern"], "Event": json.dumps(event)}
        return self.aws.ask(tools, "events", "test_event_pattern", **pattern)["Result"]

    def pipeline(self, title: str):
        """CodePipeline's stages, in the order of the template: each build's artifact is the next one's source."""
        resources = yaml.load((ROOT / "pipeline/pipeline.yml").read_text(), Tags)["Resources"]
        stages = resources["Pipeline"]["Properties"]["Stages"]
        names = [stage["Name"] for stage in stages]
        expect(names == ["Source", "Build", "Deploy"], "the pipeline has a source, a build and a deployment")
        artifact = self.folder / "source.zip"
        subprocess.run(["git", "archive", "--format=zip", f"--output={artifact}", "master"], cwd=self.bare, check=True)
        for stage in stages[1:]:
            [action] = stage["Actions"]
            project = self.project(self.resource(TOOLS, PIPELINE, action["Configuration"]["ProjectName"]))
            self.step(f"{stage['Name']} {title}: CodeBuild's project {project.name} runs {project.buildspec}")
            self.detail(f"as {project.role}")
            artifact = self.build(project, stage["Name"], artifact)
        self.endpoint = zipfile.ZipFile(artifact).read("api-endpoint.txt").decode().strip()

    @functools.cache
    def project(self, name: str) -> Project:
        return Project(self.aws, name)

    def build(self, project: Project, stage: str, artifact: pathlib.Path) -> pathlib.Path:
        made = self.folder / f"{stage.lower()}.zip"
        log = self.work / f"{stage.lower()}.log"
        received = RECEIVED[stage] if self.is_receiving else {}
        code = project.build(self.unpacked(stage, artifact), made, log, self.detail, received)
        if code != 0:
            raise Failed(f"{stage} ended with exit code {code}: see {log}")
        self.hand_on(project, made)
        return made

    def unpacked(self, stage: str, artifact: pathlib.Path) -> pathlib.Path:
        """The source of a build. That of Build keeps the folder of the last rehearsal, as CodeBuild's cache does."""
        if stage == "Build":
            if not (self.source / ".git").exists():
                subprocess.run(["git", "init", "--quiet", str(self.source)], check=True)
                for cached in (".tools", "target"):
                    (ROOT / cached).mkdir(exist_ok=True)
                    (self.source / cached).symlink_to(ROOT / cached)
                (self.source / ".git/info/exclude").write_text(".tools\ntarget\n")
            subprocess.run(["git", "fetch", "--quiet", str(self.bare), "master"], cwd=self.source, check=True)
            subprocess.run(["git", "checkout", "--quiet", "--force", "FETCH_HEAD"], cwd=self.source, check=True)
            subprocess.run(["git", "clean", "-fdq"], cwd=self.source, check=True)
            return self.source
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        unzip(artifact, folder)
        return folder

    def hand_on(self, project: Project, artifact: pathlib.Path):
        """The artifact goes through the pipeline's bucket, with the build's own permissions."""
        bucket = self.output(TOOLS, PIPELINE, "OutCodePipelineS3Bucket")
        where = {"Bucket": bucket, "Key": f"{SERVICE}/{artifact.name}"}
        self.aws.ask(project.credentials, "s3", "put_object", Body=artifact.read_bytes(), **where)
        read = self.aws.ask(project.credentials, "s3", "get_object", **where)["Body"].read()
        expect(read == artifact.read_bytes(), "the bucket gives what was put into it")

    # ---- What must not happen -------------------------------------------------------------------

    def assume_deployment_role(self, credentials: dict, external_id: str) -> str:
        """What AWS says to somebody who assumes the deployment role; nothing if it may be done."""
        try:
            self.aws.assume(credentials, f"arn:aws:iam::{TARGET}:role/{DEPLOYMENT_ROLE}", ExternalId=external_id)
            return ""
        except Failed as failed:
            return str(failed)

    def refused(self, story: str, said: str, why: str):
        expect(why in said, f"{story}: should have been refused with {why}, and was answered: {said or 'yes'}")
        self.detail(f"refused: {story}")

    def stories(self):
        deploy, build = self.project(f"{SERVICE}-deploy"), self.project(f"{SERVICE}-build")
        external_id = self.variables["EXTERNAL_ID"]
        said = self.assume_deployment_role(deploy.credentials, external_id)
        expect(said == "", f"the deploy project assumes the deployment role: {said}")
        for story, credentials, given in (
            ("the deploy project with another external id", deploy.credentials, external_id + "x"),
            ("the build project with the right external id", build.credentials, external_id),
            ("the tools account's administrator with the right external id", root_of(TOOLS), external_id),
            ("a third account's administrator with the right external id", root_of(STRANGER), external_id),
        ):
            self.refused(story, self.assume_deployment_role(credentials, given), "AccessDenied")

        since = time.monotonic()
        folder = self.unpacked("Deploy", self.folder / "build.zip")
        environment = deploy.environment | {"STAGE": "PROD"}
        before = self.calls()
        done = self.aws.run(deploy.credentials | environment, "scripts/deploy.sh", cwd=folder)
        expect(done.returncode == 1, "a package of another stage ends the deployment")
        self.refused("a package of DEV for PROD", done.stderr, "the package in dist/ is of stage DEV and not of PROD")
        expect(self.calls() == before, "nothing was asked of the target account")

        # Somebody else has the product that the smoke test creates: the API answers 409, as it must.
        item = {"id": {"S": "smoke-test"}, "title": {"S": "Another"}, "description": {"S": ""}, "price": {"N": "1"}}
        self.aws.ask(root_of(TARGET), "dynamodb", "put_item", TableName="PRODUCT_CATALOG", Item=item)
        log = self.work / "failing-smoke-test.log"
        folder, artifact = self.unpacked("Deploy", self.folder / "build.zip"), self.folder / "none.zip"
        received = RECEIVED["Deploy"] if self.is_receiving else {}
        code = deploy.build(folder, artifact, log, lambda *_, **__: None, received)
        expect(code == 1 and not artifact.exists(), "a failing smoke test fails the stage")
        self.refused("a deployment whose smoke test fails", log.read_text(), "smoke-test.sh: POST")
        self.detail("all of them", since)

    def calls(self) -> int:
        """How many calls the target account has recorded, without those of its administrator."""
        events = self.aws.ask(root_of(TARGET), "cloudtrail", "lookup_events")["Events"]
        return sum(json.loads(each["CloudTrailEvent"])["userIdentity"].get("accessKeyId") != TARGET for each in events)

    def handed_out(self) -> list:
        """All credentials that sts has handed out: role, access key, secret, token."""
        text = self.aws.handed_out.read_text()
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        given = [
            [each["AssumedRoleUser"]["Arn"], *(each["Credentials"][name] for name in names)] for each in answers(text)
        ]
        printed = [["", *line.split("\t")] for line in text.splitlines() if re.fullmatch(r"\S+\t\S+\t\S+", line)]
        return given + printed

    def least_privilege(self):
        """Each call of the deployments was allowed, and each permission is needed by one, or excused with a reason."""
        keys = {key for role, key, *_ in self.handed_out() if not role or f"/{DEPLOYMENT_ROLE}/" in role}
        allowed = permissions.allowed(self.aws, DEPLOYMENT_ROLE)
        recorded = permissions.recorded(self.aws, keys)
        permissions.compare(allowed, recorded)
        for action in allowed:
            expect(fails(permissions.compare, allowed - {action}, recorded), f"without {action} something is missing")
        excused = len(permissions.UNSEEN)
        self.detail(
            f"{len(allowed)} actions are allowed: {len(recorded)} were needed here, and {excused} have a reason:"
        )
        for action, reason in permissions.UNSEEN.items():
            self.detail(f"  {action}: {reason}")

    def canaries(self):
        """No secret that was handed out is found in what was printed, logged, packaged or left in a folder."""
        secrets = {secret.encode() for _, _, *each in self.handed_out() for secret in each} | {self.api_key().encode()}
        expect(len(secrets) >= 10, "credentials were handed out")
        places = {"the output": "\n".join(self.said).encode()}
        files = [
            *self.work.glob("*.log"),
            *self.folder.glob("*.zip"),
            *self.clone.rglob("*"),
            *self.folder.glob("tmp?*/**/*"),
            *(self.source / "dist").rglob("*"),
        ]
        for file in files:
            if file.is_file() and "node_modules" not in file.parts:
                places[str(file)] = file.read_bytes()
                if file.suffix == ".zip":
                    zipped = zipfile.ZipFile(file)
                    places |= {f"{file}: {name}": zipped.read(name) for name in zipped.namelist()}

        def found(content: bytes) -> bool:
            return any(secret in content for secret in secrets)

        expect(found(self.aws.handed_out.read_bytes()), "a secret is found where there is one")
        for place, content in places.items():
            expect(not found(content), f"no credentials are in {place}")
        where = f"{len(places)} outputs, logs, artifacts and files"
        self.detail(f"{len(secrets)} secrets were handed out, and none of them is in {where}")

    def stacks(self, account: str) -> list:
        listed = self.aws.ask(root_of(account), "cloudformation", "list_stacks")["StackSummaries"]
        return [each["StackName"] for each in listed if each["StackStatus"] != "DELETE_COMPLETE"]

    # ---- The play -------------------------------------------------------------------------------

    def play(self):
        self.say(f"A push to master, on two emulated AWS accounts: tools {TOOLS}, target {TARGET}, {REGION}")
        self.step("Start AWS on this machine, with IAM enforced, over TLS")
        since = time.monotonic()
        self.aws.start()
        self.prepare()
        self.detail(self.aws.url, since)

        self.step("Choose, as docs/deploy.md does")
        self.choose()
        self.step("Tools account: create the pipeline")
        self.without_what_is_played()
        self.guide("2. The pipeline, in the tools account")
        self.in_clone("git", "checkout", "pipeline/pipeline.yml")
        self.step("Target account: create the role that deploys, and the one that CloudFormation works with")
        self.guide("3. Two roles, in the target account")

        self.step("Push to another branch")
        self.in_clone("git", "push", "--quiet", str(self.bare), "HEAD:feature")
        expect(not self.pushed("feature"), "a push to another branch does nothing")
        self.detail("nothing happens: the rule does not match")
        self.step("Push to master")
        self.guide("4. Push")
        expect(self.pushed("master"), "a push to master starts the pipeline")
        self.detail("EventBridge's rule matches, and starts the pipeline")
        self.pipeline("what was pushed")

        self.step("Create a product and find it")
        for answer in self.guide("5. Create a product and find it").replace("}{", "}\n{").splitlines():
            self.detail(answer)
        self.step(
            "Hold the deployed API to openapi.yaml, and walk through it with Postman's collection, through API Gateway"
        )
        self.contract()

        self.step("Push a change: functions of 256 MB, who creates must sign, who finds must have a key")
        file = self.clone / "serverless.yml"
        text = file.read_text()
        for old, new in (
            ("memory: 128", "memory: 256"),
            ("createAuthorization: NONE", "createAuthorization: AWS_IAM"),
            ("findAuthorization: NONE", "findAuthorization: API_KEY"),
        ):
            expect(old in text, f"serverless.yml has {old}")
            text = text.replace(old, new)
        file.write_text(text)
        message = "Give the functions more memory, and say who may call them"
        self.in_clone("git", "commit", "--quiet", "--all", "--message", message)
        self.in_clone("git", "push", "--quiet", "codecommit", "HEAD:master")
        expect(self.memory() == 128, "the functions have 128 MB")
        self.pipeline("the change")
        expect(self.memory() == 256, "the functions have 256 MB")
        self.detail(f"{SERVICE}-create has 256 MB")
        self.authorization()

        self.step("Try what must not work")
        self.stories()
        self.step("Compare the deployment role with the calls that were recorded")
        self.least_privilege()
        self.step("Look for credentials where they must not be")
        self.canaries()

        self.step("What a paged engineer does: docs/runbook.md")
        self.runbook()
        self.step("Move a table of the original into a stack of another stage: docs/migrate.md")
        self.migration()

        if os.environ.get("KEEP"):
            self.keep()
        self.step("Remove everything, in the guide's order")
        self.guide("Remove it")
        for account in (TOOLS, TARGET):
            expect(self.stacks(account) == [], f"no stack is left in {account}")
        self.detail("no stack is left in either account")
        self.say(NOT_SHOWN.format(architecture=ARCHITECTURE))
        self.say(f"\nRehearsed in {time.monotonic() - self.began:.0f} s.")

    def holds(self, what: str, command: list, **variables):
        """Asks the deployed API, through API Gateway and with the emulator's certificate."""
        api = self.endpoint.split("//")[1].split(".")[0]
        url = f"{self.aws.url}/restapis/{api}/DEV/_user_request_"
        log = self.work / f"{what.replace(' ', '-')}.log"
        since = time.monotonic()
        with log.open("w") as written:
            here = {"CATALOG_URL": url, "NODE_EXTRA_CA_CERTS": str(self.aws.ca)}
            environment = self.aws.environment({}) | here | variables
            command_here = [word.replace("URL", url) for word in command]
            done = subprocess.run(command_here, cwd=ROOT, env=environment, stdout=written, stderr=written)
        if done.returncode != 0:
            raise Failed(f"the deployed API does not hold {what}: see {log}")
        self.detail(" ".join(command), since)
        return log.read_text()

    def contract(self):
        # cargo itself needs nothing of the network any more.
        offline = {"SSL_CERT_FILE": str(self.aws.ca), "CARGO_NET_OFFLINE": "true"}
        tests = self.holds("the contract", ["make", "test-deployed"], **offline)
        expect("1 passed" in tests, "the deployed API was held to the contract")
        # As README.md has it.
        self.holds("what makes a collection for Postman", ["make", "postman"])
        walk = (
            "node_modules/.bin/newman run dist/postman/collection.json --folder walk "
            "--environment dist/postman/deployed.json --env-var baseUrl=URL"
        )
        walked = self.holds("what a walk with Postman expects", walk.split())
        expect("Create a product" in walked, "newman walked through the deployed API")

    def authorization(self):
        """Only a signed request creates, and only one with the key finds."""
        create = ("--json", '{"id":"1002","title":"","description":"","price":"1"}', f"{self.endpoint}/product/create")
        find = f"{self.endpoint}/product/find/1001"
        # API Gateway answers an unsigned request as it answers an unknown route.
        self.refused("to create without a signature", self.curl(*create), '"status":404')
        self.refused("to find without a key", self.curl(find), '"status":403')
        found = self.curl("--header", f"X-Api-Key: {self.api_key()}", find)
        expect('"id":"1001"' in found, f"with the key, product 1001 is found: {found}")
        self.detail(f"with the key, product 1001 is still there: {found}")

    def runbook(self):
        stage = {"STAGE": "DEV"}
        body = self.aws.ask(root_of(TARGET), "cloudwatch", "get_dashboard", DashboardName=SERVICE)["DashboardBody"]
        expect(
            f'"FunctionName","{SERVICE}-create"' in body and "${" not in body, "the dashboard names what was deployed"
        )
        self.detail(f"the dashboard {SERVICE} has {len(json.loads(body)['widgets'])} parts")

        page = self.page()
        self.guide("Try the alarms", RUNBOOK, **stage)
        [message] = self.aws.ask(root_of(TARGET), "sqs", "receive_message", QueueUrl=page).get("Messages", [])
        alarm = json.loads(json.loads(message["Body"])["Message"])
        expect(alarm["AlarmName"] == f"{SERVICE}-errors", "the message names the alarm")
        self.detail(f"a message came: {alarm['AlarmDescription']}")

        key = ("--header", f"X-Api-Key: {self.api_key()}")
        request = json.loads(self.curl(*key, f"{self.endpoint}/product/find/nobody-has-this-id"))["requestId"]
        # Of all requests, one line: in text, because the emulator gives a function no word of JSON.
        [line] = self.guide("Find one request", RUNBOOK, REQUEST=request, **stage).splitlines()
        expect(request in line and "404" in line, f"the log tells how request {request} was answered: {line}")
        self.detail(f"request {request} is in the log, with the answer 404")

        self.guide("Restore the table", RUNBOOK, slice(1), WHEN=now(), **stage)
        table, spoilt = "PRODUCT_CATALOG", {"id": {"S": "1001"}, "title": {"S": ""}}
        self.aws.ask(root_of(TARGET), "dynamodb", "put_item", TableName=table, Item=spoilt)
        find = (*key, f"{self.endpoint}/product/find/1001")
        expect('"status":500' in self.curl(*find), "product 1001 is spoilt")
        copied = self.guide("Restore the table", RUNBOOK, slice(1, None), TABLE=table, **stage).splitlines()[0]
        expect('"title":"Amazon Echo"' in self.curl(*find), "product 1001 is what it was")
        self.detail(f"a spoilt product is what it was: {copied}")

        self.guide("A leaked API key", RUNBOOK, **stage)
        self.refused("to find with a key that has leaked", self.curl(*find), '"status":403')

        self.guide("Roll back", RUNBOOK)
        expect("memory: 128" in (self.clone / "serverless.yml").read_text(), "the functions are as before")
        expect(self.pushed("master"), "a push of what was before starts the pipeline")
        self.detail("EventBridge's rule matches, and starts the pipeline with what was before")

    def page(self) -> str:
        """The URL of a queue to which the alarms are sent, as to an engineer's pager."""
        topic, queue = f"arn:aws:sns:{REGION}:{TARGET}:{SERVICE}-alarms", f"arn:aws:sqs:{REGION}:{TARGET}:pager"
        opened = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [opened]})
        self.aws.ask(root_of(TARGET), "sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue)
        created = self.aws.ask(root_of(TARGET), "sqs", "create_queue", QueueName="pager", Attributes={"Policy": policy})
        return created["QueueUrl"]

    def migration(self):
        """The original's table, with two items, goes from its stack to one that osls deploys as in the pipeline."""
        target, table, stack = root_of(TARGET), "PRODUCT_CATALOG_OF_THE_ORIGINAL", "product-catalog-service-PROD"
        chosen = {"STAGE": "PROD", "TABLE": table}
        resources = {
            "Log": {"Type": "AWS::Logs::LogGroup"},  # The rest of the original's stack.
            "ProductCatalogDynamoDBTable": {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "Retain",
                "Properties": {
                    "TableName": table,
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                },
            },
        }
        self.stack("the-original", resources)
        for item in (
            {"id": {"S": "900"}, "title": {"S": "Of the original"}, "description": {"S": ""}, "price": {"N": "9.90"}},
            {"id": {"S": "1001"}, "title": {"S": ""}},
        ):
            self.aws.ask(target, "dynamodb", "put_item", TableName=table, Item=item)
        odd = json.loads(self.guide("What differs", MIGRATION, **chosen))
        expect([item["id"]["S"] for item in odd] == ["1001"], f"the item that is no product is listed: {odd}")

        copied = self.guide("Copy the table", MIGRATION, NEW="PRODUCT_CATALOG", **chosen).strip()
        mine = self.aws.ask(target, "dynamodb", "scan", TableName="PRODUCT_CATALOG")["Items"]
        titles = {item["id"]["S"]: item["title"]["S"] for item in mine}
        expect({"900", "1001"} <= titles.keys() and all(titles.values()), "what is there already stays")
        self.detail(copied)

        self.stack("the-original", {"Log": resources["Log"]})
        self.guide("Share the table", MIGRATION, **chosen)
        owned = self.resource(TARGET, stack, "ProductCatalogDynamoDBTable")
        expect(owned == table, f"{table} belongs to {stack}")
        folder = self.unpacked("Deploy", self.folder / "build.zip")
        osls = ROOT / "node_modules/.bin/osls"
        # Open to all who find, as PROD is in what the engineer pushed first.
        parameters = [
            *("--param", f"cfnRoleArn=arn:aws:iam::{TARGET}:role/none"),
            *("--param", f"architecture={ARCHITECTURE}"),
            *("--param", f"tableName={table}"),
            *("--param", "findAuthorization=NONE"),
        ]
        since = time.monotonic()
        done = self.aws.run(target, str(osls), "deploy", "--stage", "PROD", *parameters, cwd=folder)
        expect(done.returncode == 0, f"osls deploys over the imported table: {done.stderr}")
        self.detail("osls deploy --stage PROD", since)
        described = self.aws.ask(target, "dynamodb", "describe_table", TableName=table)["Table"]
        on_demand = described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        expect(on_demand and described["DeletionProtectionEnabled"], "the table has got what it lacked")
        found = self.curl(f"{self.output(TARGET, stack, 'ServiceEndpoint')}/product/find/900")
        expect('"title":"Of the original"' in found, f"the new stage finds the original's product: {found}")
        self.detail(f"the new stage finds the original's product: {found}")

        bucket = self.resource(TARGET, stack, "ServerlessDeploymentBucket")
        emptied = self.aws.run(target, "aws", "s3", "rm", "--recursive", f"s3://{bucket}")
        expect(emptied.returncode == 0, f"the bucket is emptied: {emptied.stderr}")
        for name in (stack, "the-original"):
            self.aws.ask(target, "cloudformation", "delete_stack", StackName=name)
        kept = self.aws.ask(target, "dynamodb", "scan", TableName=table)["Count"]
        expect(kept >= 2, "the table is kept, with its products")
        self.detail("the stack is deleted again, and its table is kept")

    def stack(self, name: str, resources: dict):
        template = self.folder / f"{name}.json"
        template.write_text(json.dumps({"Resources": resources}))
        deploy = ("aws", "cloudformation", "deploy", "--stack-name", name, "--template-file", str(template))
        done = self.aws.run(root_of(TARGET), *deploy)
        expect(done.returncode == 0, f"{name} is deployed: {done.stderr}")

    def resource(self, account: str, stack: str, logical_id: str) -> str:
        named = {"StackName": stack, "LogicalResourceId": logical_id}
        described = self.aws.ask(root_of(account), "cloudformation", "describe_stack_resource", **named)
        return described["StackResourceDetail"]["PhysicalResourceId"]

    def output(self, account: str, stack: str, name: str) -> str:
        [described] = self.aws.ask(root_of(account), "cloudformation", "describe_stacks", StackName=stack)["Stacks"]
        [value] = [each["OutputValue"] for each in described["Outputs"] if each["OutputKey"] == name]
        return value

    def api_key(self) -> str:
        [key] = self.aws.ask(root_of(TARGET), "apigateway", "get_api_keys", includeValues=True)["items"]
        return key["value"]

    def curl(self, *arguments: str) -> str:
        return self.aws.run({}, "curl", "--silent", "--show-error", *arguments).stdout

    def memory(self) -> int:
        function = f"{SERVICE}-create"
        described = self.aws.ask(root_of(TARGET), "lambda", "get_function_configuration", FunctionName=function)
        return described["MemorySize"]

    def keep(self):
        curl = f'curl --cacert {self.aws.ca} --connect-to "::127.0.0.1:{self.aws.port}"'
        self.say(f"\nIt is kept until Ctrl-C. Try it:\n\n  {curl} {self.endpoint}/product/find/1001\n")
        self.say(
            f"  AWS_CONFIG_FILE={self.folder}/aws.config AWS_CA_BUNDLE={self.aws.ca} AWS_ENDPOINT_URL={self.aws.url} \\"
        )
        self.say(f"    aws --profile target --region {REGION} cloudformation list-stacks\n")
        try:
            signal.pause()
        except KeyboardInterrupt:
            self.say()


def receive_tools(source: pathlib.Path) -> str:
    for folder in (".venv", "node_modules"):
        if not (source / folder).exists():
            (source / folder).symlink_to(ROOT / folder)
    return "make tools"


def receive_zips(source: pathlib.Path) -> str:
    zips = sorted((ROOT / "dist").glob("*.zip"))
    expect(zips, "make release has left zips in dist/")
    (source / "dist").mkdir(exist_ok=True)
    for each in zips:
        shutil.copy2(each, source / "dist")
    return "make release"


# The commands of each build that `make test` runs in this folder. `make verify` receives nothing.
RECEIVED = {
    "Build": {
        "make build-tools": receive_tools,
        "make test-api": lambda _: "make test-rust",
        "scripts/build.sh": receive_zips,
        "make sbom": lambda _: "nobody, because only make verify runs it",
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


def answers(text: str) -> list:
    """The JSON objects in a text that holds other lines, too."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def expect(holds: bool, what: str):
    if not holds:
        raise Failed(f"this does not hold: {what}")


def fails(check, *arguments) -> bool:
    try:
        check(*arguments)
    except Failed:
        return True
    return False


def interrupt(*_):
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    # Its logs and builds; another folder for one that runs beside it.
    work = pathlib.Path(sys.argv[1]) if sys.argv[1:] else ROOT / "target/rehearsal"
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another rehearsal runs in {work}: wait for its end.", file=sys.stderr)
            return 1
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
            rehearsal = Rehearsal(pathlib.Path(folder), work)
            try:
                rehearsal.play()
                return 0
            except Failed as failed:
                print(f"\nThe rehearsal failed: {failed}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print("\nThe rehearsal was interrupted.", file=sys.stderr)
                return 130
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                rehearsal.aws.stop()


if __name__ == "__main__":
    sys.exit(main())
