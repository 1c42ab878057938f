#!/usr/bin/env python3
"""Measures `make test` in a cold clone and after a one-line change, and writes the durations into CONTRIBUTING.md."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from parts import span

PAGE = Path("CONTRIBUTING.md")
CHANGED = Path("shared/src/product.rs")


def durations(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """Runs `make test` in a folder: the duration of each part, empty for a part that did not run."""
    run = subprocess.run(["make", "test"], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE)
    sys.stdout.write(run.stdout)
    if run.returncode != 0:
        sys.exit("error: make test failed: nothing was written")
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in run.stdout.splitlines() if row.startswith("|")]
    took = {part: "" if result.startswith("not run") else duration for part, result, duration in rows[2:]}
    since = time.monotonic()
    subprocess.run(["cargo", "test", "--quiet", "-p", "catalog"], cwd=folder, env=environment, check=True)
    return took | {"then `cargo test -p catalog`": span(time.monotonic() - since)}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="product-catalog-") as scratch:
        clone = Path(scratch, "clone")
        subprocess.run(["git", "clone", "--quiet", ".", clone], check=True)
        # Every package manager downloads everything again.
        caches = {name: f"{scratch}/{name}" for name in ("CARGO_HOME", "XDG_CACHE_HOME", "npm_config_cache")}
        environment = {**os.environ, **caches, "CI": "true"}
        cold = durations(clone, environment)
        with (clone / CHANGED).open("a") as changed:
            changed.write("\nconst _: () = ();\n")
        warm = durations(clone, environment)

    head = f"| part | cold clone | after a one-line change in `{CHANGED.parts[0]}/` |"
    rows = [f"| {part} | {cold[part]} | {warm[part]} |" for part in cold]
    table = "\n".join([head, "|---|---:|---:|", *rows])
    begin, end = "<!-- make durations -->", "<!-- end -->"
    page = re.sub(f"{begin}.*{end}", f"{begin}\n{table}\n{end}", PAGE.read_text(), flags=re.DOTALL)
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
