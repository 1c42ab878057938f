"""Complete pushes to master on emulated AWS accounts: `make rehearse`.

It runs the commands of docs/deploy.md, docs/runbook.md and docs/migrate.md, and emulates what AWS does in between: a
push's event, CodePipeline's stages, CodeBuild's builds. Everything else is real, except that the scripts wait a
twentieth of the time, and one process performs the AWS CLI's calls. With RECEIVED=1, as in `make test`, the builds
reuse what was installed, tested and built in this folder. The first part has a pipeline for one stage, the
second one a pipeline for three (promotion.py), of which `make test` runs only the beginning. ONLY=1 or ONLY=3 runs one
of them, also beside the other.
"""

import contextlib
import fcntl
import os
import pathlib
import signal
import sys
import tempfile
import time

from aws import ARCHITECTURE, REGION, ROOT, SERVICE, SHIFT_MINUTE, TARGET, TOOLS, Aws, Failed, expect
from codepipeline import CodePipeline
from guide import GUIDE, Guide
from operations import MIGRATION, RUNBOOK, Operations
from promotion import IN_FULL, SECTIONS, Promotion
from received import DIST, REPEATED
from report import Report
from stories import ORIGIN, Stories
from strict import SWITCHES, strict

NOT_SHOWN = """
  Not shown here, because the emulator does not run CodeCommit, CodePipeline, CodeBuild and CodeDeploy:
    - whether they work with these roles and images, and nobody else can use the roles: tests/deployment/policies asks
      an evaluator
    - the execution role and who can pass it, which the emulator enforces only for service-linked roles: the same tests
      ask the evaluator, and compare the role with the permissions in CloudFormation's resource schemas
    - CodeDeploy: what has its name here is our emulation. It shifts the aliases of a stack one after the other, in
      {minute} s for a minute, and asks IAM only for what AWS documents: tests/rehearsal/codedeploy.py
    - how soon CloudWatch sets a release's alarm: here the client does, when two of its last 100 responses are wrong
    - CodePipeline's queue and rollbacks, which are played as AWS documents them: tests/rehearsal/codepipeline.py
    - the release before aliases: it is the present stack without versions. Neither the step to aliases nor a first
      deployment has a version to shift from: CodeDeploy and the check begin with the next one
    - the build of STAGE's tests: they are those of this folder
    - API Gateway's limits, logs, traces, latency, TLS policy and compression: the emulator at most stores the settings
    - whether an alarm goes off by itself, and its topic's key and policy allow it: the same tests
    - whether a restored table has its earlier content: the emulator copies the current one
    - the original's functions, and a push over its own table: docs/migrate.md ends with what was not tried
    - RustSec's advisories: unless ADVISORY_DB names a copy of its database, Build checks the crates against one made-up
      advisory
    - arm64 on another machine: the zips are built for {architecture}
  docs/deploy.md ends with what to check in a first deployment on AWS."""


class Rehearsal:
    def __init__(self, folder: pathlib.Path, work: pathlib.Path, report: Report):
        self.report = report
        self.aws = Aws(folder, work / "aws.log")
        # The second stage is in the same account.
        self.guide = Guide(self.aws, self.report, {"DEV": TARGET, "PROD": TARGET})
        self.pipeline = CodePipeline(self.aws, self.guide, self.report, work, SERVICE)

    def play(self, is_full: bool):
        stories = Stories(self.aws, self.guide, self.pipeline, self.report)
        operations = Operations(self.aws, self.guide, self.pipeline, self.report)
        self.report.say(f"A push to master, on two emulated AWS accounts: tools {TOOLS}, target {TARGET}, {REGION}")
        for switch, what in SWITCHES.items():
            self.report.say(f"    {'' if strict(switch) else 'OFF: '}{what}")
        self.report.step("Start AWS on this machine, with IAM enforced, over TLS")
        since = time.monotonic()
        self.aws.start()
        self.guide.prepare()
        self.report.detail(self.aws.url, since)

        self.report.step("Choose, as docs/deploy.md does")
        self.guide.choose()
        self.report.step("Tools account: create the pipeline")
        self.guide.run("One pipeline for one stage", STAGE="DEV", TARGET_ACCOUNT=TARGET)
        self.guide.variables |= {"STAGE": "DEV", "PIPELINE": SERVICE}
        names = [stage["name"] for stage in self.pipeline.stages]
        expect(names == ["Source", "Build", "Deploy"], f"the pipeline has a source, a build and a deployment: {names}")
        self.report.step("Target account: create the roles that deploy and test, and CloudFormation's execution role")
        self.guide.run("3. The roles, in the account of each stage")

        if strict("early"):
            self.report.step("CodePipeline starts the new pipeline by itself, before anything was pushed")
            self.pipeline.starts_early()
        self.report.step("Push to another branch")
        self.guide.in_clone("git", "push", "--quiet", str(self.guide.bare), "HEAD:feature")
        expect(not self.pipeline.pushed("feature"), "a push to another branch does nothing")
        self.report.detail("the pipeline does not start: the rule does not match")
        self.report.step("Push to master")
        self.guide.run("4. Push")
        expect(self.pipeline.pushed("master"), "a push to master starts the pipeline")
        self.report.detail("EventBridge's rule matches, and starts the pipeline")
        self.pipeline.run("what was pushed")
        self.has_released_zips()
        if is_full:
            self.report.detail("the zips are those of `make release`, built in another folder")
            self.pipeline.received = REPEATED

        self.report.step("Create a product and find it")
        for response in self.guide.run("5. Create a product and find it").replace("}{", "}\n{").splitlines():
            self.report.detail(response)
        self.report.step("Check the deployed API against openapi.yaml, and walk through it with the Postman collection")
        stories.contract()

        self.report.step(
            "Push a change: 256 MB of memory, a signature to create, a key to find, and pages of one origin"
        )
        file = self.guide.clone / "serverless.yml"
        text = file.read_text()
        for old, new in (
            ("memory: 128", "memory: 256"),
            ("createAuthorization: NONE", "createAuthorization: AWS_IAM"),
            ("findAuthorization: NONE", "findAuthorization: API_KEY"),
            ('allowOrigin: ""', f"allowOrigin: {ORIGIN}"),
        ):
            expect(old in text, f"serverless.yml has {old}")
            text = text.replace(old, new)
        file.write_text(text)
        message = "Give the functions more memory, and say who may call them"
        self.guide.in_clone("git", "commit", "--quiet", "--all", "--message", message)
        self.guide.in_clone("git", "push", "--quiet", "codecommit", "HEAD:master")
        expect(self.aws.memory() == 128, "the functions have 128 MB")
        self.pipeline.run("the change")
        expect(self.aws.memory() == 256, "the functions have 256 MB")
        self.report.detail(f"{SERVICE}-create has 256 MB")
        self.has_released_zips()
        stories.authorization()
        stories.pages()

        self.report.step("Update the stacks, and give the deployment role another external id")
        former = self.guide.external_id
        self.guide.update()
        self.pipeline.described_project.cache_clear()
        self.report.step("Try what must be refused")
        stories.refusals(former)
        self.report.step("Build with a dependency whose build script overwrites everything that it can reach")
        stories.hostile_build()
        self.report.step("Compare the deployment role's permissions with the recorded calls")
        stories.least_privilege()
        self.report.step("Look for leaked credentials")
        stories.canaries()

        self.report.step("Follow the runbook: docs/runbook.md")
        operations.runbook()
        self.report.step("Move a table of the original into a stack of another stage: docs/migrate.md")
        operations.migration()
        if strict("leftovers"):
            self.report.step("Let the first deployment of PROD fail, and deploy again: docs/deploy.md")
            operations.leftovers()

        if os.environ.get("KEEP"):
            self.keep()
        self.report.step("Remove everything, in the order of the guide")
        self.guide.run("Remove it", choosing=("DEV STAGE PROD", "DEV"))
        for account in (TOOLS, TARGET):
            expect(self.aws.stacks(account) == [], f"no stack is left in {account}")
        self.report.detail("no stack is left in either account")
        stories.logs_of_others()
        commands = "of the guide, the runbook and the migration, except those for several stages,"
        others = SECTIONS + IN_FULL
        self.guide.expect_all_run(commands, (GUIDE, RUNBOOK, MIGRATION), lambda title: title not in others)

    def has_released_zips(self):
        released = {f"dist/{path.name}": path.read_bytes() for path in DIST.glob("*.zip")}
        expect(self.pipeline.zips() == released != {}, "the pipeline's zips are those of `make release`")

    def keep(self):
        curl = f'curl --cacert {self.aws.ca} --connect-to "::127.0.0.1:{self.aws.port}"'
        self.report.say(f"\nIt is kept until Ctrl-C. Try it:\n\n  {curl} {self.pipeline.endpoint}/product/find/1001\n")
        config = f"AWS_CONFIG_FILE={self.aws.folder}/aws.config AWS_CA_BUNDLE={self.aws.ca}"
        self.report.say(f"  {config} AWS_ENDPOINT_URL={self.aws.url} \\")
        self.report.say(f"    aws --profile DEV --region {REGION} cloudformation list-stacks\n")
        try:
            signal.pause()
        except KeyboardInterrupt:
            self.report.say()


def interrupt(*_):
    raise KeyboardInterrupt


# By ONLY.
PARTS = {"1": Rehearsal, "3": Promotion}


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    # Its logs and builds; another folder for one that runs beside it.
    work = pathlib.Path(sys.argv[1]) if sys.argv[1:] else ROOT / "target/rehearsal"
    work.mkdir(parents=True, exist_ok=True)
    chosen = [name for name in PARTS if os.environ.get("ONLY", name) == name]
    with contextlib.ExitStack() as locks:
        try:
            for name in chosen:
                lock = locks.enter_context((work / f"lock-{name}").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another rehearsal runs in {work}: wait for its end.", file=sys.stderr)
            return 1
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
            parts = []
            try:
                rehearse(pathlib.Path(folder), work, [PARTS[name] for name in chosen], parts)
                return 0
            except Failed as failed:
                print(f"\nThe rehearsal failed: {failed}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print("\nThe rehearsal was interrupted.", file=sys.stderr)
                return 130
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                for each in parts:
                    each.aws.stop()


def rehearse(folder: pathlib.Path, work: pathlib.Path, kinds: list, parts: list):
    began, report = time.monotonic(), Report()
    is_full = not os.environ.get("RECEIVED")
    for kind in kinds:
        part = kind(folder / kind.__name__, work, report)
        parts.append(part)
        part.play(is_full)
        part.aws.stop()
    report.say(NOT_SHOWN.format(architecture=ARCHITECTURE, minute=SHIFT_MINUTE))
    report.say(f"\nRehearsed in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
