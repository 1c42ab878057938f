#!/usr/bin/env bash
# Shows what a package would change in its stage's stack, for the person who approves it: in full in the log, and as one
# line in changes.txt. Changes nothing: it creates a change set, reads it and deletes it. Uses the same variables and
# role as scripts/deploy.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/target.sh

check_variables CROSS_ACCOUNT_ROLE
check_package
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
node scripts/plan.js template >"$work/template.json" || fail "$(<"$work/template.json")"
assume "$CROSS_ACCOUNT_ROLE" "$service-$STAGE-plan" "$region"

stack=$service-$STAGE
if ! status=$(aws cloudformation describe-stacks --stack-name "$stack" \
  --query 'Stacks[0].StackStatus' --output text 2>"$work/error"); then
  [[ $(<"$work/error") == *"does not exist"* ]] || fail "$stack cannot be read: $(<"$work/error")"
  status=REVIEW_IN_PROGRESS
fi
# A stack that has only had change sets, and was never created.
if [[ $status == REVIEW_IN_PROGRESS ]]; then
  node scripts/plan.js first
  exit
fi

name=plan-$(date +%s)
trap 'aws cloudformation delete-change-set --stack-name "$stack" --change-set-name "$name" || true; rm -r "$work"' EXIT

describe() {
  aws cloudformation describe-change-set --stack-name "$stack" --change-set-name "$name" --output "$@"
}

# Writes created.json and changes.json. The tag is the one that osls sets. Without it, every resource would be listed as
# changed.
create() {
  aws cloudformation create-change-set --stack-name "$stack" --change-set-name "$name" --change-set-type UPDATE \
    --template-body "file://$work/template.json" --role-arn "$execution_role" \
    --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM --tags "Key=STAGE,Value=$STAGE" >"$work/created.json" || return
  for _ in {1..60}; do
    status=$(describe text --no-paginate --query Status) || return
    [[ $status =~ ^CREATE_(PENDING|IN_PROGRESS)$ ]] || break
    sleep 2
  done
  reason=$(describe text --no-paginate --query StatusReason) || return
  # The AWS CLI reads all pages.
  describe json --include-property-values >"$work/changes.json"
}

# While another release is being deployed, CloudFormation creates no change set, and deletes existing ones.
for _ in {1..90}; do
  create 2>"$work/error" && break
  grep -qE '_IN_PROGRESS|ChangeSetNotFound' "$work/error" || fail "$stack has no change set: $(<"$work/error")"
  echo "Waiting for another deployment of $stack"
  sleep 20
done
# osls recognizes this case in the same way: CloudFormation has no status for it.
if [[ $status == FAILED && $reason =~ "didn't contain changes"|"No updates are to be performed" ]]; then
  echo '{"Changes": []}' >"$work/changes.json"
else
  [[ $status == CREATE_COMPLETE ]] || fail "the change set of $stack is $status: $reason"
fi

node scripts/plan.js functions "$work/changes.json" | while read -r function; do
  hash=$(aws lambda get-function --function-name "$function" --query Configuration.CodeSha256 --output text)
  echo "$function $hash"
done >"$work/hashes"
echo "The complete change set of $stack:"
cat "$work/changes.json"
node scripts/plan.js changes "$work/changes.json" "$work/hashes"
