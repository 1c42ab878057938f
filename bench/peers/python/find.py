"""`GET /product/find/{id}`, with the responses of the original sample."""

import json
import os

import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    response = client.get_item(
        TableName=os.environ["DYNAMODB_TABLE"],
        Key={"id": {"S": event["pathParameters"]["id"]}},
    )
    return {"statusCode": 200, "body": json.dumps(response)}
