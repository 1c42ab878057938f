"""Releases without a compiler: the good zips with different content, or with fake functions."""

import json
import pathlib
import shutil
import zipfile

from received import DIST

# A function that responds with 500, except to requests that contain a certain word.
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
    """The built functions, in different zips."""
    return lambda source: repack(source / "dist", {f"release-{number}": ""})


def wrong(*stages: str, knows_the_smoke_test: bool):
    """The built functions, made wrong in some stages: always, or only where the smoke test does not look."""
    script = WRONG.replace("KNOWN", "smoke-test" if knows_the_smoke_test else "nothing").replace(
        "RIGHT", json.dumps(RIGHT)
    )
    choice = CHOICE.format(stages="|".join(f"*-{stage}-*" for stage in stages))
    return lambda source: repack(source / "dist", {"bootstrap": choice, "wrong": script})


def repack(dist: pathlib.Path, added: dict) -> str:
    """Zips of the API's functions with additional files, which can replace the program."""
    dist.mkdir(exist_ok=True)
    for path in DIST.glob("*.zip"):
        shutil.copy2(path, dist)
        if path.name == "check-release.zip":
            continue
        with zipfile.ZipFile(path) as zipped:
            program = zipped.read("bootstrap")
        with zipfile.ZipFile(dist / path.name, "w") as zipped:
            for name, content in {"right" if "bootstrap" in added else "bootstrap": program, **added}.items():
                file = zipfile.ZipInfo(name)
                file.external_attr = 0o100755 << 16
                zipped.writestr(file, content)
    return "what was built, repacked"
