#!/usr/bin/env bash
# Builds both functions as they are deployed, into target/lambda: for ARCHITECTURE, which is arm64 or x86_64, or for
# this machine. What is measured, tested in full and zipped is what this leaves. Takes further options of cargo lambda.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# The folder of a build, which CodeBuild makes anew each time, must not be told by what is built in it.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=."
cargo lambda build --release --locked ${ARCHITECTURE:+"--${ARCHITECTURE/_/-}"} \
  --package create-product --package find-product "$@"
