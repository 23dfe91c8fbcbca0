# What goes wrong, as scripts see it: error id, category, target, details, exception and what is to be done.
using namespace System.Security.Cryptography
using namespace System.Security.Cryptography.X509Certificates
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $json = , @('Content-Type', 'application/json')
    $html = , @('Content-Type', 'text/html; charset=utf-8')

    # Error answers. Body: the text of ErrorDetails; '' for none, as it may hold tokens.
    $answers = @(
        @{ Name = 'invalid_client'; Category = 'AuthenticationError'
            Status = 401; Header = $json + , @('WWW-Authenticate', 'Basic realm="as"'); Body = '{"error":"invalid_client","error_description":"no"}' }
        @{ Name = 'invalid_grant'; Status = 400; Header = $json; Body = '{"error":"invalid_grant"}'; Category = 'AuthenticationError' }
        @{ Name = 'invalid_scope'; Category = 'InvalidArgument'
            Status = 400; Header = $json; Body = '{"error":"invalid_scope","error_uri":"https://as.example/help"}' }
        @{ Name = 'unauthorized_client'; Status = 400; Header = $json; Body = '{"error":"unauthorized_client"}'; Category = 'PermissionDenied' }
        @{ Name = 'access_denied'; Status = 403; Header = $json; Body = '{"error":"access_denied"}'; Category = 'PermissionDenied' }
        @{ Name = 'authorization_pending'; Status = 400; Header = $json; Body = '{"error":"authorization_pending"}'; Category = 'ResourceBusy' }
        @{ Name = 'expired_token'; Status = 400; Header = $json; Body = '{"error":"expired_token"}'; Category = 'OperationTimeout' }
        @{ Name = 'temporarily_unavailable'; Category = 'ResourceUnavailable'
            Status = 503; Header = $json; Body = '{"error":"temporarily_unavailable"}' }
        @{ Name = 'a_code_of_its_own'; Category = 'InvalidArgument'
            Status = 400; Header = $json; Body = '{"error":"a_code_of_its_own","trace_id":"7","nested":{"a":[1]}}' }
        @{ Name = 'an OAuth error without content type'; Id = 'invalid_grant'; Category = 'AuthenticationError'
            Status = 400; Header = @(); Body = '{"error":"invalid_grant"}' }
        @{ Name = 'an OAuth error with status 200'; Id = 'bad_verification_code'; Category = 'ProtocolError'
            Status = 200; Header = $json; Body = '{"error":"bad_verification_code"}' }
        @{ Name = 'JSON without OAuth error'; Id = 'http_error'; Category = 'PermissionDenied'
            Status = 403; Header = $json; Body = '{"message":"forbidden"}' }
        @{ Name = 'an HTML page'; Id = 'http_error'; Category = 'ResourceUnavailable'
            Status = 502; Header = $html; Body = '<html><body>Bad gateway</body></html>' }
        @{ Name = 'not found'; Id = 'http_error'; Status = 404; Header = $html; Body = '<html>404</html>'; Category = 'ObjectNotFound' }
        @{ Name = 'nothing with an error status'; Id = 'http_error'; Status = 500; Header = @(); Body = ''; Category = 'ResourceUnavailable' }
        @{ Name = 'a redirect'; Id = 'unexpected_redirect'; Status = 302; Header = , @('Location', '/token'); Body = ''; Category = 'ProtocolError' }
        @{ Name = 'a permanent redirect'; Id = 'unexpected_redirect'; Category = 'ProtocolError'
            Status = 308; Header = , @('Location', 'https://other.example.test/token?x=1'); Body = '' }
        @{ Name = 'an HTML page with status 200'; Id = 'not_json'; Category = 'InvalidResult'; Hidden = $true
            Status = 200; Header = $html; Body = '<html>Sign in</html>' }
        @{ Name = 'nothing with status 200'; Id = 'not_json'; Status = 200; Header = $json; Body = ''; Category = 'InvalidResult' }
        @{ Name = 'no content'; Id = 'not_json'; Status = 204; Header = @(); Body = ''; Category = 'InvalidResult' }
        @{ Name = 'JSON cut short'; Id = 'not_json'; Category = 'InvalidResult'; Hidden = $true
            Status = 200; Header = $json; Body = '{"access_token":"t0ken-that-must-stay-hidden"' }
        @{ Name = 'a JSON array'; Id = 'not_json_object'; Category = 'InvalidResult'; Hidden = $true
            Status = 200; Header = $json; Body = '[{"access_token":"t0ken-that-must-stay-hidden"}]' }
        @{ Name = 'a JSON text'; Id = 'not_json_object'; Category = 'InvalidResult'; Hidden = $true
            Status = 200; Header = $json; Body = '"t0ken-that-must-stay-hidden"' }
        @{ Name = 'an object without access token'; Id = 'missing_access_token'; Category = 'InvalidResult'; Hidden = $true
            Status = 200; Header = $json; Body = '{"id_token":"t0ken-that-must-stay-hidden"}' }
        @{ Name = 'an access token that is no text'; Id = 'missing_access_token'; Category = 'InvalidResult'; Hidden = $true
            Status = 200; Header = $json; Body = '{"access_token":{"value":"t0ken-that-must-stay-hidden"}}' }
    )

    # Requests that get no answer.
    $transports = @(
        @{ Name = 'a port where nobody listens'; Id = 'connect_failed'; Category = 'ConnectionError'
            Parameters = { @{ uri = "http://127.0.0.1:$closedPort/token"; MaximumRetryCount = 0 } } }
        @{ Name = 'a server that answers too late'; Id = 'timeout'; Category = 'OperationTimeout'
            Parameters = { @{ uri = "$($server.http)/slow?ms=60000"; Timeout = 0.3 } } }
        @{ Name = 'a certificate of an unknown authority'; Id = 'tls_failed'; Category = 'SecurityError'
            Parameters = { @{ uri = "$($server.https)/token" } } }
        @{ Name = 'https to a port that speaks http'; Id = 'tls_failed'; Category = 'SecurityError'
            Parameters = { @{ uri = $server.http.Replace('http:', 'https:') + '/token' } } }
        @{ Name = 'http to a port that speaks https'; Id = 'connection_lost'; Category = 'ConnectionError'
            Parameters = { @{ uri = "http://127.0.0.1:$(([uri]$server.https).Port)/token"; MaximumRetryCount = 0 } } }
        @{ Name = 'a proxy where nobody listens'; Id = 'connect_failed'; Category = 'ConnectionError'
            Parameters = { @{ uri = 'https://as.example.test/token'; Proxy = "http://127.0.0.1:$closedPort"; MaximumRetryCount = 0 } } }
        @{ Name = 'a proxy that makes no tunnel'; Id = 'proxy_failed'; Category = 'ConnectionError'
            Parameters = { @{ uri = 'https://as.example.test/token'; Proxy = $server.http } } }
    )

    # Windows does not connect to this name of the machine, which the certificate does not have.
    if (-not $IsWindows) {
        $transports += @{ Name = 'a certificate for another name'; Id = 'tls_failed'; Category = 'SecurityError'
            Parameters = { @{ uri = "https://0.0.0.0:$(([uri]$server.https).Port)/token"; CertificateAuthority = $server.certificate_authority } } }
    }

    # Input that is read from files.
    $inputs = @(
        @{ Name = 'an authority file that is not there'; Id = 'invalid_certificate_authority'
            Parameters = { @{ client_secret = 's3cret'; CertificateAuthority = "$TestDrive/none.pem" } } }
        @{ Name = 'an authority file without certificate'; Id = 'invalid_certificate_authority'
            Parameters = { @{ client_secret = 's3cret'; CertificateAuthority = "$TestDrive/text.txt" } } }
        @{ Name = 'an authority on a drive that is not there'; Id = 'invalid_certificate_authority'
            Parameters = { @{ client_secret = 's3cret'; CertificateAuthority = 'NoDrive:\ca.pem' } } }
        @{ Name = 'a proxy that is no URL'; Id = 'invalid_proxy'; Parameters = { @{ client_secret = 's3cret'; Proxy = 'ftp://127.0.0.1:1' } } }
        @{ Name = 'a key file that is not there'; Id = 'invalid_key'; Category = 'ObjectNotFound'
            Parameters = { @{ client_certificate = "$TestDrive/none.pem" } } }
        @{ Name = 'a thumbprint nobody has'; Id = 'invalid_key'; Category = 'ObjectNotFound'
            Parameters = { @{ client_certificate = '0123456789abcdef0123456789abcdef01234567' } } }
        @{ Name = 'a drive that is not there'; Id = 'invalid_key'; Category = 'ObjectNotFound'
            Parameters = { @{ client_certificate = 'NoDrive:\CurrentUser\My\8ae3' } } }
        @{ Name = 'a file that is no key'; Id = 'invalid_key'; Parameters = { @{ client_certificate = "$TestDrive/text.txt" } } }
        @{ Name = 'a folder as key'; Id = 'invalid_key'; Category = 'ObjectNotFound'; Parameters = { @{ client_certificate = "$TestDrive" } } }
        @{ Name = 'a public key'; Id = 'invalid_key'; Parameters = { @{ client_certificate = $rsa.ExportSubjectPublicKeyInfoPem() } } }
        @{ Name = 'a certificate without private key'; Id = 'invalid_key'; Parameters = { @{ client_certificate = $publicCertificate } } }
        @{ Name = 'PEM that is damaged'; Id = 'invalid_key'
            Parameters = { @{ client_certificate = $rsa.ExportPkcs8PrivateKeyPem().Replace('A', '*') } } }
        @{ Name = 'JSON that is no JWK'; Id = 'invalid_key'; Parameters = { @{ client_certificate = '{"kty":"EC"}' } } }
        @{ Name = 'an encrypted key without password'; Id = 'invalid_key_password'; Parameters = { @{ client_certificate = $encrypted } } }
        @{ Name = 'an encrypted key with a wrong password'; Id = 'invalid_key_password'
            Parameters = { @{ client_certificate = $encrypted; CertificatePassword = 'wrong' } } }
        @{ Name = 'a PFX with a wrong password'; Id = 'invalid_key_password'
            Parameters = { @{ client_certificate = "$TestDrive/key.pfx"; CertificatePassword = 'wrong' } } }
        @{ Name = 'an EC key on a curve without algorithm'; Id = 'invalid_key'
            Parameters = { @{ client_certificate = [ECDsa]::Create([ECCurve]::CreateFromFriendlyName('secp256k1')) } } }
    )

    # Claims of the ID token, or none; what was given; which error, if any.
    $nonces = @(
        @{ Name = 'the right one'; Claims = @{ nonce = 'N0nce' } }
        @{ Name = 'another one'; Claims = @{ nonce = 'other' }; Id = 'nonce_mismatch' }
        @{ Name = 'another letter case'; Claims = @{ nonce = 'n0NCE' }; Id = 'nonce_mismatch' }
        @{ Name = 'a longer one'; Claims = @{ nonce = 'N0nce ' }; Id = 'nonce_mismatch' }
        @{ Name = 'none in the ID token'; Claims = @{ sub = 'a' }; Id = 'nonce_mismatch' }
        @{ Name = 'a number'; Claims = @{ nonce = 7 }; Id = 'nonce_mismatch' }
        @{ Name = 'an ID token that cannot be read'; IdToken = 'not.a.jwt'; Id = 'malformed_id_token' }
        @{ Name = 'no ID token though openid was asked for'; Parameters = @{ scope = 'email openid' }; Id = 'missing_id_token' }
        @{ Name = 'no ID token, and no openid asked for'; Parameters = @{ scope = 'openidx' } }
        @{ Name = 'another one in a refreshed ID token'; Claims = @{ nonce = 'other' }; Parameters = @{ refresh_token = 'r3fresh' }; Id = 'nonce_mismatch' }
        @{ Name = 'none in a refreshed ID token'; Claims = @{ sub = 'a' }; Parameters = @{ refresh_token = 'r3fresh' } }
        @{ Name = 'no ID token after a refresh'; Parameters = @{ refresh_token = 'r3fresh'; scope = 'openid' } }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
    $listener.Start()
    $closedPort = $listener.LocalEndpoint.Port
    $listener.Stop()

    $rsa = [RSA]::Create(2048)
    $certificate = New-Certificate $rsa
    $publicCertificate = [X509Certificate2]::new($certificate.RawData)
    $encryption = [PbeParameters]::new('Aes256Cbc', 'SHA256', 1000)
    $encrypted = $rsa.ExportEncryptedPkcs8PrivateKeyPem('right'.ToCharArray(), $encryption)
    Set-Content $TestDrive/text.txt 'neither key nor certificate'
    [System.IO.File]::WriteAllBytes("$TestDrive/key.pfx", $certificate.Export('Pfx', 'right'))

    # What every error has.
    function Assert-Failure($Failure, [string] $Id, [string] $Category) {
        $Failure.FullyQualifiedErrorId | Should -BeExactly "$Id,TokenKit.Commands.InvokeOAuth2TokenEndpoint"
        $Failure.CategoryInfo.Category | Should -BeExactly $Category
        $Failure.CategoryInfo.Activity | Should -BeExactly Invoke-OAuth2TokenEndpoint
        $Failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        $Failure.Exception.Message | Should -Not -BeNullOrEmpty
    }
}

AfterAll { Stop-Peer $server }

Describe 'An error answer' {
    BeforeEach { $null = Get-SentRequest $server }

    It '<Name>: status <Status>' -ForEach $answers {
        $row = $_
        $uri = Set-Reply $server /canned/error @{ status = $Status; headers = @($Header); body = $Body }
        $failure = try { token $uri -client_id app -client_secret s3cret-s3cret -MaximumRetryCount 0 } catch [System.Net.Http.HttpRequestException] { $_ }
        Assert-Failure $failure ($row.Contains('Id') ? $Id : $Name) $Category
        $failure.TargetObject | Should -BeExactly $uri

        $response = $failure.Exception.Response
        $response | Should -BeOfType System.Net.Http.HttpResponseMessage
        $response.StatusCode | Should -Be ([System.Net.HttpStatusCode]$Status)
        $failure.Exception.StatusCode | Should -Be ([System.Net.HttpStatusCode]$Status)
        $shown = $row.Contains('Hidden') ? '' : $Body
        $response.Content.ReadAsStringAsync().Result | Should -BeExactly $shown
        $failure.ErrorDetails.Message | Should -BeExactly ($shown ? $shown : $failure.Exception.Message)
        $failure | Format-List * -Force | Out-String | Should -Not -Match 't0ken-that-must-stay-hidden|s3cret-s3cret'
        foreach ($pair in $Header) {
            $values = $pair[0] -eq 'Content-Type' ? $response.Content.Headers.GetValues($pair[0]) : $response.Headers.GetValues($pair[0])
            $values -join ', ' | Should -BeExactly $pair[1]
        }
        # Not repeated, not followed.
        (Get-SentRequest $server).Path | Should -BeExactly /canned/error
    }

    It 'is caught as PowerShell''s own HTTP exception, too' {
        $uri = Set-Reply $server /canned/error (New-JsonReply 400 @{ error = 'invalid_grant' })
        $caught = try { token $uri -code c0de } catch [Microsoft.PowerShell.Commands.HttpResponseException] { ($_.ErrorDetails.Message | ConvertFrom-Json).error }
        $caught | Should -BeExactly invalid_grant
    }

    It 'larger than a token response can be is not read' {
        $uri = Set-Reply $server /canned/large @{ headers = @(, @('Content-Type', 'application/json')); body = '{"access_token":"' + 'x' * 1100000 + '"}' }
        $failure = Get-Failure { token $uri -code c0de }
        Assert-Failure $failure response_too_large InvalidResult
        $failure.Exception.Message.Length | Should -BeLessThan 1000
    }

    It 'masks what was sent wherever the server repeats it: <_>' -ForEach @(
        's3cret+&"canary é', 's3cret+&\"canary \u00e9', '%733cret%2b%26%22canary %c3%a9'
        's3cret%2B%26%22canary+%C3%A9', 's3cret%2b%26%22canary%20%c3%a9', 's3cret+&amp;&quot;canary &#xe9;'
    ) {
        $body = '{"error":"invalid_client","error_description":"you sent ' + ($_.StartsWith('s3cret+&"') ? $_.Replace('"', '\"') : $_) + ' indeed"}'
        $uri = Set-Reply $server /canned/echo @{ status = 401; headers = @(@('Content-Type', 'application/json'), @('X-Echo', 's3cret+&"canary')); body = $body }
        $failure = Get-Failure { token $uri -client_id app -client_secret 's3cret+&"canary é' }
        Get-ErrorId $failure | Should -BeExactly invalid_client
        $text = $failure | Format-List * -Force | Out-String
        $text += $failure.Exception.ToString() + $failure.ErrorDetails.Message + $failure.Exception.Response.Content.ReadAsStringAsync().Result
        $text | Should -Not -Match 'canary'
        $text | Should -Match 'you sent'
    }
}

Describe 'A request without answer' {
    It '<Name>' -ForEach $transports {
        $bound = & $Parameters
        $failure = try { token @bound -client_id app -client_secret s3cret } catch [System.Net.Http.HttpRequestException] { $_ }
        Assert-Failure $failure $Id $Category
        $failure.TargetObject | Should -BeExactly ($bound.uri -replace '\?.*')
    }
}

Describe 'Input that cannot be used' {
    It '<Name>' -ForEach $inputs {
        $null = Get-SentRequest $server
        $bound = & $Parameters
        $failure = Get-Failure { token "$($server.http)/echo-token" -client_id app @bound }
        Assert-Failure $failure $Id ($_.Contains('Category') ? $Category : 'InvalidArgument')
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'a key outside that does not sign' {
        $broken = Get-UnwillingKey
        $failure = Get-Failure { token "$($server.http)/echo-token" -client_id app -client_certificate $broken }
        Assert-Failure $failure signing_failed InvalidOperation
        $failure.Exception.Message | Should -Match 'the card was removed'
    }
    BeforeAll {
        function Get-UnwillingKey {
            Add-Type -TypeDefinition @'
using System;
using System.Security.Cryptography;
public sealed class UnwillingRsa : RSA {
    public UnwillingRsa() { KeySizeValue = 2048; }
    public override RSAParameters ExportParameters(bool includePrivateParameters) => throw new CryptographicException("not exportable");
    public override void ImportParameters(RSAParameters parameters) => throw new NotSupportedException();
    public override byte[] SignHash(byte[] hash, HashAlgorithmName name, RSASignaturePadding padding) => throw new CryptographicException("the card was removed");
}
'@
            [UnwillingRsa]::new()
        }
    }
}

Describe 'The nonce' {
    BeforeAll {
        function Set-Answer([System.Collections.IDictionary] $Row) {
            $body = @{ access_token = 't0ken'; token_type = 'Bearer' }
            if ($Row.Contains('Claims')) { $body.id_token = New-Jwt $Row.Claims 'any key' }
            if ($Row.Contains('IdToken')) { $body.id_token = $Row.IdToken }
            Set-Reply $server /canned/nonce (New-JsonReply 200 $body)
        }
        function Get-Argument([System.Collections.IDictionary] $Row) {
            $arguments = @{ client_id = 'app'; nonce = 'N0nce' } + ($Row.Contains('Parameters') ? $Row.Parameters : @{})
            if (-not $arguments.Contains('refresh_token')) { $arguments.code = 'c0de' }
            $arguments
        }
    }

    It '<Name>' -ForEach $nonces {
        $uri, $bound = (Set-Answer $_), (Get-Argument $_)
        if ($_.Contains('Id')) {
            $failure = Get-Failure { token $uri @bound }
            Assert-Failure $failure $Id SecurityError
            $failure.TargetObject | Should -BeExactly $uri
            $failure | Format-List * -Force | Out-String | Should -Not -Match 't0ken|N0nce'
        } else {
            (token $uri @bound).access_token | Should -BeExactly t0ken
        }
    }

    It 'never lets a token through with -ErrorAction <_>' -ForEach 'SilentlyContinue', 'Ignore', 'Continue', 'Stop' {
        $uri = Set-Answer @{ Claims = @{ nonce = 'n0NCE' } }
        $preference = $_
        $output = try { token $uri -client_id app -code c0de -nonce N0nce -ErrorAction $preference } catch { $_ }
        $output | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] } | Should -BeNullOrEmpty
    }

    It 'never lets a token through with $ErrorActionPreference <_>' -ForEach 'SilentlyContinue', 'Ignore', 'Continue', 'Stop' {
        $uri = Set-Answer @{ Claims = @{ nonce = 'n0NCE' } }
        $ErrorActionPreference = $_
        $output = try { token $uri -client_id app -code c0de -nonce N0nce } catch { $_ }
        $output | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] } | Should -BeNullOrEmpty
    }
}

Describe 'An error and the preferences' {
    BeforeAll { $uri = Set-Reply $server /canned/preferences (New-JsonReply 400 @{ error = 'invalid_grant' }) }

    It 'gives neither output nor exception with -ErrorAction <_>' -ForEach 'SilentlyContinue', 'Ignore' {
        $preference = $_
        $Error.Clear()
        token $uri -code c0de -ErrorAction $preference -ErrorVariable failures | Should -BeNullOrEmpty
        @($failures).Count | Should -Be ($preference -eq 'Ignore' ? 0 : 1)
        $Error.Count | Should -Be ($preference -eq 'Ignore' ? 0 : 1)
    }

    It 'is thrown with -ErrorAction <_>' -ForEach 'Stop', 'Continue' {
        $preference = $_
        Get-ErrorId (Get-Failure { token $uri -code c0de -ErrorAction $preference }) | Should -BeExactly invalid_grant
    }

    It 'is in $Error once, and in -ErrorVariable' {
        $Error.Clear()
        try { token $uri -code c0de -ErrorVariable failures } catch { $null = $_ }
        $Error.Count | Should -Be 1
        Get-ErrorId $Error[0] | Should -BeExactly invalid_grant
        Get-ErrorId $failures[0] | Should -BeExactly invalid_grant
    }

    It 'stops a script without try, and -File tells by its exit code' {
        $run = Invoke-Pwsh 'param($module, $uri) Import-Module $module; "before"; $t = token $uri -code c0de; "after"' $Module, $uri
        $run.Output.Trim() | Should -BeExactly before
        $run.Error | Should -Match invalid_grant
        $run.ExitCode | Should -Be 1
    }

    It 'stops a function that calls it, and its caller' {
        $run = Invoke-Pipeline $Module 'param($uri) function Get-Token { $t = token $uri -code c0de; "in function" }; Get-Token; "after"' $uri
        $run.Output | Should -BeNullOrEmpty
        Get-ErrorId $run.Thrown | Should -BeExactly invalid_grant
    }
}

Describe 'Repetition' {
    BeforeAll {
        $busy = @{ status = 503; headers = @(, @('Retry-After', '0')) }
        $granted = New-JsonReply 200 @{ access_token = 't0ken' }
    }
    BeforeEach { $null = Get-SentRequest $server }

    It 'gets over a server that is busy' {
        $uri = Set-Reply $server /canned/busy $busy, $granted
        (token $uri -client_id app -client_secret s3cret).access_token | Should -BeExactly t0ken
        @(Get-SentRequest $server).Count | Should -Be 2
    }

    It 'ends after -MaximumRetryCount' {
        $uri = Set-Reply $server /canned/busy $busy
        Get-ErrorId (Get-Failure { token $uri -client_id app -client_secret s3cret -MaximumRetryCount 1 }) | Should -BeExactly http_error
        @(Get-SentRequest $server).Count | Should -Be 2
    }

    It 'signs an assertion of its own for each attempt' {
        $uri = Set-Reply $server /canned/busy $busy, $granted
        $null = token $uri -client_id app -client_secret s3cret -client_auth_method client_secret_jwt
        $assertions = (Get-SentRequest $server).Form.client_assertion
        $assertions.Count | Should -Be 2
        (Read-Jwt $assertions[0]).Claims.jti | Should -Not -BeExactly (Read-Jwt $assertions[1]).Claims.jti
    }

    It 'never sends a <Name> again that may have been used' -ForEach @(
        @{ Name = 'code'; Parameters = @{ code = 'c0de' } }
        @{ Name = 'refresh token'; Parameters = @{ refresh_token = 'r3fresh' } }
        @{ Name = 'device code'; Parameters = @{ device_code = 'd3vice' } }
        @{ Name = 'JWT bearer assertion'; Parameters = @{ jwtAssertion = 'e30.e30.AA' } }
    ) {
        $uri = Set-Reply $server /canned/busy $busy, $granted
        Get-ErrorId (Get-Failure { token $uri -client_id app @Parameters }) | Should -BeExactly http_error
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'sends a code again that a rate limit turned away' {
        $uri = Set-Reply $server /canned/limit @{ status = 429; headers = @(, @('Retry-After', '0')) }, $granted
        (token $uri -code c0de).access_token | Should -BeExactly t0ken
        @(Get-SentRequest $server).Count | Should -Be 2
    }

    It 'does not wait longer than -Timeout for a server that wants it' {
        $uri = Set-Reply $server /canned/busy @{ status = 503; headers = @(, @('Retry-After', '3600')) }
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Get-ErrorId (Get-Failure { token $uri -client_id app -client_secret s3cret -Timeout 20 }) | Should -BeExactly http_error
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 10
    }
}
