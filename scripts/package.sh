#!/usr/bin/env bash
# Packages the stack of each stage in TARGETS, with the zips of scripts/build.sh, into dist/package/<stage>. TARGETS has
# a word for each stage, <stage>=<ARN of CloudFormation's role in the stage's account>. Makes no AWS calls and needs no
# credentials. scripts/deploy.sh deploys the packages.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

fail() {
  echo "package.sh: $*" >&2
  exit 1
}

read -ra targets <<<"${TARGETS:-}"
((${#targets[@]} > 0)) || fail "TARGETS must have a word <stage>=<ARN of the execution role> for each stage, but is empty"
stages=' '
for target in "${targets[@]}"; do
  stage=${target%%=*}
  [[ $target =~ ^(DEV|STAGE|PROD)=arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@-]+$ ]] ||
    fail "TARGETS must have words such as DEV=arn:aws:iam::222222222222:role/name, but has '$target'"
  [[ $stages != *" $stage "* ]] || fail "TARGETS must have each stage once, but has $stage twice"
  stages+="$stage "
done
[[ -n ${AWS_REGION:-} ]] || fail "AWS_REGION must be the region to deploy to, but is not set"
architecture=${ARCHITECTURE:-arm64}
[[ $architecture =~ ^(arm64|x86_64)$ ]] || fail "ARCHITECTURE must be arm64 or x86_64, but is '$architecture'"
table=${TABLE_NAME:-PRODUCT_CATALOG}
for function in functions/*; do
  function=${function#functions/}
  [[ -f dist/$function.zip ]] || fail "there is no dist/$function.zip: run scripts/build.sh first"
done

rm -rf dist/package
for target in "${targets[@]}"; do
  stage=${target%%=*}
  node_modules/.bin/osls package --stage "$stage" --package "dist/package/$stage" \
    --param "cfnRoleArn=${target#*=}" --param "architecture=$architecture" --param "tableName=$table"
done
echo "Release $(bash scripts/release.sh)"
