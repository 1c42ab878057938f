#!/usr/bin/env bash
# Builds both functions for Lambda and zips them into dist/.
# scripts/package.sh packages the zips for a stage.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

architecture=${ARCHITECTURE:-arm64}
if [[ ! $architecture =~ ^(arm64|x86_64)$ ]]; then
  echo "build.sh: ARCHITECTURE must be arm64 or x86_64, and is '$architecture'" >&2
  exit 1
fi

rm -rf dist
mkdir dist
# The folder of a build, which CodeBuild makes anew each time, must not be told by what is built in it.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=."
cargo lambda build --release --locked "--${architecture/_/-}" --package create-product --package find-product
for function in create-product find-product; do
  # A zip keeps the time and the mode of its files: fixed ones, so that equal code has an equal hash.
  chmod 755 "target/lambda/$function/bootstrap"
  TZ=UTC touch --date 1980-01-01 "target/lambda/$function/bootstrap"
  TZ=UTC python3 -m zipfile --create "dist/$function.zip" "target/lambda/$function/bootstrap"
done
sha256sum dist/*.zip
