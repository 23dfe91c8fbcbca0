#!/bin/sh
# Runs build.ps1 with the PowerShell that is at hand.
#
#   ./build.sh [task ...] [build.ps1 options]     tasks: build bindings lint test demo bench native package tour clean
#   ./build.sh [build|test|demo] --without-powershell
#
# With --without-powershell only the parts that need none are built, tested or shown: the Rust crates, the C
# program and the .NET binding.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
cd "$root"

need() { # tool, how to get it
    command -v "$1" >/dev/null 2>&1 || {
        echo "build.sh: $1 is missing. $2" >&2
        exit 1
    }
}

need cargo "Install Rust from https://rustup.rs."
need dotnet "Install the .NET SDK 10 from https://dotnet.microsoft.com/download."

without_powershell=
tasks=
for argument in "$@"; do
    case $argument in
    --without-powershell) without_powershell=yes ;;
    -*) break ;;
    *) tasks="$tasks${tasks:+,}$argument" ;;
    esac
done

if [ -n "$without_powershell" ]; then
    # As in build.ps1: where crates.io cannot be reached, a local registry takes its place for this build only.
    crates=${TOKENKIT_CRATES:-$root/../shared/crates}
    run_cargo() {
        if [ -d "$crates/index" ]; then
            cargo --config "source.crates-io.replace-with='mirror'" \
                --config "source.mirror.local-registry='$(CDPATH= cd -- "$crates" && pwd)'" "$@"
        else
            cargo "$@"
        fi
    }
    target=${CARGO_TARGET_DIR:-$root/target}/debug
    case ${tasks:-build} in
    build) run_cargo build --workspace ;;
    demo) run_cargo run -q -p tokenkit --example demo ;;
    test)
        run_cargo test --workspace
        run_cargo build -p tokenkit-cdylib -p tokenkit-testserver
        sh tests/c/run.sh "$target" "$target/tokenkit-testserver"
        TOKENKIT_LIBRARY_FOLDER=$target TOKENKIT_TESTSERVER=$target/tokenkit-testserver dotnet test tests/dotnet
        ;;
    *)
        echo "build.sh: $tasks needs PowerShell; without it there are build, test and demo." >&2
        exit 1
        ;;
    esac
    exit
fi

while [ $# -gt 0 ]; do
    case $1 in -*) break ;; *) shift ;; esac
done
set -- -Task "${tasks:-build}" "$@"

if command -v pwsh >/dev/null 2>&1; then
    exec pwsh -NoProfile -File build.ps1 "$@"
fi
if dotnet tool restore >/dev/null 2>&1; then
    exec dotnet tool run pwsh -- -NoProfile -File build.ps1 "$@"
fi
echo "build.sh: pwsh is missing. Install PowerShell 7.4 or newer (https://aka.ms/powershell), or run with --without-powershell." >&2
exit 1
