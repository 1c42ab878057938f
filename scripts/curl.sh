#!/usr/bin/env bash
# curl for the deployed API: scripts/curl.sh ARGUMENTS
# It signs with the AWS credentials in its environment, and sends API_KEY, if they are set.
set -euo pipefail

# Passed on standard input, where no other process can read them.
credentials() {
  if [[ -n ${AWS_ACCESS_KEY_ID:-} ]]; then
    echo "aws-sigv4 = \"aws:amz:${AWS_REGION:?the region to sign for is missing}:execute-api\""
    echo "user = \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\""
    if [[ -n ${AWS_SESSION_TOKEN:-} ]]; then echo "header = \"X-Amz-Security-Token: $AWS_SESSION_TOKEN\""; fi
  fi
  if [[ -n ${API_KEY:-} ]]; then echo "header = \"X-Api-Key: $API_KEY\""; fi
}

credentials | curl --config - --silent --show-error --max-time 35 "$@"
