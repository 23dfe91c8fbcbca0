# Get-DelegateAccessToken: the request, how the configuration shapes it, the result, and what goes wrong.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/GovernanceHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $path = '/auth/token/delegate'
}

AfterAll { Stop-Peer $server }

Describe 'The request' {
    BeforeEach {
        Set-Governance $server
        $null = Get-SentRequest $server
    }

    It 'is what the service wants, and no more' {
        $null = Get-DelegateAccessToken -ApiCredential (New-TestCredential)
        $sent = Get-SentRequest $server
        $sent.Method | Should -BeExactly POST
        $sent.Path | Should -BeExactly "/governance$path"
        $sent.Headers['content-type'] | Should -BeExactly application/json
        $sent.Headers['accept'] | Should -BeExactly application/json
        $sent.Headers['clientsecret'] | Should -BeExactly 'eyJ...'
        $sent.Headers['userprincipalname'] | Should -BeExactly someone@example.com
        $sent.Headers['x-cloud-governance-jsoncontract'] | Should -BeExactly PascalCase
        $sent.Headers['user-agent'] | Should -Match '^\(sdk/powershell/\d+\.\d+\.\d+\)$'
        $body = $sent.Body | ConvertFrom-Json
        $body.psobject.Properties.Name -join ' ' | Should -BeExactly 'ClientSecret UserPrincipalName'
        $body.ClientSecret | Should -BeExactly MyClientSecret
        $body.UserPrincipalName | Should -BeExactly MyUserPrincipalName
    }

    It 'takes the credential as <Name>' -ForEach @(
        @{ Name = 'an object by name'; Call = { Get-DelegateAccessToken -ApiCredential (New-TestCredential) } }
        @{ Name = 'an object by position'; Call = { Get-DelegateAccessToken (New-TestCredential) } }
        @{ Name = 'an object piped'; Call = { New-TestCredential | Get-DelegateAccessToken } }
        @{ Name = 'a property of an object piped'; Call = { [pscustomobject]@{ ApiCredential = New-TestCredential } | Get-DelegateAccessToken } }
        @{ Name = 'a hashtable'; Call = { Get-DelegateAccessToken @{ ClientSecret = 'MyClientSecret'; UserPrincipalName = 'MyUserPrincipalName' } } }
        @{ Name = 'an ordered hashtable piped'; Call = { [ordered]@{ ClientSecret = 'MyClientSecret'; UserPrincipalName = 'MyUserPrincipalName' } | Get-DelegateAccessToken } }
        @{ Name = 'an object of the script'; Call = { Get-DelegateAccessToken ([pscustomobject]@{ ClientSecret = 'MyClientSecret'; UserPrincipalName = 'MyUserPrincipalName' }) } }
        @{ Name = 'a SecureString in it'; Call = { Get-DelegateAccessToken (New-ApiCredential (ConvertTo-SecureString MyClientSecret -AsPlainText) MyUserPrincipalName) } }
        @{ Name = 'a PSCredential'; Call = { Get-DelegateAccessToken ([pscredential]::new('MyUserPrincipalName', (ConvertTo-SecureString MyClientSecret -AsPlainText))) } }
        @{ Name = 'a PSCredential in it'; Call = { New-ApiCredential ([pscredential]::new('MyUserPrincipalName', (ConvertTo-SecureString MyClientSecret -AsPlainText))) | Get-DelegateAccessToken } }
    ) {
        $result = & $Call
        $result.IsSuccess | Should -BeTrue
        $body = (Get-SentRequest $server).Body | ConvertFrom-Json
        $body.ClientSecret, $body.UserPrincipalName | Should -BeExactly 'MyClientSecret', 'MyUserPrincipalName'
    }

    It 'keeps letters beyond ASCII, quotes and backslashes' {
        $secret = $server.governance.credentials[2]
        (Get-DelegateAccessToken (New-ApiCredential $secret.client_secret $secret.user_principal_name)).IsSuccess | Should -BeTrue
    }

    It 'has further members of the credential, of any kind' {
        Set-GovernanceReply $server $path (New-GovernanceReply 200 @{ IsSuccess = $true })
        $null = Get-DelegateAccessToken ([pscustomobject]@{ ClientSecret = 's'; UserPrincipalName = ''; Number = 1.5; Flag = $true; Nothing = $null; Nested = @{ List = 1, 'b' } })
        (Get-SentRequest $server).Body | Should -BeExactly '{"ClientSecret":"s","UserPrincipalName":"","Number":1.5,"Flag":true,"Nothing":null,"Nested":{"List":[1,"b"]}}'
    }

    It 'asks for -ReturnType <_>' -ForEach 'text/plain', 'application/json' {
        $null = Get-DelegateAccessToken (New-TestCredential) -ReturnType $_
        (Get-SentRequest $server).Headers['accept'] | Should -BeExactly $_
    }

    It 'refuses another -ReturnType' {
        Get-ErrorId (Get-Failure { Get-DelegateAccessToken (New-TestCredential) -ReturnType text/html }) | Should -BeExactly ParameterArgumentValidationError
    }
}

Describe 'The configuration' {
    BeforeEach {
        Set-Governance $server
        $configuration = Get-GovernanceConfiguration
        $null = Get-SentRequest $server
    }

    It 'joins BaseUrl and path with one slash: <_>' -ForEach '', '/', '//' {
        $configuration.BaseUrl += $_
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        (Get-SentRequest $server).Path | Should -BeExactly "/governance$path"
    }

    It 'with BaseUrl <Value> is an error before anything is sent: <Id>' -ForEach @(
        @{ Value = $null; Id = 'missing_base_url' }
        @{ Value = ''; Id = 'missing_base_url' }
        @{ Value = 'here'; Id = 'invalid_endpoint' }
        @{ Value = 'ftp://gov.example.test'; Id = 'invalid_endpoint' }
        @{ Value = 'https://gov.example.test/api?x=1'; Id = 'invalid_endpoint' }
        @{ Value = 'https://gov.example.test/api#x'; Id = 'invalid_endpoint' }
        @{ Value = 'https://user:c4nary@gov.example.test'; Id = 'invalid_endpoint' }
        @{ Value = 'http://gov.example.test'; Id = 'insecure_endpoint' }
    ) {
        $configuration.BaseUrl = $Value
        $failure = Get-Failure { Get-DelegateAccessToken (New-TestCredential) }
        Get-ErrorId $failure | Should -BeExactly $Id
        if ($Id -eq 'missing_base_url') { "$($failure.Exception.Message) $($failure.ErrorDetails.RecommendedAction)" | Should -Match BaseUrl }
        $failure | Format-List * -Force | Out-String | Should -Not -Match c4nary
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'leaves out keys that are <Name>' -ForEach @(
        @{ Name = 'empty'; Change = { $configuration.ApiKey.clientSecret = ''; $configuration.ApiKey.userPrincipalName = '' } }
        @{ Name = 'not there'; Change = { $configuration.ApiKey.Clear() } }
        @{ Name = 'unwanted'; Parameters = @{ NoApiKey = $true } }
    ) {
        if ($_['Change']) { & $Change }
        $more = $_['Parameters'] ?? @{}
        (Get-DelegateAccessToken (New-TestCredential) @more).IsSuccess | Should -BeTrue
        $sent = Get-SentRequest $server
        $sent.Headers.Keys | Should -Not -Contain clientsecret
        $sent.Headers.Keys | Should -Not -Contain userprincipalname
    }

    It 'may hold keys as SecureString' {
        $configuration.ApiKey.clientSecret = ConvertTo-SecureString 'eyJ...' -AsPlainText
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        (Get-SentRequest $server).Headers['clientsecret'] | Should -BeExactly 'eyJ...'
    }

    It 'has the last word by DefaultHeaders' {
        Set-GovernanceReply $server $path (New-GovernanceReply 200 @{ IsSuccess = $true })
        $configuration.DefaultHeaders['accept'] = 'text/plain'
        $configuration.DefaultHeaders['ClientSecret'] = 'another'
        $configuration.DefaultHeaders['Authorization'] = ConvertTo-SecureString 'Bearer t' -AsPlainText
        $configuration.DefaultHeaders['X-Trace'] = 7
        $null = Get-DelegateAccessToken (New-TestCredential)
        $sent = Get-SentRequest $server
        $sent.Headers['accept'], $sent.Headers['clientsecret'], $sent.Headers['authorization'], $sent.Headers['x-trace'] | Should -BeExactly text/plain, another, 'Bearer t', '7'
    }

    It 'never sends prefix, user, password, cookie or access token' {
        $configuration.ApiKeyPrefix.clientSecret = 'Bearer'
        $configuration.Username = $configuration.Password = $configuration.Cookie = $configuration.AccessToken = 'never'
        $null = Get-DelegateAccessToken (New-TestCredential)
        $sent = Get-SentRequest $server
        $sent.Headers['clientsecret'] | Should -BeExactly 'eyJ...'
        $sent.Headers.Values -join ' ' | Should -Not -Match never
    }

    It 'may name a proxy, as <Name>' -ForEach @(
        @{ Name = 'text'; Make = { $server.http } }
        @{ Name = 'Uri'; Make = { [uri]$server.http } }
        @{ Name = 'WebProxy'; Make = { [System.Net.WebProxy]::new($server.http) } }
        @{ Name = 'WebProxy with credentials'; Credential = $true; Make = {
                $null = Invoke-Control $server Post proxy @{ username = 'me'; password = 'pass' }
                [System.Net.WebProxy]@{ Address = $server.http; Credentials = [System.Net.NetworkCredential]::new('me', 'pass') } } }
    ) {
        try {
            $configuration.Proxy = & $Make
            Set-GovernanceReply $server $path (New-GovernanceReply 200 @{ IsSuccess = $true })
            $null = Get-DelegateAccessToken (New-TestCredential)
            $sent = Get-SentRequest $server
            $sent.ViaProxy | Should -BeTrue
            if ($_['Credential']) { $sent.ProxyAuthorization | Should -BeExactly "Basic $([Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes('me:pass')))" }
        } finally {
            $null = Invoke-Control $server Post reset
        }
    }

    It 'may say that a WebProxy leaves addresses out' {
        $configuration.Proxy = [System.Net.WebProxy]::new('http://127.0.0.1:1', $true)
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
    }

    It 'checks certificates, unless SkipCertificateCheck says otherwise' {
        $configuration.BaseUrl = $configuration.BaseUrl.Replace($server.http, $server.https)
        Get-ErrorId (Get-Failure { Get-DelegateAccessToken (New-TestCredential) -MaximumRetryCount 0 }) | Should -BeExactly tls_failed
        (Get-DelegateAccessToken (New-TestCredential) -CertificateAuthority $server.certificate_authority).IsSuccess | Should -BeTrue
        $configuration.SkipCertificateCheck = $true
        (Get-DelegateAccessToken (New-TestCredential) -WarningVariable warnings -WarningAction SilentlyContinue).IsSuccess | Should -BeTrue
        "$warnings" | Should -Match certificate
    }
}

Describe 'The result' {
    BeforeEach { Set-Governance $server }

    It 'has Value, IsSuccess and ErrorMsg, and Value has its three' {
        $result = Get-DelegateAccessToken (New-TestCredential)
        $result | Should -BeOfType PSCustomObject
        $result.psobject.Properties.Name -join ' ' | Should -BeExactly 'Value IsSuccess ErrorMsg'
        $result.Value.psobject.Properties.Name -join ' ' | Should -BeExactly 'AccessToken RefreshToken Duration'
        $result.IsSuccess | Should -BeOfType bool
        $result.ErrorMsg | Should -BeNullOrEmpty
        $result.Value.AccessToken | Should -BeOfType string
        $result.Value.RefreshToken | Should -BeOfType string
        $result.Value.Duration | Should -BeOfType long
    }

    It 'masks its tokens when it is displayed, also among other objects' {
        $result = Get-DelegateAccessToken (New-TestCredential)
        $text = [pscustomobject]@{ a = 1; b = 2; c = 3; d = 4; e = 5 }, $result, $result.Value | Out-String
        $text | Should -Match IsSuccess
        foreach ($secret in $result.Value.AccessToken, $result.Value.RefreshToken) { $text | Should -Not -Match ([regex]::Escape($secret)) }
        "$result $($result.Value)" | Should -BeExactly 'TokenKit.DelegatedAccessTokenApiResult TokenKit.DelegatedAccessToken'
    }

    It 'is one for each piped credential, in order; one failure does not stop the others' {
        $credentials = (New-TestCredential), (New-ApiCredential wrong wrong), (New-TestCredential)
        $results = $credentials | Get-DelegateAccessToken -ErrorVariable problems -ErrorAction SilentlyContinue
        $results.Count | Should -Be 2
        $problems.Count | Should -Be 1
    }

    It 'has status and headers with -WithHttpInfo' {
        $http = Get-DelegateAccessToken (New-TestCredential) -WithHttpInfo
        $http | Should -BeOfType hashtable
        $http['StatusCode'] | Should -BeOfType int
        $http['StatusCode'] | Should -Be 200
        $http['Headers']['Content-Type'] | Should -Match json
        $http['Headers'].Values | ForEach-Object { , $_ | Should -BeOfType string[] }
        $http['Response'].Value.AccessToken | Should -Not -BeNullOrEmpty
        [math]::Abs(((Get-Date) - $http['ReceivedAt']).TotalMinutes) | Should -BeLessThan 5
    }

    It 'is a text for text/plain with -ReturnType, and an object without' {
        $body = @{ Value = $null; IsSuccess = $true; ErrorMsg = $null }
        Get-DelegateAccessToken (New-TestCredential) -ReturnType text/plain | Should -BeOfType string
        Set-GovernanceReply $server $path (New-GovernanceReply 200 $body text/plain)
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        Set-GovernanceReply $server $path @{ headers = @(, @('Content-Type', 'text/plain')); body = 'just a text' }
        Get-DelegateAccessToken (New-TestCredential) | Should -BeExactly 'just a text'
    }

    It 'that says no is returned with a warning' {
        Set-GovernanceReply $server $path (New-GovernanceReply 200 @{ Value = $null; IsSuccess = $false; ErrorMsg = 'no license' })
        $result = Get-DelegateAccessToken (New-TestCredential) -WarningVariable warnings -WarningAction SilentlyContinue
        $result.IsSuccess | Should -BeFalse
        $result.ErrorMsg | Should -BeExactly 'no license'
        "$warnings" | Should -Match 'no license'
    }

    It 'is nothing for an empty answer' {
        Set-GovernanceReply $server $path @{ status = 200 }
        Get-DelegateAccessToken (New-TestCredential) | Should -BeNullOrEmpty
        Set-GovernanceReply $server $path @{ status = 204 }
        $http = Get-DelegateAccessToken (New-TestCredential) -WithHttpInfo
        $http.StatusCode | Should -Be 204
        $http.Response | Should -BeNullOrEmpty
    }
}

Describe 'A missing credential' {
    It 'is an error before anything is sent: <Name>' -ForEach @(
        @{ Name = 'none'; Call = { Get-DelegateAccessToken } }
        @{ Name = 'null'; Call = { Get-DelegateAccessToken -ApiCredential $null } }
        @{ Name = 'an empty hashtable'; Call = { Get-DelegateAccessToken @{} } }
        @{ Name = 'a text'; Call = { Get-DelegateAccessToken MyClientSecret } }
        @{ Name = 'a number'; Call = { Get-DelegateAccessToken 5 } }
    ) {
        Set-Governance $server
        $null = Get-SentRequest $server
        $failure = try { & $Call } catch [System.Management.Automation.RuntimeException] { $_ }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
        $failure.Exception.psobject.Properties['Response'] | Should -BeNullOrEmpty
        Get-SentRequest $server | Should -BeNullOrEmpty
    }
}

Describe 'An error answer' {
    BeforeEach { Set-Governance $server }

    It '<Status> <Body>: <Id>' -ForEach @(
        @{ Status = 400; Body = '{"Value":null,"IsSuccess":false,"ErrorMsg":"bad"}'; Id = 'http_error'; Category = 'ProtocolError' }
        @{ Status = 401; Body = '{"Value":null,"IsSuccess":false,"ErrorMsg":"unknown"}'; Id = 'http_error'; Category = 'AuthenticationError' }
        @{ Status = 403; Body = '{"ErrorMsg":"no role"}'; Id = 'http_error'; Category = 'PermissionDenied' }
        @{ Status = 404; Body = 'not here'; Id = 'http_error'; Category = 'ObjectNotFound' }
        @{ Status = 429; Body = ''; Id = 'http_error'; Category = 'LimitsExceeded' }
        @{ Status = 500; Body = '{"ErrorMsg":"down"}'; Id = 'http_error'; Category = 'ResourceUnavailable' }
        @{ Status = 503; Body = '<html>'; Id = 'http_error'; Category = 'ResourceUnavailable' }
    ) {
        Set-GovernanceReply $server $path @{ status = $Status; headers = @(@('Content-Type', 'application/json'), @('X-Request-Id', '7')); body = $Body }
        $failure = try { Get-DelegateAccessToken (New-TestCredential) -MaximumRetryCount 0 } catch [Microsoft.PowerShell.Commands.HttpResponseException] { $_ }
        Get-ErrorId $failure | Should -BeExactly $Id
        $failure.CategoryInfo.Category | Should -BeExactly $Category
        $failure.Exception.Response | Should -BeOfType System.Net.Http.HttpResponseMessage
        $failure.Exception.Response.StatusCode | Should -Be ([System.Net.HttpStatusCode]$Status)
        if ($Body) { $failure.ErrorDetails.Message | Should -BeExactly $Body }
        $headers = $failure.Exception.Response.Headers | ConvertTo-Json | ConvertFrom-Json
        ($headers | Where-Object Key -EQ X-Request-Id).Value | Should -BeExactly 7
    }

    It 'that says JSON and is none, is one: <_>' -ForEach '<html>', '{"Value":', '"' {
        Set-GovernanceReply $server $path @{ headers = @(, @('Content-Type', 'application/json')); body = $_ }
        Get-ErrorId (Get-Failure { Get-DelegateAccessToken (New-TestCredential) }) | Should -BeExactly not_json
    }

    It 'is not followed to another address' {
        Set-GovernanceReply $server $path @{ status = 307; headers = @(, @('Location', '/elsewhere')) }
        $null = Get-SentRequest $server
        Get-ErrorId (Get-Failure { Get-DelegateAccessToken (New-TestCredential) }) | Should -BeExactly unexpected_redirect
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'of a passing kind is followed by another request' {
        $null = Set-Reply $server "/governance$path" @{ status = 503; headers = @(, @('Retry-After', '0')); times = 2 }
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
    }

    It 'stops a script without try, and not one with -ErrorAction SilentlyContinue or Continue' {
        $run = Invoke-Pipeline $Module 'param($base) Set-GovernanceConfiguration -BaseUrl $base; Get-DelegateAccessToken @{ ClientSecret = "x"; UserPrincipalName = "y" }; "after"' $server.governance.base_url
        $run.Output | Should -BeNullOrEmpty
        $run.Thrown | Should -Not -BeNullOrEmpty
        Get-DelegateAccessToken @{ ClientSecret = 'x'; UserPrincipalName = 'y' } -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $run = Invoke-Pipeline $Module 'param($base) Set-GovernanceConfiguration -BaseUrl $base; Get-DelegateAccessToken @{ ClientSecret = "x"; UserPrincipalName = "y" } -ErrorAction Continue; "after"' $server.governance.base_url
        $run.Output | Should -BeExactly after
        $run.Streams.Error.Count | Should -Be 1
    }
}
