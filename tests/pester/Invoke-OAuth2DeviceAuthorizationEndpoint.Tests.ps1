# The device flow: what is sent, what the user is shown, and the three ways to the token. The user is the test, by the
# control endpoints of tokenkit-testserver.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/SignInHelpers.ps1
    Import-Module $Module
    $kept = Suspend-Attendance
    $server = Start-Peer $TestServer
    $device_endpoint = "$($server.http)/device_authorization"
    $token_endpoint = "$($server.http)/token"

    function Invoke-WithEnvironment([hashtable] $Variables, [scriptblock] $Script) {
        $before = @{}
        foreach ($name in $Variables.Keys) {
            $before[$name] = [Environment]::GetEnvironmentVariable($name)
            [Environment]::SetEnvironmentVariable($name, $Variables[$name])
        }
        try { & $Script } finally { foreach ($name in $before.Keys) { [Environment]::SetEnvironmentVariable($name, $before[$name]) } }
    }

    # What happens before a person who answers as soon as the code is shown. `$device_endpoint` and `$token_endpoint` are
    # variables of the script, too.
    function Invoke-Attended([string] $Script, [string] $Action = 'approve', [int] $After = 0) {
        $person = [TokenKit.Tests.PersonHost]::new()
        $pipeline = New-AttendedPipeline $Module $person "param(`$device_endpoint, `$token_endpoint, `$server) $Script" $device_endpoint, $token_endpoint, $server
        try {
            $running = $pipeline.BeginInvoke()
            Wait-Until { $person.Screen -match 'WARNING: .*\b[A-Z]{4}-[A-Z]{4}\b' } | Should -BeTrue
            $user_code = [regex]::Match($person.Screen, '\b[B-Z]{4}-[B-Z]{4}\b').Value
            Start-Sleep -Milliseconds $After
            if ($Action) { $null = Invoke-Control $server Post device @{ user_code = $user_code; action = $Action } }
            $thrown = $null
            $output = try { $pipeline.EndInvoke($running) } catch { $thrown = $_.Exception.InnerException.ErrorRecord }
            [pscustomobject]@{ Output = @($output); Thrown = $thrown; Screen = $person.Screen; Progress = @($person.Progress); UserCode = $user_code }
        } finally {
            Remove-AttendedPipeline $pipeline
        }
    }
}

AfterAll {
    Stop-Peer $server
    Restore-Attendance $kept
}

Describe 'The request' {
    BeforeEach { $null = Get-SentRequest $server }

    It 'is a POST with client_id and scope as form (RFC 8628 section 3.1)' {
        $null = deviceauth $device_endpoint -client_id public-client -scope 'openid mail' -WarningAction Ignore
        $sent = Get-SentRequest $server
        $sent.Method | Should -BeExactly POST
        $sent.Headers['content-type'] | Should -BeExactly application/x-www-form-urlencoded
        ($sent.Form.Keys | Sort-Object) -join ' ' | Should -BeExactly 'client_id scope'
        $sent.Form.client_id, $sent.Form.scope | Should -BeExactly 'public-client', 'openid mail'
    }

    It 'authenticates the client by <Name>' -ForEach @(
        @{ Name = 'its secret'; Parameters = @{ client_secret = 'demo-secret' } }
        @{ Name = 'its secret as SecureString in the header'; Parameters = @{ client_secret = ConvertTo-SecureString demo-secret -AsPlainText; client_auth_method = 'client_secret_basic' } }
        @{ Name = 'its secret as PSCredential'; Parameters = @{ client_secret = [pscredential]::new('x', (ConvertTo-SecureString demo-secret -AsPlainText)) } }
    ) {
        (deviceauth $device_endpoint -client_id demo-client @Parameters -WarningAction Ignore).device_code | Should -Not -BeNullOrEmpty
    }

    It 'authenticates the client by its key' {
        $uri = Set-Reply $server /canned/device (New-JsonReply 200 @{ device_code = 'd'; user_code = 'u'; verification_uri = 'https://as.example/d'; expires_in = 60 })
        $rsa = [System.Security.Cryptography.RSA]::Create(2048)
        $null = deviceauth $uri -client_id app -client_certificate $rsa -key_id k1 -AssertionAlgorithm PS256 -AssertionAudience https://as.example -AssertionLifetime 60 -WarningAction Ignore
        $assertion = Read-Jwt (Get-SentRequest $server).Form.client_assertion
        $assertion.Header.alg, $assertion.Header.kid | Should -BeExactly 'PS256', 'k1'
        $assertion.Claims.aud, $assertion.Claims.iss | Should -BeExactly 'https://as.example', 'app'
        $assertion.Claims.exp - $assertion.Claims.iat | Should -Be 60
    }

    It 'takes headers and further fields' {
        $uri = Set-Reply $server /canned/device (New-JsonReply 200 @{ device_code = 'd'; user_code = 'u'; verification_uri = 'https://as.example/d'; expires_in = 60 })
        $null = deviceauth $uri -client_id public-client -customHeaders @{ 'X-A' = '1' } -AdditionalParameters @{ resource = 'urn:a', 'urn:b' } -WarningAction Ignore
        $sent = Get-SentRequest $server
        $sent.Headers['x-a'] | Should -BeExactly 1
        $sent.Form.resource | Should -BeExactly 'urn:a', 'urn:b'
    }

    It 'may be abbreviated as far as the original allowed' {
        (deviceauth -u $device_endpoint -c public-client -s openid -WarningAction Ignore).user_code | Should -Not -BeNullOrEmpty
        (Invoke-DeviceAuthorizationEndpoint $device_endpoint -client_ public-client -WarningAction Ignore).user_code | Should -Not -BeNullOrEmpty
    }

    It 'that is refused is an error with the server''s JSON' {
        $failure = Get-Failure { deviceauth $device_endpoint -client_id nobody }
        Get-ErrorId $failure | Should -BeExactly invalid_client
        ($failure.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly invalid_client
        [int]$failure.Exception.Response.StatusCode | Should -BeIn 400, 401
    }

    It 'does not get its secret shown by a server that repeats it' {
        $secret = 's3cret-of-the-client+/&='
        $uri = Set-Reply $server /canned/echo @{ status = 400; headers = @(, @('Content-Type', 'application/json')); body = ConvertTo-Json @{ error = 'invalid_request'; error_description = "you sent $secret" } }
        $run = Invoke-Pipeline $Module 'param($uri, $secret) deviceauth $uri -client_id app -client_secret $secret -Verbose -Debug' $uri, $secret
        $text = @($run.Thrown | Get-Error | Out-String; $run.Thrown | Format-List * -Force | Out-String; "$($run.Streams.Verbose) $($run.Streams.Debug)") -join ' '
        $text | Should -Match 'you sent'
        $text.Contains($secret) | Should -BeFalse
        $text.Contains([System.Net.WebUtility]::UrlEncode($secret)) | Should -BeFalse
    }

    It 'that is answered without a code is an error' {
        $uri = Set-Reply $server /canned/none (New-JsonReply 200 @{ user_code = 'u' })
        Get-ErrorId (Get-Failure { deviceauth $uri -client_id app }) | Should -BeExactly malformed_device_authorization
    }
}

Describe 'The reply' {
    It 'is the server''s, with a message that is also a warning' {
        $run = Invoke-Pipeline $Module 'param($uri) deviceauth $uri -client_id public-client' $device_endpoint
        $reply = $run.Output[0]
        ($reply.psobject.Properties.Name) -join ' ' | Should -BeExactly 'device_code user_code verification_uri verification_uri_complete expires_in interval message'
        $reply.expires_in | Should -BeOfType long
        $reply.message | Should -Match ([regex]::Escape($reply.user_code))
        $reply.message | Should -Match ([regex]::Escape($reply.verification_uri))
        "$($run.Streams.Warning)" | Should -BeExactly $reply.message
    }

    It 'keeps the server''s own message and what else it holds' {
        $uri = Set-Reply $server /canned/microsoft (New-JsonReply 200 @{ device_code = 'd'; user_code = 'ABC'; verification_url = 'https://as.example/d'; expires_in = '900'; message = 'Go there.'; extra = @{ a = 1 } })
        $run = Invoke-Pipeline $Module 'param($uri) deviceauth $uri -client_id app' $uri
        "$($run.Streams.Warning)" | Should -BeExactly 'Go there.'
        $run.Output[0].message | Should -BeExactly 'Go there.'
        $run.Output[0].expires_in | Should -BeExactly '900'
        $run.Output[0].extra.a | Should -Be 1
    }

    It 'is shown with what the user needs first, and without the device code' {
        $reply = deviceauth $device_endpoint -client_id public-client -WarningAction Ignore
        $reply.psobject.TypeNames[0] | Should -BeExactly TokenKit.DeviceAuthorization
        $text = $reply | Out-String -Width 500
        $text.Trim() | Should -Match '^user_code'
        $text | Should -Match ([regex]::Escape($reply.verification_uri))
        $text | Should -Not -Match ([regex]::Escape($reply.device_code))
        "$reply" | Should -Not -Match ([regex]::Escape($reply.device_code))
    }

    It 'shows the device code in no stream' {
        $run = Invoke-Pipeline $Module 'param($uri) deviceauth $uri -client_id public-client -Verbose -Debug -Qr -WarningAction Continue' $device_endpoint
        $text = foreach ($name in 'Verbose', 'Debug', 'Warning', 'Information', 'Progress') { $run.Streams[$name] | ForEach-Object { "$_"; $_ | Format-List * -Force | Out-String } }
        ($text -join "`n").Contains($run.Output[0].device_code) | Should -BeFalse
        $text -join "`n" | Should -Match 'POST http'
    }
}

Describe 'Waiting for the user' {
    It 'with -Wait and -token_uri returns the token' {
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -scope openid -AdditionalParameters @{ test_interval = 1 } -Wait -token_uri $token_endpoint' -After 1500
        $run.Thrown | Should -Be $null
        $run.Output.Count | Should -Be 1
        $run.Output[0].access_token | Should -Not -BeNullOrEmpty
        $run.Output[0].psobject.TypeNames[0] | Should -BeExactly TokenKit.TokenResponse
    }

    It 'by piping the reply into the token cmdlet returns the token' {
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -AdditionalParameters @{ test_interval = 1 } | token $token_endpoint -client_id public-client'
        $run.Thrown | Should -Be $null
        $run.Output[0].access_token | Should -Not -BeNullOrEmpty
    }

    It 'keeps to the interval of the server' {
        $null = Get-SentRequest $server
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -AdditionalParameters @{ test_interval = 2 } | token $token_endpoint -client_id public-client -Verbose' -After 4500
        $run.Output[0].access_token | Should -Not -BeNullOrEmpty
        # A request in between would have been answered with slow_down.
        $run.Screen | Should -Not -Match slow_down
        @(Get-SentRequest $server | Where-Object Path -EQ /token).Count | Should -BeIn 2, 3, 4
    }

    It 'authenticates the client each time' {
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id demo-client -client_secret demo-secret -AdditionalParameters @{ test_interval = 1 } -Wait -token_uri $token_endpoint' -After 1500
        $run.Output[0].access_token | Should -Not -BeNullOrEmpty
    }

    It 'ends at once when the user says no' {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -AdditionalParameters @{ test_interval = 1 } -Wait -token_uri $token_endpoint' 'deny'
        Get-ErrorId $run.Thrown | Should -BeExactly access_denied
        $run.Thrown.CategoryInfo.Category | Should -Be PermissionDenied
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 20
    }

    It 'ends when the code expires' {
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -AdditionalParameters @{ test_interval = 1; test_expires_in = 2 } -Wait -token_uri $token_endpoint' ''
        Get-ErrorId $run.Thrown | Should -BeExactly expired_token
        $run.Thrown.CategoryInfo.Category | Should -Be OperationTimeout
    }

    It 'ends with -Timeout before that' {
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -AdditionalParameters @{ test_interval = 1 } -Wait -token_uri $token_endpoint -Timeout 2' ''
        Get-ErrorId $run.Thrown | Should -BeExactly timeout
        $run.Thrown.Exception.Message | Should -Match '2 seconds'
    }

    It 'shows a progress bar with the time left' {
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -AdditionalParameters @{ test_interval = 5; test_expires_in = 300 } -Wait -token_uri $token_endpoint' -After 3500
        $left = @($run.Progress.ForEach{ $_.SecondsRemaining } | Where-Object { $_ -gt 0 } | Select-Object -Unique)
        $left.Count | Should -BeGreaterThan 1
        $left[0] | Should -BeLessOrEqual 300
        $left[0] | Should -BeGreaterThan 250
        $run.Progress[-1].RecordType | Should -Be Completed
    }

    It 'finds the token endpoint in the metadata of -issuer' {
        $metadata = @{ issuer = "$($server.http)/tenant"; token_endpoint = $token_endpoint; jwks_uri = "$($server.http)/jwks" }
        $null = Set-Reply $server /tenant/.well-known/openid-configuration (New-JsonReply 200 $metadata)
        $run = Invoke-Attended 'deviceauth $device_endpoint -client_id public-client -scope api.read -AdditionalParameters @{ test_interval = 1 } -Wait -issuer "$($server.http)/tenant"'
        $run.Thrown | Should -Be $null
        $run.Output[0].scope | Should -BeExactly api.read
    }

    It 'needs a token endpoint, and asks for no code without one' {
        $null = Get-SentRequest $server
        Get-ErrorId (Get-Failure { deviceauth $device_endpoint -client_id public-client -Wait -Force }) | Should -BeExactly invalid_argument
        $null = Set-Reply $server /bare/.well-known/openid-configuration (New-JsonReply 200 @{ issuer = "$($server.http)/bare" })
        Get-ErrorId (Get-Failure { deviceauth $device_endpoint -client_id public-client -Wait -Force -issuer "$($server.http)/bare" }) | Should -BeExactly invalid_argument
        (Get-SentRequest $server).Path | Should -Not -Contain '/device_authorization'
    }

    It 'ends with Ctrl+C at once' {
        $person = [TokenKit.Tests.PersonHost]::new()
        $pipeline = New-AttendedPipeline $Module $person 'param($a, $b) deviceauth $a -client_id public-client -Wait -token_uri $b; "after"' $device_endpoint, $token_endpoint
        try {
            $null = $pipeline.BeginInvoke()
            Wait-Until { $person.Screen -match 'WARNING' } | Should -BeTrue
            Start-Sleep -Milliseconds 1600
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $pipeline.Stop()
            Write-Host ('    stopped within {0:n1} ms' -f $watch.Elapsed.TotalMilliseconds)
            # 250 ms on an idle machine; this one may be busy.
            $watch.Elapsed.TotalMilliseconds | Should -BeLessThan 2000
        } finally {
            Remove-AttendedPipeline $pipeline
        }
    }

    It 'against oidc-provider gives an ID token that is validated' {
        $provider = Start-Provider
        try {
            $http = $provider.http
            $person = [TokenKit.Tests.PersonHost]::new()
            $pipeline = New-AttendedPipeline $Module $person 'param($http) deviceauth $http.device_authorization_endpoint -client_id none -scope openid -Wait -issuer $http.issuer' $http
            try {
                $running = $pipeline.BeginInvoke()
                Wait-Until { $person.Screen -match '\b\w{4}-\w{4}\b' } | Should -BeTrue
                $body = @{ user_code = [regex]::Match($person.Screen, '\b[A-Z]{4}-[A-Z]{4}\b').Value; action = 'approve' } | ConvertTo-Json
                $null = Invoke-RestMethod "$($http.test)/device" -Method Post -Body $body -ContentType application/json -NoProxy
                $token = $pipeline.EndInvoke($running)[0]
                (ConvertFrom-JsonWebToken $token.id_token).sub | Should -BeExactly $provider.account.username
            } finally {
                Remove-AttendedPipeline $pipeline
            }
        } finally {
            Stop-Peer $provider
        }
    }
}

Describe 'The user' {
    It 'is drawn the address with the code as QR code by -Qr, though the output is assigned' {
        $run = Invoke-Attended '$reply = deviceauth $device_endpoint -client_id public-client -Qr; $reply' ''
        $run.Output[0].user_code | Should -Not -BeNullOrEmpty
        $lines = @($run.Screen -split '\n' | Where-Object { $_ -match '[\u2580\u2584\u2588]' })
        $lines.Count | Should -BeGreaterThan 12
        @($lines.Length | Select-Object -Unique).Count | Should -Be 1
    }

    It 'gets the page opened by -OpenBrowser' {
        $log = Join-Path $TestDrive opened.txt
        # The address is an argument of the browser.
        $command = "node -e 'fs.writeFileSync(process.argv[1], process.argv[2])' '$log'"
        $reply = deviceauth $device_endpoint -client_id public-client -OpenBrowser -BrowserCommand $command -WarningAction Ignore
        Wait-Until { (Test-Path $log) -and (Get-Content $log -Raw) } | Should -BeTrue
        Get-Content $log -Raw | Should -BeExactly $reply.verification_uri_complete
    }

    It 'is warned when no browser starts' {
        $run = Invoke-Pipeline $Module 'param($uri) deviceauth $uri -client_id public-client -OpenBrowser -BrowserCommand no-such-browser' $device_endpoint
        $run.Output[0].user_code | Should -Not -BeNullOrEmpty
        $run.Streams.Warning.Count | Should -Be 2
        "$($run.Streams.Warning[1])" | Should -Match 'no-such-browser'
    }

    # Elsewhere the clipboard is that of the person at the machine.
    if ($IsLinux) {
        It 'has the code on the clipboard with -CopyCode, which xclip fills' {
            $folder = New-Item (Join-Path $TestDrive bin) -ItemType Directory
            $clipboard = Join-Path $TestDrive clipboard.txt
            Set-Content "$folder/xclip" "#!/bin/sh`ncat > '$clipboard'`n"
            chmod +x "$folder/xclip"
            Invoke-WithEnvironment @{ PATH = "$folder`:$env:PATH"; DISPLAY = ':0'; SSH_TTY = $null } {
                $reply = deviceauth $device_endpoint -client_id public-client -CopyCode -WarningAction Ignore
                (Get-Content $clipboard -Raw).Trim() | Should -BeExactly $reply.user_code
            }
        }

        It 'is warned when there is no clipboard: <Name>' -ForEach @(
            @{ Name = 'no xclip'; Variables = { @{ PATH = "$TestDrive"; DISPLAY = ':0'; SSH_TTY = $null } } }
            @{ Name = 'no screen'; Variables = { @{ DISPLAY = $null; SSH_TTY = $null } } }
        ) {
            Invoke-WithEnvironment (& $Variables) {
                $run = Invoke-Pipeline $Module 'param($uri) deviceauth $uri -client_id public-client -CopyCode' $device_endpoint
                $run.Output[0].user_code | Should -Not -BeNullOrEmpty
                $run.Streams.Warning -join ' ' | Should -Match 'clipboard'
            }
        }

        It 'has the code sent to the terminal over SSH' {
            Invoke-WithEnvironment @{ SSH_TTY = '/dev/pts/0' } {
                $run = Invoke-Pwsh 'param($module, $uri) Import-Module $module; "<$((deviceauth $uri -client_id public-client -CopyCode -WarningAction Ignore).user_code)>"' $Module, $device_endpoint
                $user_code = [regex]::Match($run.Output, '<(\S+)>').Groups[1].Value
                # OSC 52: the code in base64.
                $run.Output | Should -Match ([regex]::Escape([Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($user_code))))
            }
        }
    }
}

Describe 'Where nobody can sign in' {
    It 'the plain call works, and the message can be passed on' {
        $run = Invoke-Pipeline $Module 'param($uri) (deviceauth $uri -client_id public-client).message' $device_endpoint
        $run.Output[0] | Should -Match '[A-Z]{4}-[A-Z]{4}'
    }

    It 'the reply piped into the token cmdlet waits for the user, until -Timeout' {
        $null = Get-SentRequest $server
        $run = Invoke-WithEnvironment @{ CI = 'true' } {
            Invoke-Pipeline $Module 'param($a, $b) deviceauth $a -client_id public-client -AdditionalParameters @{ test_interval = 1 } | token $b -client_id public-client -Timeout 2' $device_endpoint, $token_endpoint
        }
        Get-ErrorId $run.Streams.Error[0] | Should -BeExactly timeout
        @(Get-SentRequest $server | Where-Object Path -EQ /token) | Should -Not -BeNullOrEmpty
    }

    It '-Wait fails at once, before a code is asked for' {
        $null = Get-SentRequest $server
        $run = Invoke-Pipeline $Module 'param($a, $b) deviceauth $a -client_id public-client -Wait -token_uri $b' $device_endpoint, $token_endpoint
        Get-ErrorId $run.Thrown | Should -BeExactly interactive_session_required
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It '-Wait goes on with -Force' {
        $run = Invoke-Pipeline $Module 'param($a, $b) deviceauth $a -client_id public-client -Wait -token_uri $b -Force -AdditionalParameters @{ test_interval = 1; test_expires_in = 1 }' $device_endpoint, $token_endpoint
        Get-ErrorId $run.Thrown | Should -BeExactly expired_token
    }
}
