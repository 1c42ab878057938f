"""What callers and attackers can do after a deployment, and what it leaves behind."""

import functools
import json
import os
import pathlib
import re
import shutil
import time
import zipfile

import permissions
from aws import ROOT, TARGET, TOOLS, Aws, Failed, expect, root_of
from codepipeline import CodePipeline
from guide import Guide
from processes import started
from received import RECEIVED
from report import Report

STRANGER = "999999999999"
ORIGIN = "https://shop.example.com"
DEPLOYMENT_ROLE = "cross-account-role-serverless-deployment-DEV"


class Stories:
    def __init__(self, aws: Aws, guide: Guide, pipeline: CodePipeline, report: Report):
        self.aws, self.guide, self.pipeline, self.report = aws, guide, pipeline, report

    def holds(self, what: str, command: list, **variables):
        """Runs a test against the deployed API, through API Gateway and with the emulator's certificate."""
        url = self.aws.reachable(self.pipeline.endpoint)
        log = self.pipeline.work / f"{what.replace(' ', '-')}.log"
        since = time.monotonic()
        with log.open("w") as written:
            here = {"CATALOG_URL": url, "NODE_EXTRA_CA_CERTS": str(self.aws.ca)}
            environment = self.aws.environment({}) | here | variables
            command_here = [word.replace("URL", url) for word in command]
            with started(command_here, cwd=ROOT, env=environment, stdout=written, stderr=written) as test:
                code = test.wait()
        if code != 0:
            raise Failed(f"the deployed API does not hold {what}: see {log}")
        self.report.detail(" ".join(command), since)
        return log.read_text()

    def contract(self):
        # cargo itself no longer needs the network.
        offline = {"SSL_CERT_FILE": str(self.aws.ca), "CARGO_NET_OFFLINE": "true"}
        tests = self.holds("the contract", ["make", "test-deployed"], **offline)
        expect("1 passed" in tests, "the deployed API was held to the contract")
        # The command in README.md.
        self.holds("what makes a collection for Postman", ["make", "postman"])
        walk = (
            "node_modules/.bin/newman run dist/postman/collection.json --folder walk "
            "--environment dist/postman/deployed.json --env-var baseUrl=URL"
        )
        walked = self.holds("what a walk with Postman expects", walk.split())
        expect("Create a product" in walked, "newman walked through the deployed API")

    def authorization(self):
        """Only a signed request can create, and only one with the key can find."""
        create = (
            "--json",
            '{"id":"1002","title":"","description":"","price":"1"}',
            f"{self.pipeline.endpoint}/product/create",
        )
        find = f"{self.pipeline.endpoint}/product/find/1001"
        # API Gateway treats an unsigned request like an unknown route.
        self.report.refused("creating without a signature", self.aws.curl(*create), '"status":404')
        self.report.refused("finding without a key", self.aws.curl(find), '"status":403')
        found = self.aws.curl("--header", f"X-Api-Key: {self.aws.api_key()}", find)
        expect('"id":"1001"' in found, f"with the key, product 1001 is found: {found}")
        self.report.detail(f"with the key, product 1001 is still there: {found}")

    def pages(self):
        """A browser lets a page of the allowed origin read every response."""
        url = self.pipeline.endpoint
        preflight = ("--request", "OPTIONS", "--header", "Access-Control-Request-Method: POST", f"{url}/product/create")
        found = ("--header", f"X-Api-Key: {self.aws.api_key()}", f"{url}/product/find/1001")
        for response, request, status in (
            ("a preflight", preflight, " 200"),
            ("a product", found, " 200"),
            ("a request without a key", (f"{url}/product/find/1001",), " 403"),
            ("an unknown route", (f"{url}/nothing",), " 404"),
        ):
            head = self.aws.curl("--include", "--header", f"Origin: {ORIGIN}", *request).lower().splitlines()
            allowed = {f"access-control-allow-origin: {ORIGIN}", "vary: accept-encoding, origin"} <= {*head}
            expect(allowed and status in head[0], f"a page can read {response}: {head}")
        self.report.detail(f"a page of {ORIGIN} can read the preflight, a product, and API Gateway's own problems")

    def assume_deployment_role(self, credentials: dict, external_id: str) -> str:
        """The error when assuming the deployment role, or nothing if it succeeds."""
        try:
            self.aws.assume(credentials, f"arn:aws:iam::{TARGET}:role/{DEPLOYMENT_ROLE}", ExternalId=external_id)
            return ""
        except Failed as failed:
            return str(failed)

    def refusals(self, former_id: str):
        deploy, build = self.pipeline.project("Deploy"), self.pipeline.project("Build")
        external_id = self.guide.external_id
        output = self.assume_deployment_role(deploy.credentials, external_id)
        expect(output == "", f"the deploy project assumes the deployment role: {output}")
        for story, credentials, given in (
            ("the deploy project with another external id", deploy.credentials, external_id + "x"),
            ("the deploy project with the external id before the update", deploy.credentials, former_id),
            ("the build project with the right external id", build.credentials, external_id),
            ("the tools account's administrator with the right external id", root_of(TOOLS), external_id),
            ("a third account's administrator with the right external id", root_of(STRANGER), external_id),
        ):
            self.report.refused(story, self.assume_deployment_role(credentials, given), "AccessDenied")

        since = time.monotonic()
        folder = self.pipeline.deployable()
        (folder / "dist/package/DEV").rename(folder / "dist/package/PROD")
        environment = deploy.environment | {"STAGE": "PROD"}
        before = self.aws.calls(TARGET)
        done = self.aws.run(deploy.credentials | environment, "bash", "scripts/deploy.sh", cwd=folder)
        expect(done.returncode == 1, "a package of another stage ends the deployment")
        self.report.refused("a package of DEV for PROD", done.stderr, "the package in dist/ is for stage DEV, not PROD")
        expect(self.aws.calls(TARGET) == before, "nothing was asked of the target account")

        # An item that is not a product has the smoke test's id.
        item = {"id": {"S": "smoke-test"}, "title": {"S": ""}, "description": {"S": ""}, "price": {"N": "1"}}
        self.aws.call(root_of(TARGET), "dynamodb", "put_item", TableName="PRODUCT_CATALOG", Item=item)
        code, log = self.deploy("failing-smoke-test")
        expect(code == 1, "a failing smoke test fails the stage")
        self.report.refused("a deployment whose smoke test fails", log, "smoke-test.sh: GET")
        self.report.detail("all of them", since)

    def deploy(self, title: str) -> tuple[int, str]:
        """Runs Deploy again on the last package, and returns its exit code and log."""
        log = self.pipeline.work / f"{title}.log"
        return self.pipeline.build("Deploy", log, lambda *_, **__: None), log.read_text()

    def hostile_build(self):
        """A dependency's build script overwrites all that it can reach, but gets no credentials of the target."""
        leak = self.aws.folder / "leak"
        # From here on, another product has the smoke test's id, which still passes.
        item = {"id": {"S": "smoke-test"}, "title": {"S": "Another"}, "description": {"S": ""}, "price": {"N": "1"}}
        self.aws.call(root_of(TARGET), "dynamodb", "put_item", TableName="PRODUCT_CATALOG", Item=item)
        for title, spoil in (
            ("names /proc/self/environ as a function's code", name_environment),
            ("is as it was", None),
        ):
            overwritten = functools.partial(self.overwrite, leak, spoil)
            received = RECEIVED["buildspec.yml"] | {"bash scripts/build.sh": self.last_build, "make sbom": overwritten}
            log = self.pipeline.work / "hostile-build.log"
            code = self.pipeline.build("Build", log, self.report.detail, received)
            expect(code == 0, f"the hostile build ends well: see {log}")
            try:
                code, log = self.deploy("hostile-deploy")
            finally:
                leaked = leak.read_bytes() if leak.exists() else b""
                expect(
                    not any(each in leaked for each in self.secrets()),
                    "a build script has seen no credentials of Deploy",
                )
            if spoil:
                self.report.refused(f"a package that {title}", log, "not a zip in dist/: nothing is deployed")
            expect(
                code == (1 if spoil else 0), f"a package that {title} is {'refused' if spoil else 'deployed'}: {log}"
            )
        self.report.detail("the build script has seen no credentials, neither of Deploy nor of the target account")

    def last_build(self, source: pathlib.Path) -> str:
        shutil.copytree(
            self.pipeline.unpacked("Package") / "dist", source / "dist", ignore=shutil.ignore_patterns("package")
        )
        return "the last build"

    def overwrite(self, leak: pathlib.Path, spoil, source: pathlib.Path) -> str:
        """Puts a trap into every file of a build except its package, and into every artifact that Build can write."""
        steal = f"env >>{leak}; cat /proc/*/environ >>{leak}"
        script, buildspec = f"#!/usr/bin/env bash\n{steal}\n", f'{{"phases": {{"build": {{"commands": ["{steal}"]}}}}}}'
        count = 0
        for name, folders, files in os.walk(source):
            folder = pathlib.Path(name)
            # Skips this machine's tools, which CodeBuild reinstalls for each build, and the package itself.
            folders[:] = [each for each in folders if each != "dist" and not (folder / each).is_symlink()]
            for each in files:
                (folder / each).write_text(buildspec if each.startswith("buildspec") else script)
            count += len(files)
        for each in ("scripts/deploy.sh", "node_modules/.bin/osls", "serverless.yml"):
            copy = source / "dist" / each
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(script)
        if spoil:
            spoil(source / "dist/package/DEV/serverless-state.json")
        credentials = self.pipeline.project("Build").credentials
        for artifact, key in self.pipeline.last.artifacts.items():
            written = self.attempt(credentials, "put_object", Key=key, Body=script.encode())
            expect(written == (artifact == "Package"), f"Build {'writes' if written else 'cannot write'} {artifact}")
        return f"a build script, which has overwritten {count} files and the last package"

    def attempt(self, credentials: dict, operation: str, **asked) -> bool:
        """Whether an action in the artifact bucket is allowed."""
        try:
            self.aws.call(credentials, "s3", operation, Bucket=self.pipeline.bucket, **asked)
            return True
        except Failed as failed:
            expect("AccessDenied" in str(failed), f"{operation}: {failed}")
            return False

    def handed_out(self) -> list:
        """All credentials that STS has issued: role, access key, secret, token."""
        text = self.aws.handed_out.read_text()
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        given = [
            [each["AssumedRoleUser"]["Arn"], *(each["Credentials"][name] for name in names)] for each in objects(text)
        ]
        printed = [["", *line.split("\t")] for line in text.splitlines() if re.fullmatch(r"\S+\t\S+\t\S+", line)]
        return given + printed

    def least_privilege(self):
        """Each call of the deployments was allowed, and each permission is needed by a call, or has a reason."""
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

    def logs_of_others(self):
        """All APIs of an account and region share API Gateway's log role, so it outlives the stack that created it."""
        setting = self.aws.call(root_of(TARGET), "apigateway", "get_account").get("cloudwatchRoleArn", "")
        roles = self.aws.call(root_of(TARGET), "iam", "list_roles")["Roles"]
        expect(setting in [each["Arn"] for each in roles], f"API Gateway still writes logs, as {setting or 'no role'}")
        self.report.detail("API Gateway still writes the logs of other APIs, with the role that was kept")

    def secrets(self) -> set:
        return {secret.encode() for _, _, *each in self.handed_out() for secret in each}

    def canaries(self):
        """No issued secret is in anything that was printed, logged, packaged or left in a folder."""
        secrets = self.secrets() | {self.aws.api_key().encode()}
        expect(len(secrets) >= 10, "credentials were handed out")
        # Builds contain the same files: each content is searched once.
        places, contents = ["the output"], {"\n".join(self.report.lines).encode(): "the output"}

        def add(place: str, content: bytes):
            places.append(place)
            contents.setdefault(content, place)

        files = [
            *self.pipeline.work.glob("*.log"),
            *self.aws.folder.glob("*.zip"),
            *self.guide.clone.rglob("*"),
            *self.aws.folder.glob("src*/**/*"),
        ]
        for file in files:
            if file.is_file() and "node_modules" not in file.parts:
                add(str(file), file.read_bytes())
                if file.suffix == ".zip":
                    zipped = zipfile.ZipFile(file)
                    for name in zipped.namelist():
                        add(f"{file}: {name}", zipped.read(name))

        def found(content: bytes) -> bool:
            return any(secret in content for secret in secrets)

        expect(found(self.aws.handed_out.read_bytes()), "a secret is found where there is one")
        for content, place in contents.items():
            expect(not found(content), f"no credentials are in {place}")
        where = f"{len(places)} outputs, logs, artifacts and files"
        self.report.detail(f"{len(secrets)} secrets were handed out, and none of them is in {where}")


def name_environment(state: pathlib.Path):
    """Makes osls upload its environment as a function's code."""
    package = json.loads(state.read_text())
    package["service"]["functions"]["find"]["package"]["artifact"] = "/proc/self/environ"
    state.write_text(json.dumps(package))


def objects(text: str) -> list:
    """The JSON objects in a text that also has other lines."""
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
