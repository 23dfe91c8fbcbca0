# The key pairs of New-OAuth2KeyPair. That others understand them is in JoseCrossCheck.Tests.ps1.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'A key pair' {
    It 'for <Algorithm> is of type <Type>' -ForEach @(
        @{ Algorithm = 'RS256'; Type = 'RSA' }, @{ Algorithm = 'PS512'; Type = 'RSA' }, @{ Algorithm = 'ES256'; Type = 'P-256' }
        @{ Algorithm = 'ES384'; Type = 'P-384' }, @{ Algorithm = 'ES512'; Type = 'P-521' }, @{ Algorithm = 'EdDSA'; Type = 'Ed25519' }
    ) {
        $pair = New-OAuth2KeyPair $Algorithm
        $pair.psobject.TypeNames[0] | Should -BeExactly TokenKit.KeyPair
        $pair.Algorithm | Should -BeExactly $Algorithm
        ($Type -eq 'RSA' ? $pair.PublicJwk.kty : $pair.PublicJwk.crv) | Should -BeExactly $Type
        $pair.KeyId | Should -BeExactly $pair.PublicJwk.kid
        $pair.Certificate | Should -BeNullOrEmpty
        $token = (New-OAuth2JwtAssertion app app aud -client_certificate $pair.PrivateKeyPem -Algorithm $Algorithm).client_assertion_jwt
        Test-JsonWebTokenSignature $token -jwk $pair.PublicJwk | Should -BeTrue
        $token = (New-OAuth2JwtAssertion app app aud -client_certificate $pair.PrivateJwk -Algorithm $Algorithm).client_assertion_jwt
        Test-JsonWebTokenSignature $token -jwk $pair.PublicJwk | Should -BeTrue
    }

    It 'of RSA has <_> bits when asked' -ForEach 2048, 3072, 4096 {
        $pair = New-OAuth2KeyPair RS256 -KeySize $_ -AsPlainText
        $rsa = [System.Security.Cryptography.RSA]::Create()
        $rsa.ImportFromPem($pair.PrivateKeyPem)
        $rsa.KeySize | Should -Be $_
    }

    It 'has its private parts as SecureString, or as text with -AsPlainText' {
        $pair = New-OAuth2KeyPair ES256
        $pair.PrivateKeyPem | Should -BeOfType securestring
        $pair.PrivateJwk | Should -BeOfType securestring
        $pair = New-OAuth2KeyPair ES256 -AsPlainText
        $pair.PrivateKeyPem | Should -Match '^-----BEGIN PRIVATE KEY-----'
        ($pair.PrivateJwk | ConvertFrom-Json).d | Should -Not -BeNullOrEmpty
    }

    It 'is shown without its private part' {
        $pair = New-OAuth2KeyPair ES256 -AsPlainText -Subject app
        $shown = $pair | Out-String
        $shown | Should -Not -Match 'PRIVATE KEY'
        $shown | Should -Not -Match ([regex]::Escape(($pair.PrivateJwk | ConvertFrom-Json).d))
        $shown | Should -Match 'CN=app'
    }

    It 'is another one each time, and named as asked' {
        (New-OAuth2KeyPair ES256).KeyId | Should -Not -Be (New-OAuth2KeyPair ES256).KeyId
        $pair = New-OAuth2KeyPair ES256 -KeyId mine
        $pair.KeyId, $pair.PublicJwk.kid | Should -Be mine, mine
    }

    It 'of a curve has no size to choose' {
        Get-ErrorId (Get-Failure { New-OAuth2KeyPair ES256 -KeySize 4096 }) | Should -BeExactly invalid_argument
    }
}

Describe 'A certificate' {
    It 'for <_> is signed by the key and can be used to sign' -ForEach 'RS256', 'ES256', 'ES384', 'ES512' {
        $pair = New-OAuth2KeyPair $_ -Subject 'my app' -ValidDays 30
        $pair.Certificate.Subject | Should -BeExactly 'CN=my app'
        $pair.Certificate.Issuer | Should -BeExactly 'CN=my app'
        ($pair.Certificate.NotAfter - (Get-Date)).TotalDays | Should -BeGreaterThan 29
        ($pair.Certificate.NotAfter - (Get-Date)).TotalDays | Should -BeLessThan 31
        $pair.Certificate.HasPrivateKey | Should -BeTrue
        $assertion = New-OAuth2JwtAssertion app app aud -client_certificate $pair.Certificate
        $assertion.header.x5t | Should -BeExactly (ConvertTo-Base64Url ([byte[]] $pair.Certificate.GetCertHash()))
        Test-JsonWebTokenSignature $assertion.client_assertion_jwt -SigningCertificate $pair.Certificate | Should -BeTrue
        (ConvertTo-Jwk $pair.Certificate).kid | Should -BeExactly $pair.KeyId
    }

    It 'for EdDSA holds the public key' {
        $pair = New-OAuth2KeyPair EdDSA -Subject app
        (ConvertTo-Jwk $pair.Certificate).x | Should -BeExactly $pair.PublicJwk.x
    }
}
