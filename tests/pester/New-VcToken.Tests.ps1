# New-VcToken: the request, the three sets, what it returns, and what goes wrong.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/VenafiHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $endpoint = $server.venafi.endpoint
}

AfterAll { Stop-Peer $server }

Describe 'The request' {
    BeforeEach {
        Set-VenafiToken $server
        $null = Get-SentRequest $server
    }

    It 'is a client_credentials grant with the JWT as assertion, and nothing else' {
        $jwt = New-VenafiJwt $server
        $null = New-VcToken -Endpoint $endpoint -Jwt $jwt
        $sent = Get-SentRequest $server
        $sent.Method | Should -BeExactly POST
        $sent.Headers['content-type'] | Should -BeExactly 'application/x-www-form-urlencoded'
        $sent.Headers.Keys | Should -Not -Contain authorization
        ($sent.Form.Keys | Sort-Object) -join ' ' | Should -BeExactly 'client_assertion client_assertion_type grant_type'
        $sent.Form.grant_type | Should -BeExactly client_credentials
        $sent.Form.client_assertion_type | Should -BeExactly urn:ietf:params:oauth:client-assertion-type:jwt-bearer
        $sent.Form.client_assertion | Should -BeExactly $jwt
    }

    It 'takes the JWT as <Name>' -ForEach @(
        @{ Name = 'string'; Make = { param($jwt) $jwt } }
        @{ Name = 'text with a line break, as files have it'; Make = { param($jwt) "$jwt`n" } }
        @{ Name = 'SecureString'; Make = { param($jwt) ConvertTo-SecureString $jwt -AsPlainText } }
        @{ Name = 'PSCredential'; Make = { param($jwt) [pscredential]::new('JWT', (ConvertTo-SecureString $jwt -AsPlainText)) } }
    ) {
        $jwt = New-VenafiJwt $server
        $token = New-VcToken -Endpoint $endpoint -Jwt (& $Make $jwt)
        (Get-SentRequest $server).Form.client_assertion | Should -BeExactly $jwt
        Read-Credential $token.JWT | Should -BeExactly $jwt
    }

    It 'takes a splat of texts' {
        $splat = @{ Endpoint = $endpoint; Jwt = New-VenafiJwt $server }
        (New-VcToken @splat).Endpoint | Should -BeExactly $endpoint
    }
}

Describe 'The token' {
    BeforeEach { Set-VenafiToken $server }

    It 'has Endpoint, AccessToken, JWT and Expires, in this order and of these types' {
        $token = New-VcToken -Endpoint $endpoint -Jwt (New-VenafiJwt $server)
        $token.psobject.Properties.Name -join ' ' | Should -BeExactly 'Endpoint AccessToken JWT Expires'
        $token | Should -BeOfType PSCustomObject
        $token.Endpoint | Should -BeOfType string
        $token.AccessToken | Should -BeOfType pscredential
        $token.AccessToken.UserName | Should -BeExactly AccessToken
        $token.JWT | Should -BeOfType pscredential
        $token.JWT.UserName | Should -BeExactly JWT
        $token.Expires | Should -BeOfType datetime
        $token.Expires.Kind | Should -Be Local
    }

    It 'expires as the server says, by <Name>' -ForEach @(
        @{ Name = 'expires_in'; Token = @{ lifetime = 1800 } }
        @{ Name = 'expires_in as text'; Token = @{ lifetime = 1800; expires_in = 'text' } }
        @{ Name = 'exp of the token'; Token = @{ lifetime = 1800; expires_in = 'absent'; jwt = $true } }
    ) {
        Set-VenafiToken $server $Token
        $token = New-VcToken -Endpoint $endpoint -Jwt (New-VenafiJwt $server)
        ($token.Expires - (Get-Date)).TotalMinutes | Should -BeGreaterThan 28
        ($token.Expires - (Get-Date)).TotalMinutes | Should -BeLessOrEqual 30.1
        $token.Expires -gt (Get-Date) | Should -BeTrue
    }

    It 'has no Expires when nobody says' {
        Set-VenafiToken $server @{ expires_in = 'absent' }
        (New-VcToken -Endpoint $endpoint -Jwt (New-VenafiJwt $server)).Expires | Should -BeNullOrEmpty
    }

    It 'is right in every time zone' {
        foreach ($zone in 'UTC', 'America/New_York', 'Asia/Kolkata') {
            $run = Invoke-Pwsh 'param($module, $endpoint, $jwt) Import-Module $module; $t = New-VcToken -Endpoint $endpoint -Jwt $jwt; [math]::Round(($t.Expires - (Get-Date)).TotalMinutes); Test-VcToken -Token $t -Quiet' $Module, $endpoint, (New-VenafiJwt $server) @{ TZ = $zone }
            $run.Error | Should -BeNullOrEmpty
            $run.Output.Trim() -split '\s+' -join ' ' | Should -BeExactly '60 True' -Because $zone
        }
    }
}

Describe 'Without parameters' {
    BeforeEach {
        Set-VenafiToken $server
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
    }

    It 'the session of the module gets the token, and nothing is returned' {
        $before = Read-Credential $VenafiSession.Token.AccessToken
        New-VcToken | Should -BeNullOrEmpty
        Read-Credential $VenafiSession.Token.AccessToken | Should -Not -BeExactly $before
    }

    It 'an expired access token is no hindrance' {
        $VenafiSession.Token.Expires = (Get-Date).AddDays(-1)
        New-VcToken
        $VenafiSession.Token.Expires | Should -BeGreaterThan (Get-Date)
    }

    It '-Jwt goes before the JWT of the session, which is kept then' {
        $jwt = New-VenafiJwt $server
        New-VcToken -Jwt $jwt
        Read-Credential $VenafiSession.Token.JWT | Should -BeExactly $jwt
    }

    It 'and session, it is an error that says what to do' {
        $run = Invoke-Pwsh 'param($module) Import-Module $module; try { New-VcToken } catch { $_.FullyQualifiedErrorId; $_.Exception.GetType().FullName; "$($_.Exception.Message)" }' $Module
        $run.Output | Should -Match '^no_session,'
        $run.Output | Should -Match 'System.ArgumentException'
        $run.Output | Should -Match 'New-VenafiSession'
    }

    It 'a session with an API key is an error' {
        New-VenafiSession -VcKey $server.venafi.api_key -Proxy $server.http
        Get-ErrorId (Get-Failure { New-VcToken }) | Should -BeExactly invalid_session
    }
}

Describe '-VenafiSession' {
    BeforeAll { Set-VenafiToken $server }

    BeforeEach { $session = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru }

    It 'returns the token and leaves the session as it is' {
        $before = Read-Credential $session.Token.AccessToken
        $token = New-VcToken -VenafiSession $session
        Read-Credential $token.AccessToken | Should -Not -BeExactly $before
        Read-Credential $session.Token.AccessToken | Should -BeExactly $before
    }

    It 'changes it with -UpdateSession' {
        $token = New-VcToken -VenafiSession $session -UpdateSession
        Read-Credential $session.Token.AccessToken | Should -BeExactly (Read-Credential $token.AccessToken)
    }

    It 'may have an expired JWT when -Jwt gives another' {
        $session.Token.JWT = [pscredential]::new('JWT', (ConvertTo-SecureString (New-VenafiJwt $server @{ expires_in = -600 }) -AsPlainText))
        Get-ErrorId (Get-Failure { New-VcToken -VenafiSession $session }) | Should -BeExactly assertion_expired
        $jwt = New-VenafiJwt $server
        Read-Credential (New-VcToken -VenafiSession $session -Jwt $jwt).JWT | Should -BeExactly $jwt
    }

    It 'honours TimeoutSec, and -Timeout before it' {
        $session.Token.Endpoint = "$($server.http)/slow?ms=60000"
        $session.TimeoutSec = 1
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Get-ErrorId (Get-Failure { New-VcToken -VenafiSession $session }) | Should -BeExactly timeout
        $watch.Elapsed.TotalSeconds | Should -BeGreaterThan 0.9
        $session.TimeoutSec = 3600
        Get-ErrorId (Get-Failure { New-VcToken -VenafiSession $session -Timeout 0.5 }) | Should -BeExactly timeout
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 30
    }

    It 'that is <Name> is an error' -ForEach @(
        @{ Name = 'no session'; Value = { [pscustomobject]@{ a = 1 } } }
        @{ Name = 'one without token'; Value = { [pscustomobject]@{ Platform = 'VC'; Server = 'https://vc.example' } } }
        @{ Name = 'one on premises'; Value = { [pscustomobject]@{ Platform = 'VDC'; Token = @{ Endpoint = 'https://vdc.example' } } } }
        @{ Name = 'an API key'; Value = { '7d4a2f1e-3c5b-4a8d-9e6f-0b1c2d3e4f5a' } }
    ) {
        $value = & $Value
        $null = Get-SentRequest $server
        Get-ErrorId (Get-Failure { New-VcToken -VenafiSession $value -Jwt x }) | Should -BeExactly invalid_session
        Get-SentRequest $server | Should -BeNullOrEmpty
    }
}

Describe 'An error before anything is sent' {
    It '<Id>: <Name>' -ForEach @(
        @{ Name = 'an expired JWT'; Id = 'assertion_expired'; Parameters = { @{ Jwt = New-VenafiJwt $server @{ expires_in = -3600 } } }; Match = '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC' }
        @{ Name = 'a JWT of tomorrow'; Id = 'assertion_not_yet_valid'; Parameters = { @{ Jwt = New-VenafiJwt $server @{ not_before = 3600 } } }; Match = 'not valid before' }
        @{ Name = 'no JWT'; Id = 'malformed_token'; Parameters = { @{ Jwt = 'opaque' } } }
        @{ Name = 'an encrypted JWT'; Id = 'encrypted_token'; Parameters = { @{ Jwt = 'e30.a.b.c.d' } } }
        @{ Name = 'a number as JWT'; Id = 'invalid_argument'; Parameters = { @{ Jwt = 5 } } }
        @{ Name = 'http elsewhere'; Id = 'insecure_endpoint'; Parameters = { @{ Endpoint = 'http://vc.example.test/token'; Jwt = New-VenafiJwt $server } } }
        @{ Name = 'another scheme'; Id = 'invalid_endpoint'; Parameters = { @{ Endpoint = 'ftp://vc.example.test/token'; Jwt = New-VenafiJwt $server } } }
        @{ Name = 'no address'; Id = 'invalid_endpoint'; Parameters = { @{ Endpoint = 'here'; Jwt = New-VenafiJwt $server } } }
    ) {
        $row = $_
        $bound = @{ Endpoint = $endpoint } + @{}
        foreach ($entry in (& $Parameters).GetEnumerator()) { $bound[$entry.Key] = $entry.Value }
        $null = Get-SentRequest $server
        $failure = Get-Failure { New-VcToken @bound }
        Get-ErrorId $failure | Should -BeExactly $Id
        $failure.Exception | Should -BeOfType System.ArgumentException
        $failure.CategoryInfo.Category | Should -Be ($Id -like 'assertion_*' ? 'AuthenticationError' : $Id -eq 'insecure_endpoint' ? 'SecurityError' : 'InvalidArgument')
        if ($row['Match']) { $failure.Exception.Message | Should -Match $Match }
        Get-SentRequest $server | Should -BeNullOrEmpty
    }
}

Describe 'An error answer' {
    BeforeAll { $path = ([uri]$endpoint).AbsolutePath }

    It '<Status> <Body>: <Id>' -ForEach @(
        @{ Status = 400; Body = '{"error":"invalid_request"}'; Id = 'invalid_request' }
        @{ Status = 401; Body = '{"error":"invalid_client","error_description":"no such key"}'; Id = 'invalid_client' }
        @{ Status = 403; Body = '{"errors":[{"code":10051,"message":"forbidden"}]}'; Id = 'http_error' }
        @{ Status = 429; Body = ''; Id = 'http_error' }
        @{ Status = 500; Body = '<html>'; Id = 'http_error' }
        @{ Status = 200; Body = ''; Id = 'not_json' }
        @{ Status = 200; Body = '<html>'; Id = 'not_json' }
        @{ Status = 200; Body = '[]'; Id = 'not_json_object' }
        @{ Status = 200; Body = '{"expires_in":3600}'; Id = 'missing_access_token' }
        @{ Status = 302; Body = ''; Id = 'unexpected_redirect'; Header = , @('Location', '/token') }
    ) {
        $row = $_
        $null = Set-Reply $server $path @{ status = $Status; headers = @($row['Header'] ?? @()); body = $Body; times = 1 }
        $failure = try { New-VcToken -Endpoint $endpoint -Jwt (New-VenafiJwt $server) -MaximumRetryCount 0 } catch [Microsoft.PowerShell.Commands.HttpResponseException] { $_ }
        Get-ErrorId $failure | Should -BeExactly $Id
        $failure.Exception.Response.StatusCode | Should -Be $Status
        if ($row.Status -ge 400 -and $Body) { $failure.ErrorDetails.Message | Should -BeExactly $Body }
    }

    It 'that says later is followed by another request' {
        $null = Set-Reply $server $path @{ status = 429; headers = @(, @('Retry-After', '0')); times = 2 }
        (New-VcToken -Endpoint $endpoint -Jwt (New-VenafiJwt $server)).AccessToken | Should -Not -BeNullOrEmpty
    }

    It 'leaves the session of the module as it was' {
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
        $before = $VenafiSession.Token
        $null = Set-Reply $server $path @{ status = 401; body = '{"error":"invalid_client"}'; times = 1 }
        Get-ErrorId (Get-Failure { New-VcToken }) | Should -BeExactly invalid_client
        $VenafiSession.Token | Should -Be $before
    }
}

Describe 'Certificates' {
    It 'are checked, unless the session or the environment says otherwise' {
        $secure = $endpoint.Replace($server.http, $server.https)
        $session = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        $session.Token.Endpoint = $secure
        Get-ErrorId (Get-Failure { New-VcToken -VenafiSession $session -MaximumRetryCount 0 }) | Should -BeExactly tls_failed
        (New-VcToken -VenafiSession $session -CertificateAuthority $server.certificate_authority).Endpoint | Should -BeExactly $secure
        $session.SkipCertificateCheck = $true
        (New-VcToken -VenafiSession $session -WarningVariable warnings -WarningAction SilentlyContinue).Endpoint | Should -BeExactly $secure
        "$warnings" | Should -Match certificate
        $session.SkipCertificateCheck = $false
        $env:VENAFIPS_SKIP_CERT_CHECK = '1'
        try {
            (New-VcToken -Endpoint $secure -Jwt (New-VenafiJwt $server) -WarningAction SilentlyContinue).Endpoint | Should -BeExactly $secure
        } finally {
            $env:VENAFIPS_SKIP_CERT_CHECK = $null
        }
    }
}

Describe 'The verbose stream' {
    It 'says what was granted, secrets masked' {
        Set-VenafiToken $server
        $messages = New-VcToken -Endpoint $endpoint -Jwt (New-VenafiJwt $server) -Verbose 4>&1
        "$messages" | Should -Match 'Granted: .*access_token=\*\*\*'
        "$messages" | Should -Match 'expires_in=3600'
    }
}

Describe 'Stopping' {
    It 'ends the request at once' {
        $pipeline = New-Pipeline $Module 'param($endpoint, $jwt) New-VcToken -Endpoint $endpoint -Jwt $jwt' "$($server.http)/slow?ms=60000", (New-VenafiJwt $server)
        try {
            $null = $pipeline.BeginInvoke()
            Wait-Until { (Get-OpenRequest $server) -eq 1 } 30000 | Should -BeTrue
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $pipeline.Stop()
            $watch.Elapsed.TotalSeconds | Should -BeLessThan 5
            Wait-Until { (Get-OpenRequest $server) -eq 0 } | Should -BeTrue
        } finally {
            $pipeline.Dispose()
        }
    }
}
