# The test suites of build.ps1, which loads this file: each runs one kind of tests, shows its output and
# returns how many passed and failed. A suite that ends without a result counts as one failure.

function New-SuiteResult([int] $Passed, [int] $Failed, [int] $ExitCode) {
    if ($ExitCode -ne 0 -and $Failed -eq 0) { $Failed = 1 }
    [pscustomobject]@{ Passed = $Passed; Failed = $Failed }
}

# Runs a command, shows its lines as they come, and sums what `Pattern` finds in them.
function Invoke-Counted([scriptblock] $Command, [string] $Pattern) {
    $PSNativeCommandUseErrorActionPreference = $false
    $passed = $failed = 0
    & $Command 2>&1 | ForEach-Object {
        Write-Host $_
        if ("$_" -match $Pattern) {
            $passed += [int]$Matches.passed
            $failed += [int]$Matches.failed
        }
    }
    # Nothing counted means that nothing ran.
    $exitCode = if ($passed + $failed -eq 0) { 1 } else { $LASTEXITCODE }
    New-SuiteResult $passed $failed $exitCode
}

# Unit, wire, property and snapshot tests, and the examples in the documentation.
function Invoke-RustSuite {
    Assert-Tool openssl 'Install OpenSSL 3: the key tests make their keys with it.'
    Invoke-Counted { Invoke-Cargo test --workspace --no-fail-fast @cargoProfile } 'test result: \w+\. (?<passed>\d+) passed; (?<failed>\d+) failed'
}

# The C API: from C, compiled without warnings and clean under valgrind where there is one, and from Python.
function Invoke-CSuite {
    if ($IsWindows) {
        Write-Host 'The C program is for POSIX systems.'
        return New-SuiteResult 0 0 0
    }
    Assert-Tool cc 'Install a C compiler.'
    Assert-Tool python3 'Install Python 3.9 or newer: the tests call the C API from it, too.'
    if ($IsLinux) { Assert-Tool valgrind 'Install valgrind.' }
    Invoke-Counted {
        sh (Join-Path $root tests/c/run.sh) (Join-Path $target $profileFolder) (Get-Executable tokenkit-testserver)
    } '^c: (?<passed>\d+) passed, (?<failed>\d+) failed'
}

# The generated C# binding without PowerShell.
function Invoke-DotnetSuite {
    $env:TOKENKIT_LIBRARY_FOLDER = Join-Path $target $profileFolder
    $env:TOKENKIT_TESTSERVER = Get-Executable tokenkit-testserver
    Invoke-Counted { dotnet test (Join-Path $root tests/dotnet) -nologo } 'Failed:\s+(?<failed>\d+), Passed:\s+(?<passed>\d+)'
}

# What the programs in tests/servers need of others.
function Install-Peer([string[]] $Name) {
    foreach ($peer in $Name) {
        $folder = Join-Path $root tests/servers $peer
        if (-not (Test-Path (Join-Path $folder node_modules))) {
            npm ci --prefix $folder --no-audit --no-fund --no-update-notifier | Out-Host
        }
    }
}

# The module, in a process of its own: a loaded assembly could not be built again.
function Invoke-PesterSuite {
    if (-not (Get-Module Pester -ListAvailable | Where-Object Version -GE '5.5')) {
        throw 'Pester 5.5 or newer is missing. Install it with: Install-Module Pester -Scope CurrentUser'
    }
    Assert-Tool node 'Install Node.js 20 or newer: the tests run an OpenID provider and a browser with it.'
    Assert-Tool openssl 'Install OpenSSL 3: the tests make certificates with it.'
    if ($IsLinux) {
        Assert-Tool gnome-keyring-daemon 'Install gnome-keyring: the tests keep keys in it, in a session of their own.'
        Assert-Tool dbus-run-session 'Install dbus: the tests run gnome-keyring in a session of their own.'
    }
    if (-not $IsWindows) { Assert-Tool script 'Install util-linux: the tests look at PowerShell in a terminal with it.' }
    Install-Peer oidc-provider, user, yaml
    Build-Contender
    Invoke-Counted {
        & (Get-Process -Id $PID).Path -NoProfile -File (Join-Path $root tests/pester/run.ps1) -Module (Join-Path $out TokenKit) -TestServer (Get-Executable tokenkit-testserver)
    } '^pester: (?<passed>\d+) passed, (?<failed>\d+) failed'
}
