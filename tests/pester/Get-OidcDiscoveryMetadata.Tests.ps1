# Where Get-OidcDiscoveryMetadata asks, and what it believes.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer

    # Metadata of `Issuer` (a path on the server, or an absolute URL) at `Path`.
    function Set-Metadata([string] $Path, [string] $Issuer) {
        $issuer = $Issuer -match '^https?:' ? $Issuer : "$($server.http)$Issuer"
        $null = Set-Reply $server $Path (New-JsonReply 200 @{ issuer = $issuer; token_endpoint = "$issuer/token"; list = @('a') })
    }
}

AfterAll { Stop-Peer $server }

Describe 'The address' {
    BeforeEach {
        $null = Invoke-Control $server Post reset
    }

    It '<Given> asks <Paths>' -ForEach @(
        @{ Given = '/tenant'; At = '/tenant/.well-known/openid-configuration'; Issuer = '/tenant'; Paths = '/tenant/.well-known/openid-configuration' }
        @{ Given = '/tenant/'; At = '/tenant/.well-known/openid-configuration'; Issuer = '/tenant'; Paths = '/tenant/.well-known/openid-configuration' }
        @{ Given = ''; At = '/.well-known/openid-configuration'; Issuer = ''; Paths = '/.well-known/openid-configuration' }
        @{ Given = '/tenant'; At = '/.well-known/oauth-authorization-server/tenant'; Issuer = '/tenant'; Paths = '/tenant/.well-known/openid-configuration /.well-known/oauth-authorization-server/tenant' }
        @{ Given = '/tenant/.well-known/openid-configuration'; At = '/tenant/.well-known/openid-configuration'; Issuer = '/tenant'; Paths = '/tenant/.well-known/openid-configuration' }
        @{ Given = '/.well-known/oauth-authorization-server'; At = '/.well-known/oauth-authorization-server'; Issuer = ''; Paths = '/.well-known/oauth-authorization-server' }
    ) {
        Set-Metadata $At $Issuer
        $metadata = Get-OidcDiscoveryMetadata "$($server.http)$Given"
        $metadata.token_endpoint | Should -BeExactly "$($server.http)$Issuer/token"
        $metadata.list | Should -Be a
        @(Get-SentRequest $server).Path -join ' ' | Should -BeExactly $Paths
    }

    It 'may be a Uri, come from the pipeline, and more than once' {
        Set-Metadata /a/.well-known/openid-configuration /a
        Set-Metadata /b/.well-known/openid-configuration /b
        (Get-OidcDiscoveryMetadata ([uri]"$($server.http)/a")).issuer | Should -BeExactly "$($server.http)/a"
        ("$($server.http)/a", [uri]"$($server.http)/b" | Get-OidcDiscoveryMetadata).issuer | Should -Be "$($server.http)/a", "$($server.http)/b"
    }

    It 'without scheme means https' {
        $address = ([uri]$server.https).Authority
        $null = Set-Reply $server /.well-known/openid-configuration (New-JsonReply 200 @{ issuer = "https://$address" })
        (Get-OidcDiscoveryMetadata $address -CertificateAuthority $server.certificate_authority).issuer | Should -BeExactly "https://$address"
        (Get-SentRequest $server).Scheme | Should -BeExactly https
    }

    It 'that is empty, has a query, or is http is refused: <_>' -ForEach '', 'https://as.example/?a=b', 'http://as.example.test', 'ftp://as.example', 'https://user:password@as.example' {
        Get-ErrorId (Get-Failure { Get-OidcDiscoveryMetadata $_ }) | Should -BeIn invalid_argument, invalid_endpoint, insecure_endpoint
        Get-SentRequest $server | Should -BeNullOrEmpty
    }
}

Describe 'The issuer' {
    It 'of the metadata must be the one that was asked: <_>' -ForEach 'https://as.example', '/other', '/TENANT', '/tenant/more' {
        Set-Metadata /tenant/.well-known/openid-configuration $_
        Get-ErrorId (Get-Failure { Get-OidcDiscoveryMetadata "$($server.http)/tenant" }) | Should -BeExactly issuer_mismatch
    }

    It 'must be named at all' {
        $null = Set-Reply $server /none/.well-known/openid-configuration (New-JsonReply 200 @{ token_endpoint = 'x' })
        Get-ErrorId (Get-Failure { Get-OidcDiscoveryMetadata "$($server.http)/none" }) | Should -BeExactly issuer_mismatch
    }
}

Describe 'An answer that is no metadata' {
    It 'is an error with the response: <Status> <Body>' -ForEach @(
        @{ Status = 404; Body = '{"error":"not_found"}' }
        @{ Status = 200; Body = '[]' }
        @{ Status = 200; Body = '<html>' }
    ) {
        $null = Set-Reply $server /bad/.well-known/openid-configuration @{ status = $Status; headers = @(, @('Content-Type', 'application/json')); body = $Body }
        (Get-Failure { Get-OidcDiscoveryMetadata "$($server.http)/bad" -MaximumRetryCount 0 }).Exception.Response.StatusCode | Should -Be $Status
    }
}

Describe 'oidc-provider' {
    It 'is discovered, and its token endpoint used in one expression' {
        $provider = Start-Provider
        try {
            (Get-OidcDiscoveryMetadata $provider.http.issuer).token_endpoint | Should -BeExactly $provider.http.token_endpoint
            (Get-OidcDiscoveryMetadata $provider.https.discovery -CertificateAuthority $provider.ca).jwks_uri | Should -BeExactly $provider.https.jwks_uri
        } finally {
            Stop-Peer $provider
        }
    }
}
