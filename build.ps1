#!/usr/bin/env pwsh
#Requires -Version 7.4
<#
.SYNOPSIS
Builds, tests and packages TokenKit.

.DESCRIPTION
Build     native library, module and test server; stages out/TokenKit/<version>
Bindings  writes bindings/ anew from the Rust sources
Help      Build, then writes syntax, parameter tables and changed outputs of examples into powershell/docs, and what to do
          next into docs/errors.md
Lint      formatting and static checks of Rust, C# and PowerShell
Test      Build, then every suite; the last line is the sum: N passed, N failed
Demo      Build, then the main job against a local authorization server
Bench     speed against other ways to get a token
Package   Release build as out/TokenKit-<version>.zip
Clean     removes what the other tasks made

.EXAMPLE
./build.ps1
Builds the module for this machine; then: Import-Module ./out/TokenKit

.EXAMPLE
./build.ps1 Test -Configuration Release
#>
[CmdletBinding()]
param(
    # One or more tasks, run in the order given.
    [Parameter(Position = 0)]
    [string[]] $Task = 'Build',

    # Debug builds in less time; Package always uses Release.
    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Debug',

    # Runs only these test suites.
    [string[]] $Suite = @('rust', 'c', 'dotnet', 'pester'),

    # Package: a folder with native libraries of further platforms, as <rid>/<file>.
    [string] $NativeLibraries
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true

$root = $PSScriptRoot
$out = Join-Path $root 'out'
$target = $env:CARGO_TARGET_DIR ?? (Join-Path $root 'target')
$profileFolder = if ($Configuration -eq 'Release') { 'release' } else { 'debug' }
$cargoProfile = if ($Configuration -eq 'Release') { @('--release') } else { @() }

# Where crates.io cannot be reached, a local registry takes its place for this build only.
$crates = $env:TOKENKIT_CRATES ?? (Join-Path $root '../shared/crates')
$cargoSource = if (Test-Path (Join-Path $crates 'index')) {
    $crates = (Resolve-Path $crates).ProviderPath
    '--config', "source.crates-io.replace-with='mirror'", '--config', "source.mirror.local-registry='$crates'"
} else { @() }

# After the command's name: clippy, which is a program of its own, is not handed what stands before it.
function Invoke-Cargo([string] $Command) { & cargo $Command @cargoSource @args }

function Assert-Tool([string] $Name, [string] $Advice) {
    if (-not (Get-Command $Name -CommandType Application -ErrorAction Ignore)) {
        throw "$Name is missing. $Advice"
    }
}

function Get-Version {
    $manifest = Get-Content (Join-Path $root 'Cargo.toml') -Raw
    if ($manifest -notmatch '(?ms)^\[workspace\.package\].*?^version = "([^"]+)"') { throw 'Cargo.toml names no version.' }
    $Matches[1]
}

function Get-RuntimeIdentifier {
    $architecture = [System.Runtime.InteropServices.RuntimeInformation]::ProcessArchitecture.ToString().ToLowerInvariant()
    if ($IsWindows) { return "win-$architecture" }
    if ($IsMacOS) { return "osx-$architecture" }
    $musl = if (Get-ChildItem /lib -Filter 'ld-musl-*' -ErrorAction Ignore) { 'musl-' }
    "linux-$musl$architecture"
}

function Get-LibraryName([string] $Stem) {
    if ($IsWindows) { "$Stem.dll" } elseif ($IsMacOS) { "lib$Stem.dylib" } else { "lib$Stem.so" }
}

function Get-Executable([string] $Name) {
    Join-Path $target $profileFolder ($IsWindows ? "$Name.exe" : $Name)
}

function Invoke-Build {
    Assert-Tool cargo 'Install Rust from https://rustup.rs.'
    Assert-Tool dotnet 'Install the .NET SDK 10 from https://dotnet.microsoft.com/download.'
    Write-Host "Building TokenKit $(Get-Version) ($Configuration)" -ForegroundColor Cyan
    Invoke-Cargo build @cargoProfile -p tokenkit-cdylib -p tokenkit-testserver
    $version = Get-Version
    dotnet build (Join-Path $root powershell/TokenKit.csproj) -c $Configuration -p:Version=$version -nologo -tl:off -v:quiet '-clp:ErrorsOnly;NoSummary'

    $module = Join-Path $out 'TokenKit' $version
    Remove-Item (Join-Path $out 'TokenKit') -Recurse -Force -ErrorAction Ignore
    $native = Join-Path $module 'runtimes' (Get-RuntimeIdentifier) 'native'
    $null = New-Item $native -ItemType Directory -Force
    Copy-Item (Join-Path $root "powershell/bin/$Configuration/net8.0/TokenKit.dll") $module
    Copy-Item (Join-Path $root 'powershell/module/*') $module -Recurse
    Copy-Item (Join-Path $root 'LICENSE*') $module
    Copy-Item (Join-Path $target $profileFolder (Get-LibraryName 'tokenkit')) $native
    $manifest = Join-Path $module 'TokenKit.psd1'
    $text = Get-Content $manifest -Raw
    Set-Content $manifest ($text -replace "(?m)^(\s*ModuleVersion\s*=\s*)'[^']*'", "`$1'$version'") -NoNewline
    & (Join-Path $root powershell/help.ps1) -Destination (Join-Path $module en-US/TokenKit.dll-Help.xml)
    Write-Host "Module: $module"
}

function Invoke-Bindings { Invoke-Cargo run -q -p tokenkit-bindgen }

# In processes of their own: a loaded assembly could not be built again.
function Invoke-Help {
    . (Join-Path $root 'tests/suites.ps1')
    Assert-Tool node 'Install Node.js 20 or newer: some examples sign in at an OpenID provider that runs with it.'
    Install-Peer oidc-provider
    $pwsh = (Get-Process -Id $PID).Path
    $module = Join-Path $out 'TokenKit'
    & $pwsh -NoProfile -File (Join-Path $root powershell/help.ps1) -Update $module
    $server = Get-Executable 'tokenkit-testserver'
    & $pwsh -NoProfile -File (Join-Path $root tests/pester/update-examples.ps1) -Module $module -TestServer $server
    & $pwsh -NoProfile -File (Join-Path $root tests/pester/run.ps1) -Module $module -TestServer $server -Path (Join-Path $root tests/pester/ErrorIds.Tests.ps1) -Update
    & (Join-Path $root powershell/help.ps1) -Destination (Join-Path $module (Get-Version) en-US/TokenKit.dll-Help.xml)
}

function Invoke-Lint {
    cargo fmt --all --check
    Invoke-Cargo clippy --workspace --all-targets '--' -D warnings
    # Warnings are errors in every C# project.
    dotnet build (Join-Path $root powershell/TokenKit.csproj) -c $Configuration -nologo -tl:off -v:quiet '-clp:ErrorsOnly;NoSummary'
    dotnet build (Join-Path $root tests/dotnet) -nologo -tl:off -v:quiet '-clp:ErrorsOnly;NoSummary'
    Write-Host 'Lint: clean' -ForegroundColor Green
}

function Invoke-Test {
    . (Join-Path $root 'tests/suites.ps1')
    $passed = $failed = 0
    foreach ($name in $Suite) {
        Write-Host "== $name" -ForegroundColor Cyan
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $result = & "Invoke-${name}Suite"
        Write-Host ('{0}: {1} passed, {2} failed in {3:n0} s' -f $name, $result.Passed, $result.Failed, $watch.Elapsed.TotalSeconds)
        $passed += $result.Passed
        $failed += $result.Failed
    }
    Write-Host "$passed passed, $failed failed"
    if ($failed) { exit 1 }
}

function Invoke-Demo {
    & (Get-Process -Id $PID).Path -NoProfile -File (Join-Path $root 'powershell/demo.ps1') -Module (Join-Path $out 'TokenKit') -TestServer (Get-Executable 'tokenkit-testserver')
}

function Invoke-Bench { Write-Host 'There are no benchmarks yet.' }

function Invoke-Package {
    if ($NativeLibraries) {
        Copy-Item (Join-Path $NativeLibraries '*') (Join-Path $out 'TokenKit' (Get-Version) 'runtimes') -Recurse -Force
    }
    $archive = Join-Path $out "TokenKit-$(Get-Version).zip"
    Compress-Archive (Join-Path $out 'TokenKit') $archive -Force
    Write-Host "Package: $archive ($([Math]::Round((Get-Item $archive).Length / 1MB, 1)) MB)"
}

function Invoke-Clean {
    Invoke-Cargo clean
    $made = 'out', 'powershell/bin', 'powershell/obj', 'tests/dotnet/bin', 'tests/dotnet/obj', 'tests/dotnet/stale/bin',
        'tests/dotnet/stale/obj', 'tests/servers/oidc-provider/node_modules', 'tests/servers/user/node_modules'
    $made.ForEach{ Join-Path $root $_ } | Where-Object { Test-Path $_ } | Remove-Item -Recurse -Force
}

function Assert-Known([string] $Kind, [string[]] $Name, [string[]] $Known) {
    $Name.Where({ $_ -notin $Known }) | ForEach-Object { throw "There is no $Kind '$_'. There are: $($Known -join ', ')." }
}

# Called from another shell, several names are one word.
$tasks = $Task -split ','
$Suite = $Suite -split ','
Assert-Known task $tasks 'Build', 'Bindings', 'Help', 'Lint', 'Test', 'Demo', 'Bench', 'Package', 'Clean'
Assert-Known 'test suite' $Suite 'rust', 'c', 'dotnet', 'pester'
if ($tasks -contains 'Package') {
    $Configuration = $profileFolder = 'Release'
    $profileFolder = 'release'
    $cargoProfile = @('--release')
}
$built = $false
foreach ($name in $tasks) {
    if ($name -in 'Test', 'Demo', 'Package', 'Build', 'Help' -and -not $built) {
        Invoke-Build
        $built = $true
    }
    switch ($name) {
        'Bindings' { Invoke-Bindings }
        'Help' { Invoke-Help }
        'Lint' { Invoke-Lint }
        'Test' { Invoke-Test }
        'Demo' { Invoke-Demo }
        'Bench' { Invoke-Bench }
        'Package' { Invoke-Package }
        'Clean' { Invoke-Clean }
    }
}
