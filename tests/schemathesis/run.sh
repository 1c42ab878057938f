#!/usr/bin/env bash
# Starts the API, sends it requests that schemathesis generates from openapi.yaml, and fails on any wrong response.
# Usage: tests/schemathesis/run.sh EXAMPLES (for each operation)
set -euo pipefail
cd "$(dirname "$0")/../.."
examples=$1

scratch=$(mktemp -d)
api=
stop() {
  if [ -n "$api" ]; then kill "$api"; fi
  rm -r "$scratch"
}
trap stop EXIT

"${CARGO_TARGET_DIR:-target}/debug/local" --port 0 >"$scratch/api" 2>&1 &
api=$!
until url=$(grep --only-matching --max-count=1 'http://127.0.0.1:[0-9]*' "$scratch/api"); do
  kill -0 "$api"
  sleep 0.1
done

# All checks but one: API Gateway has no 405; an unknown method is an unknown route (404).
SCHEMATHESIS_HOOKS=tests/schemathesis/hooks.py .venv/bin/schemathesis run openapi.yaml \
  --url "$url" --checks all --exclude-checks unsupported_method --max-examples "$examples" --continue-on-failure \
  --generation-database none --seed "${SEED:-1}" --no-color | tee "$scratch/report"

sent=$(awk '/generated/ { print $1; exit }' "$scratch/report")
if [ "$sent" -lt $((2 * examples)) ]; then
  echo "error: only $sent requests were sent for $examples examples of each of the 2 operations" >&2
  exit 1
fi
