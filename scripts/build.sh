#!/usr/bin/env bash
# Builds every function in functions/ for Lambda, and zips it into dist/.
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
functions=(functions/*)
functions=("${functions[@]#functions/}")
cargo lambda build --release --locked "--${architecture/_/-}" "${functions[@]/#/--package=}"
for function in "${functions[@]}"; do
  # A zip keeps the time and the mode of its files: fixed ones, so that equal code has an equal hash.
  chmod 755 "target/lambda/$function/bootstrap"
  TZ=UTC touch --date 1980-01-01 "target/lambda/$function/bootstrap"
  TZ=UTC python3 -m zipfile --create "dist/$function.zip" "target/lambda/$function/bootstrap"
done
sha256sum dist/*.zip
