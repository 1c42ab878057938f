#!/usr/bin/env bash
# What the scripts share that work in a target account, each of which sources it.

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Checks the variables that every one of them needs: the stage, and the role in its account, which the variable $1 names.
check_variables() {
  local role=${!1:-}
  [[ ${STAGE:-} =~ ^(DEV|STAGE|PROD)$ ]] || fail "STAGE must be DEV, STAGE or PROD, and is '${STAGE:-}'"
  [[ ${TARGET_ACCOUNT_ID:-} =~ ^[0-9]{12}$ ]] || fail "TARGET_ACCOUNT_ID must be the target account's 12 digits, and is '${TARGET_ACCOUNT_ID:-}'"
  [[ $role == arn:*:iam::"$TARGET_ACCOUNT_ID":role/* ]] || fail "$1 must be the ARN of a role in account $TARGET_ACCOUNT_ID, and is '$role'"
  [[ -n ${EXTERNAL_ID:-} ]] || fail "EXTERNAL_ID must be the external id of the role in $1, and is not set"
  [[ ${RELEASE:-} =~ ^([0-9a-f]{64})?$ ]] || fail "RELEASE must be the number of a release, 64 hexadecimal digits, and is '${RELEASE:-}'"
}

# Checks the package of the stage, without any credentials of the target account, and sets what the package says.
check_package() {
  local package
  [[ -f dist/package/$STAGE/serverless-state.json ]] || fail "there is no package in dist/package/$STAGE: run scripts/package.sh first"
  package=$(node scripts/check-package.js) || fail "${package:-the package in dist/ cannot be read: nothing is deployed}"
  # shellcheck disable=SC2034 # The scripts that source this file use them.
  read -r service region execution_role requires_key release <<<"$package"
  echo "Release $release"
}

# Continues with the credentials of the role $1, in a session of the name $2, in the region $3.
assume() {
  local credentials
  echo "Assuming $1"
  credentials=$(aws sts assume-role --role-arn "$1" --external-id "$EXTERNAL_ID" --role-session-name "$2" --region "$3" \
    --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]' --output text)
  read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<<"$credentials"
  # Version 1 of the AWS CLI reads only AWS_DEFAULT_REGION.
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION=$3 AWS_DEFAULT_REGION=$3
}
