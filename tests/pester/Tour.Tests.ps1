# The picture of the terminal in the README is one of a real session, and the module still looks like that.
param([string] $Module, [string] $TestServer)

# Windows has no pseudo terminal that could be had without a package of its own.
if (-not $IsWindows) {
    Describe 'The picture in the README' {
        BeforeAll {
            . $PSScriptRoot/TestHelpers.ps1
            $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath

            # Row for row the colours and texts, with what differs from run to run masked: ports, tokens, codes, times
            # and sizes. Runs of spaces depend on how long those are.
            function Get-Picture([string] $File) {
                $svg = [xml](Get-Content $File -Raw)
                foreach ($row in $svg.SelectNodes("//*[local-name()='text']")) {
                    $text = $row.ChildNodes.ForEach{ "$($_.fill)|$($_.InnerText)" } -join ' '
                    $text -replace '127\.0\.0\.1:\d+', '<server>' -replace '[\w-]{4,8}\.\.\.[\w-]{4}', '<token>' -replace '\b[A-Z]{4}-[A-Z]{4}\b', '<code>' `
                        -replace '\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}[ T]\d{1,2}:\d\d(:\d\d)?', '<time>' -replace '\b\d+(:\d\d)+\b', '<time>' `
                        -replace '\b\d+ (ms|bytes|s|min|minutes|seconds)\b', '<n> $1' -replace ' {2,}', ' '
                }
            }
        }

        It 'matches a fresh run; ./build.ps1 Tour makes it anew' {
            $fresh = Join-Path $TestDrive tour.svg
            # In a process of its own, which has no setting of the tests.
            $run = Invoke-Pwsh 'param($script, $module, $server, $file) & $script -Module $module -TestServer $server -Destination $file' "$root/docs/tour/tour.ps1", $Module, $TestServer, $fresh -Milliseconds 300000
            $run.Error | Should -BeNullOrEmpty
            $run.ExitCode | Should -Be 0
            $shown = Get-Picture $fresh
            $shown.Count | Should -BeGreaterThan 15
            (Get-Picture $root/docs/tour/tour.svg) -join "`n" | Should -BeExactly ($shown -join "`n")
        }

        It 'shows no secret and no token' {
            $text = Get-Content $root/docs/tour/tour.svg -Raw
            foreach ($part in 'demo-secret', $root, "$HOME/") { $text | Should -Not -Match ([regex]::Escape($part)) }
            $text | Should -Not -Match '[\w-]{28,}' -Because 'a token is longer than any name'
        }

        It 'is in the README, with words for those who do not see it' {
            Get-Content $root/README.md -Raw | Should -Match '!\[[^\]]{20,}\]\(docs/tour/tour\.svg\)'
        }
    }
}
