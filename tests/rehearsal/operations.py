"""An engineer who follows docs/runbook.md and docs/migrate.md."""

import json
import re
import shutil
import subprocess
import time
import zipfile

from aws import ARCHITECTURE, NAME, REGION, ROOT, SERVICE, TARGET, TOOLS, Aws, Failed, expect, root_of
from codepipeline import CodePipeline, now
from guide import Guide
from report import Report
from strict import strict

RUNBOOK, MIGRATION = "docs/runbook.md", "docs/migrate.md"


class Operations:
    def __init__(self, aws: Aws, guide: Guide, pipeline: CodePipeline, report: Report):
        self.aws, self.guide, self.pipeline, self.report = aws, guide, pipeline, report

    def runbook(self):
        self.deployable = self.pipeline.deployable()
        stage = {"STAGE": "DEV", "PIPELINE_STAGE": "Deploy"}
        body = self.aws.call(root_of(TARGET), "cloudwatch", "get_dashboard", DashboardName=SERVICE)["DashboardBody"]
        expect(
            f'"FunctionName","{SERVICE}-create"' in body and "${" not in body.replace("${PROP(", ""),
            "the dashboard names the deployed functions",
        )
        self.report.detail(f"the dashboard {SERVICE} has {len(json.loads(body)['widgets'])} parts")

        page = self.page()
        self.guide.run("Try the alarms", RUNBOOK, **stage)
        [message] = self.aws.call(root_of(TARGET), "sqs", "receive_message", QueueUrl=page).get("Messages", [])
        alarm = json.loads(json.loads(message["Body"])["Message"])
        expect(alarm["AlarmName"] == f"{SERVICE}-errors", "the message names the alarm")
        self.report.detail(f"a message arrived: {alarm['AlarmDescription']}")

        key = ("--header", f"X-Api-Key: {self.aws.api_key()}")
        request = json.loads(self.aws.curl(*key, f"{self.pipeline.endpoint}/product/find/nobody-has-this-id"))[
            "requestId"
        ]
        # A line of text for each request, because the emulator does not configure JSON logs.
        [line] = self.guide.run("Find one request", RUNBOOK, REQUEST=request, **stage).splitlines()
        expect(request in line and "404" in line, f"the log has the response to request {request}: {line}")
        self.report.detail(f"request {request} is in the log, with the status 404")

        self.drift(**stage)
        self.roll_back(**stage)
        self.source_lines()

        self.correct(**stage)

        self.guide.run("Restore the table", RUNBOOK, slice(1), WHEN=now(), **stage)
        table, corrupted = "PRODUCT_CATALOG", {"id": {"S": "1001"}, "title": {"S": ""}}
        self.aws.call(root_of(TARGET), "dynamodb", "put_item", TableName=table, Item=corrupted)
        find = (*key, f"{self.pipeline.endpoint}/product/find/1001")
        expect('"status":500' in self.aws.curl(*find), "product 1001 is corrupted")
        copied = self.guide.run("Restore the table", RUNBOOK, slice(1, None), TABLE=table, **stage).splitlines()[0]
        expect('"title":"Amazon Echo"' in self.aws.curl(*find), "product 1001 is restored")
        self.report.detail(f"a corrupted product is restored: {copied}")

        self.guide.run("A leaked API key", RUNBOOK, **stage)
        self.report.refused("finding with a key that was leaked", self.aws.curl(*find), '"status":403')

        self.roll_back_to_commits(**stage)

    def drift(self, **stage: str):
        """Manual changes are listed: to a function, and to an alias."""
        printed = self.guide.run("Look for drift", RUNBOOK, **stage).strip()
        expect(printed.endswith("matches its template"), f"nothing has drifted: {printed}")
        function = {"FunctionName": f"{SERVICE}-find"}
        live = self.aws.call(root_of(TARGET), "lambda", "get_alias", Name="live", **function)["FunctionVersion"]
        for version, memory in (("1", 512), (live, 256)):
            self.aws.call(root_of(TARGET), "lambda", "update_alias", Name="live", FunctionVersion=version, **function)
            self.aws.call(root_of(TARGET), "lambda", "update_function_configuration", MemorySize=memory, **function)
            if version == live:
                continue
            try:
                output = self.guide.run("Look for drift", RUNBOOK, **stage)
            except Failed as failed:
                output = str(failed)
            for each in ("/MemorySize", "has version 1"):
                expect(each in output, f"the drift is listed: {output}")
        self.report.detail("manual changes are listed: to a function's memory, and to an alias")

    def correct(self, **stage: str):
        """A stored product is corrected, if it is valid and exists."""
        signed = {"API_KEY": self.aws.api_key(), **stage}
        found = self.guide.run("Call the API", RUNBOOK, **signed)
        expect('"title":"Amazon Echo"' in found, f"with a signature and a key, 1001 is found: {found}")
        url = {"ENDPOINT": self.pipeline.endpoint, **root_of(TARGET)}  # As that section leaves them in a shell.
        product = {"id": "1001", "title": "Amazon Echo Dot", "description": "", "price": "49.90"}
        for story, wrong, why in (
            ("correcting a product to an invalid one", {"price": "-1", "title": ""}, "/title"),
            ("correcting a product that does not exist", {"id": "nobody-has-this-id"}, "has no product with the id"),
        ):
            try:
                output = self.guide.run(
                    "Correct a product", RUNBOOK, PRODUCT=json.dumps(product | wrong), **signed, **url
                )
            except Failed as failed:
                output = str(failed)
            self.report.refused(story, output, why)
        printed = self.guide.run("Correct a product", RUNBOOK, PRODUCT=json.dumps(product), **signed, **url)
        self.report.detail(printed.splitlines()[-1])
        find = ("--header", f"X-Api-Key: {self.aws.api_key()}", f"{self.pipeline.endpoint}/product/find/1001")
        expect('"price":"49.90"' in self.aws.curl(*find), "product 1001 is corrected")
        back = {"title": "Amazon Echo", "description": "Smart speaker", "price": "89.99"}
        self.guide.run("Correct a product", RUNBOOK, PRODUCT=json.dumps(product | back), **signed, **url)

    def roll_back(self, **stage: str):
        """A stage is rolled back to an earlier release."""
        last = self.pipeline.last
        listed = self.guide.run("Roll back", RUNBOOK, slice(1), **stage)
        expect(last.id in listed and last.commit in listed, f"CodePipeline lists the deployed release: {listed}")
        self.guide.run("Roll back", RUNBOOK, slice(1, None), GOOD=last.id, **stage)
        self.pipeline.is_brief = True
        self.pipeline.roll_back_as_asked()

    def roll_back_to_commits(self, **stage: str):
        """After any bad push, the pipeline gets the files of the last good commit again."""
        for title, push in {
            "a commit": self.commit,
            "a merge commit": self.merge,
            "three commits": lambda: [self.commit(), self.commit(), self.commit()],
        }.items():
            if title != "a commit" and not strict("history"):
                continue
            good = self.pipeline.last.commit
            push()
            self.guide.in_clone("git", "push", "--quiet", "codecommit", "HEAD:master")
            self.guide.run("Roll back to a commit", RUNBOOK, COMMIT=good, **stage)
            expect(self.guide.in_clone("git", "diff", good, "HEAD") == "", f"after {title}, the files are as before")
            expect(self.pipeline.pushed("master"), "a push of the earlier files starts the pipeline")
            self.report.detail(
                f"a push of {title} is rolled back: EventBridge's rule starts the pipeline with {good[:7]}"
            )

    def commit(self):
        """A bad commit: it changes a file, adds one and deletes one."""
        (self.guide.clone / "serverless.yml").write_text("nothing\n")
        (self.guide.clone / f"bad-{time.monotonic_ns()}").touch()
        (self.guide.clone / "LICENSE").unlink(missing_ok=True)
        self.guide.in_clone("git", "add", "--all")
        self.guide.in_clone("git", "commit", "--quiet", "--message", "A bad change")

    def merge(self):
        good = self.guide.in_clone("git", "rev-parse", "HEAD").strip()
        self.commit()
        bad = self.guide.in_clone("git", "rev-parse", "HEAD").strip()
        self.guide.in_clone("git", "switch", "--quiet", "--detach", good)
        self.guide.in_clone("git", "merge", "--quiet", "--no-ff", "--message", "Merge a bad change", bad)

    def source_lines(self):
        """Resolves an offset in a deployed function to its source line, without a panic, which no request can cause."""
        dist = self.pipeline.unpacked("Package") / "dist"
        found = {}
        for symbols in (dist / "debug").iterdir():
            listed = subprocess.run(["nm", "--demangle", symbols], check=True, capture_output=True, text=True).stdout
            for offset in re.findall(r"(?m)^(\w+) [tT] catalog::table::repository::to_product$", listed):
                found[symbols] = offset
        expect(found, "the symbols name our functions")
        symbols, offset = found.popitem()
        for zipped in dist.glob("*.zip"):
            unpacked = self.aws.folder / zipped.stem
            zipfile.ZipFile(zipped).extract("bootstrap", unpacked)
            read = ["readelf", "--notes", "--section-headers", "--wide", unpacked / "bootstrap"]
            headers = subprocess.run(read, check=True, capture_output=True, text=True).stdout
            build = re.search(r"Build ID: (\w+)", headers)[1]
            expect((dist / f"debug/{build}.debug").exists(), f"{zipped.name} has its symbols in dist/debug")
            expect(not re.search(r"\.debug_(info|line)|\.symtab", headers), f"{zipped.name} has no debug information")
        chosen = {"BUILD": symbols.stem, "BACKTRACE": f"0x{offset}", "STAGE": "DEV"}
        line = self.guide.run("A panic", RUNBOOK, **chosen).strip()
        expect("shared/src/table/repository.rs:" in line, f"the offset is a line of the source: {line}")
        self.report.detail(f"0x{offset} of build {symbols.stem} is {line}")
        if strict("expired"):
            self.expire()
            mine = self.guide.clone / "dist"
            shutil.rmtree(mine)
            output = self.guide.run("A panic", RUNBOOK, slice(1), **chosen).strip()
            expect("no longer has" in output, f"the commands say that the artifact has expired: {output}")
            shutil.copytree(dist, mine)  # What `make release` produces.
            again = self.guide.run("A panic", RUNBOOK, slice(1, None), **chosen).strip()
            expect(again == line, f"the symbols of a new build lead to the same line: {again}")
            self.report.detail("the artifacts expire: the symbols of a new build lead to the same line")

    def expire(self):
        bucket = {"Bucket": self.pipeline.bucket}
        for each in self.aws.call(root_of(TOOLS), "s3", "list_objects_v2", **bucket)["Contents"]:
            self.aws.call(root_of(TOOLS), "s3", "delete_object", Key=each["Key"], **bucket)

    def page(self) -> str:
        """The URL of a queue that receives the alarms, like an engineer's pager."""
        topic, queue = f"arn:aws:sns:{REGION}:{TARGET}:{SERVICE}-alarms", f"arn:aws:sqs:{REGION}:{TARGET}:pager"
        opened = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [opened]})
        self.aws.call(root_of(TARGET), "sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue)
        created = self.aws.call(
            root_of(TARGET), "sqs", "create_queue", QueueName="pager", Attributes={"Policy": policy}
        )
        return created["QueueUrl"]

    def migration(self):
        """Moves the original's table, with two items, from its stack to one that osls deploys as in the pipeline."""
        target, table, stack = root_of(TARGET), "PRODUCT_CATALOG_OF_THE_ORIGINAL", f"{NAME}-PROD"
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
            self.aws.call(target, "dynamodb", "put_item", TableName=table, Item=item)
        odd = json.loads(self.guide.run("What differs", MIGRATION, **chosen))
        expect([item["id"]["S"] for item in odd] == ["1001"], f"the item that is not a product is listed: {odd}")

        copied = self.guide.run("Copy the table", MIGRATION, NEW="PRODUCT_CATALOG", **chosen).strip()
        mine = self.aws.call(target, "dynamodb", "scan", TableName="PRODUCT_CATALOG")["Items"]
        titles = {item["id"]["S"]: item["title"]["S"] for item in mine}
        expect({"900", "1001"} <= titles.keys() and all(titles.values()), "existing products are not overwritten")
        self.report.detail(copied)

        self.stack("the-original", {"Log": resources["Log"]})
        self.guide.run("Share the table", MIGRATION, **chosen)
        owned = self.aws.resource(TARGET, stack, "ProductCatalogDynamoDBTable")
        expect(owned == table, f"{table} belongs to {stack}")
        since = time.monotonic()
        done = self.deploy_prod(table)
        expect(done.returncode == 0, f"osls deploys over the imported table: {done.stderr}")
        self.report.detail("osls deploy --stage PROD", since)
        described = self.aws.call(target, "dynamodb", "describe_table", TableName=table)["Table"]
        on_demand = described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        expect(
            on_demand and described["DeletionProtectionEnabled"], "the stack has set billing and deletion protection"
        )
        self.finds("900", "Of the original")
        self.report.detail("the new stage finds the original's product")
        self.delete_prod(table)
        self.aws.call(target, "cloudformation", "delete_stack", StackName="the-original")
        self.report.detail("the stack is deleted again, and its table is kept")

    def leftovers(self):
        """The first deployment of PROD fails, and leaves a table that blocks the next one."""
        target, table = root_of(TARGET), "PRODUCT_CATALOG_PROD"
        # A role of a function depends on the table, so the table is created before it.
        existing_role = {"RoleName": f"{NAME}-PROD-find-role"}
        self.aws.call(target, "iam", "create_role", AssumeRolePolicyDocument='{"Statement": []}', **existing_role)
        done = self.deploy_prod(table)
        expect(done.returncode != 0, "the first deployment fails because a role exists")
        self.aws.call(target, "iam", "delete_role", **existing_role)
        self.report.detail("the first deployment of PROD fails: a role with this name exists")
        product = {"id": {"S": "1"}, "title": {"S": "Kept"}, "description": {"S": ""}, "price": {"N": "1"}}
        self.aws.call(target, "dynamodb", "put_item", TableName=table, Item=product)
        done = self.deploy_prod(table)
        expect(
            done.returncode != 0 and table in done.stderr + done.stdout,
            f"the next one fails because the table exists: {done.stderr}",
        )
        self.report.detail("without the role, the next one fails: the table exists")
        self.guide.run("A table that exists", STAGE="PROD", TABLE=table)
        done = self.deploy_prod(table)
        expect(done.returncode == 0, f"osls deploys over the adopted table: {done.stderr}")
        self.finds("1", "Kept")
        self.report.detail("the next one succeeds, over the table and its products")
        self.delete_prod(table)

    def deploy_prod(self, table: str) -> subprocess.CompletedProcess:
        """Deploys PROD's stack like scripts/deploy.sh, but as an administrator, and with this table name."""
        parameters = [
            *("--param", f"cfnRoleArn=arn:aws:iam::{TARGET}:role/none"),
            *("--param", f"architecture={ARCHITECTURE}"),
            *("--param", f"tableName={table}"),
            *("--param", "findAuthorization=NONE"),
        ]
        osls = str(ROOT / "node_modules/.bin/osls")
        return self.aws.run(root_of(TARGET), osls, "deploy", "--stage", "PROD", *parameters, cwd=self.deployable)

    def finds(self, product: str, title: str):
        url = f"{self.aws.output(TARGET, f'{NAME}-PROD', 'ServiceEndpoint')}/product/find/{product}"
        found = self.aws.curl(
            "--retry", "3", "--retry-all-errors", "--fail", "--output", "found", url, cwd=self.aws.folder
        )
        found = (self.aws.folder / "found").read_text()
        expect(f'"title":"{title}"' in found, f"PROD finds product {product}: {found}")

    def delete_prod(self, table: str):
        target, stack = root_of(TARGET), f"{NAME}-PROD"
        bucket = self.aws.resource(TARGET, stack, "ServerlessDeploymentBucket")
        emptied = self.aws.run(target, "aws", "s3", "rm", "--recursive", f"s3://{bucket}")
        expect(emptied.returncode == 0, f"the bucket is emptied: {emptied.stderr}")
        self.aws.call(target, "cloudformation", "delete_stack", StackName=stack)
        kept = self.aws.call(target, "dynamodb", "scan", TableName=table)["Count"]
        expect(kept >= 1, "the table is kept, with its products")

    def stack(self, name: str, resources: dict):
        template = self.aws.folder / f"{name}.json"
        template.write_text(json.dumps({"Resources": resources}))
        deploy = ("aws", "cloudformation", "deploy", "--stack-name", name, "--template-file", str(template))
        done = self.aws.run(root_of(TARGET), *deploy)
        expect(done.returncode == 0, f"{name} is deployed: {done.stderr}")
