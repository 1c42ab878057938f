#!/usr/bin/env bash
# Creates a product through a deployed API and finds it: scripts/smoke-test.sh URL
# It is the same product each time, so that a catalog is not filled with tests.
# With curl and not with the Postman collection: the pipeline runs it beside the target account's credentials, where the
# 150 packages of newman have no business.
# It signs with the AWS credentials of its environment, if there are any, and sends API_KEY, if there is one.
set -euo pipefail

url=${1:?the address of the API is missing: scripts/smoke-test.sh URL}
product='{"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}'

# On standard input, where no other process reads them.
credentials() {
  if [[ -n ${AWS_ACCESS_KEY_ID:-} ]]; then
    echo "aws-sigv4 = \"aws:amz:${AWS_REGION:?the region to sign for is missing}:execute-api\""
    echo "user = \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\""
    if [[ -n ${AWS_SESSION_TOKEN:-} ]]; then echo "header = \"X-Amz-Security-Token: $AWS_SESSION_TOKEN\""; fi
  fi
  if [[ -n ${API_KEY:-} ]]; then echo "header = \"X-Api-Key: $API_KEY\""; fi
}

call() {
  # A new API takes some seconds until its name resolves and its stage answers.
  credentials | curl --config - --silent --show-error --fail-with-body --max-time 35 --retry 3 --retry-delay 2 --retry-all-errors "$@"
}

expect() {
  [[ $2 == "$product" ]] && return
  echo "smoke-test.sh: $1 should have answered with $product, and answered with: $2" >&2
  exit 1
}

created=$(call --json "$product" "$url/product/create") || expect "POST $url/product/create" "$created"
expect "POST $url/product/create" "$created"
found=$(call "$url/product/find/smoke-test") || expect "GET $url/product/find/smoke-test" "$found"
expect "GET $url/product/find/smoke-test" "$found"
echo "Created a product and found it: $url/product/find/smoke-test"
