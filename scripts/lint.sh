#!/usr/bin/env bash
# Lints the scripts, the contract, the templates, and the template that osls packages from serverless.yml for each
# stage.
set -euo pipefail
cd "$(dirname "$0")/.."
packaged=$(mktemp -d)
trap 'rm -rf "$packaged"' EXIT

# Every file that its name or first line identifies as bash.
mapfile -t shell < <(git ls-files -z | xargs -0 .venv/bin/shfmt --find)
.venv/bin/shellcheck "${shell[@]}"
.venv/bin/shfmt --indent 2 --diff "${shell[@]}"
node_modules/.bin/biome check --config-path tools/biome.config.jsonc --error-on-warnings
.venv/bin/ruff check --config tools/ruff.toml
.venv/bin/ruff format --config tools/ruff.toml --check

REDOCLY_SUPPRESS_UPDATE_NOTICE=true node_modules/.bin/redocly lint openapi.yaml --config tools/redocly.yaml

cp -r serverless.yml scripts "$packaged"
mkdir "$packaged/dist"
for function in functions/*; do
  touch "$packaged/dist/${function#functions/}.zip"
done
# osls compiles its schema once for all stages.
export SLS_SCHEMA_CACHE_BASE_DIR="$PWD/target"
for stage in DEV STAGE PROD; do
  (cd "$packaged" && "$OLDPWD/node_modules/.bin/osls" package --stage "$stage" --package "$stage" --region eu-west-1 \
    --param cfnRoleArn=arn:aws:iam::222222222222:role/cf-execution-role-serverless)
done

.venv/bin/cfn-lint --non-zero-exit-code informational pipeline/*.yml target-roles/*.yml
# W3005: osls repeats that a function depends on its role. W8003: a condition is constant once osls has set its parameters.
.venv/bin/cfn-lint --non-zero-exit-code informational --ignore-checks W3005 W8003 -- "$packaged"/*/cloudformation-template-*-stack.json
.venv/checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation --directory pipeline --directory target-roles
# tools/checkov.yaml gives the reason for each skipped check.
.venv/checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation --directory "$packaged" --config-file tools/checkov.yaml
