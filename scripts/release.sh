#!/usr/bin/env bash
# Prints the number of the release in dist/: one hash over all zips, the same in every stage that the release reaches.
set -euo pipefail
cd "$(dirname "$0")/.."
# An order that no locale changes.
export LC_ALL=C

sha256sum dist/*.zip | sort -k2 | sha256sum | cut -c1-64
