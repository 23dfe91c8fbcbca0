# The plain Boolean of Test-JsonWebTokenSignature, and where there is none. Each algorithm with each key is in
# JoseCrossCheck.Tests.ps1.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/JoseHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $rsa = [System.Security.Cryptography.RSA]::Create(2048)
    $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new('CN=as', $rsa, 'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
    $certificate = $request.CreateSelfSigned([datetimeoffset]::Now.AddDays(-1), [datetimeoffset]::Now.AddDays(1))
    $token = New-Jwt @{ sub = 'alice'; exp = 300 } $rsa
    $none = Join-Jwt '{"alg":"none"}' '{}'
}

AfterAll { Stop-Peer $server }

Describe 'The answer' {
    It 'is a Boolean, by position and from the pipeline' {
        Test-JsonWebTokenSignature $token -SigningCertificate $certificate | Should -BeOfType bool
        Test-JsonWebTokenSignature $token -SigningCertificate $certificate | Should -BeTrue
        @($token, $token | Test-JsonWebTokenSignature -SigningCertificate $certificate) | Should -Be $true, $true
    }

    It 'is about the signature alone: a token of 1970 passes' {
        (ConvertFrom-JsonWebToken $token).exp | Should -Be 300
        Test-JsonWebTokenSignature $token -SigningCertificate $certificate | Should -BeTrue
    }

    It 'is false for another key, and for what was changed' {
        $other = [System.Security.Cryptography.RSA]::Create(2048)
        Test-JsonWebTokenSignature $token -jwk (ConvertTo-Jwk $other) | Should -BeFalse
        $header, $payload, $signature = $token -split '\.'
        Test-JsonWebTokenSignature "$header.$(ConvertTo-Base64Url '{"sub":"mallory"}').$signature" -SigningCertificate $certificate | Should -BeFalse
        Test-JsonWebTokenSignature "$header.$payload.$($signature.ToUpperInvariant())" -SigningCertificate $certificate | Should -BeFalse
    }

    It 'is true for a standard HS256 token, whatever holds the secret' {
        $hmac = New-Jwt @{ sub = 'alice' } 'a secret of at least thirty-two bytes'
        $secure = ConvertTo-SecureString 'a secret of at least thirty-two bytes' -AsPlainText
        Test-JsonWebTokenSignature $hmac -client_secret 'a secret of at least thirty-two bytes' | Should -BeTrue
        Test-JsonWebTokenSignature $hmac -client_secret $secure | Should -BeTrue
        Test-JsonWebTokenSignature $hmac -c $secure | Should -BeTrue
        Test-JsonWebTokenSignature -j $hmac -jwk @{ kty = 'oct'; k = ConvertTo-Base64Url 'a secret of at least thirty-two bytes' } | Should -BeTrue
        Test-JsonWebTokenSignature $hmac -client_secret 'A secret of at least thirty-two bytes' | Should -BeFalse
    }

    It 'is false for a secret where the token says something else than HMAC' {
        Test-JsonWebTokenSignature $token -client_secret 'a secret of at least thirty-two bytes' | Should -BeFalse
        Test-JsonWebTokenSignature $none -client_secret 'a secret of at least thirty-two bytes' | Should -BeFalse
    }
}

Describe 'There is no answer' {
    It 'for the algorithm none, an unknown one, or an HMAC, with a public key' {
        $id = { param($text) Get-ErrorId (Get-Failure { Test-JsonWebTokenSignature $text -SigningCertificate $certificate }) }
        & $id $none | Should -BeExactly unsupported_algorithm
        & $id (Join-Jwt '{"alg":"XX1"}' '{}' AA) | Should -BeExactly unsupported_algorithm
        & $id (New-Jwt @{} $rsa.ExportSubjectPublicKeyInfoPem()) | Should -BeExactly algorithm_not_allowed
    }

    It 'for what is no JWT' {
        Get-ErrorId (Get-Failure { Test-JsonWebTokenSignature opaque -SigningCertificate $certificate }) | Should -BeExactly ParameterArgumentValidationError
    }

    It 'when no key has the name' {
        $issuer = New-Issuer $server (ConvertTo-Jwk $rsa)
        $named = Join-Jwt '{"alg":"RS256","kid":"other"}' '{}' AA
        Get-ErrorId (Get-Failure { Test-JsonWebTokenSignature $named -issuer $issuer }) | Should -BeExactly unknown_kid
    }

    It 'when the issuer that the token names cannot be asked' {
        foreach ($claims in @{}, @{ iss = 'http://127.0.0.1:1' }, @{ iss = 'no address' }) {
            Get-ErrorId (Get-Failure { Test-JsonWebTokenSignature (New-Jwt $claims $rsa) }) | Should -BeExactly keys_unavailable
        }
    }

    It 'with an empty secret, or two keys' {
        Get-ErrorId (Get-Failure { Test-JsonWebTokenSignature $token -client_secret '' }) | Should -BeExactly invalid_argument
        Get-ErrorId (Get-Failure { Test-JsonWebTokenSignature $token -SigningCertificate $certificate -jwks_uri https://as.example }) | Should -BeExactly invalid_argument
    }
}

Describe 'Keys of an issuer' {
    It 'are found by -issuer and by -jwks_uri, with and without kid and x5c' {
        $jwk = ConvertTo-Jwk $rsa
        $issuer = New-Issuer $server $jwk /plain
        Test-JsonWebTokenSignature $token -issuer $issuer | Should -BeTrue
        Test-JsonWebTokenSignature $token -jwks_uri "$issuer/keys" | Should -BeTrue
        $chain = @{ kty = 'RSA'; kid = 'c'; x5c = @([Convert]::ToBase64String($certificate.RawData)) }
        $uri = Set-Reply $server /x5c (New-JsonReply 200 @{ keys = @($chain) })
        Test-JsonWebTokenSignature $token -jwks_uri $uri | Should -BeTrue
    }
}
