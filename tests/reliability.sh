#!/usr/bin/env bash
# Runs every case of every promise, with the functions' release binaries, and writes docs/reliability.md.
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
echo "| every response conforms to openapi.yaml | requests made by schemathesis | ${sent:-?} | $failures |" >>"$RELIABILITY"

{
  cat <<TEXT
# Reliability

Each promise, and how often it was kept in one run of \`make reliability\`, which writes this page. The faults are injected
between the functions and an embedded DynamoDB: for create and find, into the first request, the first two, or all.

None of this was run on AWS. In particular, the tests show that a function first responds and then exits, but not that Lambda
then starts a new sandbox with new credentials.
TEXT
  # A table for each promise.
  LC_ALL=C sort "$RELIABILITY" | awk -F ' *[|] *' '
    $2 != promise { promise = $2; printf "\n## %s%s\n\n| under | cases | failures |\n|---|---|---|\n", toupper(substr($2, 1, 1)), substr($2, 2) }
    { printf "| %s | %s | %s |\n", $3, $4, $5 }'
} >docs/reliability.md
exit "$failed"
