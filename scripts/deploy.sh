#!/usr/bin/env bash
# Deploys the package of a stage, which scripts/package.sh has made, with the cross-account role of the target account, and
# writes to api-endpoint.txt where the API is, and to requires-key.txt whether it requires an API key.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/target.sh

check_variables CROSS_ACCOUNT_ROLE
check_package
assume "$CROSS_ACCOUNT_ROLE" "$service-$STAGE" "$region"

node_modules/.bin/osls deploy --package "dist/package/$STAGE" --stage "$STAGE" --region "$region" \
  --param "cfnRoleArn=$execution_role"

stack=$service-$STAGE
aws cloudformation describe-stacks --stack-name "$stack" \
  --query "Stacks[0].Outputs[?OutputKey=='ServiceEndpoint'].OutputValue" --output text >api-endpoint.txt
echo "$requires_key" >requires-key.txt
echo "The API is at $(cat api-endpoint.txt)"

# Otherwise, scripts/test-stage.sh tests the API, with a role that can do nothing else, and so cannot read the key.
if [[ $requires_key == true ]]; then
  key=$(aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id ApiKey \
    --query StackResourceDetail.PhysicalResourceId --output text)
  API_KEY=$(aws apigateway get-api-key --api-key "$key" --include-value --query value --output text)
  export API_KEY
  bash scripts/smoke-test.sh "$(cat api-endpoint.txt)"
fi
