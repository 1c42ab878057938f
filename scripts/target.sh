#!/usr/bin/env bash
# Sourced by the scripts that work in a target account.

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Checks the variables that all of them need: the stage, and the role in its account, which is in the variable named $1.
check_variables() {
  local role=${!1:-}
  [[ ${STAGE:-} =~ ^(DEV|STAGE|PROD)$ ]] || fail "STAGE must be DEV, STAGE or PROD, but is '${STAGE:-}'"
  [[ ${TARGET_ACCOUNT_ID:-} =~ ^[0-9]{12}$ ]] || fail "TARGET_ACCOUNT_ID must be the target account's 12 digits, but is '${TARGET_ACCOUNT_ID:-}'"
  [[ $role == arn:*:iam::"$TARGET_ACCOUNT_ID":role/* ]] || fail "$1 must be the ARN of a role in account $TARGET_ACCOUNT_ID, but is '$role'"
  [[ -n ${EXTERNAL_ID:-} ]] || fail "EXTERNAL_ID must be the external id of the role in $1, but is not set"
  [[ ${RELEASE:-} =~ ^([0-9a-f]{64})?$ ]] || fail "RELEASE must be the number of a release, 64 hexadecimal digits, but is '${RELEASE:-}'"
}

# Checks the stage's package, without credentials of the target account, and sets variables from it.
check_package() {
  local package
  [[ -f dist/package/$STAGE/serverless-state.json ]] || fail "there is no package in dist/package/$STAGE: run scripts/package.sh first"
  package=$(node scripts/check-package.js) || fail "${package:-the package in dist/ cannot be read: nothing is deployed}"
  # shellcheck disable=SC2034 # The scripts that source this file use them.
  read -r service region execution_role requires_key release <<<"$package"
  echo "Release $release"
}

# Switches to the credentials of the role $1, with the session name $2, in the region $3.
assume() {
  local credentials
  echo "Assuming $1"
  credentials=$(aws sts assume-role --role-arn "$1" --external-id "$EXTERNAL_ID" --role-session-name "$2" --region "$3" \
    --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]' --output text)
  read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<<"$credentials"
  # Version 1 of the AWS CLI reads only AWS_DEFAULT_REGION.
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION=$3 AWS_DEFAULT_REGION=$3
}
