#!/usr/bin/env bash
# Deploys the package of a stage that scripts/package.sh made, with the target account's cross-account role. Writes the
# API's address to api-endpoint.txt, and whether it requires an API key to requires-key.txt.
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

# Without a key, scripts/test-stage.sh tests the API. Its role can only call the API, and cannot read a key.
if [[ $requires_key == true ]]; then
  key=$(aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id ApiKey \
    --query StackResourceDetail.PhysicalResourceId --output text)
  API_KEY=$(aws apigateway get-api-key --api-key "$key" --include-value --query value --output text)
  export API_KEY
  bash scripts/smoke-test.sh "$(cat api-endpoint.txt)"
fi
