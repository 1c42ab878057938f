#!/usr/bin/env python3
"""Imports an existing table, with its products, into a stack: scripts/adopt-table.py STACK TABLE

For a table that belongs to no stack: a failed first deployment or a deleted stack of STAGE or PROD has left it, or
another stack has released it. Without this, the next deployment fails because the table exists. If there is no stack of
this name, it is created. Needs botocore, which `make build-tools` installs, and what the AWS CLI needs: a region, and
the credentials of an administrator of the target account, because the pipeline's roles cannot import resources.
"""

import argparse
import json
import os
import sys
import time

from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from botocore.session import Session

LOGICAL_ID = "ProductCatalogDynamoDBTable"
# osls uploads to the bucket that it finds in the stack.
EMPTY = {"Resources": {"ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket"}}}
# The template of a stack can contain roles with names.
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


def described(dynamodb, table: str) -> dict:
    """The table's current properties. CloudFormation compares the next template with these, not with the table."""
    found = dynamodb.describe_table(TableName=table)["Table"]
    properties = {
        "TableName": table,
        "KeySchema": found["KeySchema"],
        "AttributeDefinitions": found["AttributeDefinitions"],
    }
    if found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
        properties["BillingMode"] = "PAY_PER_REQUEST"
    else:
        units = ("ReadCapacityUnits", "WriteCapacityUnits")
        properties["ProvisionedThroughput"] = {unit: found["ProvisionedThroughput"][unit] for unit in units}
    if "OnDemandThroughput" in found:
        properties["OnDemandThroughput"] = found["OnDemandThroughput"]
    if found.get("SSEDescription", {}).get("Status") == "ENABLED":
        properties["SSESpecification"] = {"SSEEnabled": True, "SSEType": found["SSEDescription"]["SSEType"]}
    if found.get("DeletionProtectionEnabled"):
        properties["DeletionProtectionEnabled"] = True
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED":
        properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
    return properties


def template_of(cloudformation, stack: str) -> dict | None:
    """The template of a stack, or None if there is no stack."""
    try:
        return cloudformation.get_template(StackName=stack)["TemplateBody"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def adopt(cloudformation, dynamodb, stack: str, table: str):
    properties = described(dynamodb, table)
    template = template_of(cloudformation, stack)
    if template is None:
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(EMPTY))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack)
        template = EMPTY
    resource = {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }
    imported = {
        "ResourceType": "AWS::DynamoDB::Table",
        "LogicalResourceId": LOGICAL_ID,
        "ResourceIdentifier": {"TableName": table},
    }
    change_set = {"StackName": stack, "ChangeSetName": f"adopt-{time.time():.0f}"}
    cloudformation.create_change_set(
        **change_set,
        ChangeSetType="IMPORT",
        Capabilities=CAPABILITIES,
        ResourcesToImport=[imported],
        TemplateBody=json.dumps({**template, "Resources": {**template["Resources"], LOGICAL_ID: resource}}),
    )
    cloudformation.get_waiter("change_set_create_complete").wait(**change_set)
    cloudformation.execute_change_set(**change_set)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=stack)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", metavar="STACK")
    parser.add_argument("table", metavar="TABLE")
    arguments = parser.parse_args()
    session = Session()
    try:
        # botocore, unlike the AWS CLI, ignores AWS_REGION.
        clients = [session.create_client(each, os.environ.get("AWS_REGION")) for each in ("cloudformation", "dynamodb")]
        adopt(*clients, arguments.stack, arguments.table)
    except (BotoCoreError, ClientError, WaiterError) as error:
        print(f"adopt-table.py: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.table} belongs to {arguments.stack}: deploy again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
