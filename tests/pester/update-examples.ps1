<#
.SYNOPSIS
Runs the examples of the pages in powershell/docs, and writes what they show into the pages where that has changed.
.EXAMPLE
./tests/pester/update-examples.ps1 -Module ./out/TokenKit -TestServer ./target/debug/tokenkit-testserver -Page Convert-UnixTime
#>
param(
    # The staged module folder.
    [Parameter(Mandatory)] [string] $Module,
    # The tokenkit-testserver executable.
    [Parameter(Mandatory)] [string] $TestServer,
    # Only these pages.
    [SupportsWildcards()] [string[]] $Page = '*',
    # Writes also what has only other values, such as times.
    [switch] $All
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSStyle.OutputRendering = 'PlainText'

$TestDrive = Join-Path ([System.IO.Path]::GetTempPath()) "tokenkit-$PID"
$null = New-Item $TestDrive -ItemType Directory
foreach ($file in 'TestHelpers', 'LcsHelpers', 'JoseHelpers', 'VenafiHelpers', 'SignInHelpers', 'ExampleHelpers') { . "$PSScriptRoot/$file.ps1" }
. $PSScriptRoot/../../powershell/pages.ps1
Import-Module $Module
$stage = Start-Stage (Resolve-Path $Module).ProviderPath (Resolve-Path $TestServer).ProviderPath
try {
    foreach ($file in Get-ChildItem $PSScriptRoot/../../powershell/docs -Filter *.md | Where-Object { $name = $_.BaseName; $Page.Where{ $name -like $_ } }) {
        $read = Read-Page $file.FullName
        $text = (Get-Content $file -Raw) -replace '\r'
        foreach ($number in 1..$read.Samples.Count) {
            if ($unplayable.ContainsKey("$($read.Name) $number")) { continue }
            $sample = $read.Samples[$number - 1]
            $output = Invoke-Sample $stage $read $number
            $said = $output -or $sample.Introduction + $sample.Remarks -match 'no output'
            if (-not $All -and $said -and (Get-Shape $output) -ceq (Get-Shape $sample.Output)) { continue }
            "== $($read.Name) $number`n$output"
            # An example that does not run is to be mended, not written down.
            if ($output -match '^ERROR: ') { throw "Example $number of $($read.Name) does not run." }
            $text = Set-SampleOutput $text $sample $output
        }
        Set-Content $file $text -NoNewline
    }
} finally {
    Stop-Stage $stage
    Remove-Item $TestDrive -Recurse -Force -ErrorAction Ignore
}
