#!/usr/bin/env bash
# Shows how a stack differs from its template: scripts/drift.sh STACK
# Uses the AWS credentials in its environment. Exits with 1 if there are differences. A deployment overwrites only what
# it changes itself; any other manual change stays until someone reverts it.
set -euo pipefail

stack=${1:?the stack is missing: scripts/drift.sh STACK}

detection=$(aws cloudformation detect-stack-drift --stack-name "$stack" --query StackDriftDetectionId --output text)
while
  read -r status reason < <(aws cloudformation describe-stack-drift-detection-status --output text \
    --stack-drift-detection-id "$detection" --query '[DetectionStatus, DetectionStatusReason]')
  [[ $status == DETECTION_IN_PROGRESS ]]
do sleep 2; done
if [[ $status != DETECTION_COMPLETE ]]; then
  echo "drift.sh: $stack could not be compared completely: $reason" >&2
  exit 2
fi
drifts=$(aws cloudformation describe-stack-resource-drifts --stack-name "$stack" --output text \
  --stack-resource-drift-status-filters MODIFIED DELETED \
  --query 'StackResourceDrifts[].[LogicalResourceId, StackResourceDriftStatus, to_string(PropertyDifferences[].{at: PropertyPath, expected: ExpectedValue, actual: ActualValue})]')

# Compares the aliases, which someone may have moved by hand: not every resource type supports drift detection.
resources=$(aws cloudformation list-stack-resources --stack-name "$stack" --output text \
  --query "StackResourceSummaries[?ResourceType=='AWS::Lambda::Alias' || ResourceType=='AWS::Lambda::Version'].[PhysicalResourceId]")
for alias in $(grep ':live$' <<<"$resources" || true); do
  function=${alias%:live}
  version=$(grep -x "$function:[0-9]*" <<<"$resources")
  read -r actual weights < <(aws lambda get-alias --function-name "$function" --name live --output text \
    --query '[FunctionVersion, to_string(RoutingConfig.AdditionalVersionWeights)]')
  if [[ $actual != "${version##*:}" || ! $weights =~ ^(null|\{\})$ ]]; then
    drifts+=${drifts:+$'\n'}"$alias has version $actual with weights $weights, but should have only version ${version##*:}"
  fi
done

if [[ -n $drifts ]]; then
  echo "$drifts"
  exit 1
fi
echo "$stack matches its template"
