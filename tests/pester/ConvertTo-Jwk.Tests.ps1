# What ConvertTo-Jwk writes of which key.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $thumbprints = Get-Content $PSScriptRoot/../vectors/thumbprint.json -Raw | ConvertFrom-Json -AsHashtable
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $rsa = [System.Security.Cryptography.RSA]::Create(2048)
    $ec = [System.Security.Cryptography.ECDsa]::Create([System.Security.Cryptography.ECCurve+NamedCurves]::nistP256)
    $public = $rsa.ExportParameters($false)
}

Describe 'A public key' {
    It 'is written from every form: <_>' -ForEach 'key object', 'private PEM', 'public PEM', 'PKCS#1 PEM', 'certificate', 'file', 'piped file', 'encrypted PEM' {
        $jwk = switch ($_) {
            'key object' { ConvertTo-Jwk $rsa }
            'private PEM' { $rsa.ExportPkcs8PrivateKeyPem() | ConvertTo-Jwk }
            'public PEM' { ConvertTo-Jwk $rsa.ExportSubjectPublicKeyInfoPem() }
            'PKCS#1 PEM' { ConvertTo-Jwk $rsa.ExportRSAPrivateKeyPem() }
            'certificate' {
                $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new('CN=a', $rsa, 'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
                $request.CreateSelfSigned([datetimeoffset]::Now, [datetimeoffset]::Now.AddDays(1)) | ConvertTo-Jwk
            }
            'file' { Set-Content $TestDrive/key.pem $rsa.ExportPkcs8PrivateKeyPem(); ConvertTo-Jwk $TestDrive/key.pem }
            'piped file' { Set-Content $TestDrive/key.pem $rsa.ExportPkcs8PrivateKeyPem(); Get-Item $TestDrive/key.pem | ConvertTo-Jwk }
            'encrypted PEM' {
                $parameters = [System.Security.Cryptography.PbeParameters]::new('Aes256Cbc', 'SHA256', 1000)
                ConvertTo-Jwk $rsa.ExportEncryptedPkcs8PrivateKeyPem('p', $parameters) -Password (ConvertTo-SecureString p -AsPlainText)
            }
        }
        $jwk.psobject.Properties.Name -join ' ' | Should -BeExactly 'kty n e kid'
        $jwk.n | Should -BeExactly (ConvertTo-Base64Url $public.Modulus)
        $jwk.e | Should -BeExactly AQAB
    }

    It 'is all that is left of a private JWK' {
        $private = ConvertTo-Jwk $ec -IncludePrivate -AsPlainText
        $private.d | Should -Not -BeNullOrEmpty
        $jwk = $private | ConvertTo-Jwk
        $jwk.psobject.Properties.Name -join ' ' | Should -BeExactly 'kty crv x y kid'
        $jwk.kid | Should -BeExactly $private.kid
    }

    It 'has the thumbprint of <source> as kid' -ForEach $thumbprints {
        $public = @{}
        foreach ($name in $key.Keys) { if ($name -ne 'kid') { $public[$name] = $key[$name] } }
        (ConvertTo-Jwk $public).kid | Should -BeExactly $thumbprint
    }

    It 'keeps the kid it has, unless another is given' {
        (ConvertTo-Jwk $ec -KeyId mine | ConvertTo-Jwk).kid | Should -BeExactly mine
        (ConvertTo-Jwk $ec -KeyId mine | ConvertTo-Jwk -KeyId other).kid | Should -BeExactly other
    }

    It 'below 2048 bits causes a warning' {
        $null = ConvertTo-Jwk ([System.Security.Cryptography.RSA]::Create(1024)) -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -Match '1024 bits'
    }
}

Describe 'A private key' {
    It 'is a SecureString unless -AsPlainText' {
        $secure = ConvertTo-Jwk $rsa -IncludePrivate
        $secure | Should -BeOfType securestring
        $plain = ConvertTo-Jwk $rsa -IncludePrivate -AsPlainText
        ($secure | ConvertFrom-SecureString -AsPlainText | ConvertFrom-Json).d | Should -BeExactly $plain.d
        $plain.psobject.Properties.Name -join ' ' | Should -BeExactly 'kty n e kid d p q dp dq qi'
        $plain.d | Should -BeExactly (ConvertTo-Base64Url $rsa.ExportParameters($true).D)
    }

    It 'signs as JWK' {
        $token = (New-OAuth2JwtAssertion app app aud -client_certificate (ConvertTo-Jwk $ec -IncludePrivate)).client_assertion_jwt
        Test-JsonWebTokenSignature $token -jwk (ConvertTo-Jwk $ec) | Should -BeTrue
    }

    It 'cannot be had from a public key' {
        Get-Failure { ConvertTo-Jwk $rsa.ExportSubjectPublicKeyInfoPem() -IncludePrivate } | ForEach-Object { Get-ErrorId $_ } | Should -BeExactly invalid_key
    }
}

Describe 'A shared secret' {
    It 'is written only where a secret is wanted' {
        Get-ErrorId (Get-Failure { ConvertTo-Jwk -client_secret s3cret }) | Should -BeExactly unsupported_key
        $jwk = ConvertTo-Jwk -client_secret 'a secret of at least thirty-two bytes' -IncludePrivate -AsPlainText
        $jwk.kty | Should -BeExactly oct
        $jwk.k | Should -BeExactly (ConvertTo-Base64Url 'a secret of at least thirty-two bytes')
    }
}

Describe 'What is no key' {
    It 'is refused: <_>' -ForEach 'text', 'missing.pem', '{}', '{"kty":"XX"}', 42 {
        Get-ErrorId (Get-Failure { ConvertTo-Jwk $_ }) | Should -BeIn invalid_key, invalid_argument
    }

    It 'does not stop those that come after it' {
        $over = New-Certificate $rsa
        $over.Dispose()
        $jwk = $over, $ec, 'missing.pem', $rsa | ConvertTo-Jwk -ErrorAction SilentlyContinue -ErrorVariable failures
        $jwk.kty -join ' ' | Should -BeExactly 'EC RSA'
        $failures.ForEach{ Get-ErrorId $_ } -join ' ' | Should -BeExactly 'invalid_key invalid_key'
    }

    It 'is quoted when it is a path: <_>' -ForEach 'missing.pem', 'no/such/Key.pfx', '/var/run/secrets/kubernetes.io/serviceaccount/token', '~/id_rsa' {
        (Get-Failure { ConvertTo-Jwk $_ }).Exception.Message | Should -Match ([regex]::Escape((Split-Path $_ -Leaf)))
    }

    It 'is not quoted when it may be a key: <Name>' -ForEach @(
        @{ Name = 'Base64'; Text = 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIB' }
        @{ Name = 'a line after a slash'; Text = '/BJGhq0wawIBAQQgt5G11A12G9aWgfX1O4Et3ynDCD2VUf7Nk6aKT4U' }
        @{ Name = 'the last line'; Text = 'QQgt5G11A12G9aWg==' }
        @{ Name = 'hex'; Text = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0' }
    ) {
        $failure = Get-Failure { ConvertTo-Jwk $Text }
        Get-ErrorId $failure | Should -BeExactly invalid_key
        "$failure $($failure.Exception)" | Should -Not -Match ([regex]::Escape($Text))
    }
}
