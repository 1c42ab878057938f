#!/usr/bin/env bash
# Creates a product through a deployed API and finds it: scripts/smoke-test.sh URL
# It is the same product each time, so that the catalog does not fill up with tests.
# It uses curl, not the Postman collection, because the pipeline runs it with the target account's credentials, which the
# 150 packages of newman must not see.
# It signs with the AWS credentials in its environment, and sends API_KEY, if they are set.
set -euo pipefail

url=${1:?the address of the API is missing: scripts/smoke-test.sh URL}
product='{"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}'

# Passed on standard input, where no other process can read them.
credentials() {
  if [[ -n ${AWS_ACCESS_KEY_ID:-} ]]; then
    echo "aws-sigv4 = \"aws:amz:${AWS_REGION:?the region to sign for is missing}:execute-api\""
    echo "user = \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\""
    if [[ -n ${AWS_SESSION_TOKEN:-} ]]; then echo "header = \"X-Amz-Security-Token: $AWS_SESSION_TOKEN\""; fi
  fi
  if [[ -n ${API_KEY:-} ]]; then echo "header = \"X-Api-Key: $API_KEY\""; fi
}

call() {
  # It takes some seconds until the name of a new API resolves and its stage responds.
  credentials | curl --config - --silent --show-error --fail-with-body --max-time 35 --retry 3 --retry-delay 2 --retry-all-errors "$@"
}

expect() {
  [[ $2 == "$product" ]] && return
  echo "smoke-test.sh: $1 should return $product, and returned: $2" >&2
  exit 1
}

created=$(call --json "$product" "$url/product/create") || expect "POST $url/product/create" "$created"
expect "POST $url/product/create" "$created"
found=$(call "$url/product/find/smoke-test") || expect "GET $url/product/find/smoke-test" "$found"
expect "GET $url/product/find/smoke-test" "$found"
echo "Created a product and found it: $url/product/find/smoke-test"
