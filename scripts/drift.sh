#!/usr/bin/env bash
# Shows what differs from the template of a stack: scripts/drift.sh STACK
# With the AWS credentials in its environment. Exits with 1 if something differs. A deployment overwrites only what it
# changes itself: everything else that was changed by hand stays, until it is changed back.
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

# An alias that was moved by hand, which is compared here: not every resource type supports the detection above.
resources=$(aws cloudformation list-stack-resources --stack-name "$stack" --output text \
  --query "StackResourceSummaries[?ResourceType=='AWS::Lambda::Alias' || ResourceType=='AWS::Lambda::Version'].[PhysicalResourceId]")
for alias in $(grep ':live$' <<<"$resources" || true); do
  function=${alias%:live}
  version=$(grep -x "$function:[0-9]*" <<<"$resources")
  read -r actual weights < <(aws lambda get-alias --function-name "$function" --name live --output text \
    --query '[FunctionVersion, to_string(RoutingConfig.AdditionalVersionWeights)]')
  if [[ $actual != "${version##*:}" || ! $weights =~ ^(null|\{\})$ ]]; then
    drifts+=${drifts:+$'\n'}"$alias has version $actual and the weights $weights, expected is version ${version##*:} alone"
  fi
done

if [[ -n $drifts ]]; then
  echo "$drifts"
  exit 1
fi
echo "$stack is as its template says"
