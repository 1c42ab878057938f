"""Good and bad releases through DEV, STAGE and PROD, each in its own account.

`make test` runs only the beginning, with three accounts: without STAGE.
"""

import pathlib
import re
import time

import standins
from aws import ARCHITECTURE, NAME, ROOT, STAGES, TOOLS, Aws, Failed, expect, root_of
from client import Client
from codepipeline import CodePipeline
from guide import GUIDE, Guide
from operations import RUNBOOK
from received import RECEIVED
from report import Report

# The sections whose commands only this rehearsal runs, the second ones only in full.
SECTIONS = ("2. The pipeline, in the tools account", "6. Approve", "7. Be told when something is wrong")
IN_FULL = ("A stopped release",)


class Promotion:
    def __init__(self, folder: pathlib.Path, work: pathlib.Path, report: Report):
        work = work / "promotion"
        work.mkdir(exist_ok=True)
        self.report, self.aws = report, Aws(folder, work / "aws.log")
        self.guide = Guide(self.aws, report, STAGES)
        self.pipeline = CodePipeline(self.aws, self.guide, report, work, NAME)
        self.pipeline.is_brief = True
        self.pipeline.decide = self.approve

    def play(self, is_full: bool):
        """Runs all stories, or only the first two."""
        # With three accounts, STAGE is left out.
        self.stages = STAGES if is_full else {stage: STAGES[stage] for stage in ("DEV", "PROD")}
        accounts = ", ".join(f"{stage} {account}" for stage, account in self.stages.items())
        self.report.say(f"\nOne build for several stages, on emulated AWS accounts: tools {TOOLS}, {accounts}")
        self.set_up()
        self.builds(standins.good(1))
        if is_full:
            self.migrate()
        else:
            self.report.step("Push to master: one build is deployed and tested in accounts that have nothing yet")
            self.push("the first release")
        self.is_one_release()
        self.rejected()
        if is_full:
            self.fails_in_dev()
            self.two_at_once()
            self.roll_back()
            self.other_zips()
            self.remove()
        sections = SECTIONS + (IN_FULL if is_full else ())
        self.guide.expect_all_run("for several stages", (GUIDE, RUNBOOK), lambda title: title in sections)

    def set_up(self):
        self.report.step("Tools account: create the pipeline; in each stage's account, its roles")
        since = time.monotonic()
        self.aws.start()
        self.guide.prepare()
        self.report.detail(self.aws.url, since)
        self.guide.choose(self.stages)
        self.guide.run("2. The pipeline, in the tools account")
        for stage in self.stages:
            self.guide.run("3. The roles, in the account of each stage", STAGE=stage)
        self.guide.run("7. Be told when something is wrong", EMAIL="engineers@example.com")
        # DEV accepts 5 requests a second, but the client sends 20.
        self.change("requestsPerSecond: 5\n    burst: 10\n", "requestsPerSecond: 100\n    burst: 200\n")
        self.guide.in_clone("git", "commit", "--quiet", "--all", "--message", "More requests for DEV")
        names = [stage["name"] for stage in self.pipeline.stages]
        *before, last = self.stages
        expect(names == ["Source", "Build", *before, "Approval", last], f"the pipeline has all stages: {names}")

    # ---- Stories ----

    def migrate(self):
        self.report.step(
            "Push to master: DEV has a stack of an earlier release, without versions; the others have nothing"
        )
        self.deploy_without_versions()
        with Client(self.aws, "DEV") as client:
            self.push("the first release")
        self.report.detail(f"DEV's client got {client}")
        expect(client.wrong == [], "no response was wrong while the API moved to the aliases")
        expect(client.versions("find")[0] == "" and client.versions("find")[-1] != "", "then the alias responded")

    def rejected(self):
        self.report.step("Push a release that the check rejects, under a client")
        self.builds(standins.wrong("DEV", knows_the_smoke_test=False))
        with Client(self.aws, "DEV") as client:
            output = self.fails("a release that the check rejects")
        self.report.refused("a release that the check rejects", output, "DEV, Deploy ended with exit code 1")
        self.report.detail(f"DEV's client got {client}")
        expect(client.wrong == [], "no response was wrong")
        expect(
            all(len(client.versions(route)) == 1 for route in ("create", "find")), "only the former versions responded"
        )

    def fails_in_dev(self):
        self.report.step("Push a release that the check accepts, and whose test fails in DEV")
        self.builds(standins.wrong("DEV", knows_the_smoke_test=True))
        with Client(self.aws, "PROD") as client:
            output = self.fails("a release that fails in DEV")
        self.report.refused("a release whose test fails in DEV", output, "DEV, Test ended with exit code")
        self.report.detail(f"PROD's client got {client}")
        expect(client.wrong == [], "PROD has seen nothing of it")
        with Client(self.aws, "DEV") as client:
            time.sleep(1)
        self.report.detail(f"DEV's client got {client}")
        expect(client.wrong == [], "DEV is rolled back: the former release responds")

    def two_at_once(self):
        self.report.step(
            "Push two releases at once: a good one, and one that is wrong in PROD where the check does not look"
        )
        with Client(self.aws, "PROD") as client:
            executions = []
            for message in ("A good release", "A release that only its alarm detects"):
                self.commit(message)
                executions.append(self.pipeline.start())
            good, bad = executions
            good.received = receiving(standins.good(2))
            bad.received = receiving(standins.wrong("PROD", knows_the_smoke_test=True))
            ends = self.pipeline.run_all(executions, "release")
        self.report.detail(f"PROD's client got {client}")
        expect(ends[0] == "", f"the good release reaches PROD: {ends[0]}")
        self.report.refused("a release that its alarm detects", ends[1], "PROD, Deploy ended with exit code 1")
        share, [version] = len(client.wrong) / len(client.seen), {each[1] for each in client.wrong}
        expect(share <= 0.1, f"at most the canary's share of the responses was wrong: {share:.1%}")
        expect(all(is_right for *_, is_right in client.seen[-50:]), "then none was wrong")
        self.report.detail(f"{share:.1%} of the responses were wrong, all of version {version}")

    def roll_back(self):
        self.report.step("Roll PROD back to the release before, by command, while its alarm is on, under a client")
        paces = (
            {"WATCH": "false", "PACE": "LambdaAllAtOnce"},
            {"WATCH": "true", "PACE": "LambdaCanary10Percent15Minutes"},
        )
        with Client(self.aws, "PROD") as client:
            client.set_alarm("ALARM")  # As after a bad release that has reached everyone.
            self.guide.run("A stopped release", RUNBOOK, STAGE="PROD", **paces[0])
            listed = self.guide.run("Roll back", RUNBOOK, slice(1), STAGE="PROD").splitlines()
            releases = [line.split() for line in listed if "STANDARD" in line]
            self.guide.run("Roll back", RUNBOOK, slice(1, None), STAGE="PROD", GOOD=releases[1][0])
            self.pipeline.roll_back_as_asked()
            client.set_alarm("OK")
            self.guide.run("A stopped release", RUNBOOK, STAGE="PROD", **paces[1])
        self.report.detail(f"PROD's client got {client}")
        expect(client.wrong == [], "no response was wrong")

    def other_zips(self):
        """A package with other zips is not uploaded, even if its number was adapted."""
        self.report.step("Deploy a package with other zips than it was made for")
        folder = self.pipeline.deployable()
        project = self.pipeline.project("PROD", "Deploy")
        standins.good(3)(folder)
        before = self.aws.calls(STAGES["PROD"])
        for story, release, why in (
            ("zips of another release", self.pipeline.last.variables["Build"]["RELEASE"], "has the zips of release"),
            ("zips that the package was not made for", "", "packaged as"),
        ):
            given = project.credentials | project.environment | {"RELEASE": release}
            done = self.aws.run(given, "bash", "scripts/deploy.sh", cwd=folder)
            expect(done.returncode == 1, "it ends the deployment")
            self.report.refused(story, done.stderr, why)
        expect(self.aws.calls(STAGES["PROD"]) == before, "nothing was asked of the account, so nothing was uploaded")

    def remove(self):
        self.report.step("Remove everything: the stages, then the pipeline")
        self.guide.run("Remove it")
        self.aws.call(root_of(TOOLS), "cloudformation", "delete_stack", StackName=f"{NAME}-delivery")
        for account in (TOOLS, *STAGES.values()):
            expect(self.aws.stacks(account) == [], f"no stack is left in {account}")
        self.report.detail("no stack is left in any account")

    # ---- Steps of the stories ----

    def is_one_release(self):
        """Every stage must print the same release number."""
        number = self.pipeline.last.variables["Build"]["RELEASE"]
        logs = [f"{stage.lower()}-{action}" for stage in self.stages for action in ("deploy", "test")]
        for log in ("build", "approval-plan", *logs):
            printed = set(re.findall(r"^Release (\w+)", (self.pipeline.work / f"{log}.log").read_text(), re.M))
            expect(printed == {number}, f"{log} prints release {number}: {printed}")
        self.report.detail(f"every stage has printed release {number}")

    def change(self, old: str, new: str):
        stack = self.guide.clone / "serverless.yml"
        expect(stack.read_text().count(old) == 1, f"serverless.yml has {old}")
        stack.write_text(stack.read_text().replace(old, new))

    def deploy_without_versions(self):
        """Deploys an earlier release to DEV: an API that calls its functions without an alias."""
        self.change("versionFunctions: true", "versionFunctions: false")
        self.change("  - ./scripts/osls/traffic.js\n", "")
        standins.good(0)(self.guide.clone)
        (self.guide.clone / "node_modules").symlink_to(ROOT / "node_modules")
        parameters = (
            f"cfnRoleArn=arn:aws:iam::{STAGES['DEV']}:role/cf-execution-role-serverless-DEV",
            f"architecture={ARCHITECTURE}",
        )
        given = [word for each in parameters for word in ("--param", each)]
        osls = str(ROOT / "node_modules/.bin/osls")
        deployed = self.aws.run(root_of(STAGES["DEV"]), osls, "deploy", "--stage", "DEV", *given, cwd=self.guide.clone)
        expect(deployed.returncode == 0, f"the earlier release is deployed: {deployed.stderr}")
        self.guide.in_clone("git", "checkout", "--quiet", "serverless.yml")

    def builds(self, zips):
        self.pipeline.received = RECEIVED | {
            "buildspec.yml": RECEIVED["buildspec.yml"] | {"bash scripts/build.sh": zips}
        }

    def approve(self):
        self.guide.run("6. Approve")

    def commit(self, message: str):
        self.guide.in_clone("git", "commit", "--quiet", "--allow-empty", "--message", message)
        self.guide.in_clone("git", "push", "--quiet", "codecommit", "HEAD:master")
        expect(self.pipeline.pushed("master"), "the push starts the pipeline")

    def push(self, title: str):
        if self.pipeline.executions:
            self.commit(f'Deploy "{title}"')
        else:
            self.guide.run("4. Push")
        self.pipeline.run(title)

    def fails(self, title: str) -> str:
        try:
            self.push(title)
        except Failed as failed:
            expect(self.pipeline.executions[0].status == "Succeeded", f"the rollback after it succeeds: {failed}")
            return str(failed)
        raise Failed(f"{title} reached PROD")


def receiving(zips) -> dict:
    """What a release's builds receive, with these zips."""
    return RECEIVED | {"buildspec.yml": RECEIVED["buildspec.yml"] | {"bash scripts/build.sh": zips}}
