# New-DelegatedAccessToken: an object of the form that the service returns.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'A delegated token' {
    It 'has its three members, by name, position or pipeline' {
        $token = New-DelegatedAccessToken a r 3600
        $token.psobject.Properties.Name -join ' ' | Should -BeExactly 'AccessToken RefreshToken Duration'
        $token.AccessToken, $token.RefreshToken | Should -BeExactly a, r
        $token.Duration | Should -BeOfType long
        ([pscustomobject]@{ Duration = '5'; AccessToken = 'x' } | New-DelegatedAccessToken).Duration | Should -Be 5
        (New-DelegatedAccessToken).Duration | Should -BeNullOrEmpty
    }

    It 'does not show itself, and is read back from its own JSON' {
        $token = New-DelegatedAccessToken ('a' * 40) r3fresh 3600
        $token | Out-String | Should -Not -Match 'a{20}|r3fresh'
        ($token | ConvertTo-Json | ConvertFrom-JsonToDelegatedAccessToken).RefreshToken | Should -BeExactly r3fresh
    }
}
