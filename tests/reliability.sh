#!/usr/bin/env bash
# Runs every case of every promise, the functions as their release binaries, and writes what came out.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
export RELIABILITY="$scratch/rows"

failed=0
cargo test --workspace --locked --test it -- promises:: faults:: laws:: hostile::any_event || failed=1
make load || failed=1
failures=0
tests/schemathesis/run.sh 5500 | tee "$scratch/schemathesis" || failures='see the log' failed=1
sent=$(awk '/generated/ { print $1; exit }' "$scratch/schemathesis")
echo "| every answer is as openapi.yaml says | requests made by schemathesis | ${sent:-?} | $failures |" >>"$RELIABILITY"

{
  cat <<TEXT
# Reliability

What is promised, and what became of it in one run: \`make reliability\` wrote this page. The faults are injected on
the way to an embedded DynamoDB, for create and find, into the first attempt, the first two, or all. What AWS
itself does was not measured.

| promise | under | cases | failures |
|---|---|---|---|
TEXT
  sort "$RELIABILITY"
} >docs/reliability.md
exit "$failed"
