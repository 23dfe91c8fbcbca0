# What is left of secrets in the memory of a process when they have been used and disposed of: nothing. The process gets
# them as SecureString and in files; another one, which knows what to look for, searches it.
param([string] $Module, [string] $TestServer)

BeforeAll {
    # How secrets are used: $s holds each as SecureString; a server that closes its connections is at $u, one that keeps them
    # open at $o and, with TLS, at $t.
    $uses = [ordered]@{
        client_secret_basic = 'token $u -client_id app -client_secret $s -client_auth_method client_secret_basic'
        client_secret_post = 'token $u -client_id app -client_secret ([pscredential]::new("app", $s)) -client_auth_method client_secret_post'
        client_secret_jwt = 'token $u -client_id app -client_secret $s -client_auth_method client_secret_jwt'
        refresh_token = 'token $u -client_id app -refresh_token $s'
        additional_parameter = 'token $u -client_id app -code c0de -AdditionalParameters @{ password = $s }'
        custom_header = 'token $u -client_id app -code c0de -customHeaders @{ "X-Api-Key" = $s }'
        device_client_secret = 'deviceauth $u -client_id app -client_secret $s'
        password = 'Get-D365LcsApiToken app me $s https://lcsapi.lcs.dynamics.com -Authority $u'
        access_token = 'Get-OAuth2UserInfo $u -access_token $s -sub alice'
        assertion_secret = 'New-OAuth2JwtAssertion -issuer a -subject a -audience a -client_secret $s'
        verification_secret = 'Test-JsonWebToken $jwt -client_secret $s -Quiet; Test-JsonWebTokenSignature $jwt -client_secret $s'
        bound_tokens = 'Test-JsonWebToken $jwt -client_secret key -access_token $s -code $s -Quiet'
        symmetric_key = 'ConvertTo-Jwk -client_secret $s -IncludePrivate'
        venafi_jwt = 'New-VcToken -Endpoint "$u/v1/oauth2/token" -Jwt $s'
        venafi_key = 'New-VenafiSession -VcKey $s -Proxy $o -PassThru'
        venafi_access_token = 'Test-VcToken -AccessToken $s -Online -Proxy $o'
        api_credential = 'Get-DelegateAccessToken (New-ApiCredential $s me)'
        api_key = 'Set-GovernanceConfigurationApiKey clientSecret $s; Get-DelegateAccessToken @{ ClientSecret = "s" }; (Get-GovernanceConfiguration).ApiKey.Clear()'
        user_refresh_token = 'Invoke-RefreshUserAccessToken $s'
        store_key = 'Set-D365LcsApiConfig -ClientId app; Move-TokenKitStore key -Key $s'
        proxy_password = 'token "$o/slow?ms=1" -code c0de -Proxy $o -ProxyCredential ([pscredential]::new("me", $s))'
        key_password = 'token $u -client_id app -client_certificate $files.encrypted -CertificatePassword $s'
        pfx_password = 'token $u -client_id app -client_certificate $files.pfx -CertificatePassword $s'
        open_connection = 'token "$o/slow?ms=1" -client_id app -client_secret $s'
        tls_connection = 'token "$t/slow?ms=1" -client_id app -client_secret $s -client_auth_method client_secret_basic -CertificateAuthority $ca'
        refused = 'token "$o/canned/refused" -client_id app -client_secret $s'
        connection_lost = 'token $lost -client_id app -client_secret $s -MaximumRetryCount 0'
        timeout = 'token $stalled -client_id app -client_secret $s -Timeout 1'
    }
    # How keys are used: those below are in files and, as PEM, in $s.
    $keys = [ordered]@{
        key_pem = 'token $u -client_id app -client_certificate $s'
        key_file = 'token $u -client_id app -client_certificate $files.pem; New-OAuth2JwtAssertion -issuer a -subject a -audience a -client_certificate $files.pem'
        key_jwk = 'token $u -client_id app -client_certificate $files.jwk; ConvertTo-Jwk $files.jwk'
        key_rsa = 'token $u -client_id app -client_certificate $files.rsa'
    }

    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/CanaryHelpers.ps1
    $server = Start-Peer $TestServer
    $mark = New-Mark
    $folder = New-Item "$TestDrive/keys" -ItemType Directory
    $ascii = [System.Text.Encoding]::ASCII

    # A fault that is none: what is sent is not sent back, and the connection is closed.
    function Set-Fault([string] $Name, $Fault, [string] $Token = 'a') {
        $body = @{
            access_token = $Token; token_type = 'Bearer'; sub = 'alice'; device_code = 'd'; user_code = 'u'; verification_uri = 'http://127.0.0.1/'
            expires_in = 60; IsSuccess = $true; Value = @{ AccessToken = 'a' }
        } | ConvertTo-Json -Compress
        (Invoke-Control $server Put fault @{ name = $Name; fault = $Fault; body = $body }).url
    }

    # What a script uses; each secret is a text of its own.
    function New-Secret([string[]] $Name) {
        $secrets = [ordered]@{}
        foreach ($item in $Name) { $secrets[$item] = New-Canary $mark $item }
        $secrets
    }

    # Runs the uses in a process of its own, which gets secrets through its standard input, and none in the clear: what it reads
    # is masked, and is put together character by character. Returns the process when all is done, still running.
    function Start-Use([System.Collections.IDictionary] $Use, [System.Collections.IDictionary] $Secret, [string] $Take) {
        $done = Join-Path $TestDrive ([guid]::NewGuid())
        $lines = foreach ($name in $Use.Keys) { "`$s = Read-Secret; try { . { $($Use[$name]) } | Out-Null } catch { `$failed.Add('$name ' + `$_) }; $Take" }
        $running = Start-Pwsh @"
param(`$module, `$u, `$o, `$t, `$ca, `$lost, `$stalled, `$marked, `$jwt, `$folder, `$done)
`$ErrorActionPreference = 'Stop'
Import-Module `$module
`$failed = [System.Collections.Generic.List[string]]::new()
`$files = @{ pem = "`$folder/key.pem"; encrypted = "`$folder/encrypted.pem"; jwk = "`$folder/key.jwk"; pfx = "`$folder/key.pfx"; rsa = "`$folder/rsa.pem" }
Set-GovernanceConfiguration `$u
function Read-Secret {
    `$line = [Console]::In.ReadLine()
    `$secret = [securestring]::new()
    for (`$at = 0; `$at -lt `$line.Length; `$at += 4) { `$secret.AppendChar([char]([Convert]::ToUInt16(`$line.Substring(`$at, 4), 16) -bxor 0x5a5a)) }
    `$secret
}
$($lines -join "`n")
Remove-Variable s -ErrorAction Ignore
`$Error.Clear()
foreach (`$round in 1..3) { [GC]::Collect(2, 'Forced', `$true, `$true); [GC]::WaitForPendingFinalizers() }
Set-Content `$done (`$failed -join "``n")
`$null = [Console]::In.ReadLine()
"@ $Module, $good, $server.http, $server.https, $server.certificate_authority, $lost, $stalled, $marked, $jwt, $folder.FullName, $done @{
            TOKENKIT_HOME = New-Store; VENAFIPS_SKIP_CERT_CHECK = ''
        }
        foreach ($name in $Use.Keys) {
            $running.Process.StandardInput.WriteLine(-join ([char[]]$Secret[$name]).ForEach{ '{0:x4}' -f ([int]$_ -bxor 0x5a5a) })
        }
        $running.Process.StandardInput.Flush()
        if (-not (Wait-Until { (Test-Path $done) -or $running.Process.HasExited } 120000) -or $running.Process.HasExited) {
            $running.Process.Kill()
            throw (Wait-Pwsh $running | Out-String)
        }
        $running | Add-Member NoteProperty Failed @(Get-Content $done) -PassThru
    }

    function Stop-Use($Running) {
        $Running.Process.StandardInput.Close()
        $null = Wait-Pwsh $Running
    }

    $good = Set-Fault good @{ interim = 0 }
    $lost = Set-Fault lost @{ reset = 'start' }
    $stalled = Set-Fault stalled @{ stall = 'start' }
    $marked = Set-Fault marked @{ interim = 0 } "$mark-returned"
    $null = Set-Reply $server /canned/refused (New-JsonReply 400 @{ error = 'invalid_client' })
    $jwt = New-Jwt @{ sub = 'alice'; iat = 1 } key

    $ec = [System.Security.Cryptography.ECDsa]::Create([System.Security.Cryptography.ECCurve+NamedCurves]::nistP256)
    $rsa = [System.Security.Cryptography.RSA]::Create(2048)
    $parameters = $ec.ExportParameters($true)
    $secret = New-Secret @(@($uses.Keys) + @($keys.Keys))
    $secret.access_token = "$mark-access_token"
    $secret.venafi_jwt = New-Jwt @{ exp = [DateTimeOffset]::UtcNow.AddHours(1).ToUnixTimeSeconds(); secret = "$mark-venafi_jwt" } key
    $secret.store_key = [Convert]::ToBase64String($ascii.GetBytes("$mark-".PadRight(32, 'k')))
    $secret.key_pem = $ec.ExportPkcs8PrivateKeyPem()
    $encryption = [System.Security.Cryptography.PbeParameters]::new('Aes256Cbc', 'SHA256', 1000)
    Set-Content "$folder/key.pem" $secret.key_pem
    Set-Content "$folder/rsa.pem" $rsa.ExportPkcs8PrivateKeyPem()
    Set-Content "$folder/encrypted.pem" $rsa.ExportEncryptedPkcs8PrivateKeyPem($secret.key_password.ToCharArray(), $encryption)
    [System.IO.File]::WriteAllBytes("$folder/key.pfx", (New-Certificate $rsa).Export('Pfx', $secret.pfx_password))
    Set-Content "$folder/key.jwk" (@{ kty = 'EC'; crv = 'P-256'
        x = ConvertTo-Base64Url $parameters.Q.X; y = ConvertTo-Base64Url $parameters.Q.Y; d = ConvertTo-Base64Url $parameters.D } | ConvertTo-Json)
    # In PEM a line may end anywhere, but not in both.
    $prime = $rsa.ExportParameters($true).P
    $searched = @{ mark = $ascii.GetBytes($mark); 'EC key' = $parameters.D[0..13]; 'end of the EC key' = $parameters.D[18..31]; 'RSA key' = $prime[0..13]; 'end of the RSA key' = $prime[114..127] }

    function Search-All($Running) {
        foreach ($what in $searched.Keys) { (Search-Memory $Running.Process.Id $searched[$what]).ForEach{ "${what}: $_" } }
    }
}

AfterAll { Stop-Peer $server }

# Only there a process can be searched by another one without further ado.
if ($IsLinux) {
    Describe 'Memory' {
        It 'holds what is not disposed of, and what has to be a string: the search finds it' {
            $kept = [ordered]@{
                secure_string = '$held1 = $s'
                string = '$held2 = [System.Net.NetworkCredential]::new("", $s).Password; token $u -client_id app -client_secret $held2'
                basic_header = '$held3 = [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes("app:" + [System.Net.NetworkCredential]::new("", $s).Password))'
                hex = '$held4 = [Convert]::ToHexString([System.Text.Encoding]::UTF8.GetBytes([System.Net.NetworkCredential]::new("", $s).Password))'
                returned = '$held5 = token $marked -code c0de'
            }
            $running = Start-Use $kept (New-Secret @($kept.Keys)) ''
            try {
                $running.Failed | Should -BeNullOrEmpty
                $found = (Search-All $running) -join "`n"
            } finally {
                Stop-Use $running
            }
            foreach ($form in "UTF-16 .*$mark-secure_string", "UTF-16 .*$mark-string", "UTF-16 .*$mark-returned", 'utf-16 .*YXBwO', "mark: $([Convert]::ToHexString($searched.mark)), utf-16") {
                $found | Should -Match $form
            }
        }

        It 'holds no secret that was used and disposed of' {
            $all = [ordered]@{}
            foreach ($set in $uses, $keys) { foreach ($name in $set.Keys) { $all[$name] = $set[$name] } }
            $running = Start-Use $all $secret '$s.Dispose()'
            try {
                # These shall fail, the others not.
                @($running.Failed -replace ' .*') | Where-Object { $_ } | Should -Be 'refused', 'connection_lost', 'timeout'
                # What was sent on a connection that stays open is gone when it is closed, 20 s later.
                $null = Wait-Until { Start-Sleep 5; -not (Search-All $running) } 90000
                Search-All $running | Should -BeNullOrEmpty
            } finally {
                Stop-Use $running
            }
        }
    }
}
