# New-DelegatedAccessTokenApiResult: an object of the form that the token commands return.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'A result' {
    It 'has its three members, by name, position or pipeline' {
        $token = New-DelegatedAccessToken a r 3600
        $result = New-DelegatedAccessTokenApiResult $token $true
        $result.psobject.Properties.Name -join ' ' | Should -BeExactly 'Value IsSuccess ErrorMsg'
        $result.Value | Should -Be $token
        $result.IsSuccess | Should -BeTrue
        ([pscustomobject]@{ IsSuccess = $false; ErrorMsg = 'no' } | New-DelegatedAccessTokenApiResult).ErrorMsg | Should -BeExactly no
        (New-DelegatedAccessTokenApiResult).IsSuccess | Should -BeNullOrEmpty
    }

    It 'does not show its tokens, and is read back from its own JSON' {
        $result = New-DelegatedAccessTokenApiResult (New-DelegatedAccessToken ('a' * 40) r3fresh 3600) $true
        $result | Out-String | Should -Not -Match 'a{20}|r3fresh'
        ($result | ConvertTo-Json | ConvertFrom-JsonToDelegatedAccessTokenApiResult).Value.RefreshToken | Should -BeExactly r3fresh
    }
}
