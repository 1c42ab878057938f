#!/usr/bin/env bash
# Packages the last commit in two clean clones, in two folders, and compares what came out: about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
clones=$(mktemp -d)
trap 'rm -rf "$clones"' EXIT

export STAGE=DEV TARGET_ACCOUNT_ID=222222222222 AWS_REGION=eu-west-1 ARCHITECTURE="${ARCHITECTURE:-arm64}"
export CF_EXECUTION_ROLE=arn:aws:iam::222222222222:role/cf-execution-role-serverless-DEV
for clone in one another; do
  git clone --quiet . "$clones/$clone"
  ln -s "$PWD/.venv" "$PWD/node_modules" "$clones/$clone"
  "$clones/$clone/scripts/package.sh"
  (cd "$clones/$clone/dist" && sha256sum ./*.zip) >"$clones/$clone.sums"
  rm -r "$clones/$clone/target"
done
diff "$clones/one.sums" "$clones/another.sums"
mkdir -p dist
cp "$clones/another/dist/"*.zip dist
echo "Two clean builds for $ARCHITECTURE made the same zips, now in dist/:"
cat "$clones/one.sums"
