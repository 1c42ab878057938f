#!/usr/bin/env bash
# Tests a stage's API at the address ENDPOINT after a deployment: with the smoke test, in DEV and STAGE also with the
# Postman collection, and in STAGE also with the contract tests. Every request is signed with a role of the target
# account that can only call this API, because newman and the contract tests run code of hundreds of packages.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/target.sh

check_variables CROSS_ACCOUNT_ROLE
[[ ${ENDPOINT:-} =~ ^https://[^[:space:]]+$ ]] || fail "ENDPOINT must be the address of the API, https://..., but is '${ENDPOINT:-}'"
[[ -n ${AWS_REGION:-} ]] || fail "AWS_REGION must be the region of the API, but is not set"
[[ ${REQUIRES_KEY:-false} =~ ^(true|false)$ ]] || fail "REQUIRES_KEY must be true or false, but is '$REQUIRES_KEY'"
echo "Release ${RELEASE:-unknown}"

if [[ ${REQUIRES_KEY:-} == true ]]; then
  echo "The API requires a key, which this role cannot read. Only the smoke test of scripts/deploy.sh has tested the API."
  exit
fi

# A custom `domain`: its DNS record can only be created after the first deployment, which a failed test would roll back.
host=${ENDPOINT#https://}
host=${host%%[:/]*}
if [[ $host != *.execute-api.* ]] && ! getent ahosts "$host" >/dev/null; then
  echo "$host has no DNS record, so the API is not reachable and was not tested. Create a record that points to the"
  echo "output RegionalDomainName of the service's stack, and retry the action Test."
  exit
fi

if [[ $STAGE == STAGE ]]; then
  # Before it assumes the role, because this runs the build scripts of every crate.
  make build
fi
assume "$CROSS_ACCOUNT_ROLE" "$STAGE-test" "$AWS_REGION"
if [[ $STAGE == PROD ]]; then
  bash scripts/smoke-test.sh --find-first "$ENDPOINT"
else
  # This also waits for a new API.
  bash scripts/smoke-test.sh "$ENDPOINT"
  node tests/clients/walk.mjs "$ENDPOINT"
fi
if [[ $STAGE == STAGE ]]; then
  make test-deployed CATALOG_URL="$ENDPOINT"
fi
