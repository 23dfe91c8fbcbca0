# Every algorithm with every form of key against npm jose, in both directions.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $families = @(
        @{ Algorithms = 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'; Private = 'pkcs8', 'pkcs8 text', 'encrypted_pkcs8', 'der', 'jwk', 'jwk text', 'jwk object', 'jwk SecureString', 'pkcs1', 'pfx', 'pfx_legacy', 'certificate object', 'key object'
            Public = 'jwk', 'jwk text', 'jwk object', 'jwk dictionary', 'jwk set', 'certificate', 'certificate object', 'public PEM', 'key object' }
        @{ Algorithms = 'ES256', 'ES384', 'ES512'; Private = 'pkcs8', 'pkcs8 text', 'encrypted_pkcs8', 'der', 'jwk', 'jwk text', 'jwk object', 'jwk SecureString', 'sec1', 'pfx', 'certificate object', 'key object'
            Public = 'jwk', 'jwk text', 'jwk object', 'jwk dictionary', 'jwk set', 'certificate', 'certificate object', 'public PEM', 'key object' }
        @{ Algorithms = 'EdDSA'; Private = 'pkcs8', 'pkcs8 text', 'encrypted_pkcs8', 'der', 'jwk', 'jwk text', 'jwk object', 'jwk SecureString'
            Public = 'jwk', 'jwk text', 'jwk object', 'jwk dictionary', 'jwk set' }
    )
    $signing = foreach ($family in $families) {
        foreach ($algorithm in $family.Algorithms) { foreach ($form in $family.Private) { @{ Algorithm = $algorithm; Form = $form } } }
    }
    $verifying = foreach ($family in $families) {
        foreach ($algorithm in $family.Algorithms) { foreach ($form in $family.Public) { @{ Algorithm = $algorithm; Form = $form } } }
    }
    $shared = foreach ($algorithm in 'HS256', 'HS384', 'HS512') {
        foreach ($form in 'string', 'SecureString', 'PSCredential') { @{ Algorithm = $algorithm; Form = $form } }
    }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/JoseHelpers.ps1
    Import-Module $Module
    $provider = Start-Provider
    $secret = 'a shared secret, long enough for the hash of each of the HMAC algorithms: 64 bytes'
    $claims = @{ iss = 'https://as.example'; sub = 'alice'; aud = 'app'; exp = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() + 300 }

    function Get-KeyFile([string] $Algorithm) { $provider.clients."private_key_jwt_$Algorithm".keys }

    function Get-Certificate($Keys) {
        [System.Security.Cryptography.X509Certificates.X509Certificate2]::CreateFromPemFile($Keys.certificate, $Keys.pkcs8)
    }

    function Get-KeyObject([string] $Algorithm) {
        $key = $Algorithm -like 'ES*' ? [System.Security.Cryptography.ECDsa]::Create() : [System.Security.Cryptography.RSA]::Create()
        $key.ImportFromPem((Get-Content (Get-KeyFile $Algorithm).pkcs8 -Raw))
        $key
    }

    function Get-Secret([string] $Form) {
        $secure = ConvertTo-SecureString $secret -AsPlainText
        switch ($Form) {
            'string' { $secret }
            'SecureString' { $secure }
            'PSCredential' { [pscredential]::new('app', $secure) }
        }
    }

    # The private key in this form, as the parameters that give it.
    function Get-PrivateKey([string] $Algorithm, [string] $Form) {
        $keys = Get-KeyFile $Algorithm
        $password = ConvertTo-SecureString $keys.password -AsPlainText
        switch ($Form) {
            'pkcs8 text' { @{ client_certificate = Get-Content $keys.pkcs8 -Raw } }
            'jwk text' { @{ client_certificate = Get-Content $keys.jwk -Raw } }
            'jwk object' { @{ client_certificate = Get-Content $keys.jwk -Raw | ConvertFrom-Json } }
            'jwk SecureString' { @{ client_certificate = ConvertTo-SecureString (Get-Content $keys.jwk -Raw) -AsPlainText } }
            'certificate object' { @{ client_certificate = Get-Certificate $keys } }
            'key object' { @{ client_certificate = Get-KeyObject $Algorithm } }
            { $_ -in 'encrypted_pkcs8', 'pfx', 'pfx_legacy' } { @{ client_certificate = $keys.$_; CertificatePassword = $password } }
            default { @{ client_certificate = $keys.$_ } }
        }
    }

    # The public key in this form.
    function Get-PublicKey([string] $Algorithm, [string] $Form) {
        $keys = Get-KeyFile $Algorithm
        $jwk = Get-Content $keys.jwk -Raw
        switch ($Form) {
            'jwk' { @{ jwk = Get-Item $keys.jwk } }
            'jwk text' { @{ jwk = $jwk } }
            'jwk object' { @{ jwk = $jwk | ConvertFrom-Json } }
            'jwk dictionary' { @{ jwk = $jwk | ConvertFrom-Json -AsHashtable } }
            'jwk set' { @{ jwk = @{ keys = @($jwk | ConvertFrom-Json -AsHashtable) } } }
            'certificate' { @{ SigningCertificate = $keys.certificate } }
            'certificate object' { @{ SigningCertificate = Get-Certificate $keys } }
            'public PEM' { @{ SigningCertificate = (Get-KeyObject $Algorithm).ExportSubjectPublicKeyInfoPem() } }
            'key object' { @{ SigningCertificate = Get-KeyObject $Algorithm } }
        }
    }

    function Get-Jwk([string] $Algorithm) { Get-Content (Get-KeyFile $Algorithm).jwk -Raw | ConvertFrom-Json }

    function Get-ChangedToken([string] $Token) {
        $header, $payload, $signature = $Token -split '\.'
        $bytes = ConvertFrom-Base64Url $signature
        $bytes[0] = $bytes[0] -bxor 1
        "$header.$payload.$(ConvertTo-Base64Url $bytes)"
    }
}

AfterAll { Stop-Peer $provider }

Describe 'What TokenKit signs' -ForEach @{ signing = $signing; shared = $shared } {
    BeforeAll {
        $tokens = @{}
        foreach ($row in $signing) {
            $key = Get-PrivateKey $row.Algorithm $row.Form
            $tokens["$($row.Algorithm) $($row.Form)"] = (New-OAuth2JwtAssertion app app https://as.example -Algorithm $row.Algorithm @key).client_assertion_jwt
        }
        foreach ($row in $shared) {
            $tokens["$($row.Algorithm) $($row.Form)"] = (New-OAuth2JwtAssertion app app https://as.example -Algorithm $row.Algorithm -client_secret (Get-Secret $row.Form)).client_assertion_jwt
        }
        $names = @($tokens.Keys)
        $results = Invoke-Jose @($names | ForEach-Object {
                $algorithm = ($_ -split ' ')[0]
                $job = @{ token = $tokens[$_]; alg = $algorithm }
                if ($algorithm -like 'HS*') { $job.secret = $secret } else { $job.jwk = Get-Jwk $algorithm }
                @{ verify = $job }
            })
        $verified = @{}
        foreach ($index in 0..($names.Count - 1)) { $verified[$names[$index]] = $results[$index] }
    }

    It '<Algorithm> with the key as <Form> is verified by jose' -ForEach ($signing + $shared) {
        $verified["$Algorithm $Form"] | Should -BeExactly ok
        (Read-Jwt $tokens["$Algorithm $Form"]).Header.alg | Should -BeExactly $Algorithm
    }
}

Describe 'What jose signs' -ForEach @{ verifying = $verifying } {
    BeforeAll {
        $algorithms = @($verifying.Algorithm | Select-Object -Unique) + 'HS256', 'HS384', 'HS512'
        $results = Invoke-Jose @($algorithms | ForEach-Object {
                $job = @{ alg = $_; claims = $claims }
                if ($_ -like 'HS*') { $job.secret = $secret } else { $job.jwk = Get-Jwk $_; $job.kid = $job.jwk.kid }
                @{ sign = $job }
            })
        $signed = @{}
        foreach ($index in 0..($algorithms.Count - 1)) { $signed[$algorithms[$index]] = $results[$index] }
    }

    It '<Algorithm> is verified with the key as <Form>, and nothing else is' -ForEach $verifying {
        $key = Get-PublicKey $Algorithm $Form
        $result = Test-JsonWebToken $signed[$Algorithm] @key -issuer https://as.example -audience app
        $result.Message | Should -BeExactly 'The token is valid.'
        $result.Valid | Should -BeTrue
        Test-JsonWebToken (Get-ChangedToken $signed[$Algorithm]) @key | ForEach-Object Reasons | Should -Be invalid_signature
        if ($Form -in 'jwk', 'certificate object') {
            Test-JsonWebTokenSignature $signed[$Algorithm] @key | Should -BeTrue
            Test-JsonWebTokenSignature (Get-ChangedToken $signed[$Algorithm]) @key | Should -BeFalse
        }
    }

    It '<Algorithm> is verified with the secret as <Form>, and nothing else is' -ForEach $shared {
        Test-JsonWebTokenSignature $signed[$Algorithm] -client_secret (Get-Secret $Form) | Should -BeTrue
        Test-JsonWebTokenSignature (Get-ChangedToken $signed[$Algorithm]) -client_secret (Get-Secret $Form) | Should -BeFalse
        (Test-JsonWebToken $signed[$Algorithm] -client_secret (Get-Secret $Form)).Valid | Should -BeTrue
    }
}

Describe 'Keys that TokenKit makes' {
    It '<_>: jose signs and verifies with them and computes the same thumbprint' -ForEach 'RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA' {
        $pair = New-OAuth2KeyPair $_ -AsPlainText
        $token = (New-OAuth2JwtAssertion app app https://as.example -client_certificate $pair.PrivateKeyPem -Algorithm $_).client_assertion_jwt
        $results = Invoke-Jose @(
            @{ verify = @{ token = $token; alg = $_; jwk = $pair.PublicJwk } }
            @{ sign = @{ alg = $_; jwk = $pair.PrivateJwk | ConvertFrom-Json; claims = $claims } }
            @{ thumbprint = @{ jwk = $pair.PublicJwk } }
        )
        $results[0] | Should -BeExactly ok
        (Test-JsonWebToken $results[1] -jwk $pair.PublicJwk).Valid | Should -BeTrue
        $results[2] | Should -BeExactly $pair.KeyId
    }
}
