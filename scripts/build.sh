#!/usr/bin/env bash
# Builds every function in functions/ for Lambda, and zips it into dist/ without its debug symbols, which go to
# dist/debug in files named after the build id. scripts/package.sh packages the zips for a stage.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

architecture=${ARCHITECTURE:-arm64}
if [[ ! $architecture =~ ^(arm64|x86_64)$ ]]; then
  echo "build.sh: ARCHITECTURE must be arm64 or x86_64, but is '$architecture'" >&2
  exit 1
fi

rm -rf dist
mkdir -p dist/debug
# CodeBuild uses a new folder for each build, and everyone has another home: neither must appear in the binaries.
home=${CARGO_HOME:-$HOME/.cargo}
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=. --remap-path-prefix=$home=cargo -Clink-arg=-Wl,--build-id=sha1"
# In addition to CFLAGS, which are in .cargo/config.toml.
export "CFLAGS_${architecture/arm64/aarch64}_unknown_linux_gnu=-ffile-prefix-map=$home=cargo"
# Otherwise, cargo-lambda would start `python3 -m ziglang` twice for each C file, and compile C an eighth slower. It uses
# the path only if it finds no Python.
zig=(.venv/lib/python3*/site-packages/ziglang/zig)
export CARGO_ZIGBUILD_PYTHON_PATH=none CARGO_ZIGBUILD_ZIG_PATH="$PWD/${zig[0]}"
# Rust's own objcopy, because the system's supports only the system's architecture.
sysroot=$(rustc --print sysroot)
programs=("$sysroot"/lib/rustlib/*/bin/rust-objcopy)
objcopy() {
  LD_LIBRARY_PATH="$sysroot/lib" "${programs[0]}" "$@"
}
# Writes the id in `build` into a program or its symbols, after the note's 16-byte header.
identify() {
  head --bytes=16 "$bootstrap.note" >"$bootstrap.id"
  python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$build" >>"$bootstrap.id"
  objcopy --update-section ".note.gnu.build-id=$bootstrap.id" "$1"
}
functions=(functions/*)
functions=("${functions[@]#functions/}")
# For the C library of Lambda's provided.al2023. An older one would have two more parts to load at each start.
target=${architecture/arm64/aarch64}-unknown-linux-gnu.2.34
cargo lambda build --release --locked --target "$target" "${functions[@]/#/--package=}"
for function in "${functions[@]}"; do
  bootstrap=target/lambda/$function/bootstrap
  objcopy --only-keep-debug "$bootstrap" "$bootstrap.debug"
  objcopy --dump-section ".note.gnu.build-id=$bootstrap.note" "$bootstrap"
  objcopy --strip-all "$bootstrap"
  # The linker's id also covers the symbols, which contain the folder in which zig compiled its own objects. So the id
  # is recomputed from the deployed program.
  build=$(printf %040d 0)
  identify "$bootstrap"
  build=$(sha1sum "$bootstrap" | cut --characters=1-40)
  identify "$bootstrap"
  identify "$bootstrap.debug"
  mv "$bootstrap.debug" "dist/debug/$build.debug"
  # A zip records the time and mode of its files. They are fixed, so that equal code has an equal hash.
  chmod 755 "$bootstrap"
  TZ=UTC touch --date 1980-01-01 "$bootstrap"
  TZ=UTC python3 scripts/zip.py "dist/$function.zip" "$bootstrap"
done
sha256sum dist/*.zip
