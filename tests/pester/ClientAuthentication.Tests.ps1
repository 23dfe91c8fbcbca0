# Every way of client authentication, key form and flow against oidc-provider, a server TokenKit's authors did not
# write, over http on loopback and over TLS with a private authority.
using namespace System.Security.Cryptography
using namespace System.Security.Cryptography.X509Certificates
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $rsaAlgorithms = 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'
    $keyAlgorithms = $rsaAlgorithms + 'ES256', 'ES384', 'ES512', 'EdDSA'
    $methods = @(
        @{ Client = 'client_secret_basic'; Method = 'client_secret_basic' }
        @{ Client = 'client_secret_post'; Method = 'client_secret_post' }
        foreach ($algorithm in 'HS256', 'HS384', 'HS512') { @{ Client = "client_secret_jwt_$algorithm"; Method = 'client_secret_jwt'; Algorithm = $algorithm } }
        foreach ($algorithm in $keyAlgorithms) { @{ Client = "private_key_jwt_$algorithm"; Method = 'private_key_jwt'; Algorithm = $algorithm } }
    )

    # How a key is handed over; Thumbprint where the assertion must name the certificate, Kid where it must name the key.
    $forms = @(
        foreach ($algorithm in 'RS256', 'ES256', 'EdDSA') {
            @{ Form = 'PKCS#8 PEM file'; Algorithm = $algorithm; Key = { @{ client_certificate = $keys.pkcs8 } } }
            @{ Form = 'encrypted PEM file, password as SecureString'; Algorithm = $algorithm
                Key = { @{ client_certificate = $keys.encrypted_pkcs8; CertificatePassword = ConvertTo-SecureString $keys.password -AsPlainText } } }
            @{ Form = 'DER file'; Algorithm = $algorithm; Key = { @{ client_certificate = $keys.der } } }
            @{ Form = 'JWK file'; Algorithm = $algorithm; Key = { @{ client_certificate = $keys.jwk } }; Kid = $true }
            @{ Form = 'JWK text'; Algorithm = $algorithm; Key = { @{ client_certificate = Get-Content $keys.jwk -Raw } }; Kid = $true }
            @{ Form = 'PEM text'; Algorithm = $algorithm; Key = { @{ client_certificate = Get-Content $keys.pkcs8 -Raw } } }
            @{ Form = 'PEM as SecureString'; Algorithm = $algorithm
                Key = { @{ client_certificate = ConvertTo-SecureString (Get-Content $keys.pkcs8 -Raw) -AsPlainText } } }
            @{ Form = 'FileInfo, and a key id'; Algorithm = $algorithm
                Key = { @{ client_certificate = Get-Item $keys.pkcs8; key_id = $keys.kid } }; Kid = $true }
        }
        @{ Form = 'encrypted PEM file, password as string'; Algorithm = 'RS256'
            Key = { @{ client_certificate = $keys.encrypted_pkcs8; CertificatePassword = $keys.password } } }
        @{ Form = 'encrypted PEM file, password as PSCredential'; Algorithm = 'RS256'
            Key = { @{ client_certificate = $keys.encrypted_pkcs8; CertificatePassword = [pscredential]::new('x', (ConvertTo-SecureString $keys.password -AsPlainText)) } } }
        @{ Form = 'PKCS#1 PEM file'; Algorithm = 'RS256'; Key = { @{ client_certificate = $keys.pkcs1 } } }
        @{ Form = 'PKCS#1 PEM text'; Algorithm = 'PS256'; Key = { @{ client_certificate = Get-Content $keys.pkcs1 -Raw } } }
        @{ Form = 'PFX as older systems write it'; Algorithm = 'RS256'
            Key = { @{ client_certificate = $keys.pfx_legacy; CertificatePassword = $keys.password } }; Thumbprint = $true }
        @{ Form = 'RSA object'; Algorithm = 'RS256'; Key = { @{ client_certificate = Get-KeyObject RSA } } }
        foreach ($algorithm in $rsaAlgorithms) {
            @{ Form = 'RSA object that refuses export'; Algorithm = $algorithm
                Key = { @{ client_certificate = [SealedRsa]::new((Get-KeyObject RSA)) } } }
        }
        @{ Form = 'RSA object of a PowerShell class'; Algorithm = 'RS256'; Key = { @{ client_certificate = New-ScriptRsa (Get-KeyObject RSA) } } }
        foreach ($algorithm in 'ES256', 'ES384', 'ES512') {
            @{ Form = 'SEC1 PEM file'; Algorithm = $algorithm; Key = { @{ client_certificate = $keys.sec1 } } }
            @{ Form = 'ECDsa object'; Algorithm = $algorithm; Key = { @{ client_certificate = Get-KeyObject ECDsa } } }
            @{ Form = 'ECDsa object that refuses export'; Algorithm = $algorithm
                Key = { @{ client_certificate = [SealedEcdsa]::new((Get-KeyObject ECDsa)); key_id = $keys.kid } }; Kid = $true }
        }
        foreach ($algorithm in 'RS256', 'PS512', 'ES256', 'ES384', 'ES512') {
            @{ Form = 'PFX file'; Algorithm = $algorithm
                Key = { @{ client_certificate = $keys.pfx; CertificatePassword = ConvertTo-SecureString $keys.password -AsPlainText } }; Thumbprint = $true }
            @{ Form = 'PEM file of certificate and key'; Algorithm = $algorithm
                Key = { @{ client_certificate = New-BundleFile } }; Thumbprint = $true }
            @{ Form = 'X509Certificate2, exportable'; Algorithm = $algorithm
                Key = { @{ client_certificate = Get-CertificateObject Exportable } }; Thumbprint = $true }
            # On Windows such a key cannot leave its store.
            @{ Form = 'X509Certificate2, as .NET loads it'; Algorithm = $algorithm
                Key = { @{ client_certificate = Get-CertificateObject DefaultKeySet } }; Thumbprint = $true }
        }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $provider = Start-Provider
    $redirectUri = 'http://127.0.0.1:8400/callback'

    # What a call needs to trust the endpoints of a scheme.
    function Get-Trust([string] $Scheme) { $Scheme -eq 'https' ? @{ CertificateAuthority = $provider.ca } : @{} }

    function Invoke-Test([string] $Scheme, [string] $Route, [string] $Method = 'Get', $Body) {
        $json = if ($null -ne $Body) { ConvertTo-Json $Body -Compress }
        Invoke-RestMethod "$($provider.$Scheme.test)/$Route" -Method $Method -Body $json -ContentType application/json -SkipCertificateCheck -NoProxy
    }

    # The token requests the provider got since the last call.
    function Get-TokenRequest([string] $Scheme) {
        foreach ($request in Invoke-Test $Scheme requests | Write-Output) {
            [pscustomobject]@{ Headers = $request.headers; Form = ConvertFrom-Form $request.body }
        }
    }

    # The parameters with which a client of the ready line authenticates.
    function Get-Credential([string] $Name) {
        $client = $provider.clients.$Name
        $parameters = @{ client_id = $client.client_id }
        switch -Wildcard ($client.auth_method) {
            client_secret_* { $parameters += @{ client_secret = $client.client_secret; client_auth_method = $client.auth_method } }
            private_key_jwt { $parameters += @{ client_certificate = $client.keys.pkcs8 } }
            *_jwt { $parameters += @{ AssertionAlgorithm = $client.alg } }
        }
        $parameters
    }

    function New-Code([string] $Scheme, [string] $Client, [hashtable] $More = @{}) {
        $body = @{ client_id = $provider.clients.$Client.client_id; redirect_uri = $redirectUri; scope = 'openid offline_access api:read' } + $More
        (Invoke-Test $Scheme code Post $body).code
    }

    # ---- key objects of the client whose files are in $keys

    function Get-KeyObject([string] $Type) {
        $key = $Type -eq 'RSA' ? [RSA]::Create() : [ECDsa]::Create()
        $key.ImportFromPem((Get-Content $keys.pkcs8 -Raw))
        $key
    }

    function Get-CertificateObject([string] $Flags) {
        [X509Certificate2]::new($keys.pfx, $keys.password, $Flags)
    }

    function New-BundleFile {
        $path = Join-Path $TestDrive "$([guid]::NewGuid()).pem"
        Get-Content $keys.certificate, $keys.pkcs8 | Set-Content $path
        $path
    }

    # Keys as those of a smart card: they sign, and that is all.
    Add-Type -TypeDefinition @'
using System;
using System.Security.Cryptography;
public sealed class SealedRsa : RSA {
    private readonly RSA key;
    public SealedRsa(RSA key) { this.key = key; KeySizeValue = key.KeySize; }
    public override RSAParameters ExportParameters(bool includePrivateParameters) =>
        includePrivateParameters ? throw new CryptographicException("not exportable") : key.ExportParameters(false);
    public override void ImportParameters(RSAParameters parameters) => throw new NotSupportedException();
    public override byte[] SignHash(byte[] hash, HashAlgorithmName name, RSASignaturePadding padding) => key.SignHash(hash, name, padding);
}
public sealed class SealedEcdsa : ECDsa {
    private readonly ECDsa key;
    public SealedEcdsa(ECDsa key) { this.key = key; KeySizeValue = key.KeySize; }
    public override ECParameters ExportParameters(bool includePrivateParameters) =>
        includePrivateParameters ? throw new CryptographicException("not exportable") : key.ExportParameters(false);
    public override byte[] SignHash(byte[] hash) => key.SignHash(hash);
    public override bool VerifyHash(byte[] hash, byte[] signature) => key.VerifyHash(hash, signature);
}
'@
    function New-ScriptRsa($Key) {
        . ([scriptblock]::Create(@'
class ScriptRsa : System.Security.Cryptography.RSA {
    [System.Security.Cryptography.RSA] $Key
    ScriptRsa($key) { $this.Key = $key; $this.KeySizeValue = $key.KeySize }
    [System.Security.Cryptography.RSAParameters] ExportParameters([bool] $private) { throw 'not exportable' }
    [void] ImportParameters([System.Security.Cryptography.RSAParameters] $parameters) { throw 'not importable' }
    [byte[]] SignHash([byte[]] $hash, [System.Security.Cryptography.HashAlgorithmName] $name, [System.Security.Cryptography.RSASignaturePadding] $padding) {
        return $this.Key.SignHash($hash, $name, $padding)
    }
}
[ScriptRsa]::new($args[0])
'@)) $Key
    }
}

AfterAll { Stop-Peer $provider }

Describe 'Client authentication over <_>' -ForEach 'http', 'https' {
    BeforeAll {
        $scheme = $_
        $endpoints = $provider.$scheme
        $trust = Get-Trust $scheme
    }
    BeforeEach { $null = Get-TokenRequest $scheme }

    It '<Client> gets a token' -ForEach $methods {
        $credential = Get-Credential $Client
        $response = token $endpoints.token_endpoint @credential @trust -scope api:read
        $response.access_token.Length | Should -BeGreaterThan 20
        $response.token_type | Should -BeExactly Bearer
        $response.scope | Should -BeExactly api:read

        $sent = @(Get-TokenRequest $scheme)
        $sent.Count | Should -Be 1
        $names = @($sent[0].Form.Keys | Where-Object { $_ -like 'client_*' } | Sort-Object)
        $header = $sent[0].Headers.psobject.Properties['authorization']
        if ($Method -eq 'client_secret_basic') {
            $header.Value | Should -MatchExactly '^Basic '
            $names | Should -BeNullOrEmpty
        } else {
            $header | Should -Be $null
            $expected = $Method -eq 'client_secret_post' ? 'client_id client_secret' : 'client_assertion client_assertion_type client_id'
            $names -join ' ' | Should -BeExactly $expected
        }
        if ($Method -like '*_jwt') {
            $jwt = Read-Jwt $sent[0].Form.client_assertion
            $jwt.Header.alg | Should -BeExactly $Algorithm
            $jwt.Claims.aud | Should -BeExactly $endpoints.token_endpoint
        }
    }

    It 'none gets a token for a code with PKCE' {
        $pkce = New-Pkce
        $code = New-Code $scheme none @{ code_challenge = $pkce.Challenge }
        $response = token $endpoints.token_endpoint -client_id none -code $code -code_verifier $pkce.Verifier -redirect_uri $redirectUri @trust
        $response.access_token.Length | Should -BeGreaterThan 20
        $sent = Get-TokenRequest $scheme
        $sent.Headers.psobject.Properties['authorization'] | Should -Be $null
        ($sent.Form.Keys | Sort-Object) -join ' ' | Should -BeExactly 'client_id code code_verifier grant_type redirect_uri'
    }
}

Describe 'A private key' {
    It 'gets a token as <Form> (<Algorithm>)' -ForEach $forms {
        $client = $provider.clients."private_key_jwt_$Algorithm"
        $keys = $client.keys
        $null = Get-TokenRequest http
        $key = & $Key
        $null = token $provider.http.token_endpoint -client_id $client.client_id @key -AssertionAlgorithm $Algorithm
        $header = (Read-Jwt (Get-TokenRequest http).Form.client_assertion).Header
        $header.alg | Should -BeExactly $Algorithm
        $header.psobject.Properties['kid'].ForEach{ $_.Value } | Should -BeExactly ($_.Contains('Kid') ? $keys.kid : $null)
        if ($_.Contains('Thumbprint')) {
            $certificate = [X509Certificate2]::new($keys.certificate)
            $header.x5t | Should -BeExactly (ConvertTo-Base64Url $certificate.GetCertHash('SHA1'))
            $header.'x5t#S256' | Should -BeExactly (ConvertTo-Base64Url $certificate.GetCertHash('SHA256'))
        } else {
            $header.psobject.Properties.Name | Should -Not -Contain x5t
        }
    }
}

Describe 'A key in the store of the user' {
    It 'gets a token by its <Name>' -ForEach @(
        # The keychain of macOS would ask its user.
        if (-not $IsMacOS) { @{ Name = 'thumbprint'; Path = '' } }
        # Only Windows has the drive.
        if ($IsWindows) { @{ Name = 'path'; Path = 'Cert:\CurrentUser\My\' } }
    ) {
        $client = $provider.clients.private_key_jwt_RS256
        # With a home folder of its own where the store is in it.
        $run = Invoke-Pwsh @'
param($module, $pfx, $uri, $clientId, $path)
$ErrorActionPreference = 'Stop'
Import-Module $module
$flags = [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags]::PersistKeySet
$certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new($pfx, $env:PFX_PASSWORD, $flags)
$store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'CurrentUser')
$store.Open('ReadWrite')
$store.Add($certificate)
try {
    (token $uri -client_id $clientId -client_certificate ($path + $certificate.Thumbprint)).token_type
} finally {
    $store.Remove($certificate)
}
'@ $Module, $client.keys.pfx, $provider.http.token_endpoint, $client.client_id, $Path @{ HOME = "$TestDrive"; PFX_PASSWORD = $client.keys.password }
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() | Should -BeExactly Bearer
    }
}

Describe 'What the provider refuses' {
    It '<Name>' -ForEach @(
        @{ Name = 'a wrong secret by Basic'; Parameters = { Get-Credential client_secret_basic; @{ client_secret = 'wrong' } } }
        @{ Name = 'a wrong secret by post'; Parameters = { Get-Credential client_secret_post; @{ client_secret = 'wrong' } } }
        @{ Name = 'a wrong secret for an HMAC'; Parameters = { Get-Credential client_secret_jwt_HS256; @{ client_secret = 'wrong' * 10 } } }
        @{ Name = 'the key of another client'
            Parameters = { Get-Credential private_key_jwt_ES256; @{ client_certificate = $provider.clients.private_key_jwt_RS256.keys.pkcs8; AssertionAlgorithm = 'RS256' } } }
        @{ Name = 'another algorithm of the same key'; Parameters = { Get-Credential private_key_jwt_RS256; @{ AssertionAlgorithm = 'PS256' } } }
        @{ Name = 'an assertion for somebody else'
            Parameters = { Get-Credential private_key_jwt_RS256; @{ AssertionAudience = 'https://other.example' } } }
    ) {
        $bound = @{}
        foreach ($part in & $Parameters) { foreach ($name in $part.Keys) { $bound[$name] = $part[$name] } }
        Get-ErrorId (Get-Failure { token $provider.http.token_endpoint @bound }) | Should -BeExactly invalid_client
    }

    It 'a scope the client does not have' {
        $credential = Get-Credential client_secret_post
        Get-ErrorId (Get-Failure { token $provider.http.token_endpoint @credential -scope api:admin }) | Should -BeExactly invalid_scope
    }
}

Describe 'A key that was disposed of' {
    It 'ends a script' {
        $key = New-Certificate ([RSA]::Create(2048))
        $key.Dispose()
        $run = Invoke-Pipeline $Module 'param($uri, $key) token $uri -client_id private_key_jwt_RS256 -client_certificate $key; "after"' $provider.http.token_endpoint, $key
        $run.Output | Should -BeNullOrEmpty
        Get-ErrorId $run.Thrown | Should -BeExactly invalid_key
    }
}

Describe 'A sealed key' {
    It 'on another curve of the size of P-256 signs nothing' {
        $key = [SealedEcdsa]::new([ECDsa]::Create([ECCurve]::CreateFromFriendlyName('secp256k1')))
        $failure = Get-Failure { token $provider.http.token_endpoint -client_id private_key_jwt_ES256 -client_certificate $key }
        Get-ErrorId $failure | Should -BeExactly unsupported_key
    }
}

Describe 'Assertion options' {
    It 'takes the issuer as audience, and a lifetime of a minute' {
        $credential = Get-Credential private_key_jwt_ES384
        $null = Get-TokenRequest http
        $null = token $provider.http.token_endpoint @credential -AssertionAudience $provider.http.issuer -AssertionLifetime 60
        $claims = (Read-Jwt (Get-TokenRequest http).Form.client_assertion).Claims
        $claims.aud | Should -BeExactly $provider.http.issuer
        $claims.exp - $claims.iat | Should -Be 60
    }

    It 'makes a fresh jti, which the provider takes only once' {
        $credential = Get-Credential private_key_jwt_EdDSA
        $null = Get-TokenRequest http
        foreach ($attempt in 1..3) { $null = token $provider.http.token_endpoint @credential }
        $identifiers = (Get-TokenRequest http).Form.client_assertion.ForEach{ (Read-Jwt $_).Claims.jti }
        @($identifiers | Sort-Object -Unique).Count | Should -Be 3
    }
}

Describe 'Flows over <_>' -ForEach 'http', 'https' {
    BeforeAll {
        $scheme = $_
        $endpoints = $provider.$scheme
        $trust = Get-Trust $scheme
        $uri = $endpoints.token_endpoint
    }

    It 'code, PKCE and nonce, then refresh with rotation (<_>)' -ForEach @(
        'none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt_HS256', 'private_key_jwt_PS256', 'private_key_jwt_EdDSA'
    ) {
        $client = $_
        $credential = Get-Credential $client
        $pkce = New-Pkce
        $code = New-Code $scheme $client @{ code_challenge = $pkce.Challenge; nonce = 'n0nce' }
        $first = token $uri @credential @trust -code $code -code_verifier $pkce.Verifier -redirect_uri $redirectUri -scope openid -nonce n0nce
        $claims = (Read-Jwt $first.id_token).Claims
        $claims.sub, $claims.nonce | Should -BeExactly 'alice', 'n0nce'

        $second = token $uri @credential @trust -refresh_token $first.refresh_token -nonce n0nce
        $second.refresh_token | Should -Not -BeExactly $first.refresh_token
        $second.access_token | Should -Not -BeExactly $first.access_token
        Get-ErrorId (Get-Failure { token $uri @credential @trust -refresh_token $first.refresh_token }) | Should -BeExactly invalid_grant
    }

    It 'refuses tokens for another nonce' {
        $code = New-Code $scheme client_secret_post @{ nonce = 'n0nce' }
        $credential = Get-Credential client_secret_post
        Get-ErrorId (Get-Failure { token $uri @credential @trust -code $code -redirect_uri $redirectUri -nonce N0nce }) | Should -BeExactly nonce_mismatch
    }

    It 'refuses a wrong verifier' {
        $code = New-Code $scheme none @{ code_challenge = (New-Pkce).Challenge }
        $failure = Get-Failure { token $uri -client_id none @trust -code $code -code_verifier (New-Pkce).Verifier -redirect_uri $redirectUri }
        Get-ErrorId $failure | Should -BeExactly invalid_grant
    }

    It 'device code: pending until the user approves (<_>)' -ForEach 'none', 'client_secret_post', 'client_secret_basic' {
        $client = $_
        $credential = Get-Credential $client
        $form = @{ client_id = $credential.client_id; scope = 'openid api:read' }
        if ($credential.Contains('client_secret')) { $form.client_secret = $credential.client_secret }
        $device = Invoke-RestMethod $endpoints.device_authorization_endpoint -Method Post -Body $form -SkipCertificateCheck -NoProxy
        $seen = @()
        $response = $null
        while (-not $response -and $seen.Count -lt 5) {
            try {
                $response = token $uri @credential @trust -device_code $device.device_code
            } catch {
                $problem = ($_.ErrorDetails.Message | ConvertFrom-Json).error
                $seen += $problem
                if ($problem -ne 'authorization_pending') { throw }
                if ($seen.Count -eq 2) { $null = Invoke-Test $scheme device Post @{ user_code = $device.user_code; action = 'approve' } }
            }
        }
        $seen -join ' ' | Should -BeExactly 'authorization_pending authorization_pending'
        (Read-Jwt $response.id_token).Claims.sub | Should -BeExactly alice
    }

    It 'device code: the user declines' {
        $device = Invoke-RestMethod $endpoints.device_authorization_endpoint -Method Post -Body @{ client_id = 'none' } -SkipCertificateCheck -NoProxy
        $null = Invoke-Test $scheme device Post @{ user_code = $device.user_code; action = 'deny' }
        Get-ErrorId (Get-Failure { token $uri -client_id none @trust -device_code $device.device_code }) | Should -BeExactly access_denied
    }

    It 'JWT bearer assertion' {
        $client = $provider.clients.client_secret_post
        $assertion = New-Jwt (New-AssertionClaim $client.client_id bob $uri) $client.client_secret
        $response = token $uri -client_id $client.client_id -client_secret $client.client_secret @trust -jwtAssertion $assertion -scope api:read
        $response.scope | Should -BeExactly api:read
    }
}

Describe 'Trust' {
    It 'fails with <Name>' -ForEach @(
        @{ Name = 'the system''s authorities only'; Trust = { @{} } }
        @{ Name = 'another authority'; Trust = { @{ CertificateAuthority = $provider.wrong_ca } } }
    ) {
        $trust = & $Trust
        Get-ErrorId (Get-Failure { token $provider.https.token_endpoint -client_id none -code x @trust }) | Should -BeExactly tls_failed
    }
}
