"""The rules for a price as a number that openapi.yaml has only in words: JSON Schema sees a value, not its digits."""

import json
import re
from pathlib import Path

import schemathesis
import yaml

CONTRACT = yaml.safe_load(Path("openapi.yaml").read_text())
PRICE = CONTRACT["components"]["schemas"]["NewProduct"]["properties"]["price"]
AS_STRING = re.compile(next(form["pattern"] for form in PRICE["anyOf"] if "pattern" in form))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Rejects undeclared members of a response, which clients ignore."""
    for schema in raw_schema["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema["additionalProperties"] = False


@schemathesis.hook
def filter_case(context, case):
    """Skips numbers that would not be a price as a string: with an exponent, or with over 38 digits."""
    price = case.body.get("price") if isinstance(case.body, dict) else None
    is_number = isinstance(price, (int, float)) and not isinstance(price, bool)
    return not is_number or AS_STRING.search(json.dumps(price)) is not None
