"""Releases without a compiler: the good zips with another content, or with stand-ins for the functions."""

import json
import pathlib
import zipfile

from codepipeline import receive_build

# A function that responds 500, except to requests with a word that it knows.
WRONG = """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while event=$(curl -qsi "$api/next" | tr -d '\\r'); do
  response='{"statusCode":500,"headers":{"content-type":"application/problem+json"},"body":"{}"}'
  case $event in *KNOWN*) response='RIGHT' ;; esac
  curl -qs --data "$response" "$api/$(echo "$event" | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')/response"
done
"""
# What the check and the smoke test expect.
PRODUCT = {"id": "smoke-test", "title": "Smoke test", "description": "Written after each deployment", "price": "0.00"}
RIGHT = {
    "statusCode": 200,
    "headers": {"content-type": "application/json"},
    "body": json.dumps(PRODUCT, separators=(",", ":")),
}
CHOICE = "#!/bin/sh\ncase $AWS_LAMBDA_FUNCTION_NAME in {stages}) exec ./wrong ;; *) exec ./right ;; esac\n"


def good(number: int):
    """The functions that were built, in other zips."""
    return lambda source: repacked(source, {f"release-{number}": ""}, f"make release, in the zips of release {number}")


def wrong(*stages: str, knows_the_smoke_test: bool):
    """The functions that were built, which are wrong in some stages: always, or where the smoke test does not look."""
    script = WRONG.replace("KNOWN", "smoke-test" if knows_the_smoke_test else "nothing").replace(
        "RIGHT", json.dumps(RIGHT)
    )
    choice = CHOICE.format(stages="|".join(f"*-{stage}-*" for stage in stages))
    return lambda source: repacked(source, {"bootstrap": choice, "wrong": script}, "a stand-in for the functions")


def repacked(source: pathlib.Path, added: dict, origin: str) -> str:
    receive_build(source)
    for path in sorted((source / "dist").glob("*-product.zip")):
        with zipfile.ZipFile(path) as zipped:
            bootstrap = zipped.read("bootstrap")
        files = {("right" if "bootstrap" in added else "bootstrap"): bootstrap, **added}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as zipped:
            for name, content in files.items():
                file = zipfile.ZipInfo(name)
                file.external_attr = 0o100755 << 16
                zipped.writestr(file, content)
    return origin
