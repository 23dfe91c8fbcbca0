#!/bin/sh
# What each contender in Rust executes for one job, in instructions: the same on a busy machine as on a quiet one.
#
#   crates/tokenkit-bench/instructions.sh [folder of the Release build]
#
# Needs valgrind, and what ./build.sh bench has built. A figure is the difference between many jobs and a third of them,
# so that neither start nor warm-up is in it. The server is not counted.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
programs=${1:-$root/target/release}
command -v valgrind >/dev/null || {
    echo "instructions.sh: valgrind is missing." >&2
    exit 1
}
folder=$(mktemp -d)
mkfifo "$folder/stop"
"$programs/tokenkit-testserver" <"$folder/stop" >"$folder/address" &
exec 3>"$folder/stop"
trap 'exec 3>&-; rm -rf "$folder"' EXIT
until [ -s "$folder/address" ]; do sleep 0.1; done
endpoint=$(sed 's/.*"http":"\([^"]*\)".*/\1\/token/' "$folder/address")

run() { # jobs, one a line
    printf '%s\n' "$1" | "$programs/tokenkit-bench" "$endpoint" "$folder" >/dev/null
}

count() { # a job
    printf '%s\n' "$1" |
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$programs/tokenkit-bench" "$endpoint" "$folder" 2>&1 >/dev/null |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

each() { # what, jobs, job, its argument
    many=$(count "$3 $((3 * $2)) ${4:-}")
    few=$(count "$3 $2 ${4:-}")
    printf '%-26s %9d\n' "$1" "$(((many - few) / (2 * $2)))"
}

run 'make-tokens 100'
each 'token: bytes on a socket' 200 server
each 'token: raw reqwest' 200 reqwest
each 'token: core crate' 200 core
each 'decode a JWT' 500 decode
for algorithm in RS256 ES256 EdDSA; do
    each "$algorithm: signature alone" 20 signature $algorithm
    each "$algorithm: verify a JWT" 20 verify $algorithm
done
