# Invoke-RefreshUserAccessToken: the request, where the token comes from, and what goes wrong.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/GovernanceHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $path = '/auth/token/refresh'
}

AfterAll { Stop-Peer $server }

Describe 'The request' {
    BeforeEach {
        Set-Governance $server
        $result = Get-DelegateAccessToken (New-TestCredential)
        $token = $result.Value.RefreshToken
        $null = Get-SentRequest $server
    }

    It 'has the token in a header, and no body' {
        $new = Invoke-RefreshUserAccessToken -RefreshToken $token
        $sent = Get-SentRequest $server
        $sent.Method | Should -BeExactly POST
        $sent.Path | Should -BeExactly "/governance$path"
        $sent.Headers['refresh_token'] | Should -BeExactly $token
        $sent.Headers['accept'] | Should -BeExactly application/json
        $sent.Headers['clientsecret'] | Should -BeExactly 'eyJ...'
        $sent.Headers['x-cloud-governance-jsoncontract'] | Should -BeExactly PascalCase
        $sent.Headers.Keys | Should -Not -Contain content-type
        $sent.Body | Should -BeNullOrEmpty
        $new.psobject.Properties.Name -join ' ' | Should -BeExactly 'Value IsSuccess ErrorMsg'
        $new.Value.AccessToken | Should -Not -BeExactly $result.Value.AccessToken
    }

    It 'takes the token from <Name>' -ForEach @(
        @{ Name = 'a text by position'; Call = { Invoke-RefreshUserAccessToken $token } }
        @{ Name = 'a text piped'; Call = { $token | Invoke-RefreshUserAccessToken } }
        @{ Name = 'a SecureString'; Call = { Invoke-RefreshUserAccessToken (ConvertTo-SecureString $token -AsPlainText) } }
        @{ Name = 'a PSCredential'; Call = { Invoke-RefreshUserAccessToken ([pscredential]::new('x', (ConvertTo-SecureString $token -AsPlainText))) } }
        @{ Name = 'Value piped'; Call = { $result.Value | Invoke-RefreshUserAccessToken } }
        @{ Name = 'the whole result piped'; Call = { $result | Invoke-RefreshUserAccessToken } }
        @{ Name = 'the whole result as argument'; Call = { Invoke-RefreshUserAccessToken $result } }
        @{ Name = 'a result with HTTP information'; Call = { @{ Response = $result; StatusCode = 200 } | Invoke-RefreshUserAccessToken } }
        @{ Name = 'an object with that property'; Call = { [pscustomobject]@{ RefreshToken = $token } | Invoke-RefreshUserAccessToken } }
        @{ Name = 'a row of a CSV file'; Call = { Set-Content "$TestDrive/t.csv" "RefreshToken`n$token"; Import-Csv "$TestDrive/t.csv" | Invoke-RefreshUserAccessToken } }
    ) {
        (& $Call).IsSuccess | Should -BeTrue
        (Get-SentRequest $server).Headers['refresh_token'] | Should -BeExactly $token
    }

    It 'asks for -ReturnType text/plain, and returns text then' {
        Invoke-RefreshUserAccessToken $token -ReturnType text/plain | Should -BeOfType string
        (Get-SentRequest $server).Headers['accept'] | Should -BeExactly text/plain
    }

    It 'without keys of the configuration with -NoApiKey' {
        (Invoke-RefreshUserAccessToken $token -NoApiKey).IsSuccess | Should -BeTrue
        (Get-SentRequest $server).Headers.Keys | Should -Not -Contain clientsecret
    }

    It 'has status and headers with -WithHttpInfo' {
        $http = Invoke-RefreshUserAccessToken $token -WithHttpInfo
        $http['StatusCode'], $http['Response'].IsSuccess | Should -Be 200, $true
    }
}

Describe 'A missing token' {
    It 'is an error before anything is sent: <Name>' -ForEach @(
        @{ Name = 'none'; Call = { Invoke-RefreshUserAccessToken } }
        @{ Name = 'an empty text'; Call = { Invoke-RefreshUserAccessToken '' } }
        @{ Name = 'a result that says no'; Call = { New-DelegatedAccessTokenApiResult -IsSuccess $false | Invoke-RefreshUserAccessToken } }
        @{ Name = 'an object without one'; Call = { [pscustomobject]@{ a = 1 } | Invoke-RefreshUserAccessToken } }
        @{ Name = 'a number'; Call = { Invoke-RefreshUserAccessToken 5 } }
    ) {
        Set-Governance $server
        $null = Get-SentRequest $server
        $failure = try { & $Call 2>&1 } catch { $_ }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }
}

Describe 'An error answer' {
    BeforeEach { Set-Governance $server }

    It '<Status> reaches the script' -ForEach @{ Status = 400 }, @{ Status = 401 }, @{ Status = 403 }, @{ Status = 429 }, @{ Status = 500 } {
        Set-GovernanceReply $server $path (New-GovernanceReply $Status @{ Value = $null; IsSuccess = $false; ErrorMsg = 'no' })
        $failure = Get-Failure { Invoke-RefreshUserAccessToken r3fresh -MaximumRetryCount 0 }
        ($failure.ErrorDetails | ConvertFrom-Json).ErrorMsg | Should -BeExactly no
        $failure.Exception.Response.StatusCode | Should -Be $Status
    }

    It 'is not answered with the same token again: it may be used up' {
        Set-GovernanceReply $server $path @{ status = 500 }
        $null = Get-SentRequest $server
        $null = Get-Failure { Invoke-RefreshUserAccessToken r3fresh }
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'of a token that was used is one' {
        $token = (Get-DelegateAccessToken (New-TestCredential)).Value.RefreshToken
        $null = Invoke-RefreshUserAccessToken $token
        (Get-Failure { Invoke-RefreshUserAccessToken $token }).Exception.Response.StatusCode | Should -Be 401
    }

    It 'with success and IsSuccess false is a result with a warning' {
        Set-GovernanceReply $server $path (New-GovernanceReply 200 @{ Value = $null; IsSuccess = $false; ErrorMsg = 'too old' })
        $result = Invoke-RefreshUserAccessToken r3fresh -WarningVariable warnings -WarningAction SilentlyContinue
        $result.ErrorMsg | Should -BeExactly 'too old'
        "$warnings" | Should -Match 'too old'
    }
}
