# New-PkceChallenge against RFC 7636.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'A challenge' {
    It 'is an ordered dictionary of verifier, challenge and method' {
        $pkce = New-PkceChallenge
        $pkce | Should -BeOfType System.Collections.Specialized.OrderedDictionary
        $pkce.Keys -join ' ' | Should -BeExactly 'code_verifier code_challenge code_challenge_method'
        $pkce.code_challenge_method | Should -BeExactly S256
    }

    It 'is the SHA-256 of its verifier, which has 43 to 128 unreserved characters' {
        foreach ($pkce in 1..50 | ForEach-Object { New-PkceChallenge }) {
            $pkce.code_verifier | Should -MatchExactly '^[A-Za-z0-9._~-]{43,128}$'
            $digest = [System.Security.Cryptography.SHA256]::HashData([System.Text.Encoding]::ASCII.GetBytes($pkce.code_verifier))
            $pkce.code_challenge | Should -BeExactly (ConvertTo-Base64Url $digest)
        }
    }

    It 'is another one each time' {
        @(1..100 | ForEach-Object { (New-PkceChallenge).code_verifier } | Select-Object -Unique).Count | Should -Be 100
    }
}
