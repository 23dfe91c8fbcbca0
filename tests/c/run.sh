#!/bin/sh
# Compiles the C tests and examples and runs them, on Linux under valgrind, too; then the C API from Python.
# run.sh <folder of the library> <program of the test server>
# $CFLAGS are further flags; with a sanitizer among them there is no valgrind (see asan.sh).
# The last line is: c: N passed, N failed
set -eu

[ $# -eq 2 ] || { echo "usage: $0 <folder of the library> <program of the test server>" >&2; exit 2; }
command -v python3 >/dev/null || { echo "python3 is missing. Install Python 3.9 or newer: it calls the C API, too." >&2; exit 1; }
library=$(cd "$1" && pwd)
server=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)

# The server ends with its standard input, which is this pipe.
mkfifo "$work/input"
"$server" <"$work/input" >"$work/ready" &
exec 3>"$work/input"
trap 'exec 3>&-; wait; rm -rf "$work"' EXIT

for source in "$here/tokenkit_test.c" "$here/misuse_test.c" "$here/../../examples/c/token.c"; do
    # shellcheck disable=SC2086 # flags are words
    cc -std=c11 -D_POSIX_C_SOURCE=200809L -O1 -g -Wall -Wextra -Werror -pedantic ${CFLAGS:-} -I "$here/../../bindings/c" \
        "$source" -o "$work/$(basename "$source" .c)" -L "$library" -ltokenkit -Wl,-rpath,"$library" -pthread
done

tries=0
until grep -q '}' "$work/ready"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "the test server does not start" >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/.*"http":"\([^"]*\)".*/\1/p' "$work/ready")

passed=0
failed=0

# Runs a program that prints a line for each test, and counts.
run_tests() {
    status=0
    "$@" >"$work/results" || status=$?
    cat "$work/results"
    passed=$((passed + $(grep -c '^ok ' "$work/results" || true)))
    wrong=$(grep -c '^FAILED ' "$work/results" || true)
    # A crash ends the program before it can count its failure.
    [ $status -eq 0 ] || [ "$wrong" -gt 0 ] || wrong=1
    failed=$((failed + wrong))
}

for program in tokenkit_test misuse_test; do
    run_tests "$work/$program" "$url" 250

    case "$(uname) ${CFLAGS:-}" in *-fsanitize*) continue ;; Linux*) ;; *) continue ;; esac
    # Slow, so a cancelled call gets more time. Fails for invalid accesses and for memory that is lost; not for what
    # is "possibly" lost, because a pointer made by Rust's Arc::into_raw does not point to the start of its block.
    if valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --error-exitcode=99 "$work/$program" "$url" 20000; then
        echo "ok memory of $program under valgrind"
        passed=$((passed + 1))
    else
        echo "FAILED memory of $program under valgrind"
        failed=$((failed + 1))
    fi
done

# A Python that was built without the sanitizer cannot load a library that was built with it.
case "${CFLAGS:-}" in
*-fsanitize*) ;;
*)
    for file in "$library"/libtokenkit.so "$library"/libtokenkit.dylib; do
        [ ! -e "$file" ] || run_tests python3 "$here/python_test.py" "$file" "$url" "$work"
    done
    ;;
esac

echo "c: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
