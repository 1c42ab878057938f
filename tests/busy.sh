#!/usr/bin/env bash
# Runs the Rust tests beside four busy loops: ten times, or the number of times in the argument.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10}
log=$(mktemp)
loops=()
# shellcheck disable=SC2329 # The trap calls it.
stop() {
  ((${#loops[@]} == 0)) || kill "${loops[@]}"
  rm "$log"
}
trap stop EXIT

make --no-print-directory build
for _ in 1 2 3 4; do
  while :; do :; done &
  loops+=($!)
done

failed=0
for run in $(seq "$runs"); do
  since=$SECONDS
  if make test-rust >"$log" 2>&1; then
    echo "run $run of $runs: passed in $((SECONDS - since)) s"
  else
    failed=$((failed + 1))
    cat "$log"
    echo "run $run of $runs: failed"
  fi
done
echo "$((runs - failed)) of $runs runs passed beside four busy loops"
exit $((failed > 0))
