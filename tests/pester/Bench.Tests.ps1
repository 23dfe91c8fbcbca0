# The bench works: a little of everything, the table and the files that it writes. What it measures then means nothing.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    $root = (Resolve-Path "$PSScriptRoot/../..").ProviderPath
    $results = Join-Path $TestDrive results
    $arguments = @{
        Module = $Module
        Programs = Split-Path $TestServer
        DotNet = Join-Path $root bench/dotnet/bin/Release/net8.0/TokenKit.Bench.dll
        Destination = $results
    }
    # A README of its own to update.
    $copy = New-Item (Join-Path $TestDrive copy) -ItemType Directory
    Set-Content (Join-Path $copy README.md) "before`n<!-- bench: begin -->`nold`n<!-- bench: end -->`nafter"
    & $root/bench/bench.ps1 @arguments -Smoke -Update $copy 6> $null
    $json = Get-Content (Join-Path $results latest.json) -Raw | ConvertFrom-Json
    $table = @(Get-Content (Join-Path $results latest.md) | Where-Object { $_.StartsWith('|') })
}

Describe 'A smoke run of the bench' {
    It 'measures every metric against every contender' {
        $json.smoke | Should -BeTrue
        $comparisons = $json.rows.ForEach{ "$($_.metric)|$($_.contender)" }
        foreach ($expected in @(
            'warm call|raw reqwest', 'warm call|core crate', 'warm call|.NET binding', 'warm call|Invoke-RestMethod'
            '* clients, * at a time|raw reqwest', '* clients, * at a time|ForEach-Object -Parallel, Invoke-RestMethod', 'their memory|of one call'
            'verify RS256|core crate*', 'verify ES256|IdentityModel*', 'verify EdDSA|signature alone*', 'decode in PowerShell|IdentityModel*'
            'store: read|', 'store: locked write|the same file*', 'calls *|calls *', 'store: read, * sections|of 1 section', '* runspaces|1 runspace'
            'Import-Module|an empty binary module', 'first token over https|Invoke-RestMethod', 'first token over http, without the start|Invoke-RestMethod', 'native library|', 'module|'
        )) {
            @($comparisons -like $expected).Count | Should -BeGreaterThan 0 -Because $expected
        }
    }

    It 'has a figure in each row, and holds it against the target' {
        foreach ($row in $json.rows) {
            $row.tokenkit.median | Should -BeGreaterThan 0 -Because $row.metric
            $row.tokenkit.min | Should -BeLessOrEqual $row.tokenkit.max -Because $row.metric
            if ($row.contender -notlike '*(not installed)') { ($null -eq $row.met) | Should -Be ($null -eq $row.target) -Because $row.metric }
        }
    }

    It 'prints one line for each row, all as wide' {
        $table.Count | Should -Be ($json.rows.Count + 2)
        @($table.Length | Select-Object -Unique).Count | Should -Be 1
        $table[0] | Should -Match '^\| metric .* TokenKit .* contender .* ratio .* target .* met \|$'
    }

    It 'plots the figures as well-formed SVG' {
        $plot = [xml](Get-Content (Join-Path $results latest.svg) -Raw)
        $plot.svg.rect.Count | Should -BeGreaterThan 10
        $plot.svg.text.'#text' | Should -Contain 'TokenKit'
    }

    It 'puts table and plot where README.md has a place for them' {
        $text = @(Get-Content (Join-Path $copy README.md))
        $text[0], $text[-1] | Should -Be 'before', 'after'
        @($text -like '| warm call *').Count | Should -BeGreaterThan 3
        $text | Should -Not -Contain 'old'
        Join-Path $copy docs/images/speed.svg | Should -Exist
    }
}
