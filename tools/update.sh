#!/usr/bin/env bash
# Updates every lock file within what its manifest allows, and runs the loop: `make update`.
set -euo pipefail
cd "$(dirname "$0")/.."

for lock in $(git ls-files '*Cargo.lock'); do
  cargo update --manifest-path "$(dirname "$lock")/Cargo.toml"
done
for lock in $(git ls-files '*package-lock.json'); do
  (cd "$(dirname "$lock")" && npm update --package-lock-only --no-audit --no-fund)
done
# pipeline/ comes before tools/, which reuses its versions.
for tools in $(git ls-files '*.in'); do
  uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
    --custom-compile-command 'make update' --output-file "${tools%.in}.txt" "$tools"
done
make test
