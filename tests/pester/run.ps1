<#
.SYNOPSIS
Runs the Pester tests against a staged module; the last line counts them.
.EXAMPLE
./tests/pester/run.ps1 -Module ./out/TokenKit -TestServer ./target/debug/tokenkit-testserver -Path ./tests/pester/Errors.Tests.ps1
#>
param(
    # The staged module folder.
    [Parameter(Mandatory)] [string] $Module,
    # The tokenkit-testserver executable.
    [Parameter(Mandatory)] [string] $TestServer,
    # Which tests to run.
    [string[]] $Path = $PSScriptRoot,
    # For tests that can write what they expect, such as ErrorIds.
    [switch] $Update
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
# Raw text in assertions must not depend on the terminal.
$PSStyle.OutputRendering = 'PlainText'
$ProgressPreference = 'SilentlyContinue'

Import-Module Pester -MinimumVersion 5.5
$configuration = New-PesterConfiguration
$configuration.Run.Container = New-PesterContainer -Path $Path -Data @{
    Module = (Resolve-Path $Module).ProviderPath; TestServer = (Resolve-Path $TestServer).ProviderPath
}
if ($Update) { $configuration.Run.Container.Value.Data.Update = $true }
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'Detailed'
$result = Invoke-Pester -Configuration $configuration

# A skipped, unexecuted or inconclusive test shows nothing: it counts as failed, as does a file that did not run.
$failed = $result.TotalCount - $result.PassedCount + $result.FailedContainersCount + $result.FailedBlocksCount
"pester: $($result.PassedCount) passed, $failed failed"
exit [int]($failed -gt 0)
