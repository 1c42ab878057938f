#!/usr/bin/env bash
# Builds the last commit in two clean clones, in different folders and with different paths to Cargo's home, and compares
# the zips: about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
clones=$(mktemp -d)
trap 'rm -rf "$clones"' EXIT

home=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$home"
export ARCHITECTURE="${ARCHITECTURE:-arm64}"
for clone in one another; do
  git clone --quiet . "$clones/$clone"
  ln -s "$PWD/.venv" "$clones/$clone"
  # Another path to the same home, because Cargo locks what it downloads there.
  ln -s "$home" "$clones/home-of-$clone"
  CARGO_HOME="$clones/home-of-$clone" "$clones/$clone/scripts/build.sh"
  (cd "$clones/$clone/dist" && sha256sum ./*.zip) >"$clones/$clone.sums"
  rm -rf target/reproduced
  mkdir -p target/reproduced
  cp -r "$clones/$clone/target/lambda/"* "$clones/$clone/dist/"*.zip target/reproduced
  rm -r "$clones/$clone/target"
done
diff "$clones/one.sums" "$clones/another.sums"
echo "Two clean builds for $ARCHITECTURE made the same zips, now in target/reproduced/:"
cat "$clones/one.sums"
