#!/usr/bin/env bash
# Builds the last commit in two clean clones in different folders, and compares the zips: about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
clones=$(mktemp -d)
trap 'rm -rf "$clones"' EXIT

export ARCHITECTURE="${ARCHITECTURE:-arm64}"
for clone in one another; do
  git clone --quiet . "$clones/$clone"
  ln -s "$PWD/.venv" "$clones/$clone"
  "$clones/$clone/scripts/build.sh"
  (cd "$clones/$clone/dist" && sha256sum ./*.zip) >"$clones/$clone.sums"
  rm -r "$clones/$clone/target"
done
diff "$clones/one.sums" "$clones/another.sums"
mkdir -p target/reproduced
cp "$clones/another/dist/"*.zip target/reproduced
echo "Two clean builds for $ARCHITECTURE made the same zips, now in target/reproduced/:"
cat "$clones/one.sums"
