"""What an engineer does when paged, and to migrate: docs/runbook.md and docs/migrate.md."""

import json
import re
import subprocess
import time

from aws import ARCHITECTURE, REGION, ROOT, SERVICE, TARGET, Aws, expect, root_of
from codepipeline import CodePipeline, now
from guide import Guide
from report import Report

RUNBOOK, MIGRATION = "docs/runbook.md", "docs/migrate.md"


class Operations:
    def __init__(self, aws: Aws, guide: Guide, pipeline: CodePipeline, report: Report):
        self.aws, self.guide, self.pipeline, self.report = aws, guide, pipeline, report

    def runbook(self):
        stage = {"STAGE": "DEV"}
        body = self.aws.ask(root_of(TARGET), "cloudwatch", "get_dashboard", DashboardName=SERVICE)["DashboardBody"]
        expect(
            f'"FunctionName","{SERVICE}-create"' in body and "${" not in body, "the dashboard names what was deployed"
        )
        self.report.detail(f"the dashboard {SERVICE} has {len(json.loads(body)['widgets'])} parts")

        page = self.page()
        self.guide.run("Try the alarms", RUNBOOK, **stage)
        [message] = self.aws.ask(root_of(TARGET), "sqs", "receive_message", QueueUrl=page).get("Messages", [])
        alarm = json.loads(json.loads(message["Body"])["Message"])
        expect(alarm["AlarmName"] == f"{SERVICE}-errors", "the message names the alarm")
        self.report.detail(f"a message arrived: {alarm['AlarmDescription']}")

        key = ("--header", f"X-Api-Key: {self.aws.api_key()}")
        request = json.loads(self.aws.curl(*key, f"{self.pipeline.endpoint}/product/find/nobody-has-this-id"))[
            "requestId"
        ]
        # Of all requests, one line: in text, because the emulator gives a function no word of JSON.
        [line] = self.guide.run("Find one request", RUNBOOK, REQUEST=request, **stage).splitlines()
        expect(request in line and "404" in line, f"the log tells how request {request} was answered: {line}")
        self.report.detail(f"request {request} is in the log, with the status 404")

        self.source_lines()

        self.guide.run("Restore the table", RUNBOOK, slice(1), WHEN=now(), **stage)
        table, spoilt = "PRODUCT_CATALOG", {"id": {"S": "1001"}, "title": {"S": ""}}
        self.aws.ask(root_of(TARGET), "dynamodb", "put_item", TableName=table, Item=spoilt)
        find = (*key, f"{self.pipeline.endpoint}/product/find/1001")
        expect('"status":500' in self.aws.curl(*find), "product 1001 is spoilt")
        copied = self.guide.run("Restore the table", RUNBOOK, slice(1, None), TABLE=table, **stage).splitlines()[0]
        expect('"title":"Amazon Echo"' in self.aws.curl(*find), "product 1001 is what it was")
        self.report.detail(f"a corrupted product is restored: {copied}")

        self.guide.run("A leaked API key", RUNBOOK, **stage)
        self.report.refused("finding with a key that was leaked", self.aws.curl(*find), '"status":403')

        self.guide.run("Roll back", RUNBOOK)
        expect("memory: 128" in (self.guide.clone / "serverless.yml").read_text(), "the functions are as before")
        expect(self.pipeline.pushed("master"), "a push of what was before starts the pipeline")
        self.report.detail("EventBridge's rule matches, and starts the pipeline with the previous version")

    def source_lines(self):
        """The source line of an offset in a function that was deployed: one that no request can make panic."""
        dist = self.pipeline.source / "dist"
        symbols = next((dist / "debug").iterdir())
        listed = subprocess.run(["nm", "--demangle", symbols], check=True, capture_output=True, text=True).stdout
        [offset] = re.findall(r"(?m)^(\w+) t catalog::table::repository::to_product$", listed)[:1] or [None]
        expect(offset, f"{symbols} names our functions")
        for zipped in dist.glob("*.zip"):
            unpacked = self.pipeline.unpacked(zipped.stem, zipped) / "bootstrap"
            read = ["readelf", "--notes", "--section-headers", "--wide", unpacked]
            told = subprocess.run(read, check=True, capture_output=True, text=True).stdout
            build = re.search(r"Build ID: (\w+)", told)[1]
            expect((dist / f"debug/{build}.debug").exists(), f"{zipped.name} has its symbols in dist/debug")
            expect(not re.search(r"\.debug_(info|line)|\.symtab", told), f"{zipped.name} has no debug information")
        chosen = {"BUILD": symbols.stem, "BACKTRACE": f"0x{offset}", "STAGE": "DEV"}
        line = self.guide.run("A panic", RUNBOOK, **chosen).strip()
        expect("shared/src/table/repository.rs:" in line, f"the offset is a line of the source: {line}")
        self.report.detail(f"0x{offset} of build {symbols.stem} is {line}")

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
        odd = json.loads(self.guide.run("What differs", MIGRATION, **chosen))
        expect([item["id"]["S"] for item in odd] == ["1001"], f"the item that is no product is listed: {odd}")

        copied = self.guide.run("Copy the table", MIGRATION, NEW="PRODUCT_CATALOG", **chosen).strip()
        mine = self.aws.ask(target, "dynamodb", "scan", TableName="PRODUCT_CATALOG")["Items"]
        titles = {item["id"]["S"]: item["title"]["S"] for item in mine}
        expect({"900", "1001"} <= titles.keys() and all(titles.values()), "what is there already stays")
        self.report.detail(copied)

        self.stack("the-original", {"Log": resources["Log"]})
        self.guide.run("Share the table", MIGRATION, **chosen)
        owned = self.aws.resource(TARGET, stack, "ProductCatalogDynamoDBTable")
        expect(owned == table, f"{table} belongs to {stack}")
        folder = self.pipeline.unpacked("Deploy", self.aws.folder / "build.zip")
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
        self.report.detail("osls deploy --stage PROD", since)
        described = self.aws.ask(target, "dynamodb", "describe_table", TableName=table)["Table"]
        on_demand = described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        expect(on_demand and described["DeletionProtectionEnabled"], "the table has got what it lacked")
        found = self.aws.curl(f"{self.aws.output(TARGET, stack, 'ServiceEndpoint')}/product/find/900")
        expect('"title":"Of the original"' in found, f"the new stage finds the original's product: {found}")
        self.report.detail(f"the new stage finds the original's product: {found}")

        bucket = self.aws.resource(TARGET, stack, "ServerlessDeploymentBucket")
        emptied = self.aws.run(target, "aws", "s3", "rm", "--recursive", f"s3://{bucket}")
        expect(emptied.returncode == 0, f"the bucket is emptied: {emptied.stderr}")
        for name in (stack, "the-original"):
            self.aws.ask(target, "cloudformation", "delete_stack", StackName=name)
        kept = self.aws.ask(target, "dynamodb", "scan", TableName=table)["Count"]
        expect(kept >= 2, "the table is kept, with its products")
        self.report.detail("the stack is deleted again, and its table is kept")

    def stack(self, name: str, resources: dict):
        template = self.aws.folder / f"{name}.json"
        template.write_text(json.dumps({"Resources": resources}))
        deploy = ("aws", "cloudformation", "deploy", "--stack-name", name, "--template-file", str(template))
        done = self.aws.run(root_of(TARGET), *deploy)
        expect(done.returncode == 0, f"{name} is deployed: {done.stderr}")
