#!/usr/bin/env bash
# Searches a folder for secrets, by default the whole source: `make secrets`.
# Nothing leaves this machine: by default, kingfisher would try each secret at its service.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH="$root/.venv/bin:$PATH"
cd "${1:-$root}"

list() {
  if git rev-parse --git-dir &>/dev/null; then
    git ls-files -z --cached --others --exclude-standard
  else
    # CodeBuild's source is not a git repository: list everything but installed tools and build results.
    find . -type f -not -path './.venv/*' -not -path './node_modules/*' -not -path './target/*' -print0
  fi
}

files=()
while IFS= read -r -d '' file; do
  # git also lists files that were deleted since the last commit.
  [[ ! -f $file ]] || files+=("$file")
done < <(list)
if [[ ${#files[@]} == 0 ]]; then
  echo "secrets.sh: there are no files in $PWD" >&2
  exit 1
fi

if ! kingfisher scan --quiet --redact --no-dedup --no-validate --no-update-check --git-history none \
  --rules-path "$root/tools/secrets.yml" --rule-cache-dir "$root/target/kingfisher" "${files[@]}"; then
  echo "secrets.sh: revoke these secrets, then remove them. If one is not a secret, put a comment with" \
    "kingfisher:ignore and the reason on its line or above it." >&2
  exit 1
fi
echo "No secrets in ${#files[@]} files."
