# What Test-JsonWebToken accepts, what it refuses and why, and where it gets keys.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # Claims beside the valid ones (null takes one away), parameters, and the reasons to be given.
    $claimRows = @(
        @{ Name = 'a valid token'; Claims = @{}; Parameters = @{}; Reasons = @() }
        @{ Name = 'the right issuer'; Claims = @{}; Parameters = @{ issuer = 'https://as.example' }; Reasons = @() }
        @{ Name = 'another issuer'; Claims = @{}; Parameters = @{ issuer = 'https://other.example' }; Reasons = 'wrong_iss' }
        @{ Name = 'an issuer in other case'; Claims = @{}; Parameters = @{ issuer = 'https://AS.example' }; Reasons = 'wrong_iss' }
        @{ Name = 'an issuer with a slash more'; Claims = @{}; Parameters = @{ issuer = 'https://as.example/' }; Reasons = 'wrong_iss' }
        @{ Name = 'no issuer'; Claims = @{ iss = $null }; Parameters = @{ issuer = 'https://as.example' }; Reasons = 'missing_iss' }
        @{ Name = 'the tenant of a user where all tenants are expected'; Claims = @{ iss = 'https://login.microsoftonline.com/f8cdef31-a31e-4b4a-93e4-5f571e91255a/v2.0'; tid = 'f8cdef31-a31e-4b4a-93e4-5f571e91255a' }; Parameters = @{ issuer = 'https://login.microsoftonline.com/common/v2.0' }; Reasons = @() }
        @{ Name = 'the right audience'; Claims = @{}; Parameters = @{ audience = 'app' }; Reasons = @() }
        @{ Name = 'one of several audiences'; Claims = @{ aud = 'x', 'app' }; Parameters = @{ audience = 'other', 'app' }; Reasons = @() }
        @{ Name = 'another audience'; Claims = @{}; Parameters = @{ audience = 'api' }; Reasons = 'wrong_aud' }
        @{ Name = 'an audience that begins alike'; Claims = @{}; Parameters = @{ audience = 'ap' }; Reasons = 'wrong_aud' }
        @{ Name = 'no audience'; Claims = @{ aud = $null }; Parameters = @{ audience = 'app' }; Reasons = 'missing_aud' }
        @{ Name = 'an audience that is a number'; Claims = @{ aud = 7 }; Parameters = @{ audience = '7' }; Reasons = 'malformed_aud' }
        @{ Name = 'the right nonce'; Claims = @{ nonce = 'n' }; Parameters = @{ nonce = 'n' }; Reasons = @() }
        @{ Name = 'another nonce'; Claims = @{ nonce = 'N' }; Parameters = @{ nonce = 'n' }; Reasons = 'wrong_nonce' }
        @{ Name = 'no nonce'; Claims = @{}; Parameters = @{ nonce = 'n' }; Reasons = 'missing_nonce' }
        @{ Name = 'the right party'; Claims = @{ azp = 'app' }; Parameters = @{ azp = 'app' }; Reasons = @() }
        @{ Name = 'another party'; Claims = @{ azp = 'app' }; Parameters = @{ authorizedParty = 'other' }; Reasons = 'wrong_azp' }
        @{ Name = 'an expired token'; Claims = @{ exp = -61 }; Parameters = @{}; Reasons = 'expired' }
        @{ Name = 'a token that expired within the skew'; Claims = @{ exp = -30 }; Parameters = @{}; Reasons = @() }
        @{ Name = 'a token that expired just now, without skew'; Claims = @{ exp = -2 }; Parameters = @{ ClockSkew = 0 }; Reasons = 'expired' }
        @{ Name = 'a token that never expires'; Claims = @{ exp = $null }; Parameters = @{}; Reasons = 'missing_exp' }
        @{ Name = 'a token of 1970'; Claims = @{ exp = 'at 300' }; Parameters = @{}; Reasons = 'expired' }
        @{ Name = 'an expiry that is a text'; Claims = @{ exp = 'text' }; Parameters = @{}; Reasons = 'malformed_exp' }
        @{ Name = 'a token for later'; Claims = @{ nbf = 90 }; Parameters = @{}; Reasons = 'not_yet_valid' }
        @{ Name = 'a token of the future'; Claims = @{ iat = 90 }; Parameters = @{}; Reasons = 'issued_in_future' }
        @{ Name = 'a token of the future, within a wider skew'; Claims = @{ iat = 90; nbf = 90 }; Parameters = @{ ClockSkew = 100 }; Reasons = @() }
        # OpenID Connect Core, appendix A.3: at_hash of this access token.
        @{ Name = 'the access token of the hash'; Claims = @{ at_hash = '77QmUPtjPfzWtF2AnpK9RQ' }; Parameters = @{ access_token = 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y' }; Reasons = @() }
        @{ Name = 'another access token'; Claims = @{ at_hash = '77QmUPtjPfzWtF2AnpK9RQ' }; Parameters = @{ access_token = 'other' }; Reasons = 'wrong_at_hash' }
        @{ Name = 'no hash of the access token'; Claims = @{}; Parameters = @{ access_token = 'other' }; Reasons = 'missing_at_hash' }
        # The same, appendix A.4: c_hash of this code.
        @{ Name = 'the code of the hash'; Claims = @{ c_hash = 'LDktKdoQak3Pk0cnXxCltA' }; Parameters = @{ code = 'Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk' }; Reasons = @() }
        @{ Name = 'all that is wrong at once'; Claims = @{ exp = -3600; iss = 'x'; aud = $null }; Parameters = @{ issuer = 'y'; audience = 'app' }; Reasons = 'wrong_iss', 'missing_aud', 'expired' }
    )

    # Texts that no key makes valid: built in `Make` from $good, a valid token, and its parts.
    $hostile = @(
        @{ Name = 'nothing'; Make = { '' }; Reason = 'malformed_token' }
        @{ Name = 'an opaque token'; Make = { 'opaque' }; Reason = 'malformed_token' }
        @{ Name = 'a token after its scheme'; Make = { "Bearer $good" }; Reason = 'malformed_token' }
        @{ Name = 'a token with a space behind'; Make = { "$good " }; Reason = 'malformed_token' }
        @{ Name = 'a token with a line feed behind'; Make = { "$good`n" }; Reason = 'malformed_token' }
        @{ Name = 'padding'; Make = { "$good=" }; Reason = 'malformed_token' }
        @{ Name = 'two parts'; Make = { "$header.$payload" }; Reason = 'malformed_token' }
        @{ Name = 'four parts'; Make = { "$good.x" }; Reason = 'malformed_token' }
        @{ Name = 'five parts'; Make = { "$good.x.y" }; Reason = 'encrypted' }
        @{ Name = 'more than 64 KiB'; Make = { "$header.$('A' * 66000).$signature" }; Reason = 'malformed_token' }
        @{ Name = 'standard base64'; Make = { "$header.$payload.++//" }; Reason = 'malformed_token' }
        @{ Name = 'a header that is no JSON'; Make = { Join-Jwt 'x' '{}' $signature }; Reason = 'malformed_token' }
        @{ Name = 'a header that is an array'; Make = { Join-Jwt '[]' '{}' $signature }; Reason = 'malformed_token' }
        @{ Name = 'an algorithm twice'; Make = { Join-Jwt '{"alg":"none","alg":"RS256"}' '{}' $signature }; Reason = 'malformed_token' }
        @{ Name = 'a claim twice'; Make = { Join-Jwt '{"alg":"RS256"}' '{"sub":"a","sub":"b"}' $signature }; Reason = 'malformed_token' }
        @{ Name = 'deep nesting'; Make = { Join-Jwt '{"alg":"RS256"}' ('{"a":' + '[' * 500 + ']' * 500 + '}') $signature }; Reason = 'malformed_token' }
        @{ Name = 'claims that are a text'; Make = { Join-Jwt '{"alg":"RS256"}' '"text"' $signature }; Reason = 'malformed_token' }
        @{ Name = 'no algorithm'; Make = { Join-Jwt '{}' '{}' $signature }; Reason = 'unsupported_algorithm' }
        @{ Name = 'none'; Make = { Join-Jwt '{"alg":"none"}' '{}' }; Reason = 'unsupported_algorithm' }
        @{ Name = 'none with a signature'; Make = { Join-Jwt '{"alg":"none"}' '{}' $signature }; Reason = 'unsupported_algorithm' }
        @{ Name = 'NoNe'; Make = { Join-Jwt '{"alg":"NoNe"}' '{}' }; Reason = 'unsupported_algorithm' }
        @{ Name = 'an algorithm in lower case'; Make = { Join-Jwt '{"alg":"rs256"}' '{}' $signature }; Reason = 'unsupported_algorithm' }
        @{ Name = 'an algorithm that is a number'; Make = { Join-Jwt '{"alg":256}' '{}' $signature }; Reason = 'unsupported_algorithm' }
        @{ Name = 'an encryption algorithm'; Make = { Join-Jwt '{"alg":"RSA-OAEP"}' '{}' $signature }; Reason = 'unsupported_algorithm' }
        @{ Name = 'an HMAC by the public key'; Make = { New-HmacByPublicKey }; Reason = 'algorithm_not_allowed' }
        @{ Name = 'ECDSA for an RSA key'; Make = { Join-Jwt '{"alg":"ES256"}' '{}' $signature }; Reason = 'algorithm_not_allowed' }
        @{ Name = 'a critical extension'; Make = { Join-Jwt '{"alg":"RS256","crit":["exp"],"exp":1}' '{}' $signature }; Reason = 'unsupported_crit' }
        @{ Name = 'an empty list of critical extensions'; Make = { Join-Jwt '{"alg":"RS256","crit":[]}' '{}' $signature }; Reason = 'unsupported_crit' }
        @{ Name = 'an unencoded payload'; Make = { Join-Jwt '{"alg":"RS256","b64":false,"crit":["b64"]}' '{}' $signature }; Reason = 'unencoded_payload' }
        @{ Name = 'no signature'; Make = { "$header.$payload." }; Reason = 'invalid_signature' }
        @{ Name = 'the signature of another token'; Make = { "$header.$(ConvertTo-Base64Url '{"sub":"mallory"}').$signature" }; Reason = 'invalid_signature' }
        @{ Name = 'a signature cut off'; Make = { "$header.$payload.$($signature.Substring(0, 340))" }; Reason = 'invalid_signature' }
        @{ Name = 'a signature with bytes behind'; Make = { "$header.$payload.$(ConvertTo-Base64Url ((ConvertFrom-Base64Url $signature) + [byte[]] (1, 2)))" }; Reason = 'invalid_signature' }
        @{ Name = 'a signature of PKCS#1 called PSS'; Make = { $other = ConvertTo-Base64Url '{"alg":"PS256"}'; "$other.$payload.$(Get-RsaSignature "$other.$payload")" }; Reason = 'invalid_signature' }
        @{ Name = 'a key in the header'; Make = { $other = ConvertTo-Base64Url (ConvertTo-Json @{ alg = 'RS256'; jwk = ConvertTo-Jwk $mallory } -Compress); "$other.$payload.$(Get-RsaSignature "$other.$payload" $mallory)" }; Reason = 'invalid_signature' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/JoseHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $rsa = [System.Security.Cryptography.RSA]::Create(2048)
    $mallory = [System.Security.Cryptography.RSA]::Create(2048)
    $jwk = ConvertTo-Jwk $rsa

    # A token good for five minutes; numbers of the times are seconds from now.
    function New-Token([hashtable] $Claims = @{}, [hashtable] $Header = @{}, $Key = $rsa) {
        $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        $all = @{ iss = 'https://as.example'; sub = 'alice'; aud = 'app'; exp = 300; iat = 0 }
        foreach ($name in $Claims.Keys) { $all[$name] = $Claims[$name] }
        foreach ($name in 'exp', 'nbf', 'iat') {
            if ($all[$name] -is [int]) { $all[$name] = $now + $all[$name] } elseif ($all[$name] -like 'at *') { $all[$name] = [int]($all[$name] -replace 'at ') }
        }
        $set = @{}
        foreach ($name in $all.Keys) { if ($null -ne $all[$name]) { $set[$name] = $all[$name] } }
        $signed = Join-Jwt (@{ alg = 'RS256' } + $Header) $set
        "$signed$(Get-RsaSignature $signed.TrimEnd('.') $Key)"
    }

    function Get-RsaSignature([string] $Text, $Key = $rsa) {
        ConvertTo-Base64Url ($Key.SignData([System.Text.Encoding]::ASCII.GetBytes($Text), 'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1))
    }

    function New-HmacByPublicKey {
        $signed = (Join-Jwt '{"alg":"HS256"}' '{}').TrimEnd('.')
        $key = [System.Text.Encoding]::ASCII.GetBytes($rsa.ExportSubjectPublicKeyInfoPem())
        "$signed.$(ConvertTo-Base64Url ([System.Security.Cryptography.HMACSHA256]::HashData($key, [System.Text.Encoding]::ASCII.GetBytes($signed))))"
    }
}

AfterAll { Stop-Peer $server }

Describe 'Claims' {
    It '<Name>' -ForEach $claimRows {
        $result = Test-JsonWebToken (New-Token $Claims) -jwk $jwk @Parameters
        $result.Reasons -join ' ' | Should -BeExactly ($Reasons -join ' ')
        $result.Valid | Should -Be (@($Reasons).Count -eq 0)
        $result | Should -BeOfType TokenKit.JwtValidation
        Test-JsonWebToken (New-Token $Claims) -jwk $jwk @Parameters -Quiet | Should -Be $result.Valid
    }
}

Describe 'Hostile tokens' {
    It '<Name>: <Reason>' -ForEach $hostile {
        $good = New-Token
        $header, $payload, $signature = $good -split '\.'
        $token = & $Make
        $result = Test-JsonWebToken $token -jwk $jwk
        $result.Valid | Should -BeFalse
        $result.Reasons -join ' ' | Should -BeExactly $Reason
        $result.Message | Should -Match '^[A-Z].*\.$'
        Test-JsonWebToken $token -jwk $jwk -Quiet | Should -BeFalse
    }

    It 'are told apart from good ones in one pipeline, in order' {
        $results = (New-Token), 'opaque', (New-Token @{ exp = -3600 }), (New-Token) | Test-JsonWebToken -jwk $jwk
        $results.ForEach{ $_.Valid } -join ' ' | Should -BeExactly 'True False False True'
    }
}

Describe 'The result' {
    It 'holds header and claims, with 64-bit numbers and dates as texts' {
        $result = Test-JsonWebToken (New-Token @{ big = 9007199254740993; date = '2024-02-01T12:00:00Z'; deep = @{ a = @{ b = @{ c = 1 } } } }) -jwk $jwk
        $result.Header.alg | Should -BeExactly RS256
        $result.Claims.big | Should -Be 9007199254740993
        $result.Claims.date | Should -BeExactly 2024-02-01T12:00:00Z
        $result.Claims.deep.a.b.c | Should -Be 1
    }

    It 'is one line of a table' {
        $shown = Test-JsonWebToken (New-Token @{ exp = -3600 }) -jwk $jwk | Out-String
        $shown | Should -Match 'False alice +https://as\.example +expired'
    }
}

Describe 'Keys' {
    It 'are asked for once for 10,000 tokens of one issuer' {
        $issuer = New-Issuer $server $jwk /many
        $tokens = 1..10000 | ForEach-Object { New-Token @{ iss = $issuer; jti = "$_" } @{ kid = $jwk.kid } }
        $null = Get-SentRequest $server
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $results = @($tokens | Test-JsonWebToken -issuer $issuer -audience app)
        Write-Host "10,000 tokens in $($watch.ElapsedMilliseconds) ms"
        $results.Count | Should -Be 10000
        @($results | Where-Object Valid).Count | Should -Be 10000
        foreach ($index in 0, 499, 500, 9999) { $results[$index].Claims.jti | Should -BeExactly "$($index + 1)" }
        (@(Get-SentRequest $server).Path | Sort-Object) -join ' ' | Should -BeExactly '/many/.well-known/openid-configuration /many/keys'
    }

    It 'of an issuer are asked for anew when a token names a new one' {
        $issuer = New-Issuer $server $jwk /rotated
        Test-JsonWebToken (New-Token @{ iss = $issuer } @{ kid = $jwk.kid }) -issuer $issuer -Quiet | Should -BeTrue
        $newer = ConvertTo-Jwk $mallory
        $null = New-Issuer $server @($jwk, $newer) /rotated
        Test-JsonWebToken (New-Token @{ iss = $issuer } @{ kid = $newer.kid } $mallory) -issuer $issuer -Quiet | Should -BeTrue
        $null = Get-SentRequest $server
        # A name that is invented causes no second request so soon.
        (Test-JsonWebToken (New-Token @{ iss = $issuer } @{ kid = 'invented' }) -issuer $issuer).Reasons | Should -Be unknown_kid
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'come from -jwks_uri, also when they are encryption keys and keys of unknown types among them' {
        $uri = Set-Reply $server /mixed (New-JsonReply 200 @{ keys = @(@{ kty = 'AKP'; kid = 'x' }, @{ kty = 'oct'; k = 'AAAA'; kid = 'y' }, $jwk) })
        Test-JsonWebToken (New-Token) -jwks_uri $uri -Quiet | Should -BeTrue
    }

    It 'that are a secret for everyone to fetch vouch for nothing' {
        $uri = Set-Reply $server /published (New-JsonReply 200 @{ keys = @(@{ kty = 'oct'; k = 'c2VjcmV0' }) })
        (Test-JsonWebToken (New-Jwt @{ sub = 'a' } 'secret') -jwks_uri $uri).Valid | Should -BeFalse
    }

    It 'that cannot be had are an error, and no verdict' {
        $uri = Set-Reply $server /broken (New-JsonReply 200 @{ no = 'keys' })
        Get-ErrorId (Get-Failure { Test-JsonWebToken (New-Token) -jwks_uri $uri }) | Should -BeExactly invalid_jwks
        $uri = Set-Reply $server /gone (New-JsonReply 404 @{ error = 'gone' })
        (Get-Failure { Test-JsonWebToken (New-Token) -jwks_uri $uri }).Exception.Response.StatusCode | Should -Be 404
    }

    It 'of metadata of another issuer are not used' {
        $null = New-Issuer $server $jwk
        $null = Set-Reply $server /liar/.well-known/openid-configuration (New-JsonReply 200 @{ issuer = 'https://as.example'; jwks_uri = "$($server.http)/keys" })
        Get-ErrorId (Get-Failure { Test-JsonWebToken (New-Token) -issuer "$($server.http)/liar" }) | Should -BeExactly issuer_mismatch
    }

    It 'are not asked for by http where the token names the issuer' {
        $issuer = New-Issuer $server $jwk /pinned
        $null = Get-SentRequest $server
        $result = Test-JsonWebToken (New-Token @{ iss = $issuer }) -WarningVariable warnings -WarningAction SilentlyContinue
        $result.Reasons | Should -Be keys_unavailable
        "$warnings" | Should -Match 'issuer'
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'are not waited for after Ctrl+C' {
        $uri = Set-Reply $server /waiting @{ body = '{"keys":[]}'; delay_ms = 60000 }
        $pipeline = New-Pipeline $Module 'param($token, $uri) Test-JsonWebToken $token -jwks_uri $uri' (New-Token), $uri
        try {
            $null = $pipeline.BeginInvoke()
            Wait-Until { (@(Get-SentRequest $server).ForEach{ $_.Path }) -contains '/waiting' } | Should -BeTrue
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $pipeline.Stop()
            $watch.ElapsedMilliseconds | Should -BeLessThan 1000
            $pipeline.InvocationStateInfo.State | Should -Be Stopped
        } finally {
            $pipeline.Dispose()
        }
    }

    It 'of two kinds at once are refused' {
        Get-ErrorId (Get-Failure { Test-JsonWebToken (New-Token) -jwk $jwk -client_secret x }) | Should -BeExactly invalid_argument
    }

    It 'below 2048 bits cause one warning' {
        $weak = [System.Security.Cryptography.RSA]::Create(1024)
        $results = (New-Token -Key $weak), (New-Token -Key $weak) | Test-JsonWebToken -SigningCertificate $weak -WarningVariable warnings -WarningAction SilentlyContinue
        $results.Valid | Should -Be $true, $true
        @($warnings).Count | Should -Be 1
        "$warnings" | Should -Match '1024 bits'
    }
}

Describe 'oidc-provider' {
    BeforeAll {
        $provider = Start-Provider
        $client = $provider.clients.client_secret_post
        $pkce = New-PkceChallenge
        $code = Invoke-RestMethod "$($provider.https.test)/code" -Method Post -ContentType application/json -SkipCertificateCheck -NoProxy -Body (ConvertTo-Json @{
                client_id = $client.client_id; redirect_uri = 'http://127.0.0.1/'; scope = 'openid'; nonce = 'n'; code_challenge = $pkce.code_challenge
            })
        $trust = @{ CertificateAuthority = $provider.ca }
        $endpoint = (Get-OidcDiscoveryMetadata $provider.https.issuer @trust).token_endpoint
        $tokens = token $endpoint -client_id $client.client_id -client_secret $client.client_secret -code $code.code -code_verifier $pkce.code_verifier -redirect_uri http://127.0.0.1/ -nonce n @trust
    }
    AfterAll { Stop-Peer $provider }

    It 'issues an ID token that is valid' {
        $expected = $trust + @{ audience = $client.client_id; nonce = 'n' }
        (Test-JsonWebToken $tokens.id_token -issuer $provider.https.issuer @expected).Message | Should -BeExactly 'The token is valid.'
        (Test-JsonWebToken $tokens.id_token @expected -WarningAction SilentlyContinue).Valid | Should -BeTrue
        (Test-JsonWebToken $tokens.id_token -issuer $provider.http.issuer).Reasons | Should -Be wrong_iss
    }

    It 'issues tokens that scripts read and check as they always did' {
        (ConvertFrom-JsonWebToken $tokens.id_token).sub | Should -BeExactly $provider.account.username
        $jwt = $tokens.id_token | ConvertFrom-JsonWebToken
        Convert-UnixTime -epoch $jwt.exp | Should -Be $jwt.exp_datetime
        Convert-UnixTime $jwt.exp_datetime | Should -Be $jwt.exp
        Test-JsonWebTokenSignature $tokens.id_token @trust | Should -BeTrue
    }
}
