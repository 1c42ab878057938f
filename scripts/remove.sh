#!/usr/bin/env bash
# Removes the pipeline $PIPELINE and these stages of the service $SERVICE: scripts/remove.sh STAGE...
# It uses the AWS CLI profiles `tools` and, for each stage, the profile of its name. Run it again after a failure.
# The tables of STAGE and PROD are kept, with their products, and so is the repository.
set -euo pipefail

fail() {
  echo "remove.sh: $*" >&2
  exit 1
}

[[ $# -gt 0 ]] || fail "which stages? scripts/remove.sh DEV STAGE PROD"
for stage in "$@"; do
  [[ $stage =~ ^(DEV|STAGE|PROD)$ ]] || fail "a stage is DEV, STAGE or PROD, not '$stage'"
done
: "${SERVICE:?the service is missing}" "${PIPELINE:?the name of the pipeline is missing}"

exists() { # PROFILE STACK
  local output
  output=$(aws --profile "$1" cloudformation describe-stacks --stack-name "$2" --query 'Stacks[0].StackStatus' 2>&1) && return
  [[ $output == *"does not exist"* ]] || fail "$output"
  return 1
}

remove() { # PROFILE STACK
  echo "Removing $2"
  aws --profile "$1" cloudformation delete-stack --stack-name "$2"
  aws --profile "$1" cloudformation wait stack-delete-complete --stack-name "$2"
}

# CloudFormation deletes only an empty bucket, and one call deletes at most 1,000 objects.
empty() { # PROFILE STACK LOGICAL_ID
  local bucket objects errors
  bucket=$(aws --profile "$1" cloudformation describe-stack-resource --stack-name "$2" --logical-resource-id "$3" \
    --query StackResourceDetail.PhysicalResourceId --output text)
  while true; do
    objects=$(aws --profile "$1" s3api list-object-versions --bucket "$bucket" --max-items 1000 --output json \
      --query '{Objects: [Versions, DeleteMarkers][] | [].{Key: Key, VersionId: VersionId}}')
    [[ $objects == *VersionId* ]] || return 0
    errors=$(aws --profile "$1" s3api delete-objects --bucket "$bucket" --delete "$objects" --query Errors --output text)
    [[ $errors =~ ^(None)?$ ]] || fail "$bucket cannot be emptied: $errors"
  done
}

# The pipeline first, so that no push redeploys a stage.
if exists tools "$PIPELINE-pipeline"; then
  empty tools "$PIPELINE-pipeline" ArtifactBucket
  remove tools "$PIPELINE-pipeline"
fi
for stage in "$@"; do
  if exists "$stage" "$SERVICE-$stage"; then
    empty "$stage" "$SERVICE-$stage" ServerlessDeploymentBucket
    remove "$stage" "$SERVICE-$stage"
  fi
  # Only now: CloudFormation needed the execution role to delete the stack above.
  remove "$stage" "$SERVICE-deployment-role-$stage"
  remove "$stage" "$SERVICE-execution-role-$stage"
done
