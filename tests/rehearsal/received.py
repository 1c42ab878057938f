"""Lets builds reuse what this folder has already installed, tested and built."""

import pathlib
import shutil

from aws import ROOT, expect

# What `make release` leaves.
DIST = ROOT / "dist"


def receive_tools(source: pathlib.Path) -> str:
    for folder in (".venv", "node_modules"):
        if not (source / folder).exists():
            (source / folder).symlink_to(ROOT / folder)
    return "make tools"


def receive_build(source: pathlib.Path) -> str:
    built = [*sorted(DIST.glob("*.zip")), *sorted((DIST / "debug").iterdir())]
    expect(built, "make release has left zips and symbols in dist/")
    for each in built:
        copied = source / each.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(each, copied)
    return "make release"


# The buildspecs' commands that `make test` has already run in this folder. The first push of `make verify` reuses
# nothing.
RECEIVED = {
    "buildspec.yml": {
        "make pipeline-tools": receive_tools,
        "make secrets": lambda _: "make secrets",
        "make advisories": lambda _: "nowhere: only make verify runs it",
        "make test-api": lambda _: "make test-rust",
        "bash scripts/build.sh": receive_build,
        "make sbom": lambda _: "nowhere: only make verify runs it",
    },
    "buildspec-deploy.yml": {"npm ci --omit=dev --ignore-scripts --no-audit --no-fund": receive_tools},
    "buildspec-test.yml": {"npm ci --ignore-scripts --no-audit --no-fund": receive_tools},
}

# What a second push of the same Rust code, with the same packages, would only do again.
REPEATED = RECEIVED | {
    "buildspec.yml": dict.fromkeys(("make test-api", "make sbom"), lambda _: "the first build")
    | {"bash scripts/build.sh": receive_build}
}
