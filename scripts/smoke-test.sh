#!/usr/bin/env bash
# Creates a product through a deployed API and finds it: scripts/smoke-test.sh [--find-first] URL
# It is the same product each time, so that the catalog does not fill up with tests. If another product has its id, the
# response is a 409, which also shows that the API works; the test then finds that product. With --find-first, it
# creates the product only if it does not exist. It uses curl, not the Postman collection, because scripts/deploy.sh
# also runs it, with credentials in its environment that newman's 150 packages must not see.
set -euo pipefail

find_first=false
if [[ ${1:-} == --find-first ]]; then
  find_first=true
  shift
fi
url=${1:?the address of the API is missing: scripts/smoke-test.sh [--find-first] URL}
product='{"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}'
body=$(mktemp)
trap 'rm "$body"' EXIT

# Sets `status`, and writes the response's body to a file, which each retry empties.
call() {
  local attempt
  for attempt in {1..6}; do
    : >"$body"
    status=$(bash "$(dirname "$0")/curl.sh" --output "$body" --write-out '%{http_code}' "$@") || true
    # For a few seconds, a new API's host name does not resolve, or API Gateway responds with 403 or 404. 000 means no
    # response.
    [[ $status =~ ^(000|403|404|429|5..)$ && $attempt != 6 ]] || break
    if $find_first && is_missing; then break; fi
    sleep 2
  done
}

# Whether the 404 is from the function, not from API Gateway.
is_missing() {
  [[ $status == 404 && $(<"$body") == *'"urn:problem-type:product-catalog:product-not-found"'* ]]
}

fail() {
  echo "smoke-test.sh: $1 should return $2, but returned $status: $(<"$body")" >&2
  exit 1
}

if $find_first; then
  call "$url/product/find/smoke-test"
  if [[ $status == 200 && $(<"$body") == '{"id":"smoke-test",'*'}' ]]; then
    echo "Found a product: $url/product/find/smoke-test"
    exit
  fi
  is_missing || fail "GET $url/product/find/smoke-test" '{"id":"smoke-test",*}'
  find_first=false
fi

call --json "$product" "$url/product/create"
case $status in
200 | 201)
  [[ $(<"$body") == "$product" ]] || fail "POST $url/product/create" "$product"
  expected=$product
  ;;
409) expected='{"id":"smoke-test",*}' ;;
*) fail "POST $url/product/create" "$product" ;;
esac
call "$url/product/find/smoke-test"
# shellcheck disable=SC2053 # A pattern, if another product has the id.
[[ $status == 200 && $(<"$body") == $expected ]] || fail "GET $url/product/find/smoke-test" "$expected"
echo "Created a product and found it: $url/product/find/smoke-test"
