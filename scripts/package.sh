#!/usr/bin/env bash
# Builds both functions and packages the stack of one stage into dist/.
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

rm -rf dist
mkdir dist
ARCHITECTURE=$architecture scripts/build.sh
for function in create-product find-product; do
  # A zip keeps the time and the mode of its files: fixed ones, so that equal code has an equal hash.
  chmod 755 "target/lambda/$function/bootstrap"
  TZ=UTC touch --date 1980-01-01 "target/lambda/$function/bootstrap"
  TZ=UTC python3 -m zipfile --create "dist/$function.zip" "target/lambda/$function/bootstrap"
done
sha256sum dist/*.zip

node_modules/.bin/osls package --stage "$STAGE" --package dist/package \
  --param "cfnRoleArn=$CF_EXECUTION_ROLE" --param "architecture=$architecture" --param "tableName=$table"
