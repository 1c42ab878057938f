#!/usr/bin/env bash
# Prints the release number of the zips in dist/: one hash over all of them, the same in every stage.
set -euo pipefail
cd "$(dirname "$0")/.."
# Sorts the same in every locale.
export LC_ALL=C

sha256sum dist/*.zip | sort -k2 | sha256sum | cut -c1-64
