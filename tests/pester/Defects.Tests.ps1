# The defects of the modules before: one test each that this one does not share it. The first part is about
# PSAuthClient 1.4.0, whose scripts this command runs, the second about other token modules.
using namespace System.Security.Cryptography
using namespace System.Security.Cryptography.X509Certificates
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $token_endpoint = "$($server.http)/token"
    $echo = "$($server.http)/echo-token"
    $rsa = [RSA]::Create(2048)
    $certificate = New-Certificate $rsa

    # The client assertion that is sent.
    function Get-Assertion([hashtable] $Parameters) { Read-Jwt (token $echo -client_id app @Parameters).received.form.client_assertion[0] }
}

AfterAll { Stop-Peer $server }

Describe 'The token command of PSAuthClient' {
    BeforeEach { $null = Get-SentRequest $server }

    It 'joined id and secret for Basic as they are' {
        $response = token $token_endpoint -client_id 'special client:1' -client_secret 'p@ss:w+rd/%41&=ü' -client_auth_method client_secret_basic
        $response.token_type | Should -BeExactly Bearer
    }

    It 'sent Basic with an empty id' {
        Get-ErrorId (Get-Failure { token $echo -client_id '' -client_secret s3cret -client_auth_method client_secret_basic }) | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'named the client in the body beside the header' {
        $null = token $echo -client_id app -client_secret s3cret -client_auth_method client_secret_basic
        (Get-SentRequest $server).Form.Keys | Should -Be grant_type
    }

    It 'printed secret, code, refresh token and assertion with -Verbose' {
        $loud = @{ uri = $echo; client_id = 'app'; client_secret = 'canary-secret'; Verbose = $true; Debug = $true }
        $code = token @loud -code canary-code -code_verifier canary-verifier 3>&1 4>&1 5>&1
        $refresh = token @loud -refresh_token canary-refresh 3>&1 4>&1 5>&1
        $text = $code[0..($code.Count - 2)] + $refresh[0..($refresh.Count - 2)] | Out-String
        $text | Should -Match 'POST http'
        $text | Should -Not -Match canary
    }

    It 'returned the token after a nonce mismatch under SilentlyContinue' {
        $uri = Set-Reply $server /canned/nonce (New-JsonReply 200 @{ access_token = 't'; id_token = New-Jwt @{ nonce = 'other' } 'key' })
        token $uri -client_id app -code c0de -nonce mine -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
    }

    It 'compared the nonce without letter case' {
        $uri = Set-Reply $server /canned/nonce (New-JsonReply 200 @{ access_token = 't'; id_token = New-Jwt @{ nonce = 'MINE' } 'key' })
        Get-ErrorId (Get-Failure { token $uri -client_id app -code c0de -nonce mine }) | Should -BeExactly nonce_mismatch
    }

    It 'took a reply without ID token where a nonce and openid were given' {
        $uri = Set-Reply $server /canned/nonce (New-JsonReply 200 @{ access_token = 't' })
        Get-ErrorId (Get-Failure { token $uri -client_id app -code c0de -nonce mine -scope openid }) | Should -BeExactly missing_id_token
    }

    It 'sent a mixture for a refresh with secret and certificate' {
        $failure = Get-Failure { token $echo -client_id app -refresh_token r -client_secret s3cret -client_certificate $certificate }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'sent a bare client_assertion_type for a refresh by <_> without secret' -ForEach 'client_secret_jwt', 'client_secret_basic' {
        $method = $_
        Get-ErrorId (Get-Failure { token $echo -client_id app -refresh_token r -client_auth_method $method }) | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'changed the hashtable of the caller, and let a Content-Type replace all headers' {
        $headers = @{ 'Content-Type' = 'application/x-www-form-urlencoded; charset=utf-8'; 'X-A' = '1' }
        $null = token $echo -client_id app -client_secret s3cret -client_auth_method client_secret_basic -customHeaders $headers
        ($headers.Keys | Sort-Object) -join ' ' | Should -BeExactly 'Content-Type X-A'
        $sent = Get-SentRequest $server
        $sent.Headers['content-type'] | Should -BeExactly 'application/x-www-form-urlencoded; charset=utf-8'
        $sent.Headers['authorization'] | Should -BeExactly 'Basic YXBwOnMzY3JldA=='
    }

    It 'sent a request without grant' {
        Get-ErrorId (Get-Failure { token $echo -client_id app }) | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'could not authenticate a client with a device code' {
        $device = Invoke-RestMethod "$($server.http)/device_authorization" -Method Post -Body @{ client_id = 'demo-client'; client_secret = 'demo-secret' } -NoProxy
        $null = Invoke-Control $server Post device @{ user_code = $device.user_code; action = 'approve' }
        (token $token_endpoint -client_id demo-client -client_secret demo-secret -device_code $device.device_code).token_type | Should -BeExactly Bearer
    }

    It 'had neither scope, client_id nor customHeaders for a JWT bearer assertion' {
        $null = token $echo -jwtAssertion e30.e30.AA -scope a -client_id app -customHeaders @{ 'X-A' = '1' }
        $sent = Get-SentRequest $server
        $sent.Form.scope, $sent.Form.client_id, $sent.Headers['x-a'] | Should -BeExactly 'a', 'app', '1'
    }

    It 'sent the type name of a PSCredential as secret' {
        $credential = [pscredential]::new('demo-client', (ConvertTo-SecureString demo-secret -AsPlainText))
        (token $token_endpoint -client_secret $credential).token_type | Should -BeExactly Bearer
    }

    It 'took a readable file path for a key and sent an empty signature (<Name>)' -ForEach @(
        @{ Name = 'PEM'; File = { $path = "$TestDrive/k.pem"; Set-Content $path $rsa.ExportPkcs8PrivateKeyPem(); $path } }
        @{ Name = 'PFX'; File = { $path = "$TestDrive/k.pfx"; [System.IO.File]::WriteAllBytes($path, $certificate.Export('Pfx', '')); $path } }
    ) {
        $jwt = Get-Assertion @{ client_certificate = & $File }
        $rsa.VerifyData($jwt.Signed, $jwt.Signature, 'SHA256', [RSASignaturePadding]::Pkcs1) | Should -BeTrue
    }

    It 'took PKCS#1 PEM text for a path' {
        (Get-Assertion @{ client_certificate = $rsa.ExportRSAPrivateKeyPem() }).Header.alg | Should -BeExactly RS256
    }

    It 'failed with EC keys' {
        $ec = [ECDsa]::Create([ECCurve+NamedCurves]::nistP256)
        $jwt = Get-Assertion @{ client_certificate = $ec }
        $jwt.Header.alg | Should -BeExactly ES256
        $jwt.Signature.Length | Should -Be 64
        $ec.VerifyData($jwt.Signed, $jwt.Signature, 'SHA256') | Should -BeTrue
    }

    It 'failed with a null method for a certificate without private key' {
        $public = [X509Certificate2]::new($certificate.RawData)
        Get-ErrorId (Get-Failure { token $echo -client_id app -client_certificate $public }) | Should -BeExactly invalid_key
    }

    It 'had no key id' {
        (Get-Assertion @{ client_certificate = $rsa; key_id = 'k1' }).Header.kid | Should -BeExactly k1
    }

    It 'had no PS256, whose salt is as long as the hash' {
        $jwt = Get-Assertion @{ client_certificate = $rsa; AssertionAlgorithm = 'PS256' }
        $rsa.VerifyData($jwt.Signed, $jwt.Signature, 'SHA256', [RSASignaturePadding]::Pss) | Should -BeTrue
    }

    It 'named a certificate by SHA-1 only' {
        $header = (Get-Assertion @{ client_certificate = $certificate }).Header
        $header.x5t | Should -BeExactly (ConvertTo-Base64Url $certificate.GetCertHash('SHA1'))
        $header.'x5t#S256' | Should -BeExactly (ConvertTo-Base64Url $certificate.GetCertHash('SHA256'))
    }

    It 'had only the endpoint as audience' {
        (Get-Assertion @{ client_certificate = $rsa; AssertionAudience = 'https://issuer.example' }).Claims.aud | Should -BeExactly https://issuer.example
    }

    It 'called an HMAC RS256, and encoded it twice' {
        $secret = 'a secret of at least thirty-two bytes'
        $jwt = Get-Assertion @{ client_secret = $secret; client_auth_method = 'client_secret_jwt' }
        $jwt.Header.alg | Should -BeExactly HS256
        $expected = [HMACSHA256]::HashData([System.Text.Encoding]::UTF8.GetBytes($secret), $jwt.Signed)
        ConvertTo-Base64Url $jwt.Signature | Should -BeExactly (ConvertTo-Base64Url $expected)
    }

    It 'took an empty secret for an HMAC' {
        $empty = [securestring]::new()
        $failure = Get-Failure { token $echo -client_id app -client_secret $empty -client_auth_method client_secret_jwt }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
    }

    It 'gave one result for several piped objects' {
        $results = @{ client_id = 'a' }, @{ client_id = 'b' }, @{ client_id = 'c' } | token $echo -code c0de
        $results.received.form.client_id | Should -BeExactly 'a', 'b', 'c'
    }

    It 'gave its result the type name NoteProperty' {
        (token $echo -code c0de).psobject.TypeNames | Should -Not -Contain NoteProperty
    }

    It 'followed redirects with the credentials' {
        $uri = Set-Reply $server /canned/redirect @{ status = 307; headers = @(, @('Location', '/echo-token')) }
        Get-ErrorId (Get-Failure { token $uri -client_id app -client_secret s3cret }) | Should -BeExactly unexpected_redirect
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'sent secrets over http to any host' {
        Get-ErrorId (Get-Failure { token http://as.example.test/token -client_id app -client_secret s3cret }) | Should -BeExactly insecure_endpoint
    }
}

Describe 'Other token modules' {
    It 'kept a credential by client id alone, so that a new secret was ignored' {
        (token $token_endpoint -client_id demo-client -client_secret demo-secret).token_type | Should -BeExactly Bearer
        Get-ErrorId (Get-Failure { token $token_endpoint -client_id demo-client -client_secret wrong }) | Should -BeExactly invalid_client
        (token $token_endpoint -client_id demo-client -client_secret demo-secret).token_type | Should -BeExactly Bearer
    }

    It 'had a ToString that returns the token, which failed for an opaque one' {
        $response = token $token_endpoint -client_id demo-client -client_secret demo-secret
        "$response" | Should -Not -Match ([regex]::Escape($response.access_token))
    }

    It 'took no password for a PFX file' {
        [System.IO.File]::WriteAllBytes("$TestDrive/p.pfx", $certificate.Export('Pfx', 'pass'))
        $key = @{ client_certificate = "$TestDrive/p.pfx"; CertificatePassword = ConvertTo-SecureString pass -AsPlainText }
        (Get-Assertion $key).Header.x5t | Should -Not -BeNullOrEmpty
    }

    It 'ignored the time limit' {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Get-ErrorId (Get-Failure { token "$($server.http)/slow?ms=60000" -code c0de -Timeout 1 }) | Should -BeExactly timeout
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 15
    }

    It 'left the trust in an authority to the whole machine' {
        $request = @{ uri = "$($server.https)/token"; client_id = 'demo-client'; client_secret = 'demo-secret' }
        (token @request -CertificateAuthority $server.certificate_authority).token_type | Should -BeExactly Bearer
        Get-ErrorId (Get-Failure { token @request }) | Should -BeExactly tls_failed
    }

    It 'brought copies of identity libraries' {
        $loaded = [AppDomain]::CurrentDomain.GetAssemblies().ForEach{ $_.GetName().Name }
        $loaded | Where-Object { $_ -match '^(Azure\.|Microsoft\.Identity|System\.IdentityModel)' } | Should -BeNullOrEmpty
    }

    It 'compared nothing of a device flow''s errors: slow_down reaches the script' {
        $device = Invoke-RestMethod "$($server.http)/device_authorization" -Method Post -Body @{ client_id = 'public-client'; test_interval = 60 } -NoProxy
        $codes = foreach ($poll in 1..2) { Get-ErrorId (Get-Failure { token $token_endpoint -client_id public-client -device_code $device.device_code }) }
        $codes -join ' ' | Should -BeExactly 'authorization_pending slow_down'
    }
}
