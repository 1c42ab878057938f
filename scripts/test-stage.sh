#!/usr/bin/env bash
# Tests the API of a stage, at the address ENDPOINT, after its deployment: with the smoke test, in DEV and STAGE with the
# Postman collection, and in STAGE with the contract tests.
# Every request is signed, with a role of the target account that can call this API and can do nothing else: newman and the
# contract tests are the code of hundreds of packages.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/target.sh

check_variables CROSS_ACCOUNT_ROLE
[[ ${ENDPOINT:-} =~ ^https://[^[:space:]]+$ ]] || fail "ENDPOINT must be the address of the API, https://..., and is '${ENDPOINT:-}'"
[[ -n ${AWS_REGION:-} ]] || fail "AWS_REGION must be the region of the API, and is not set"
[[ ${REQUIRES_KEY:-false} =~ ^(true|false)$ ]] || fail "REQUIRES_KEY must be true or false, and is '$REQUIRES_KEY'"
echo "Release ${RELEASE:-unknown}"

if [[ ${REQUIRES_KEY:-} == true ]]; then
  echo "The API requires a key, which this role cannot read: only scripts/deploy.sh has tested the API, with the smoke test."
  exit
fi

# An address of one's own (`domain`): its record can only be made after the first deployment, which a failed test would undo.
host=${ENDPOINT#https://}
host=${host%%[:/]*}
if [[ $host != *.execute-api.* ]] && ! getent ahosts "$host" >/dev/null; then
  echo "$host has no DNS record, so nobody can call the API there, and nothing was tested: make a record that points to the"
  echo "output RegionalDomainName of the service's stack, and retry the action Test."
  exit
fi

if [[ $STAGE == STAGE ]]; then
  # Before there are credentials, because it runs the build scripts of every crate.
  make build
fi
assume "$CROSS_ACCOUNT_ROLE" "$STAGE-test" "$AWS_REGION"
if [[ $STAGE == PROD ]]; then
  bash scripts/smoke-test.sh --find-first "$ENDPOINT"
else
  # It also waits for a new API.
  bash scripts/smoke-test.sh "$ENDPOINT"
  node tests/clients/walk.mjs "$ENDPOINT"
fi
if [[ $STAGE == STAGE ]]; then
  make test-deployed CATALOG_URL="$ENDPOINT"
fi
