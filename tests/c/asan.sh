#!/bin/sh
# Runs the C tests with a library that AddressSanitizer watches. Needs gcc or clang with its libasan, and builds the
# library once more for it: the first run takes minutes.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build -q -p tokenkit-testserver
# The option is unstable, but there in every compiler; --target keeps it out of build scripts.
RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
    cargo build -q -p tokenkit-cdylib --target "$host" --target-dir target/asan
CFLAGS='-fsanitize=address -fno-omit-frame-pointer' ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 \
    sh tests/c/run.sh "target/asan/$host/debug" target/debug/tokenkit-testserver
