"""One build through DEV, STAGE and PROD, each an account of its own: releases that are good, and some that are not."""

import json
import pathlib
import re
import time

import standins
from aws import ARCHITECTURE, NAME, REGION, ROOT, STAGES, TOOLS, Aws, Failed, expect, root_of
from client import Client
from codepipeline import RECEIVED, CodePipeline
from guide import Guide
from report import Report

SET_UP = r"""
aws --profile tools cloudformation deploy \
  --stack-name "$SERVICE-pipeline" \
  --template-file pipeline/pipeline.yml \
  --capabilities CAPABILITY_NAMED_IAM \
  --parameter-overrides ServiceName="$SERVICE" ExternalId="$EXTERNAL_ID" Architecture="$ARCHITECTURE" \
    DevAccountID="$DEV_ACCOUNT" StageAccountID="$STAGE_ACCOUNT" ProdAccountID="$PROD_ACCOUNT"
for STAGE in DEV STAGE PROD; do
  aws --profile "${STAGE,,}" cloudformation deploy \
    --stack-name "$SERVICE-execution-role-$STAGE" \
    --template-file target-roles/execution-role.yml \
    --capabilities CAPABILITY_NAMED_IAM \
    --parameter-overrides ServiceName="$SERVICE" DeploymentEnvironment="$STAGE"
  aws --profile "${STAGE,,}" cloudformation deploy \
    --stack-name "$SERVICE-deployment-role-$STAGE" \
    --template-file target-roles/deployment-role.yml \
    --capabilities CAPABILITY_NAMED_IAM \
    --parameter-overrides ServiceName="$SERVICE" ToolsAccountID="$TOOLS_ACCOUNT" DeploymentEnvironment="$STAGE" \
      ExternalId="$EXTERNAL_ID-$STAGE"
done
"""
PUSH = r"""
git remote add codecommit "$(aws --profile tools cloudformation describe-stacks --stack-name "$SERVICE-pipeline" \
  --query "Stacks[0].Outputs[?OutputKey=='OutCodeCommitRepoURL'].OutputValue" --output text)"
git push --quiet codecommit HEAD:master
"""
APPROVE = r"""
TOKEN=$(aws --profile tools codepipeline get-pipeline-state --name "$SERVICE" --output text \
  --query "stageStates[?stageName=='Approval'].actionStates[] | [?actionName=='Approve'].latestExecution.token")
aws --profile tools codepipeline put-approval-result --pipeline-name "$SERVICE" --stage-name Approval \
  --action-name Approve --token "$TOKEN" --result "status=$ANSWER,summary=$WHY"
"""
ROLL_BACK = r"""
GOOD=$(aws --profile tools codepipeline list-pipeline-executions --pipeline-name "$SERVICE" --output text \
  --filter "succeededInStage={stageName=$STAGE}" \
  --query "pipelineExecutionSummaries[?executionType=='STANDARD'] | [1].pipelineExecutionId")
aws --profile tools codepipeline rollback-stage --pipeline-name "$SERVICE" --stage-name "$STAGE" \
  --target-pipeline-execution-id "$GOOD"
"""


class Promotion:
    def __init__(self, folder: pathlib.Path, work: pathlib.Path, report: Report):
        self.report, self.aws = report, Aws(folder, work / "aws.log")
        self.guide = Guide(self.aws, report)
        self.pipeline = CodePipeline(self.aws, self.guide, report, work, NAME)
        self.pipeline.is_brief = True
        self.pipeline.decide = self.approve
        self.builds(standins.good(1))

    def play(self, everything: bool):
        """The stories, or two of them."""
        accounts = ", ".join(f"{stage} {account}" for stage, account in STAGES.items())
        self.report.say(f"\nOne build for three stages, on four emulated AWS accounts: tools {TOOLS}, {accounts}")
        self.set_up()
        if everything:
            self.migrate()
        else:
            self.report.step("Push to master: one build is deployed and tested in three accounts that have nothing yet")
            self.push("the first release")
        self.is_one_release()
        self.rejected()
        if everything:
            self.fails_in_dev()
            self.two_at_once()
            self.roll_back()
            self.other_zips()
        self.remove()

    def set_up(self):
        self.report.step("Tools account: create the pipeline; in each stage's account, its roles")
        since = time.monotonic()
        self.aws.start()
        self.guide.prepare()
        self.report.detail(self.aws.url, since)
        accounts = {f"{stage}_ACCOUNT": account for stage, account in STAGES.items()}
        self.guide.variables = {
            **accounts,
            "TOOLS_ACCOUNT": TOOLS,
            "SERVICE": NAME,
            "ARCHITECTURE": ARCHITECTURE,
            "EXTERNAL_ID": "the-rehearsal-of-three-stages",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
        self.guide.shell(SET_UP, "the stacks of three stages")
        names = [stage["name"] for stage in self.pipeline.stages]
        expect(
            names == ["Source", "Build", "DEV", "STAGE", "Approval", "PROD"], f"the pipeline has all stages: {names}"
        )

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
        expect(client.versions("find")[0] == "" and client.versions("find")[-1] != "", "then the alias answered")

    def rejected(self):
        self.report.step("Push a release that the check rejects, under a client")
        self.builds(standins.wrong("DEV", knows_the_smoke_test=False))
        with Client(self.aws, "DEV") as client:
            said = self.fails("a release that the check rejects")
        self.report.refused("a release that the check rejects", said, "DEV, Deploy ended with exit code 1")
        self.report.detail(f"DEV's client got {client}")
        expect(client.wrong == [], "no response was wrong")
        expect(
            all(len(client.versions(route)) == 1 for route in ("create", "find")), "only the former versions answered"
        )

    def fails_in_dev(self):
        self.report.step("Push a release that the check accepts, and whose test fails in DEV")
        self.builds(standins.wrong("DEV", knows_the_smoke_test=True))
        with Client(self.aws, "PROD") as client:
            said = self.fails("a release that fails in DEV")
        self.report.refused("a release whose test fails in DEV", said, "DEV, Test ended with exit code")
        self.report.detail(f"PROD's client got {client}")
        expect(client.wrong == [], "PROD has seen nothing of it")
        with Client(self.aws, "DEV") as client:
            time.sleep(1)
        self.report.detail(f"DEV's client got {client}")
        expect(client.wrong == [], "DEV is rolled back: the former release answers")

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

    def roll_back(self):
        self.report.step("Roll PROD back to the release before, by command, under a client")
        with Client(self.aws, "PROD") as client:
            self.guide.shell(ROLL_BACK, "rolling back", STAGE="PROD")
            self.pipeline.roll_back_as_asked()
        self.report.detail(f"PROD's client got {client}")
        expect(client.wrong == [], "no response was wrong")

    def other_zips(self):
        self.report.step("Deploy a package with other zips")

    def remove(self):
        self.report.step("Remove everything")

    # ---- What the stories do ----

    def builds(self, zips):
        self.pipeline.received = RECEIVED | {
            "buildspec.yml": RECEIVED["buildspec.yml"] | {"bash scripts/build.sh": zips}
        }

    def approve(self):
        self.guide.shell(APPROVE, "approving", ANSWER="Approved", WHY="The change is expected")

    def commit(self, message: str):
        self.guide.in_clone("git", "commit", "--quiet", "--allow-empty", "--message", message)
        self.guide.in_clone("git", "push", "--quiet", "codecommit", "HEAD:master")
        expect(self.pipeline.pushed("master"), "the push starts the pipeline")

    def push(self, title: str):
        if self.pipeline.executions:
            self.commit(f'Deploy "{title}"')
        else:
            self.guide.shell(PUSH, "the push")
        self.pipeline.run(title)

    def fails(self, title: str) -> str:
        try:
            self.push(title)
        except Failed as failed:
            return str(failed)
        raise Failed(f"{title} reached PROD")


def receiving(zips) -> dict:
    """What the builds of a release receive, with these zips."""
    return RECEIVED | {"buildspec.yml": RECEIVED["buildspec.yml"] | {"bash scripts/build.sh": zips}}
