#!/usr/bin/env python3
"""Copies every item of a DynamoDB table into another: scripts/copy-items.py [--replace] FROM TO

An item whose id the other table has already is left as it is there, or replaced. Nothing is deleted, and it can be run
again. It needs botocore, which `make build-tools` installs, and what the AWS CLI needs: a region and credentials.
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
    """How many items were read, and how many of them were written."""
    condition = {} if replace else {"ConditionExpression": "attribute_not_exists(id)"}

    def put(item: dict) -> bool:
        try:
            dynamodb.put_item(TableName=target, Item=item, **condition)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    read = written = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # A page at a time, so that a catalog of any size needs no more memory than one.
        for page in dynamodb.get_paginator("scan").paginate(TableName=source, ConsistentRead=True):
            read += len(page["Items"])
            written += sum(pool.map(put, page["Items"]))
    return read, written


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="store_true", help="replace an item that the other table has already")
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("target", metavar="TO")
    arguments = parser.parse_args()
    # Throttled by a table that must grow first, it slows down and does not give up.
    config = Config(max_pool_connections=AT_ONCE, retries={"mode": "adaptive", "max_attempts": 20})
    try:
        # As the AWS CLI does, and botocore by itself does not.
        dynamodb = Session().create_client("dynamodb", os.environ.get("AWS_REGION"), config=config)
        read, written = copy(dynamodb, arguments.source, arguments.target, arguments.replace)
    except (BotoCoreError, ClientError) as error:
        print(f"copy-items.py: {error}", file=sys.stderr)
        return 1
    copied = f"Read {read} items of {arguments.source}, wrote {written} into {arguments.target}"
    print(f"{copied}, left {read - written} as they were there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
