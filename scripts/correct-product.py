#!/usr/bin/env python3
"""Corrects a stored product, which the API cannot do: scripts/correct-product.py URL TABLE PRODUCT

PRODUCT is the correct product, as JSON. The API at URL validates it: if it is valid, the response is 409, because the
id is taken. Only then is the item in TABLE updated, and only if nobody has changed it in the meantime. Other attributes
are kept. Prints the item before and after. Needs botocore, which `make build-tools` installs, curl, a region, and AWS
credentials in the environment that can create products and update the table.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session


class Refused(Exception):
    """Why the product is not corrected."""


def check(url: str, product: str):
    """Lets the API validate the product, because only the API has the rules."""
    curl = str(pathlib.Path(__file__).with_name("curl.sh"))
    with tempfile.NamedTemporaryFile("r") as body:
        request = ["--json", product, "--output", body.name, "--write-out", "%{http_code}", f"{url}/product/create"]
        status = subprocess.run(["bash", curl, *request], check=True, stdout=subprocess.PIPE, text=True).stdout
        if status == "200":
            raise Refused("the stored product is equal to this one")
        if status != "409":
            raise Refused(f"POST {url}/product/create returned {status}: {body.read()}")


def correct(dynamodb, url: str, table: str, product: str) -> tuple[dict, dict]:
    """Returns the item before and after."""
    # Prices stay text: a float would change them.
    fields = json.loads(product, parse_float=str, parse_int=str)
    if not isinstance(fields, dict) or not isinstance(fields.get("id"), str):
        raise Refused("PRODUCT must be a JSON object with an id")
    key = {"id": {"S": fields["id"]}}
    before = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if before is None:
        raise Refused(f"{table} has no product with the id {fields['id']}")
    check(url, product)
    # The API has accepted all fields. In the table, all but the price are strings.
    names = sorted(fields.keys() - {"id"})
    unchanged = [f"#{name} = :{name}_before" if name in before else f"attribute_not_exists(#{name})" for name in names]
    values = {f":{name}": {"N" if name == "price" else "S": fields[name]} for name in names}
    values |= {f":{name}_before": before[name] for name in names if name in before}
    updated = dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in names),
        ConditionExpression=" AND ".join(["attribute_exists(id)", *unchanged]),
        # Any name may be a word that DynamoDB reserves.
        ExpressionAttributeNames={f"#{name}": name for name in names},
        ExpressionAttributeValues=values,
        ReturnValues="ALL_NEW",
    )
    return before, updated["Attributes"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("url", "table", "product"):
        parser.add_argument(name, metavar=name.upper())
    arguments = parser.parse_args()
    try:
        # botocore, unlike the AWS CLI, ignores AWS_REGION.
        dynamodb = Session().create_client("dynamodb", os.environ.get("AWS_REGION"))
        before, after = correct(dynamodb, arguments.url, arguments.table, arguments.product)
    except (BotoCoreError, ClientError, Refused, json.JSONDecodeError, subprocess.CalledProcessError) as error:
        print(f"correct-product.py: {error}", file=sys.stderr)
        return 1
    print(f"before: {json.dumps(before)}\nafter:  {json.dumps(after)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
