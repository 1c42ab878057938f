"""What callers and attackers meet after a deployment, and what it leaves behind."""

import json
import re
import subprocess
import time
import zipfile

import permissions
from aws import ROOT, SERVICE, TARGET, TOOLS, Aws, Failed, expect, root_of
from codepipeline import RECEIVED, CodePipeline
from guide import Guide
from report import Report

STRANGER = "333333333333"
DEPLOYMENT_ROLE = "cross-account-role-serverless-deployment-DEV"


class Stories:
    def __init__(self, aws: Aws, guide: Guide, pipeline: CodePipeline, report: Report):
        self.aws, self.guide, self.pipeline, self.report = aws, guide, pipeline, report

    def holds(self, what: str, command: list, **variables):
        """Asks the deployed API, through API Gateway and with the emulator's certificate."""
        api = self.pipeline.endpoint.split("//")[1].split(".")[0]
        url = f"{self.aws.url}/restapis/{api}/DEV/_user_request_"
        log = self.pipeline.work / f"{what.replace(' ', '-')}.log"
        since = time.monotonic()
        with log.open("w") as written:
            here = {"CATALOG_URL": url, "NODE_EXTRA_CA_CERTS": str(self.aws.ca)}
            environment = self.aws.environment({}) | here | variables
            command_here = [word.replace("URL", url) for word in command]
            done = subprocess.run(command_here, cwd=ROOT, env=environment, stdout=written, stderr=written)
        if done.returncode != 0:
            raise Failed(f"the deployed API does not hold {what}: see {log}")
        self.report.detail(" ".join(command), since)
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
        create = (
            "--json",
            '{"id":"1002","title":"","description":"","price":"1"}',
            f"{self.pipeline.endpoint}/product/create",
        )
        find = f"{self.pipeline.endpoint}/product/find/1001"
        # API Gateway answers an unsigned request as it answers an unknown route.
        self.report.refused("creating without a signature", self.aws.curl(*create), '"status":404')
        self.report.refused("finding without a key", self.aws.curl(find), '"status":403')
        found = self.aws.curl("--header", f"X-Api-Key: {self.aws.api_key()}", find)
        expect('"id":"1001"' in found, f"with the key, product 1001 is found: {found}")
        self.report.detail(f"with the key, product 1001 is still there: {found}")

    def assume_deployment_role(self, credentials: dict, external_id: str) -> str:
        """What AWS says to somebody who assumes the deployment role; nothing if it may be done."""
        try:
            self.aws.assume(credentials, f"arn:aws:iam::{TARGET}:role/{DEPLOYMENT_ROLE}", ExternalId=external_id)
            return ""
        except Failed as failed:
            return str(failed)

    def refusals(self):
        deploy, build = self.pipeline.project(f"{SERVICE}-deploy"), self.pipeline.project(f"{SERVICE}-build")
        external_id = self.guide.variables["EXTERNAL_ID"]
        said = self.assume_deployment_role(deploy.credentials, external_id)
        expect(said == "", f"the deploy project assumes the deployment role: {said}")
        for story, credentials, given in (
            ("the deploy project with another external id", deploy.credentials, external_id + "x"),
            ("the build project with the right external id", build.credentials, external_id),
            ("the tools account's administrator with the right external id", root_of(TOOLS), external_id),
            ("a third account's administrator with the right external id", root_of(STRANGER), external_id),
        ):
            self.report.refused(story, self.assume_deployment_role(credentials, given), "AccessDenied")

        since = time.monotonic()
        folder = self.pipeline.unpacked("Deploy", self.aws.folder / "build.zip")
        environment = deploy.environment | {"STAGE": "PROD"}
        before = self.calls()
        done = self.aws.run(deploy.credentials | environment, "scripts/deploy.sh", cwd=folder)
        expect(done.returncode == 1, "a package of another stage ends the deployment")
        self.report.refused(
            "a package of DEV for PROD", done.stderr, "the package in dist/ is of stage DEV and not of PROD"
        )
        expect(self.calls() == before, "nothing was asked of the target account")

        # Somebody else has the product that the smoke test creates: the API answers 409, as it must.
        item = {"id": {"S": "smoke-test"}, "title": {"S": "Another"}, "description": {"S": ""}, "price": {"N": "1"}}
        self.aws.ask(root_of(TARGET), "dynamodb", "put_item", TableName="PRODUCT_CATALOG", Item=item)
        log = self.pipeline.work / "failing-smoke-test.log"
        folder, artifact = self.pipeline.unpacked("Deploy", self.aws.folder / "build.zip"), self.aws.folder / "none.zip"
        received = RECEIVED["Deploy"] if self.pipeline.is_receiving else {}
        code = deploy.build(folder, artifact, log, lambda *_, **__: None, received)
        expect(code == 1 and not artifact.exists(), "a failing smoke test fails the stage")
        self.report.refused("a deployment whose smoke test fails", log.read_text(), "smoke-test.sh: POST")
        self.report.detail("all of them", since)

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
        self.report.detail(
            f"{len(allowed)} actions are allowed: {len(recorded)} were needed here, and {excused} have a reason:"
        )
        for action, reason in permissions.UNSEEN.items():
            self.report.detail(f"  {action}: {reason}")

    def canaries(self):
        """No secret that was handed out is found in what was printed, logged, packaged or left in a folder."""
        secrets = {secret.encode() for _, _, *each in self.handed_out() for secret in each} | {
            self.aws.api_key().encode()
        }
        expect(len(secrets) >= 10, "credentials were handed out")
        places = {"the output": "\n".join(self.report.said).encode()}
        files = [
            *self.pipeline.work.glob("*.log"),
            *self.aws.folder.glob("*.zip"),
            *self.guide.clone.rglob("*"),
            *self.aws.folder.glob("tmp?*/**/*"),
            *(self.pipeline.source / "dist").rglob("*"),
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
        self.report.detail(f"{len(secrets)} secrets were handed out, and none of them is in {where}")


def answers(text: str) -> list:
    """The JSON objects in a text that holds other lines, too."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def fails(check, *arguments) -> bool:
    try:
        check(*arguments)
    except Failed:
        return True
    return False
