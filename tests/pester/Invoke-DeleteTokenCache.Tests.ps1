# Invoke-DeleteTokenCache: the request, and that nothing comes back.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/GovernanceHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
}

AfterAll { Stop-Peer $server }

Describe 'Deleting the cache' {
    BeforeEach {
        Set-Governance $server
        $null = Get-SentRequest $server
    }

    It 'sends the credential with DELETE, and returns nothing' {
        Invoke-DeleteTokenCache -ApiCredential (New-TestCredential) | Should -BeNullOrEmpty
        $sent = Get-SentRequest $server
        $sent.Method | Should -BeExactly DELETE
        $sent.Path | Should -BeExactly /governance/admin/auth/token/cache
        $sent.Headers['accept'] | Should -BeExactly application/json
        $sent.Headers['content-type'] | Should -BeExactly application/json
        $sent.Body | Should -BeExactly '{"ClientSecret":"MyClientSecret","UserPrincipalName":"MyUserPrincipalName"}'
    }

    It 'takes the credential from the pipeline or as hashtable' {
        New-TestCredential | Invoke-DeleteTokenCache
        Invoke-DeleteTokenCache @{ ClientSecret = 'MyClientSecret'; UserPrincipalName = 'MyUserPrincipalName' }
        @(Get-SentRequest $server).Count | Should -Be 2
    }

    It 'makes the refresh tokens of the user useless' {
        $result = Get-DelegateAccessToken (New-TestCredential)
        Invoke-DeleteTokenCache (New-TestCredential)
        (Get-Failure { Invoke-RefreshUserAccessToken $result.Value.RefreshToken }).Exception.Response.StatusCode | Should -Be 401
    }

    It 'has a status with -WithHttpInfo' {
        $http = Invoke-DeleteTokenCache (New-TestCredential) -WithHttpInfo
        $http.StatusCode | Should -Be 200
        $http.Response | Should -BeNullOrEmpty
    }

    It 'sends nothing with -WhatIf' {
        Invoke-DeleteTokenCache (New-TestCredential) -WhatIf
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'is an error without credential, or when the service says no' {
        Get-ErrorId (Get-Failure { Invoke-DeleteTokenCache }) | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
        Set-GovernanceReply $server /admin/auth/token/cache (New-GovernanceReply 403 @{ ErrorMsg = 'no administrator' })
        $failure = Get-Failure { Invoke-DeleteTokenCache (New-TestCredential) }
        ($failure.ErrorDetails | ConvertFrom-Json).ErrorMsg | Should -BeExactly 'no administrator'
        $failure.CategoryInfo.Category | Should -BeExactly PermissionDenied
    }
}
