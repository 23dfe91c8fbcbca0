#!/bin/sh
# Gives fuzz targets to libFuzzer, one after the other, each for so many seconds.
#
#   crates/tokenkit-fuzz/run.sh [seconds] [target ...]        60 seconds, all targets
#
# Needs a C++ compiler. What is found goes to target/fuzz/findings/<target>: an input that belongs into
# crates/tokenkit-fuzz/corpus/<target> once the fault is mended.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(ls crates/tokenkit-fuzz/corpus)
host=$(rustc -vV | sed -n 's/^host: //p')
work=target/fuzz

# Coverage needs no more than the stable compiler; --target keeps it out of build scripts.
RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks' \
CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=none \
CARGO_PROFILE_RELEASE_DEBUG=line-tables-only \
    cargo build -q --release -p tokenkit-fuzz --features libfuzzer --target "$host" --target-dir "$work"

# The files of the target `store` need no disk.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

status=0
for target; do
    mkdir -p "$work/corpus/$target" "$work/findings/$target"
    log=$work/findings/$target.log
    TOKENKIT_FUZZ_TARGET=$target "$work/$host/release/tokenkit-fuzz" "$work/corpus/$target" \
        "crates/tokenkit-fuzz/corpus/$target" -artifact_prefix="$work/findings/$target/" \
        -max_total_time="$seconds" -max_len=8192 -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
        2>"$log" && result=ok || { result=FAILED; status=1; }
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: $result, ${executions:-?} executions in $seconds s; $log"
done
exit $status
