#!/usr/bin/env bash
# Deploys what scripts/package.sh has made, by the cross-account role of the target account,
# writes the API's address to api-endpoint.txt, and tries the API as that role.
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

# osls deploys a package of another stage without a word, and so makes a wrong stack.
[[ -f dist/package/serverless-state.json ]] || fail "there is no package in dist/package: run scripts/package.sh first"
packaged() {
  node -p "const { functions, provider } = require('./dist/package/serverless-state.json').service; $1"
}
stage=$(packaged provider.stage)
region=$(packaged provider.region)
execution_role=$(packaged provider.iam.deploymentRole)
asks_for_key=$(packaged 'Object.values(functions).some(({ events: [{ http }] }) => http.private)')
[[ $stage == "$STAGE" ]] || fail "the package in dist/ is of stage $stage and not of $STAGE: nothing is deployed"
[[ $execution_role == arn:*:iam::"$TARGET_ACCOUNT_ID":role/* ]] || fail "the package in dist/ is for the account of $execution_role and not for $TARGET_ACCOUNT_ID: nothing is deployed"

echo "Assuming $CROSS_ACCOUNT_ROLE"
credentials=$(aws sts assume-role --role-arn "$CROSS_ACCOUNT_ROLE" --external-id "$EXTERNAL_ID" \
  --role-session-name "product-catalog-service-$STAGE" --region "$region" \
  --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]' --output text)
read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<<"$credentials"
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN

node_modules/.bin/osls deploy --package dist/package --stage "$STAGE" --region "$region" \
  --param "cfnRoleArn=$execution_role"

stack=product-catalog-service-$STAGE
export AWS_REGION=$region
aws cloudformation describe-stacks --stack-name "$stack" \
  --query "Stacks[0].Outputs[?OutputKey=='ServiceEndpoint'].OutputValue" --output text >api-endpoint.txt
echo "The API is at $(cat api-endpoint.txt)"

if [[ $asks_for_key == true ]]; then
  key=$(aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id ApiKey \
    --query StackResourceDetail.PhysicalResourceId --output text)
  API_KEY=$(aws apigateway get-api-key --api-key "$key" --include-value --query value --output text)
  export API_KEY
fi
scripts/smoke-test.sh "$(cat api-endpoint.txt)"
