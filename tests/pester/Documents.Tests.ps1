# What README and docs lead to is there, and what they say of numbers and names is so.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $pages = @(Get-ChildItem $root -File -Filter *.md) + ('docs', 'examples').ForEach{ Get-ChildItem (Join-Path $root $_) -Recurse -File -Filter *.md } | ForEach-Object {
        @{ Name = [System.IO.Path]::GetRelativePath($root, $_).Replace('\', '/'); File = $_.FullName }
    }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath

    # The name that GitHub gives a heading.
    function ConvertTo-Anchor([string] $Heading) { ($Heading.ToLowerInvariant() -replace '[^\w\- ]').Replace(' ', '-') }
}

Describe '<Name>' -ForEach $pages {
    It 'leads to files and headings that exist' {
        # Code is no text.
        $text = (Get-Content $File -Raw) -replace '(?ms)^```.*?^```' -replace '`[^`\n]*`'
        foreach ($match in [regex]::Matches($text, '\]\((?!https?://)(?<path>[^)#\s]*)(#(?<anchor>[^)\s]+))?\)')) {
            $path = $match.Groups['path'].Value
            $target = $path ? (Join-Path (Split-Path $File) $path) : $File
            $target | Should -Exist -Because $match.Value
            if ($match.Groups['anchor'].Success) {
                $anchors = [regex]::Matches((Get-Content $target -Raw), '(?m)^#+ (.+?)\r?$').ForEach{ ConvertTo-Anchor $_.Groups[1].Value }
                $anchors | Should -Contain $match.Groups['anchor'].Value
            }
        }
    }
}

Describe 'The README' {
    It 'shows what -Verbose tells of its first command' {
        Import-Module $Module
        $server = Start-Peer $TestServer
        try {
            $text = (Get-Content $root/README.md -Raw).Replace("`r", '')
            $command = [regex]::Match($text, '(?m)^PS> (\$token = Invoke-OAuth2TokenEndpoint .*)$').Groups[1].Value
            $shown = [regex]::Matches($text, '(?m)^VERBOSE: .*$').Value
            $token_endpoint = "$($server.http)/token"
            $secret = ConvertTo-SecureString demo-secret -AsPlainText
            $told = . ([scriptblock]::Create("$command -Verbose")) 4>&1
            $told.ForEach{ "VERBOSE: $_".Replace($server.http, 'https://…') -replace '\b\d+ (?=bytes|ms)', '# ' } |
                Should -BeExactly ($shown -replace '\b\d+ (?=bytes|ms)', '# ')
        } finally {
            Stop-Peer $server
        }
    }
}

Describe 'The badges' {
    It 'say what manifest and Cargo.toml say' {
        & $root/docs/badges/badges.ps1 -Destination $TestDrive
        $made = Get-ChildItem $TestDrive -Filter *.svg
        $made.Count | Should -Be 3
        foreach ($badge in $made) {
            Get-Content $root/docs/badges/$($badge.Name) -Raw | Should -BeExactly (Get-Content $badge -Raw) -Because 'docs/badges/badges.ps1 makes them'
            ([xml](Get-Content $badge -Raw)).svg.title | Should -Not -BeNullOrEmpty
        }
    }
}

Describe 'CONTRIBUTING.md' {
    It 'names files that exist' {
        $text = (Get-Content $root/CONTRIBUTING.md -Raw)
        $paths = [regex]::Matches($text, '`((?:crates|powershell|tests|docs|bindings|packaging)/[^`<>\s]+)`').ForEach{ $_.Groups[1].Value } | Sort-Object -Unique
        $paths.Count | Should -BeGreaterThan 15
        foreach ($path in $paths) { Join-Path $root $path | Should -Exist }
    }
}
