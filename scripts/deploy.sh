#!/usr/bin/env bash
# Deploys the package of scripts/package.sh with the cross-account role of the target account, writes the API's address to
# api-endpoint.txt, and tests the API with that role.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "deploy.sh: $*" >&2
  exit 1
}

[[ ${STAGE:-} =~ ^(DEV|STAGE|PROD)$ ]] || fail "STAGE must be DEV, STAGE or PROD, and is '${STAGE:-}'"
[[ ${TARGET_ACCOUNT_ID:-} =~ ^[0-9]{12}$ ]] || fail "TARGET_ACCOUNT_ID must be the target account's 12 digits, and is '${TARGET_ACCOUNT_ID:-}'"
[[ ${CROSS_ACCOUNT_ROLE:-} == arn:*:iam::"$TARGET_ACCOUNT_ID":role/* ]] || fail "CROSS_ACCOUNT_ROLE must be the ARN of a role in account $TARGET_ACCOUNT_ID, and is '${CROSS_ACCOUNT_ROLE:-}'"
[[ -n ${EXTERNAL_ID:-} ]] || fail "EXTERNAL_ID must be the external id of the cross-account role, and is not set"
[[ -f dist/package/serverless-state.json ]] || fail "there is no package in dist/package: run scripts/package.sh first"
package=$(node scripts/check-package.js) || fail "${package:-the package in dist/ cannot be read: nothing is deployed}"
read -r service region execution_role requires_key <<<"$package"

echo "Assuming $CROSS_ACCOUNT_ROLE"
credentials=$(aws sts assume-role --role-arn "$CROSS_ACCOUNT_ROLE" --external-id "$EXTERNAL_ID" \
  --role-session-name "$service-$STAGE" --region "$region" \
  --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]' --output text)
read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<<"$credentials"
# Version 1 of the AWS CLI reads only AWS_DEFAULT_REGION.
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION=$region AWS_DEFAULT_REGION=$region

node_modules/.bin/osls deploy --package dist/package --stage "$STAGE" --region "$region" \
  --param "cfnRoleArn=$execution_role"

stack=$service-$STAGE
aws cloudformation describe-stacks --stack-name "$stack" \
  --query "Stacks[0].Outputs[?OutputKey=='ServiceEndpoint'].OutputValue" --output text >api-endpoint.txt
echo "The API is at $(cat api-endpoint.txt)"

if [[ $requires_key == true ]]; then
  key=$(aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id ApiKey \
    --query StackResourceDetail.PhysicalResourceId --output text)
  API_KEY=$(aws apigateway get-api-key --api-key "$key" --include-value --query value --output text)
  export API_KEY
fi
bash scripts/smoke-test.sh "$(cat api-endpoint.txt)"
