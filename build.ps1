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
Bench     Release build, then its speed beside other ways to do the same: a table, and bench/results
Native    Release build of the native library for one platform: out/native/<rid>/native
Package   Release build as .nupkg and .zip, with bill of materials and checksums, in out/package
Tour      regenerates the picture of the terminal in the README
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

    # Native: the platform to build for, such as linux-musl-arm64; without it, this machine's.
    [string] $RuntimeIdentifier,

    # The folder with the native libraries that Native has made, on several machines perhaps; without it, the library of
    # this machine is built.
    [string] $NativeLibraries,

    # Package, on Windows: a certificate that signs the module, as PFX file. Its password is in TOKENKIT_SIGNING_PASSWORD.
    [string] $SigningCertificate,

    # Bench: little of everything, in the configuration that is chosen; shows that it works, and no figures of worth.
    [switch] $Smoke,

    # Bench: puts table and plot into README.md.
    [switch] $Update
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true

$root = $PSScriptRoot
$out = Join-Path $root 'out'
$target = $env:CARGO_TARGET_DIR ?? (Join-Path $root 'target')
# Called from another shell, several names are one word.
$tasks = $Task -split ','
$Suite = $Suite -split ','
if ($tasks -contains 'Package' -or ($tasks -contains 'Bench' -and -not $Smoke)) { $Configuration = 'Release' }
$profileFolder = if ($Configuration -eq 'Release') { 'release' } else { 'debug' }
[string[]] $cargoProfile = if ($Configuration -eq 'Release') { @('--release') } else { @() }

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

# The target triples of Rust by the platforms that a package may be for.
$platforms = [ordered]@{
    'linux-x64' = 'x86_64-unknown-linux-gnu'; 'linux-arm64' = 'aarch64-unknown-linux-gnu'
    'linux-musl-x64' = 'x86_64-unknown-linux-musl'; 'linux-musl-arm64' = 'aarch64-unknown-linux-musl'
    'osx-x64' = 'x86_64-apple-darwin'; 'osx-arm64' = 'aarch64-apple-darwin'
    'win-x64' = 'x86_64-pc-windows-msvc'; 'win-arm64' = 'aarch64-pc-windows-msvc'
}

# A release is the same bytes wherever it is built, and has no path of the machine that built it.
function Set-ReproducibleBuild([string] $Platform) {
    $folders = [ordered]@{ $root = '/tokenkit'; $target = '/tokenkit/target' }
    foreach ($package in (Invoke-Cargo metadata --format-version 1 --locked | ConvertFrom-Json -AsHashtable).packages) {
        if ($package.source) { $folders[(Split-Path (Split-Path $package.manifest_path))] = '/cargo' }
    }
    $flags = @($env:RUSTFLAGS -split ' ' -ne '') + $folders.Keys.ForEach{ "--remap-path-prefix=$_=$($folders[$_])" }
    if ($Platform -like 'win-*') { $flags += '-Clink-arg=/Brepro' }
    # A shared library for musl cannot have the C runtime linked in.
    if ($Platform -like 'linux-musl-*') {
        $flags += '-Ctarget-feature=-crt-static'
        if (Get-Command musl-gcc -CommandType Application -ErrorAction Ignore) { $flags += '-Clinker=musl-gcc' }
    }
    $env:CARGO_ENCODED_RUSTFLAGS = $flags -join [char]0x1f
    if ($Platform -notlike 'win-*') {
        $maps = $folders.Keys.ForEach{ "'-ffile-prefix-map=$_=$($folders[$_])'" }
        # Nothing is thrown through C.
        $env:CFLAGS = (@($env:CFLAGS).Where{ $_ } + $maps + '-fno-asynchronous-unwind-tables') -join ' '
        $env:CC_SHELL_ESCAPED_FLAGS = $env:ZERO_AR_DATE = '1'
    }
}

function Get-Executable([string] $Name) {
    Join-Path $target $profileFolder ($IsWindows ? "$Name.exe" : $Name)
}

function Invoke-Build {
    Assert-Tool cargo 'Install Rust from https://rustup.rs.'
    Assert-Tool dotnet 'Install the .NET SDK 10 from https://dotnet.microsoft.com/download.'
    Write-Host "Building TokenKit $(Get-Version) ($Configuration)" -ForegroundColor Cyan
    if ($Configuration -eq 'Debug') {
        # In one command: each package alone would have its dependencies built with other features.
        Invoke-Cargo build -p tokenkit-cdylib -p tokenkit-testserver -p tokenkit-bench
    } else {
        # Apart: the library that is shipped has the features that it needs, and no more.
        if (-not $NativeLibraries) { Invoke-Cargo build @cargoProfile -p tokenkit-cdylib }
        if ($tasks -ne 'Package') { Invoke-Cargo build @cargoProfile -p tokenkit-testserver -p tokenkit-bench }
    }
    $version = Get-Version
    $project = Join-Path $root powershell/TokenKit.csproj
    $assembly = Join-Path $root powershell/bin $Configuration net8.0
    if ($Configuration -eq 'Release' -and -not $NativeLibraries) {
        # Compiled ahead, for the one platform; an assembly with its machine code cannot be loaded on another.
        $platform = Get-RuntimeIdentifier
        dotnet publish $project -c Release -r $platform --self-contained false -p:PublishReadyToRun=true -p:Version=$version -nologo -tl:off -v:quiet '-clp:ErrorsOnly;NoSummary'
        $assembly = Join-Path $assembly $platform publish
    } else {
        dotnet build $project -c $Configuration -p:Version=$version -nologo -tl:off -v:quiet '-clp:ErrorsOnly;NoSummary'
    }

    $module = Join-Path $out 'TokenKit' $version
    Remove-Item (Join-Path $out 'TokenKit') -Recurse -Force -ErrorAction Ignore
    $runtimes = Join-Path $module 'runtimes'
    $native = Join-Path $runtimes (Get-RuntimeIdentifier) 'native'
    $null = New-Item ($NativeLibraries ? $runtimes : $native) -ItemType Directory -Force
    Copy-Item (Join-Path $assembly TokenKit.dll) $module
    Copy-Item (Join-Path $root 'powershell/module/*') $module -Recurse
    Copy-Item (Join-Path $root 'LICENSE*') $module
    if ($NativeLibraries) {
        Copy-Item (Join-Path $NativeLibraries '*') $runtimes -Recurse
    } else {
        Copy-Item (Join-Path $target $profileFolder (Get-LibraryName 'tokenkit')) $native
    }
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
    dotnet build (Join-Path $root bench/dotnet) -c Release -nologo -tl:off -v:quiet '-clp:ErrorsOnly;NoSummary'
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

# The contenders of the bench that are in C#.
function Build-Contender { dotnet build (Join-Path $root bench/dotnet) -c Release -nologo -tl:off -v:quiet '-clp:ErrorsOnly;NoSummary' | Out-Host }

function Invoke-Bench {
    Build-Contender
    & (Join-Path $root bench/bench.ps1) -Module (Join-Path $out TokenKit) -Programs (Join-Path $target $profileFolder) `
        -DotNet (Join-Path $root bench/dotnet/bin/Release/net8.0/TokenKit.Bench.dll) -Smoke:$Smoke -Update ($Update ? $root : '')
}

# The library that a package takes for one platform; CI calls it on a machine of each kind.
function Invoke-Native {
    $platform = $RuntimeIdentifier ? $RuntimeIdentifier : (Get-RuntimeIdentifier)
    Set-ReproducibleBuild $platform
    $triple = $platforms[$platform]
    Invoke-Cargo build --release --locked -p tokenkit-cdylib --target $triple
    $native = New-Item (Join-Path $out native $platform native) -ItemType Directory -Force
    $file = switch -Wildcard ($platform) { 'win-*' { 'tokenkit.dll' } 'osx-*' { 'libtokenkit.dylib' } default { 'libtokenkit.so' } }
    Copy-Item (Join-Path $target $triple release $file) $native
    Write-Host "Native library: $(Join-Path $native $file)"
}

# SOURCE_DATE_EPOCH, or the time of the last commit.
function Get-SourceTime {
    $seconds = $env:SOURCE_DATE_EPOCH ?? (git -C $root log -1 --format=%ct)
    [DateTimeOffset]::FromUnixTimeSeconds($seconds)
}

function Invoke-Package {
    $module = Join-Path $out TokenKit (Get-Version)
    $triples = (Get-ChildItem (Join-Path $module runtimes) -Directory).Name.ForEach{ $platforms[$_] ?? $(throw "There is no platform '$_'.") }
    $time = Get-SourceTime
    & (Join-Path $root packaging/bill.ps1) -Triple $triples -Destination $module -Time $time -CargoOption $cargoSource
    if ($SigningCertificate) { & (Join-Path $root packaging/sign.ps1) -Module $module -Certificate $SigningCertificate }
    $own = $root, $target, ($env:CARGO_HOME ?? (Join-Path $HOME .cargo)), (Join-Path $HOME '')
    foreach ($file in & (Join-Path $root packaging/pack.ps1) -Module $module -Destination (Join-Path $out package) -Time $time -Forbidden $own) {
        Write-Host ('Package: {0} ({1:n1} MB)' -f $file.FullName, ($file.Length / 1MB))
    }
}

function Invoke-Tour {
    . (Join-Path $root tests/suites.ps1)
    Install-Peer user
    & (Get-Process -Id $PID).Path -NoProfile -File (Join-Path $root docs/tour/tour.ps1) -Module (Join-Path $out TokenKit) -TestServer (Get-Executable tokenkit-testserver)
}

function Invoke-Clean {
    Invoke-Cargo clean
    $made = 'out', 'bench/results', 'bench/dotnet/bin', 'bench/dotnet/obj', 'powershell/bin', 'powershell/obj', 'tests/dotnet/bin',
        'tests/dotnet/obj', 'tests/dotnet/stale/bin', 'tests/dotnet/stale/obj', 'tests/servers/oidc-provider/node_modules',
        'tests/servers/user/node_modules', 'tests/servers/yaml/node_modules'
    $made.ForEach{ Join-Path $root $_ } | Where-Object { Test-Path $_ } | Remove-Item -Recurse -Force
}

function Assert-Known([string] $Kind, [string[]] $Name, [string[]] $Known) {
    $Name.Where({ $_ -notin $Known }) | ForEach-Object { throw "There is no $Kind '$_'. There are: $($Known -join ', ')." }
}

Assert-Known task $tasks 'Build', 'Bindings', 'Help', 'Lint', 'Test', 'Demo', 'Bench', 'Native', 'Package', 'Tour', 'Clean'
Assert-Known 'test suite' $Suite 'rust', 'c', 'dotnet', 'pester'
if ($Configuration -eq 'Release' -and -not $NativeLibraries) { Set-ReproducibleBuild (Get-RuntimeIdentifier) }
if ($RuntimeIdentifier) { Assert-Known platform $RuntimeIdentifier $platforms.Keys }
$built = $false
foreach ($name in $tasks) {
    if ($name -in 'Test', 'Demo', 'Bench', 'Package', 'Tour', 'Build', 'Help' -and -not $built) {
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
        'Native' { Invoke-Native }
        'Package' { Invoke-Package }
        'Tour' { Invoke-Tour }
        'Clean' { Invoke-Clean }
    }
}
