"""`POST /product/create`, with the responses of the original sample."""

import json
import os

import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    product = json.loads(event["body"])
    response = client.put_item(
        TableName=os.environ["DYNAMODB_TABLE"],
        Item={
            "id": {"S": product["id"]},
            "title": {"S": product["title"]},
            "description": {"S": product["description"]},
            "price": {"N": product["price"]},
        },
    )
    return {"statusCode": 200, "body": json.dumps(response)}
