# Servers that must not be believed are refused, by one command of each family, with the setting that would help; and those
# settings work.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # Commands, each with what it asks a server at $u; $t are further parameters.
    $commands = @(
        @{ Command = 'Invoke-OAuth2TokenEndpoint'; Call = { token "$u/slow?ms=1" -client_id app -code c0de @t } }
        @{ Command = 'Invoke-OAuth2DeviceAuthorizationEndpoint'; Call = { deviceauth "$u/device_authorization" -client_id device-client @t } }
        @{ Command = 'Get-OidcDiscoveryMetadata'; Call = { Get-OidcDiscoveryMetadata "$u/none" @t } }
        @{ Command = 'Get-D365LcsApiToken'; Call = { Get-D365LcsApiToken app me secret https://lcsapi.lcs.dynamics.com -Authority "$u/none" -EnableException @t } }
        @{ Command = 'New-VcToken'; Call = { New-VcToken -Endpoint "$u/v1/oauth2/token" -Jwt $jwt @t } }
        @{ Command = 'Get-DelegateAccessToken'; Call = { Set-GovernanceConfiguration $u; Get-DelegateAccessToken @{ ClientSecret = 's'; UserPrincipalName = 'u' } @t } }
    )
    # What is wrong with a server.
    $wrongs = @(
        @{ Wrong = 'of an unknown authority'; Address = { $server.https }; Advice = $true }
        @{ Wrong = 'for another name'; Address = { "https://localhost:$($wrongName.Port)" }; Trust = { $wrongName.File } }
        @{ Wrong = 'that has expired'; Address = { "https://localhost:$($expired.Port)" }; Trust = { $expired.File } }
        @{ Wrong = 'that is not yet valid'; Address = { "https://localhost:$($early.Port)" }; Trust = { $early.File } }
        @{ Wrong = 'that it has signed itself'; Address = { "https://localhost:$($selfSigned.Port)" }; Advice = $true }
        @{ Wrong = 'over TLS 1.1'; Address = { "https://localhost:$($old.Port)" } }
        @{ Wrong = 'over no TLS at all'; Address = { $server.http.Replace('http:', 'https:') } }
    )
    $cases = foreach ($command in $commands) { foreach ($wrong in $wrongs) { $command + $wrong } }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $jwt = New-Jwt @{ exp = [DateTimeOffset]::UtcNow.AddHours(1).ToUnixTimeSeconds() } key

    # A server with a self-signed certificate that does nothing but the handshake, with openssl: .NET has no TLS 1.1 here.
    function Start-TlsServer([string] $Name, [datetimeoffset] $From, [datetimeoffset] $To, [string[]] $Option = @()) {
        $key = [System.Security.Cryptography.RSA]::Create(2048)
        $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new("CN=$Name", $key, 'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
        $names = [System.Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder]::new()
        $names.AddDnsName($Name)
        $request.CertificateExtensions.Add($names.Build())
        $certificate = $request.CreateSelfSigned($From, $To)
        $file = Join-Path $TestDrive "$([guid]::NewGuid()).pem"
        Set-Content $file "$($certificate.ExportCertificatePem())`n$($key.ExportPkcs8PrivateKeyPem())"
        $listener = [System.Net.Sockets.TcpListener]::new([System.Net.IPAddress]::Loopback, 0)
        $listener.Start()
        $port = $listener.LocalEndpoint.Port
        $listener.Stop()
        $start = [System.Diagnostics.ProcessStartInfo]@{
            FileName = 'openssl'; RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
        }
        foreach ($argument in @('s_server', '-accept', "127.0.0.1:$port", '-cert', $file, '-key', $file, '-www', '-quiet') + $Option) { $start.ArgumentList.Add($argument) }
        $process = [System.Diagnostics.Process]::Start($start)
        $null = $process.StandardError.ReadToEndAsync(), $process.StandardOutput.ReadToEndAsync()
        $null = Wait-Until {
            $client = [System.Net.Sockets.TcpClient]::new()
            try { $client.Connect('127.0.0.1', $port); $true } catch { $false } finally { $client.Dispose() }
        }
        [pscustomobject]@{ Process = $process; Port = $port; File = $file }
    }

    $now = [DateTimeOffset]::UtcNow
    $good = $now.AddDays(-1), $now.AddDays(1)
    $wrongName = Start-TlsServer as.example.test @good
    $expired = Start-TlsServer localhost $now.AddDays(-9) $now.AddDays(-1)
    $early = Start-TlsServer localhost $now.AddDays(1) $now.AddDays(9)
    $selfSigned = Start-TlsServer localhost @good
    $old = Start-TlsServer localhost @good -Option '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'
}

AfterAll {
    Stop-Peer $server
    $wrongName, $expired, $early, $selfSigned, $old | ForEach-Object { $_.Process.Kill() }
}

Describe '<Command>' -ForEach $cases {
    It 'does not believe a server with a certificate <Wrong>' {
        $u = & $Address
        $t = @{ MaximumRetryCount = 0 }
        if ($_['Trust']) { $t.CertificateAuthority = & $Trust }
        $failure = Get-Failure $Call
        Get-ErrorId $failure | Should -BeExactly tls_failed
        $failure.CategoryInfo.Category | Should -Be SecurityError
        if ($_['Advice']) { $failure.ErrorDetails.RecommendedAction | Should -Match '-CertificateAuthority' }
    }
}

Describe '<Command>' -ForEach $commands {
    It 'sends nothing over http to another machine' {
        $u = 'http://as.example.test'
        $t = @{ MaximumRetryCount = 0 }
        $failure = Get-Failure $Call
        Get-ErrorId $failure | Should -BeExactly insecure_endpoint
        $failure.CategoryInfo.Category | Should -Be SecurityError
    }

    It 'believes a server of the authority that is given' {
        $u = $server.https
        $t = @{ MaximumRetryCount = 0; CertificateAuthority = $server.certificate_authority }
        $null = Get-SentRequest $server
        # That the server is the wrong one for the command is what comes after TLS.
        try { $null = & $Call } catch { Get-ErrorId $_ | Should -Not -BeIn tls_failed, invalid_certificate_authority }
        @(Get-SentRequest $server).Scheme | Should -Contain https
    }
}

Describe 'Without a check of certificates' {
    It 'Cloud Governance and Venafi reach any server, with a warning: <Name>' -ForEach @(
        @{ Name = 'the configuration'; Call = { Set-GovernanceConfiguration $server.https -SkipCertificateCheck; Get-DelegateAccessToken @{ ClientSecret = 's' } -WarningVariable global:seen } }
        @{ Name = 'the variable'; Call = { $env:VENAFIPS_SKIP_CERT_CHECK = '1'; New-VcToken -Endpoint "$($server.https)/v1/oauth2/token" -Jwt $jwt -WarningVariable global:seen } }
    ) {
        $null = Get-SentRequest $server
        try { $null = & $Call 3>$null } catch { Get-ErrorId $_ | Should -Not -Be tls_failed } finally {
            $env:VENAFIPS_SKIP_CERT_CHECK = $null
            (Get-GovernanceConfiguration).Clear()
        }
        @(Get-SentRequest $server).Scheme | Should -Contain https
        "$global:seen" | Should -Match 'certificate'
    }
}
