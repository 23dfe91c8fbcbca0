# What the command sends for each grant and parameter, and what it returns.
using namespace System.Security.Cryptography
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    $asserted = @{ client_id = 'app'; client_assertion = '<jwt>'; client_assertion_type = $assertionType }

    # Form: all fields sent; '<jwt>' stands for any JWT. Authorization: the header, absent unless given.
    $requests = @(
        @{ Name = 'code: everything'
            Parameters = { @{ client_id = 'app'; code = 'c0de'; code_verifier = 'v'; redirect_uri = 'http://127.0.0.1/'; scope = 'a b' } }
            Form = @{ grant_type = 'authorization_code'; client_id = 'app'; code = 'c0de'; code_verifier = 'v'; redirect_uri = 'http://127.0.0.1/'; scope = 'a b' } }
        @{ Name = 'code: alone'; Parameters = { @{ code = 'c0de' } }; Form = @{ grant_type = 'authorization_code'; code = 'c0de' } }
        @{ Name = 'code: with a secret'; Parameters = { @{ client_id = 'app'; code = 'c0de'; client_secret = 's3cret' } }
            Form = @{ grant_type = 'authorization_code'; client_id = 'app'; code = 'c0de'; client_secret = 's3cret' } }
        @{ Name = 'code: with a secret by Basic'
            Parameters = { @{ client_id = 'app'; code = 'c0de'; client_secret = 's3cret'; client_auth_method = 'client_secret_basic' } }
            Form = @{ grant_type = 'authorization_code'; code = 'c0de' }; Authorization = 'Basic YXBwOnMzY3JldA==' }
        @{ Name = 'code: with a key'; Parameters = { @{ client_id = 'app'; code = 'c0de'; client_certificate = $pem } }
            Form = $asserted + @{ grant_type = 'authorization_code'; code = 'c0de' } }

        @{ Name = 'client credentials: post is the default'; Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; scope = '.default' } }
            Form = @{ grant_type = 'client_credentials'; client_id = 'app'; client_secret = 's3cret'; scope = '.default' } }
        @{ Name = 'client credentials: post'
            Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; client_auth_method = 'client_secret_post' } }
            Form = @{ grant_type = 'client_credentials'; client_id = 'app'; client_secret = 's3cret' } }
        @{ Name = 'client credentials: Basic'
            Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; client_auth_method = 'client_secret_basic' } }
            Form = @{ grant_type = 'client_credentials' }; Authorization = 'Basic YXBwOnMzY3JldA==' }
        @{ Name = 'client credentials: Basic with form-encoded id and secret'
            Parameters = { @{ client_id = 'a:b c'; client_secret = 'p%+&ü'; client_auth_method = 'client_secret_basic' } }
            Form = @{ grant_type = 'client_credentials' }; Authorization = 'Basic YSUzQWIrYzpwJTI1JTJCJTI2JUMzJUJD' }
        @{ Name = 'client credentials: an assertion by secret'
            Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; client_auth_method = 'client_secret_jwt' } }
            Form = $asserted + @{ grant_type = 'client_credentials' } }
        @{ Name = 'client credentials: an assertion by key'; Parameters = { @{ client_id = 'app'; client_certificate = $pem } }
            Form = $asserted + @{ grant_type = 'client_credentials' } }
        @{ Name = 'client credentials: redirect_uri is sent as given'
            Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; redirect_uri = 'https://app.example/cb?x=1' } }
            Form = @{ grant_type = 'client_credentials'; client_id = 'app'; client_secret = 's3cret'; redirect_uri = 'https://app.example/cb?x=1' } }
        @{ Name = 'client credentials: a verifier without code is dropped'
            Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; code_verifier = 'v' } }
            Form = @{ grant_type = 'client_credentials'; client_id = 'app'; client_secret = 's3cret' } }

        @{ Name = 'refresh: public client'
            Parameters = { @{ client_id = 'app'; refresh_token = 'r3fresh'; scope = 'openid'; redirect_uri = 'http://127.0.0.1/' } }
            Form = @{ grant_type = 'refresh_token'; client_id = 'app'; refresh_token = 'r3fresh'; scope = 'openid'; redirect_uri = 'http://127.0.0.1/' } }
        @{ Name = 'refresh: token as SecureString'
            Parameters = { @{ client_id = 'app'; refresh_token = (ConvertTo-SecureString 'r3fresh' -AsPlainText) } }
            Form = @{ grant_type = 'refresh_token'; client_id = 'app'; refresh_token = 'r3fresh' } }
        @{ Name = 'refresh: with a secret'; Parameters = { @{ client_id = 'app'; refresh_token = 'r3fresh'; client_secret = 's3cret' } }
            Form = @{ grant_type = 'refresh_token'; client_id = 'app'; refresh_token = 'r3fresh'; client_secret = 's3cret' } }
        @{ Name = 'refresh: with a secret by Basic'
            Parameters = { @{ client_id = 'app'; refresh_token = 'r3fresh'; client_secret = 's3cret'; client_auth_method = 'client_secret_basic' } }
            Form = @{ grant_type = 'refresh_token'; refresh_token = 'r3fresh' }; Authorization = 'Basic YXBwOnMzY3JldA==' }
        @{ Name = 'refresh: with an assertion by secret'
            Parameters = { @{ client_id = 'app'; refresh_token = 'r3fresh'; client_secret = 's3cret'; client_auth_method = 'client_secret_jwt' } }
            Form = $asserted + @{ grant_type = 'refresh_token'; refresh_token = 'r3fresh' } }
        @{ Name = 'refresh: with a key'; Parameters = { @{ client_id = 'app'; refresh_token = 'r3fresh'; client_certificate = $pem } }
            Form = $asserted + @{ grant_type = 'refresh_token'; refresh_token = 'r3fresh' } }

        @{ Name = 'device code: public client'; Parameters = { @{ client_id = 'app'; device_code = 'd3vice' } }
            Form = @{ grant_type = 'urn:ietf:params:oauth:grant-type:device_code'; client_id = 'app'; device_code = 'd3vice' } }
        @{ Name = 'device code: with a secret'; Parameters = { @{ client_id = 'app'; device_code = 'd3vice'; client_secret = 's3cret' } }
            Form = @{ grant_type = 'urn:ietf:params:oauth:grant-type:device_code'; client_id = 'app'; device_code = 'd3vice'; client_secret = 's3cret' } }
        @{ Name = 'device code: with a secret by Basic'
            Parameters = { @{ client_id = 'app'; device_code = 'd3vice'; client_secret = 's3cret'; client_auth_method = 'client_secret_basic' } }
            Form = @{ grant_type = 'urn:ietf:params:oauth:grant-type:device_code'; device_code = 'd3vice' }; Authorization = 'Basic YXBwOnMzY3JldA==' }

        @{ Name = 'JWT bearer: the assertion alone'; Parameters = { @{ jwtAssertion = 'e30.e30.AA' } }
            Form = @{ grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'; assertion = 'e30.e30.AA' } }
        @{ Name = 'JWT bearer: with client and scope'
            Parameters = { @{ jwtAssertion = 'e30.e30.AA'; client_id = 'app'; scope = 'a'; client_secret = 's3cret' } }
            Form = @{ grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'; assertion = 'e30.e30.AA'; client_id = 'app'; scope = 'a'; client_secret = 's3cret' } }

        @{ Name = 'client assertion: as it is'; Parameters = { @{ client_id = 'app'; ClientAssertion = 'e30.e30.AA'; scope = 'a' } }
            Form = @{ grant_type = 'client_credentials'; client_id = 'app'; scope = 'a'; client_assertion = 'e30.e30.AA'; client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' } }

        @{ Name = 'further fields, of which resource may come several times'
            Parameters = { @{ client_id = 'app'; code = 'c0de'; AdditionalParameters = $further } }
            Form = @{ grant_type = 'authorization_code'; client_id = 'app'; code = 'c0de'; resource = 'urn:a', 'urn:b'; audience = 'x y'; number = '7'; flag = 'true' } }
        @{ Name = 'empty values are not sent'
            Parameters = { @{ client_id = ''; code = 'c0de'; code_verifier = ''; redirect_uri = ''; scope = ''; nonce = ''; client_secret = '' } }
            Form = @{ grant_type = 'authorization_code'; code = 'c0de' } }
        @{ Name = 'null values are not sent'
            Parameters = { @{ client_id = $null; code = 'c0de'; scope = $null; nonce = $null; customHeaders = $null } }
            Form = @{ grant_type = 'authorization_code'; code = 'c0de' } }
        @{ Name = 'the nonce is not sent'; Parameters = { @{ client_id = 'app'; code = 'c0de'; nonce = 'n0nce' } }
            Form = @{ grant_type = 'authorization_code'; client_id = 'app'; code = 'c0de' } }
    )

    # Given and sent secret.
    $secrets = @(
        @{ Kind = 'string'; Parameters = { @{ client_id = 'app'; client_secret = 's3c ret+ü€' } } }
        @{ Kind = 'SecureString'; Parameters = { @{ client_id = 'app'; client_secret = ConvertTo-SecureString 's3c ret+ü€' -AsPlainText } } }
        @{ Kind = 'PSCredential, which names the client'
            Parameters = { @{ client_secret = [pscredential]::new('app', (ConvertTo-SecureString 's3c ret+ü€' -AsPlainText)) } } }
        @{ Kind = 'PSCredential beside a client_id, which wins'
            Parameters = { @{ client_id = 'app'; client_secret = [pscredential]::new('other', (ConvertTo-SecureString 's3c ret+ü€' -AsPlainText)) } } }
        @{ Kind = 'string wrapped by PowerShell'
            Parameters = { @{ client_id = 'app'; client_secret = 's3c ret+ü€' | Add-Member NoteProperty Note x -PassThru } } }
    )

    $refused = @(
        @{ What = 'a number as secret'; Parameters = { @{ client_id = 'app'; client_secret = 42 } } }
        @{ What = 'a hashtable as secret'; Parameters = { @{ client_id = 'app'; client_secret = @{ a = 1 } } } }
        @{ What = 'an array as secret'; Parameters = { @{ client_id = 'app'; client_secret = 'a', 'b' } } }
        @{ What = 'a number as refresh token'; Parameters = { @{ client_id = 'app'; refresh_token = 42 } } }
        @{ What = 'a number as key'; Parameters = { @{ client_id = 'app'; client_certificate = 42 } } }
        @{ What = 'Basic without client'; Parameters = { @{ client_secret = 's3cret'; client_auth_method = 'client_secret_basic' } } }
        @{ What = 'a secret without client'; Parameters = { @{ client_secret = 's3cret' } } }
        @{ What = 'an assertion without client'; Parameters = { @{ client_certificate = $pem } } }
        @{ What = 'no grant'; Parameters = { @{ client_id = 'app' } } }
        @{ What = 'an empty secret and no other grant'; Parameters = { @{ client_id = 'app'; client_secret = '' } } }
        @{ What = 'an empty code'; Parameters = { @{ client_id = 'app'; code = '' } } }
        @{ What = 'an empty SecureString'; Parameters = { @{ client_id = 'app'; client_secret = [securestring]::new() } } }
        @{ What = 'a field twice'; Parameters = { @{ client_id = 'app'; code = 'c0de'; AdditionalParameters = @{ grant_type = 'password' } } } }
        @{ What = 'a second credential as field'
            Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; client_auth_method = 'client_secret_basic'; AdditionalParameters = @{ client_secret = 'other' } } } }
        @{ What = 'a second credential as header'
            Parameters = { @{ client_id = 'app'; client_secret = 's3cret'; customHeaders = @{ Authorization = 'Bearer x' } } } }
        @{ What = 'a header of the connection: Host'
            Parameters = { @{ client_id = 'app'; code = 'c0de'; customHeaders = @{ Host = 'other.example' } } } }
        @{ What = 'a header of the connection: Content-Length'
            Parameters = { @{ client_id = 'app'; code = 'c0de'; customHeaders = @{ 'content-length' = 1 } } } }
        @{ What = 'a header that splits the request'
            Parameters = { @{ client_id = 'app'; code = 'c0de'; customHeaders = @{ 'X-A' = "a`r`nX-B: b" } } } }
        @{ What = 'an assertion algorithm of another key'; ErrorId = 'unsupported_key'
            Parameters = { @{ client_id = 'app'; client_certificate = $pem; AssertionAlgorithm = 'ES256' } } }
        @{ What = 'an HMAC for a private key'; ErrorId = 'unsupported_key'
            Parameters = { @{ client_id = 'app'; client_certificate = $pem; AssertionAlgorithm = 'HS256' } } }
    )

    $endpoints = @(
        @{ Uri = 'token'; ErrorId = 'invalid_endpoint' }
        @{ Uri = ''; ErrorId = 'ParameterArgumentValidationErrorEmptyStringNotAllowed' }
        @{ Uri = 'ftp://as.example/token'; ErrorId = 'invalid_endpoint' }
        @{ Uri = 'https://user:pass@as.example/token'; ErrorId = 'invalid_endpoint' }
        @{ Uri = 'https://as.example/token#x'; ErrorId = 'invalid_endpoint' }
        @{ Uri = 'http://as.example.test/token'; ErrorId = 'insecure_endpoint' }
        @{ Uri = 'http://127.0.0.1.example.test/token'; ErrorId = 'insecure_endpoint' }
    )

    # A member of the reply, and the property it becomes.
    $members = @(
        @{ Json = '"expires_in": 3599'; Name = 'expires_in'; Type = [long]; Expected = 3599L }
        @{ Json = '"expires_in": "3599"'; Name = 'expires_in'; Type = [string]; Expected = '3599' }
        @{ Json = '"ext_expires_in": 12.5'; Name = 'ext_expires_in'; Type = [double]; Expected = 12.5 }
        @{ Json = '"id": 123456789012345678901234567890'; Name = 'id'; Type = [bigint]; Expected = [bigint]::Parse('123456789012345678901234567890') }
        @{ Json = '"active": true'; Name = 'active'; Type = [bool]; Expected = $true }
        @{ Json = '"text": "a\u00fc\"\ud83d\ude00"'; Name = 'text'; Type = [string]; Expected = 'aü"😀' }
        @{ Json = '"issued": "2024-02-01T12:00:00Z"'; Name = 'issued'; Type = [string]; Expected = '2024-02-01T12:00:00Z' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $echo = "$($server.http)/echo-token"
    $rsa = [RSA]::Create(2048)
    $pem = $rsa.ExportPkcs8PrivateKeyPem()
    $further = [ordered]@{ resource = 'urn:a', 'urn:b'; audience = 'x y'; number = 7; flag = $true; nothing = $null }

    function Assert-Form($Actual, $Expected) {
        ($Actual.Keys | Sort-Object) -join ' ' | Should -BeExactly (($Expected.Keys | Sort-Object) -join ' ')
        foreach ($name in $Expected.Keys) {
            if ($Expected[$name] -eq '<jwt>') {
                $Actual[$name] | Should -MatchExactly '^[\w-]+\.[\w-]+\.[\w-]+$'
            } else {
                $Actual[$name] | Should -BeExactly $Expected[$name] -Because $name
            }
        }
    }

    # A path that answers 200 with this JSON text.
    function Set-Json([string] $Json) {
        Set-Reply $server /canned/json @{ headers = @(, @('Content-Type', 'application/json')); body = $Json }
    }
}

AfterAll { Stop-Peer $server }

Describe 'The request' {
    BeforeEach { $null = Get-SentRequest $server }

    It '<Name>' -ForEach $requests {
        $bound = & $Parameters
        (token $echo @bound).access_token | Should -Not -BeNullOrEmpty
        $sent = @(Get-SentRequest $server)
        $sent.Count | Should -Be 1
        $sent[0].Method | Should -BeExactly POST
        $sent[0].Path | Should -BeExactly /echo-token
        $sent[0].Headers['content-type'] | Should -BeExactly application/x-www-form-urlencoded
        $sent[0].Headers['authorization'] | Should -BeExactly ($_.Contains('Authorization') ? $Authorization : $null)
        Assert-Form $sent[0].Form $Form
    }

    It 'carries a secret given as <Kind>' -ForEach $secrets {
        $bound = & $Parameters
        $null = token $echo @bound
        Assert-Form (Get-SentRequest $server).Form @{ grant_type = 'client_credentials'; client_id = 'app'; client_secret = 's3c ret+ü€' }
    }

    It 'is not sent with <What>' -ForEach $refused {
        $bound = & $Parameters
        $failure = Get-Failure { token $echo @bound }
        Get-ErrorId $failure | Should -BeExactly ($_.Contains('ErrorId') ? $ErrorId : 'invalid_argument')
        $failure.CategoryInfo.Category | Should -BeExactly InvalidArgument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'is not sent to <Uri>' -ForEach $endpoints {
        $failure = Get-Failure { token $Uri -client_id app -client_secret s3cret -Timeout 5 }
        Get-ErrorId $failure | Should -BeExactly $ErrorId
        "$failure" | Should -Not -Match 'user:|pass@'
    }

    It 'is form-encoded as RFC 6749 appendix B says' {
        $null = token $echo -client_id app -code c0de -scope ' %&+£€'
        (Get-SentRequest $server).Body | Should -MatchExactly ([regex]::Escape('scope=+%25%26%2B%C2%A3%E2%82%AC'))
    }

    It 'keeps the query of the endpoint' {
        $null = token "${echo}?tenant=a%20b&x=1" -client_id app -code c0de
        (Get-SentRequest $server).Path | Should -BeExactly '/echo-token?tenant=a%20b&x=1'
    }

    It 'asks for JSON and names TokenKit' {
        $null = token $echo -client_id app -code c0de
        $headers = (Get-SentRequest $server).Headers
        $headers['accept'] | Should -BeExactly application/json
        $headers['user-agent'] | Should -MatchExactly '^tokenkit/\d+\.\d+\.\d+$'
    }

    It 'carries customHeaders, which replace its own' {
        $custom = @{ 'User-Agent' = 'my agent'; Origin = 'https://app.example'; 'X-Number' = 7; 'X-Several' = 'a', 'b'; Accept = '*/*' }
        $null = token $echo -client_id app -code c0de -customHeaders $custom
        $headers = (Get-SentRequest $server).Headers
        $headers['user-agent'] | Should -BeExactly 'my agent'
        $headers['origin'] | Should -BeExactly 'https://app.example'
        $headers['x-number'] | Should -BeExactly '7'
        $headers['x-several'] | Should -BeExactly 'a, b'
        $headers['accept'] | Should -BeExactly '*/*'
        $headers['content-type'] | Should -BeExactly application/x-www-form-urlencoded
    }

    It 'carries secrets in lists of them, and refuses what is none' {
        $secret = ConvertTo-SecureString s3cret -AsPlainText
        $null = token $echo -client_id app -code c0de -customHeaders @{ 'X-Several' = $secret, 'b' } -AdditionalParameters @{ resource = $secret, 'b' }
        $sent = Get-SentRequest $server
        $sent.Headers['x-several'] | Should -BeExactly 's3cret, b'
        $sent.Form.resource | Should -BeExactly 's3cret', 'b'
        Get-ErrorId (Get-Failure { token $echo -client_id app -code c0de -customHeaders @{ 'X-Several' = @{ a = 1 }, 'b' } }) | Should -BeExactly invalid_argument
    }

    It 'takes headers and fields as objects of ConvertFrom-Json, too' {
        $options = '{"headers":{"X-A":"1"},"fields":{"resource":["urn:a","urn:b"],"flag":true}}' | ConvertFrom-Json
        $null = token $echo -client_id app -code c0de -customHeaders $options.headers -AdditionalParameters $options.fields
        $sent = Get-SentRequest $server
        $sent.Headers['x-a'] | Should -BeExactly 1
        Assert-Form $sent.Form @{ grant_type = 'authorization_code'; client_id = 'app'; code = 'c0de'; resource = 'urn:a', 'urn:b'; flag = 'true' }
    }

    It 'carries an Authorization header of the caller where the client does not authenticate otherwise' {
        $null = token $echo -client_id app -code c0de -customHeaders @{ Authorization = 'DPoP abc' }
        (Get-SentRequest $server).Headers['authorization'] | Should -BeExactly 'DPoP abc'
    }

    It 'travels by HTTP/2 where TLS offers it' {
        $null = token "$($server.https)/echo-token" -client_id app -code c0de -CertificateAuthority $server.certificate_authority
        (Get-SentRequest $server).HttpVersion | Should -BeExactly HTTP/2.0
    }

    It 'takes a path of PowerShell for -CertificateAuthority' {
        $folder, $file = (Split-Path $server.certificate_authority), (Split-Path $server.certificate_authority -Leaf)
        Push-Location $folder
        try {
            (token "$($server.https)/echo-token" -client_id app -code c0de -CertificateAuthority "./$file").token_type | Should -BeExactly Bearer
        } finally {
            Pop-Location
        }
    }
}

Describe 'The client assertion' {
    It 'says who, to whom and for how long, and each has its own jti' {
        $seen = foreach ($attempt in 1..2) {
            $before = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
            $jwt = Read-Jwt (token $echo -client_id app -client_certificate $pem).received.form.client_assertion[0]
            $jwt.Header.alg | Should -BeExactly RS256
            $jwt.Header.typ | Should -BeExactly JWT
            $claims = $jwt.Claims
            $claims.iss, $claims.sub | Should -BeExactly 'app', 'app'
            $claims.aud | Should -BeExactly $echo
            $claims.iat | Should -BeOfType long
            $claims.iat | Should -BeGreaterOrEqual $before
            $claims.iat | Should -BeLessOrEqual ($before + 30)
            $claims.nbf | Should -Be $claims.iat
            $claims.exp | Should -Be ($claims.iat + 300)
            $claims.jti
        }
        $seen[0] | Should -Not -BeExactly $seen[1]
    }

    It 'takes audience, lifetime <Lifetime>, algorithm and key id' -ForEach @(
        @{ Lifetime = 60; Seconds = 60 }
        @{ Lifetime = [timespan]::FromMinutes(2); Seconds = 120 }
        @{ Lifetime = '00:01:30'; Seconds = 90 }
    ) {
        $options = @{ AssertionAudience = 'https://as.example'; AssertionLifetime = $Lifetime; AssertionAlgorithm = 'PS384'; key_id = 'k1' }
        $token = token $echo -client_id app -client_certificate $pem @options
        $jwt = Read-Jwt $token.received.form.client_assertion[0]
        $jwt.Header.alg, $jwt.Header.kid | Should -BeExactly 'PS384', 'k1'
        $jwt.Claims.aud | Should -BeExactly https://as.example
        $jwt.Claims.exp - $jwt.Claims.iat | Should -Be $Seconds
    }

    It 'has an HMAC of the secret with <_>' -ForEach 'HS256', 'HS384', 'HS512' {
        $secret = 'a secret of more than sixty-four bytes, as HS512 wants it to be: 0123456789'
        $token = token $echo -client_id app -client_secret $secret -client_auth_method client_secret_jwt -AssertionAlgorithm $_
        $jwt = Read-Jwt $token.received.form.client_assertion[0]
        $jwt.Header.alg | Should -BeExactly $_
        $hmac = [HMAC]::Create("HMACSHA$($_.Substring(2))")
        $hmac.Key = [System.Text.Encoding]::UTF8.GetBytes($secret)
        ConvertTo-Base64Url $jwt.Signature | Should -BeExactly (ConvertTo-Base64Url $hmac.ComputeHash($jwt.Signed))
    }

    It 'refuses a lifetime of <_>' -ForEach 0, -1, 'soon' {
        $lifetime = $_
        $failure = Get-Failure { token $echo -client_id app -client_certificate $pem -AssertionLifetime $lifetime }
        Get-ErrorId $failure | Should -BeIn ParameterArgumentTransformationError, CannotConvertArgumentNoMessage
    }
}

Describe 'The response' {
    It 'is the reply with its members in order, and the time of expiry after them' {
        $uri = Set-Json '{"z_first":"1","token_type":"Bearer","access_token":"t0ken","expires_in":3600,"Scope":"a","nested":{"b":1,"a":[1,"x",null]}}'
        $before = Get-Date
        $response = token $uri -client_id app -code c0de
        $response | Should -BeOfType pscustomobject
        $response.psobject.Properties.Name -join ' ' | Should -BeExactly 'z_first token_type access_token expires_in Scope nested expiry_datetime'
        $response.psobject.TypeNames[0] | Should -BeExactly TokenKit.TokenResponse
        $response.access_token | Should -BeExactly t0ken
        $response.nested.psobject.Properties.Name -join ' ' | Should -BeExactly 'b a'
        $response.nested.a.Count | Should -Be 3
        $response.expiry_datetime | Should -BeOfType datetime
        $response.expiry_datetime.Kind | Should -BeExactly Local
        [Math]::Abs(($response.expiry_datetime - $before.AddSeconds(3600)).TotalSeconds) | Should -BeLessThan 30
        $response | ConvertTo-Json -Depth 5 | ConvertFrom-Json | ForEach-Object access_token | Should -BeExactly t0ken
    }

    It 'decodes <Json> as <Type>' -ForEach $members {
        $response = token (Set-Json "{`"access_token`":`"t`",$Json}") -client_id app -code c0de
        $response.$Name | Should -BeOfType $Type
        $response.$Name | Should -BeExactly $Expected
    }

    It 'keeps null and an empty list' {
        $response = token (Set-Json '{"access_token":"t","none":null,"list":[]}') -client_id app -code c0de
        $response.psobject.Properties['none'].Value | Should -Be $null
        , $response.list | Should -BeOfType object[]
        $response.list.Count | Should -Be 0
    }

    It 'tells the time of expiry for <_>' -ForEach '3600', '"3600"' {
        $response = token (Set-Json "{`"access_token`":`"t`",`"expires_in`":$_}") -client_id app -code c0de
        [Math]::Abs(($response.expiry_datetime - (Get-Date).AddSeconds(3600)).TotalSeconds) | Should -BeLessThan 30
    }

    It 'tells no time of expiry for "access_token":"t"<_>' -ForEach '', ',"expires_in":0', ',"expires_in":"soon"', ',"expires_in":null', ',"expires_in":-1' {
        (token (Set-Json "{`"access_token`":`"t`"$_}") -client_id app -code c0de).psobject.Properties['expiry_datetime'] | Should -Be $null
    }

    It 'takes the last of several members with one name, as the library does' {
        $response = token (Set-Json '{"access_token":"first","a":{"b":1,"B":2},"Access_Token":"second","access_token":"last"}') -client_id app -code c0de
        $response.access_token | Should -BeExactly last
        $response.a.b | Should -Be 2
        $response.psobject.Properties.Name -join ' ' | Should -BeExactly 'access_token a'
    }

    It 'replaces a member named expiry_datetime' {
        $response = token (Set-Json '{"access_token":"t","expiry_datetime":"x","expires_in":60}') -client_id app -code c0de
        $response.expiry_datetime | Should -BeOfType datetime
    }

    It 'is returned for status <_>' -ForEach 200, 201 {
        $uri = Set-Reply $server /canned/status (New-JsonReply $_ @{ access_token = 't0ken' })
        (token $uri -client_id app -code c0de).access_token | Should -BeExactly t0ken
    }
}

Describe 'The view of a response' {
    BeforeAll {
        $tokens = @{
            access_token = 'AAAAAAaccess-token-0123456789-abcdefghijklmnopZZZZ'
            refresh_token = 'BBBBBBrefresh-token-0123456789-abcdefghijklmnopYYYY'
            id_token = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsIngiOiIwMTIzNDU2Nzg5In0.c2lnbmF0dXJl'
            unknown = 'CCCCCCunknown-member-0123456789-abcdefghijklmnXXXX'
            short = 'sh0rt'
        }
        $others = @{ token_type = 'Bearer'; expires_in = 3599; scope = 'api.read'; nested = @{ token = 'n3sted' } }
        $response = token (Set-Json (ConvertTo-Json ($tokens + $others))) -client_id app -code c0de
    }

    It 'shows no token whole: <Name>' -ForEach @(
        @{ Name = 'default'; View = { $args[0] | Out-String } }
        @{ Name = 'Format-List'; View = { $args[0] | Format-List | Out-String } }
        @{ Name = 'Format-Table'; View = { $args[0] | Format-Table | Out-String -Width 4096 } }
        @{ Name = 'several'; View = { $args[0], $args[0] | Out-String } }
        @{ Name = 'in a text'; View = { "$($args[0])" } }
        @{ Name = 'ToString'; View = { $args[0].ToString() } }
        @{ Name = 'Write-Verbose'; View = { Write-Verbose $args[0] -Verbose 4>&1 | Out-String } }
        @{ Name = 'in an object'; View = { [pscustomobject]@{ Token = $args[0] } | Format-List | Out-String } }
        @{ Name = 'Write-Host'; View = { Write-Host $args[0] 6>&1 | Out-String } }
    ) {
        $text = & $View $response
        $text | Should -Not -BeNullOrEmpty
        foreach ($token in @($tokens.Values) + 'n3sted') { $text | Should -Not -Match ([regex]::Escape($token)) }
    }

    It 'shows first and last characters of tokens, and what is no secret' {
        $text = $response | Out-String
        $text | Should -MatchExactly 'access_token +: AAAAAA.*ZZZZ'
        $text | Should -MatchExactly 'refresh_token +: BBBBBB.*YYYY'
        $text | Should -MatchExactly 'token_type +: Bearer'
        $text | Should -MatchExactly 'scope +: api\.read'
        $text | Should -MatchExactly 'expires_in +: 3599'
        $text | Should -MatchExactly 'expiry_datetime +: in 59 min \('
        $text | Should -MatchExactly 'short +: \S*\*'
    }

    It 'leaves the properties whole' {
        foreach ($name in $tokens.Keys) { $response.$name | Should -BeExactly $tokens[$name] }
        ($response | Select-Object access_token).access_token | Should -BeExactly $tokens.access_token
    }
}

Describe 'A secret that signs' {
    It 'of less than 32 bytes causes a warning, once (RFC 7518 section 3.2)' {
        $clients = foreach ($id in 1..3) { @{ uri = $echo; client_id = "app$id"; client_secret = 'short'; client_auth_method = 'client_secret_jwt' } }
        $run = Invoke-Pipeline $Module 'param($clients) $clients | token' (, $clients)
        $run.Output.Count | Should -Be 3
        $run.Streams.Warning.Count | Should -Be 1
        "$($run.Streams.Warning)" | Should -Match 'RFC 7518'
    }

    It 'of 32 bytes causes none, and neither does one that is sent' {
        foreach ($client in @{ client_secret = 'x' * 32; client_auth_method = 'client_secret_jwt' }, @{ client_secret = 'short' }) {
            $run = Invoke-Pipeline $Module 'param($uri, $client) token $uri -client_id app @client' $echo, $client
            $run.Output.Count | Should -Be 1
            $run.Streams.Warning.Count | Should -Be 0
        }
    }
}

Describe 'A device code' {
    BeforeEach {
        $null = Get-SentRequest $server
        $pending = New-JsonReply 400 @{ error = 'authorization_pending' }
        $granted = New-JsonReply 200 @{ access_token = 't0ken'; token_type = 'Bearer' }
    }

    It 'is asked for once, unless -Wait says otherwise' {
        $uri = Set-Reply $server /canned/once ($pending + @{ times = 1 }), $granted
        Get-ErrorId (Get-Failure { token $uri -client_id app -device_code d3vice }) | Should -BeExactly authorization_pending
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'is asked for until the user has finished when it comes through the pipeline as <Name>' -ForEach @(
        @{ Name = 'object'; Reply = { [pscustomobject]@{ device_code = 'd3vice'; interval = 1; expires_in = 60; user_code = 'u' } } }
        @{ Name = 'hashtable'; Reply = { @{ device_code = 'd3vice'; interval = '1'; expires_in = '60' } } }
    ) {
        $uri = Set-Reply $server /canned/piped ($pending + @{ times = 2 }), $granted
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        (& $Reply | token $uri -client_id app).access_token | Should -BeExactly t0ken
        $watch.Elapsed.TotalSeconds | Should -BeGreaterThan 1.9
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 20
        (Get-SentRequest $server).Form.device_code | Should -BeExactly 'd3vice', 'd3vice', 'd3vice'
    }

    It 'is asked for more slowly after slow_down' {
        $uri = Set-Reply $server /canned/slow ((New-JsonReply 400 @{ error = 'slow_down' }) + @{ times = 1 }), $granted
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        ([pscustomobject]@{ device_code = 'd3vice'; interval = 1 } | token $uri -client_id app).access_token | Should -BeExactly t0ken
        # One second, and five more.
        $watch.Elapsed.TotalSeconds | Should -BeGreaterThan 5.9
    }

    It 'is asked for with -Wait and the code alone' {
        $uri = Set-Reply $server /canned/wait $granted
        (token $uri -client_id app -device_code d3vice -Wait).access_token | Should -BeExactly t0ken
    }

    It 'is asked for no longer than it lives' {
        $uri = Set-Reply $server /canned/expired $pending
        $failure = Get-Failure { [pscustomobject]@{ device_code = 'd3vice'; interval = 1; expires_in = 2 } | token $uri -client_id app -ErrorAction Stop }
        Get-ErrorId $failure | Should -BeExactly expired_token
    }

    It 'is asked for no longer than -Timeout, when it is given' {
        $uri = Set-Reply $server /canned/limit $pending
        $failure = Get-Failure { [pscustomobject]@{ device_code = 'd3vice'; interval = 1; expires_in = 600 } | token $uri -client_id app -Timeout 2 -ErrorAction Stop }
        Get-ErrorId $failure | Should -BeExactly timeout
    }

    It 'is not asked for again after an error of another kind' {
        $uri = Set-Reply $server /canned/denied (New-JsonReply 400 @{ error = 'access_denied' })
        $failure = Get-Failure { [pscustomobject]@{ device_code = 'd3vice'; interval = 1 } | token $uri -client_id app -ErrorAction Stop }
        Get-ErrorId $failure | Should -BeExactly access_denied
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'of one of several devices does not hold up the others' {
        $slow = Set-Reply $server /canned/device-slow ($pending + @{ times = 3 }), $granted
        $fast = Set-Reply $server /canned/device-fast $granted
        $devices = foreach ($uri in $slow, $fast) { [pscustomobject]@{ uri = $uri; device_code = 'd3vice'; interval = 1 } }
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        ($devices | token -client_id app -ThrottleLimit 2).access_token | Should -BeExactly 't0ken', 't0ken'
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 20
    }
}

Describe '-issuer' {
    BeforeAll {
        # The test server as an issuer: its keys sign the ID tokens that it grants.
        $null = Set-Reply $server /.well-known/openid-configuration (New-JsonReply 200 @{ issuer = $server.http; token_endpoint = "$($server.http)/token"; jwks_uri = "$($server.http)/jwks" })

        function New-Code([string] $ClientId = 'public-client') {
            (Invoke-Control $server Post code @{ client_id = $ClientId; scope = 'openid'; redirect_uri = 'http://127.0.0.1/'; nonce = 'n0nce' }).code
        }
        $splat = @{ client_id = 'public-client'; redirect_uri = 'http://127.0.0.1/'; nonce = 'n0nce' }
    }

    It 'validates the ID token with the keys of the issuer' {
        $code = New-Code
        $null = Get-SentRequest $server
        (Read-Jwt (token "$($server.http)/token" @splat -code $code -issuer $server.http).id_token).Claims.sub | Should -BeExactly alice
        (Get-SentRequest $server).Path | Should -Contain /token
    }

    It 'gives no token when the ID token is <Name>' -ForEach @(
        @{ Name = 'of another issuer'; ErrorId = 'id_token_wrong_issuer'; Wrong = { @{ iss = 'https://evil.example' } } }
        @{ Name = 'for another client'; ErrorId = 'id_token_wrong_audience'; Wrong = { @{ aud = 'other' } } }
        @{ Name = 'old'; ErrorId = 'id_token_expired'; Wrong = { @{ exp = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() - 3600 } } }
        @{ Name = 'of another sign-in'; ErrorId = 'nonce_mismatch'; Wrong = { @{ nonce = 'other' } } }
        @{ Name = 'signed by somebody else'; ErrorId = 'id_token_wrong_signature'; Wrong = { @{} } }
    ) {
        # A key of our own, which the issuer publishes for all but the last.
        $rsa = [RSA]::Create(2048)
        $published = $ErrorId -eq 'id_token_wrong_signature' ? [RSA]::Create(2048) : $rsa
        $jwk = ConvertTo-Jwk $published | ConvertTo-Json | ConvertFrom-Json -AsHashtable
        $issuer = "$($server.http)/issuer-$([guid]::NewGuid().ToString('N'))"
        $path = ([uri]$issuer).AbsolutePath
        $null = Set-Reply $server "$path/.well-known/openid-configuration" (New-JsonReply 200 @{ issuer = $issuer; jwks_uri = "$issuer/keys" })
        $null = Set-Reply $server "$path/keys" (New-JsonReply 200 @{ keys = @($jwk) })
        $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        $claims = @{ iss = $issuer; aud = 'public-client'; sub = 'alice'; nonce = 'n0nce'; iat = $now; exp = $now + 300 }
        $uri = Set-Reply $server "$path/token" (New-JsonReply 200 @{ access_token = 't0ken'; token_type = 'Bearer'; id_token = New-Jwt $claims $rsa })
        if ($ErrorId -ne 'id_token_wrong_signature') {
            (token $uri @splat -code c0de -issuer $issuer).access_token | Should -BeExactly t0ken
        }
        $changes = & $Wrong
        foreach ($name in $changes.Keys) { $claims[$name] = $changes[$name] }
        $uri = Set-Reply $server "$path/token" (New-JsonReply 200 @{ access_token = 't0ken'; token_type = 'Bearer'; id_token = New-Jwt $claims $rsa })
        $failure = $null
        $output = try { token $uri @splat -code c0de -issuer $issuer } catch { $failure = $_ }
        $output | Should -BeNullOrEmpty
        Get-ErrorId $failure | Should -BeExactly $ErrorId
        $failure.CategoryInfo.Category | Should -Be SecurityError
        token $uri @splat -code c0de -issuer $issuer -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
    }
}
