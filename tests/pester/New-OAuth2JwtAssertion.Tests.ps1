# What New-OAuth2JwtAssertion makes and refuses. Each algorithm with each key is in JoseCrossCheck.Tests.ps1.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $rsa = [System.Security.Cryptography.RSA]::Create(2048)
    $pem = $rsa.ExportPkcs8PrivateKeyPem()
    $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new('CN=app', $rsa, 'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
    $certificate = $request.CreateSelfSigned([datetimeoffset]::Now.AddDays(-1), [datetimeoffset]::Now.AddDays(1))
    $secret = 'a secret of at least thirty-two bytes'
}

Describe 'The output' {
    It 'is an ordered dictionary with the members that scripts read' {
        $assertion = New-Oauth2JwtAssertion app alice https://as.example/token -client_certificate $pem
        $assertion | Should -BeOfType System.Collections.Specialized.OrderedDictionary
        $assertion.Keys -join ' ' | Should -BeExactly 'client_assertion_jwt client_assertion_type header payload'
        $assertion.client_assertion_type | Should -BeExactly urn:ietf:params:oauth:client-assertion-type:jwt-bearer
        $assertion.header | Should -BeOfType pscustomobject
        $assertion.payload | Should -BeOfType pscustomobject
        $jwt = Read-Jwt $assertion.client_assertion_jwt
        $jwt.Header | ConvertTo-Json -Compress | Should -BeExactly ($assertion.header | ConvertTo-Json -Compress)
        $jwt.Claims | ConvertTo-Json -Compress | Should -BeExactly ($assertion.payload | ConvertTo-Json -Compress)
    }

    It 'has the claims of RFC 7523, good for five minutes' {
        $before = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        $claims = (New-OAuth2JwtAssertion app alice https://as.example/token -client_certificate $pem).payload
        ($claims.psobject.Properties.Name | Sort-Object) -join ' ' | Should -BeExactly 'aud exp iat iss jti nbf sub'
        $claims.iss, $claims.sub, $claims.aud | Should -Be app, alice, https://as.example/token
        $claims.iat | Should -BeOfType long
        $claims.iat | Should -BeIn ($before..($before + 10))
        $claims.nbf, ($claims.exp - 300) | Should -Be $claims.iat, $claims.iat
        [guid]::Parse($claims.jti) | Should -Not -Be ([guid]::Empty)
    }

    It 'has a jti of its own each time, unless one is given by position' {
        $one, $two = 1..2 | ForEach-Object { New-OAuth2JwtAssertion app app aud -client_certificate $pem }
        $one.payload.jti | Should -Not -Be $two.payload.jti
        (New-OAuth2JwtAssertion app app aud mine -client_certificate $pem).payload.jti | Should -BeExactly mine
    }

    It 'takes abbreviated parameters' {
        $claims = (New-OAuth2JwtAssertion -iss i -sub s -aud a -client_certificate $pem).payload
        $claims.iss, $claims.sub, $claims.aud | Should -Be i, s, a
        (New-OAuth2JwtAssertion -i i -s s -a a -j j -client_certificate $pem).payload.jti | Should -BeExactly j
    }

    It 'lives as long as -Lifetime says' {
        $claims = (New-OAuth2JwtAssertion app app aud -client_certificate $pem -Lifetime 60).payload
        $claims.exp - $claims.iat | Should -Be 60
        $claims = (New-OAuth2JwtAssertion app app aud -client_certificate $pem -Lifetime ([timespan]::FromHours(1))).payload
        $claims.exp - $claims.iat | Should -Be 3600
    }

    It 'comes with a verifiable signature' {
        $jwt = Read-Jwt (New-OAuth2JwtAssertion app app aud -client_certificate $pem).client_assertion_jwt
        $rsa.VerifyData($jwt.Signed, $jwt.Signature, 'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1) | Should -BeTrue
    }
}

Describe 'The header' {
    It 'names the certificate by both thumbprints' {
        $header = (New-OAuth2JwtAssertion app app aud -client_certificate $certificate).header
        $header.'x5t' | Should -BeExactly (ConvertTo-Base64Url ([byte[]] $certificate.GetCertHash()))
        $header.'x5t#S256' | Should -BeExactly (ConvertTo-Base64Url ([byte[]] $certificate.GetCertHash('SHA256')))
        $header.alg, $header.typ | Should -Be RS256, JWT
    }

    It 'has a kid only when one is given, and thumbprints only of a certificate' {
        (New-OAuth2JwtAssertion app app aud -client_certificate $pem).header | ConvertTo-Json -Compress | Should -BeExactly '{"alg":"RS256","typ":"JWT"}'
        (New-OAuth2JwtAssertion app app aud -client_certificate $rsa -key_id 42).header.kid | Should -BeExactly '42'
    }
}

Describe 'Custom claims' {
    It 'are written whole, of any depth and type' {
        $deep = @{ level = 0 }
        $inner = $deep
        foreach ($level in 1..20) { $inner.next = @{ level = $level }; $inner = $inner.next }
        $claims = @{
            deep = $deep; list = 1, @{ a = 'b' }; empty = @(); one = , 'x'; flag = $true; number = 1.5; big = [long]::MaxValue
            object = [pscustomobject]@{ a = [pscustomobject]@{ b = 'ü"\😀' } }; id = [guid]::Empty; when = [datetime]'2024-02-01T12:00:00Z'
        }
        $payload = (New-OAuth2JwtAssertion app app aud -client_certificate $pem -customClaims $claims -WarningVariable warnings).payload
        $inner = $payload.deep
        foreach ($level in 0..20) { $inner.level | Should -Be $level; $inner = $level -lt 20 ? $inner.next : $null }
        $payload.list[1].a | Should -BeExactly b
        , $payload.empty | Should -BeOfType object[]
        , $payload.one | Should -BeOfType object[]
        $payload.flag | Should -BeTrue
        $payload.number | Should -Be 1.5
        $payload.big | Should -Be ([long]::MaxValue)
        $payload.object.a.b | Should -BeExactly 'ü"\😀'
        $payload.id | Should -BeExactly '00000000-0000-0000-0000-000000000000'
        $payload.when | Should -Match '^2024-02-01T'
        $warnings | Should -BeNullOrEmpty
    }

    It 'are addresses as they were given' {
        $addresses = 'https://login.example', 'https://h.example/a%20b?x=%26', '/relative'
        $payload = (New-OAuth2JwtAssertion app app aud -client_certificate $pem -customClaims @{ htu = [uri[]]$addresses; ip = [ipaddress]'192.0.2.1' }).payload
        $payload.htu | Should -BeExactly $addresses
        $payload.ip | Should -BeExactly 192.0.2.1
    }

    It 'with a property that cannot be read are refused, by its name' {
        $claim = [pscustomobject]@{ a = 1 } | Add-Member ScriptProperty broken { throw 'not today' } -PassThru
        $failure = Get-Failure { New-OAuth2JwtAssertion app app aud -client_certificate $pem -customClaims @{ claim = $claim } }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
        $failure.Exception.Message | Should -Match 'broken.*not today'
    }

    It 'come as an object of ConvertFrom-Json, too' {
        (New-OAuth2JwtAssertion app app aud -client_certificate $pem -customClaims ('{"a":{"b":1}}' | ConvertFrom-Json)).payload.a.b | Should -Be 1
    }

    It 'may replace any claim, and take it away' {
        $claims = @{ iss = 'x'; aud = 'a', 'b'; exp = [DateTime]'2030-01-01T00:00:00Z'; jti = 'j'; nbf = $null }
        $payload = (New-OAuth2JwtAssertion app app aud -client_certificate $pem -customClaims $claims).payload
        $payload.iss, $payload.jti, $payload.exp | Should -Be x, j, 1893456000
        $payload.aud | Should -Be a, b
        $payload.psobject.Properties.Name | Should -Not -Contain nbf
    }

    It 'leave the hashtable as it was' {
        $claims = @{ exp = [datetime]'2030-01-01' }
        $null = New-OAuth2JwtAssertion app app aud -client_certificate $pem -customClaims $claims
        $claims.Count | Should -Be 1
        $claims.exp | Should -BeOfType datetime
    }

    It 'that hold themselves, or a secret, are refused' {
        $loop = @{}
        $loop.self = $loop
        foreach ($claims in @{ a = $loop }, @{ a = ConvertTo-SecureString x -AsPlainText }) {
            Get-ErrorId (Get-Failure { New-OAuth2JwtAssertion app app aud -client_certificate $pem -customClaims $claims }) | Should -BeExactly invalid_argument
        }
    }
}

Describe 'A client secret' {
    It 'makes a standard HS256 token' {
        $assertion = New-OAuth2JwtAssertion app app aud -client_secret $secret
        $assertion.header.alg | Should -BeExactly HS256
        $jwt = Read-Jwt $assertion.client_assertion_jwt
        $jwt.Signature.Length | Should -Be 32
        [System.Security.Cryptography.HMACSHA256]::HashData([System.Text.Encoding]::UTF8.GetBytes($secret), $jwt.Signed) -join ' ' | Should -BeExactly ($jwt.Signature -join ' ')
    }

    It 'shorter than 32 bytes causes a warning, and no more' {
        $assertion = New-OAuth2JwtAssertion app app aud -client_secret short -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -Match '32 bytes'
        Test-JsonWebTokenSignature $assertion.client_assertion_jwt -client_secret short -WarningAction SilentlyContinue | Should -BeTrue
        $null = New-OAuth2JwtAssertion app app aud -client_secret $secret -WarningVariable warnings
        $warnings | Should -BeNullOrEmpty
    }

    It 'that is empty or no secret is refused' {
        foreach ($value in '', [securestring]::new(), 42, @{ a = 1 }) {
            Get-ErrorId (Get-Failure { New-OAuth2JwtAssertion app app aud -client_secret $value }) | Should -BeExactly invalid_argument
        }
    }

    It 'and a certificate at once fit no parameter set' {
        Get-ErrorId (Get-Failure { New-OAuth2JwtAssertion app app aud -client_secret $secret -client_certificate $pem }) | Should -BeExactly AmbiguousParameterSet
    }
}

Describe 'A key that cannot be used' {
    BeforeAll {
        $public = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new($certificate.RawData)
        $text = Join-Path $TestDrive text.txt
        Set-Content $text 'no key'
    }

    It 'is an error: <_>' -ForEach 'missing.pem', 'Cert:\CurrentUser\My\0000000000000000000000000000000000000000', 'file without key', 'certificate without key', 'public PEM', 'number', 'wrong algorithm',
        'certificate that was disposed of', 'SecureString that was disposed of', 'path with a NUL' {
        $parameters = switch ($_) {
            'file without key' { @{ client_certificate = $text }; $id = 'invalid_key' }
            'certificate without key' { @{ client_certificate = $public }; $id = 'invalid_key' }
            'public PEM' { @{ client_certificate = $rsa.ExportSubjectPublicKeyInfoPem() }; $id = 'invalid_key' }
            'certificate that was disposed of' { $key = New-Certificate $rsa; $key.Dispose(); @{ client_certificate = $key }; $id = 'invalid_key' }
            'SecureString that was disposed of' { $key = ConvertTo-SecureString x -AsPlainText; $key.Dispose(); @{ client_certificate = $key }; $id = 'invalid_key' }
            'path with a NUL' { @{ client_certificate = "a`0.pem" }; $id = 'invalid_key' }
            'number' { @{ client_certificate = 42 }; $id = 'invalid_argument' }
            'wrong algorithm' { @{ client_certificate = $pem; Algorithm = 'ES256' }; $id = 'unsupported_key' }
            default { @{ client_certificate = $_ }; $id = 'invalid_key' }
        }
        Get-ErrorId (Get-Failure { New-OAuth2JwtAssertion app app aud @parameters }) | Should -BeExactly $id
    }

    It 'signs where it is when it cannot be exported' {
        $key = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new($certificate.Export('Pfx', 'x'), 'x', 'EphemeralKeySet')
        (New-OAuth2JwtAssertion app app aud -client_certificate $key).client_assertion_jwt | Test-JsonWebTokenSignature -SigningCertificate $certificate | Should -BeTrue
    }
}

Describe 'A weak key' {
    It 'signs with a warning as object, and is refused as PEM' {
        $weak = [System.Security.Cryptography.RSA]::Create(1024)
        $assertion = New-OAuth2JwtAssertion app app aud -client_certificate $weak -WarningVariable warnings -WarningAction SilentlyContinue
        @($warnings).Count | Should -Be 1
        "$warnings" | Should -Match '1024 bits'
        Test-JsonWebTokenSignature $assertion.client_assertion_jwt -jwk (ConvertTo-Jwk $weak -WarningAction SilentlyContinue) -WarningAction SilentlyContinue | Should -BeTrue
        Get-ErrorId (Get-Failure { New-OAuth2JwtAssertion app app aud -client_certificate $weak.ExportPkcs8PrivateKeyPem() }) | Should -BeExactly invalid_key
    }
}

Describe 'Secrets' {
    It 'are not in any stream, nor in errors' {
        $bound = @{ client_certificate = $pem; customClaims = @{ token = 'h1dden' } }
        $script = {
            param($bound, $secret)
            New-OAuth2JwtAssertion app app aud @bound -Verbose -Debug *>&1 | Where-Object { $_ -isnot [System.Collections.IDictionary] }
            New-OAuth2JwtAssertion app app aud -client_secret $secret -Verbose -Debug *>&1 | Where-Object { $_ -isnot [System.Collections.IDictionary] }
            try { New-OAuth2JwtAssertion app app aud -client_certificate $bound.client_certificate.Replace('A', '!') } catch { $_ | Format-List * -Force | Out-String }
        }
        $shown = & $script $bound $secret | Out-String
        $shown | Should -Not -BeNullOrEmpty
        foreach ($hidden in 'h1dden', $secret, ($pem -split "`n")[3].Replace('A', '!')) { $shown.Contains($hidden) | Should -BeFalse -Because $hidden.Substring(0, 6) }
    }
}

Describe 'A Google service account' {
    It 'is splatted from its key file, and its assertion exchanged' {
        $server = Start-Peer $TestServer
        try {
            $file = @{ client_email = 'robot@project.iam.example'; private_key = $pem; private_key_id = 'abc'; token_uri = "$($server.http)/echo-token" } | ConvertTo-Json | ConvertFrom-Json
            $splat = @{
                issuer = $file.client_email; subject = $file.client_email; audience = $file.token_uri; key_id = $file.private_key_id
                client_certificate = $file.private_key; customClaims = @{ scope = 'https://www.example/auth/cloud' }
            }
            $assertion = New-Oauth2JwtAssertion @splat
            $assertion.header.kid | Should -BeExactly abc
            (Invoke-OAuth2TokenEndpoint $file.token_uri -jwtAssertion $assertion.client_assertion_jwt).access_token | Should -Not -BeNullOrEmpty
            (Get-SentRequest $server).Form.assertion | Should -BeExactly $assertion.client_assertion_jwt
        } finally {
            Stop-Peer $server
        }
    }
}
