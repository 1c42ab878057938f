#!/usr/bin/env python3
"""Copies every item of a DynamoDB table into another: scripts/copy-items.py [--replace] FROM TO

An item whose id already exists in the other table is skipped or, with --replace, replaced. Nothing is deleted, and you
can run it again. Needs botocore, which `make build-tools` installs, and, like the AWS CLI, a region and credentials.
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

AT_ONCE = 16


def copy(dynamodb, source: str, target: str, replace: bool) -> tuple[int, int]:
    """Returns how many items were read, and how many of them were written."""
    condition = {} if replace else {"ConditionExpression": "attribute_not_exists(id)"}

    def put(item: dict) -> bool:
        try:
            dynamodb.put_item(TableName=target, Item=item, **condition)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    read = written = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # A page at a time, so that memory does not grow with the catalog.
        for page in dynamodb.get_paginator("scan").paginate(TableName=source, ConsistentRead=True):
            read += len(page["Items"])
            written += sum(pool.map(put, page["Items"]))
    return read, written


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="store_true", help="replace an item that already exists in the other table")
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("target", metavar="TO")
    arguments = parser.parse_args()
    # If the table throttles because it has not scaled yet, slow down instead of giving up.
    config = Config(max_pool_connections=AT_ONCE, retries={"mode": "adaptive", "max_attempts": 20})
    try:
        # botocore, unlike the AWS CLI, ignores AWS_REGION.
        dynamodb = Session().create_client("dynamodb", os.environ.get("AWS_REGION"), config=config)
        read, written = copy(dynamodb, arguments.source, arguments.target, arguments.replace)
    except (BotoCoreError, ClientError) as error:
        print(f"copy-items.py: {error}", file=sys.stderr)
        return 1
    copied = f"Read {read} items of {arguments.source}, wrote {written} into {arguments.target}"
    print(f"{copied}, skipped {read - written} that already existed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
