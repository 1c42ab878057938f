#!/usr/bin/env bash
# Packages the stack of one stage, with the zips of scripts/build.sh, into dist/package.
# Makes no AWS call and needs no credentials. scripts/deploy.sh deploys what it makes.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

fail() {
  echo "package.sh: $*" >&2
  exit 1
}

[[ ${STAGE:-} =~ ^(DEV|STAGE|PROD)$ ]] || fail "STAGE must be DEV, STAGE or PROD, and is '${STAGE:-}'"
[[ ${TARGET_ACCOUNT_ID:-} =~ ^[0-9]{12}$ ]] || fail "TARGET_ACCOUNT_ID must be the target account's 12 digits, and is '${TARGET_ACCOUNT_ID:-}'"
[[ ${CF_EXECUTION_ROLE:-} == arn:*:iam::"$TARGET_ACCOUNT_ID":role/* ]] || fail "CF_EXECUTION_ROLE must be the ARN of a role in account $TARGET_ACCOUNT_ID, and is '${CF_EXECUTION_ROLE:-}'"
[[ -n ${AWS_REGION:-} ]] || fail "AWS_REGION must be the region to deploy to, and is not set"
architecture=${ARCHITECTURE:-arm64}
[[ $architecture =~ ^(arm64|x86_64)$ ]] || fail "ARCHITECTURE must be arm64 or x86_64, and is '$architecture'"
table=${TABLE_NAME:-PRODUCT_CATALOG}
for function in functions/*; do
  function=${function#functions/}
  [[ -f dist/$function.zip ]] || fail "there is no dist/$function.zip: run scripts/build.sh first"
done

rm -rf dist/package
node_modules/.bin/osls package --stage "$STAGE" --package dist/package \
  --param "cfnRoleArn=$CF_EXECUTION_ROLE" --param "architecture=$architecture" --param "tableName=$table"
