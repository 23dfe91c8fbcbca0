# No secret is shown, whatever way it takes in: not in verbose, debug, error, progress or transcript, and in no
# encoding. The canary is one that is easily found again.
using namespace System.Security.Cryptography
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # Each makes parameters that hold the canary; a uri is added. Repeated: what a server that gets it may repeat.
    $forms = { $canary, [System.Net.WebUtility]::UrlEncode($canary), [uri]::EscapeDataString($canary) }
    $basic = { $canary, "Basic $([Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes("app:$([System.Net.WebUtility]::UrlEncode($canary))")))" }
    $inputs = @(
        foreach ($method in 'client_secret_post', 'client_secret_basic', 'client_secret_jwt') {
            $repeated = @{ client_secret_post = $forms; client_secret_basic = $basic; client_secret_jwt = $null }[$method]
            @{ Name = "client_secret as string, $method"; Method = $method
                Parameters = { @{ client_secret = $canary; client_auth_method = $Method } }; Repeated = $repeated }
            @{ Name = "client_secret as SecureString, $method"; Method = $method
                Parameters = { @{ client_secret = $secure; client_auth_method = $Method } }; Repeated = $repeated }
            @{ Name = "client_secret as PSCredential, $method"; Method = $method
                Parameters = { @{ client_secret = $credential; client_auth_method = $Method } }; Repeated = $repeated }
        }
        @{ Name = 'code'; Parameters = { @{ code = $canary } }; Repeated = $forms }
        @{ Name = 'code_verifier'; Parameters = { @{ code = 'c0de'; code_verifier = $canary } }; Repeated = $forms }
        @{ Name = 'nonce'; Parameters = { @{ code = 'c0de'; nonce = $canary } } }
        @{ Name = 'refresh_token as string'; Parameters = { @{ refresh_token = $canary } }; Repeated = $forms }
        @{ Name = 'refresh_token as SecureString'; Parameters = { @{ refresh_token = $secure } }; Repeated = $forms }
        @{ Name = 'device_code'; Parameters = { @{ device_code = $canary } }; Repeated = $forms }
        @{ Name = 'jwtAssertion'; Parameters = { @{ jwtAssertion = "e30.$core.AA" } }; Repeated = { "e30.$core.AA" } }
        @{ Name = 'ClientAssertion'; Parameters = { @{ ClientAssertion = "e30.$core.AA" } }; Repeated = { "e30.$core.AA" } }
        @{ Name = 'ClientAssertion as SecureString'; Parameters = { @{ ClientAssertion = ConvertTo-SecureString "e30.$core.AA" -AsPlainText } }; Repeated = { "e30.$core.AA" } }
        @{ Name = 'customHeaders'
            Parameters = { @{ code = 'c0de'; customHeaders = @{ 'X-Api-Key' = $core; Authorization = "Bearer $core"; Cookie = "a=$core" } } }
            Repeated = { "Bearer $core", "a=$core", $core } }
        @{ Name = 'AdditionalParameters'
            Parameters = { @{ code = 'c0de'; AdditionalParameters = @{ password = $canary; unknown = $canary } } }; Repeated = $forms }
        @{ Name = 'ProxyCredential'; Parameters = { @{ code = 'c0de'; Proxy = $server.http; ProxyCredential = $credential } } }
        @{ Name = 'Proxy'; Parameters = { @{ code = 'c0de'; Proxy = $server.http.Replace('//', "//user:$core@") } } }
        @{ Name = 'uri'; Query = "?sig={0}"; Parameters = { @{ code = 'c0de' } } }
        @{ Name = 'CertificatePassword'
            Parameters = { @{ client_certificate = $rsa.ExportEncryptedPkcs8PrivateKeyPem($canary.ToCharArray(), $encryption); CertificatePassword = $canary } } }
    )

    $repeating = $inputs | Where-Object { $_['Repeated'] }

    # Values that cannot be used: their errors must not quote them.
    $unusable = @(
        @{ Name = 'a PEM that is damaged'
            Parameters = { @{ client_certificate = "-----BEGIN PRIVATE KEY-----`n$core`n-----END PRIVATE KEY-----" } } }
        @{ Name = 'a JWK that is damaged'; Parameters = { @{ client_certificate = "{`"kty`":`"RSA`",`"d`":`"$core`"}" } } }
        @{ Name = 'a JWK that is no JSON'; Parameters = { @{ client_certificate = "{`"kty`":$core}" } } }
        @{ Name = 'a wrong key password'
            Parameters = { @{ client_certificate = $rsa.ExportEncryptedPkcs8PrivateKeyPem('right'.ToCharArray(), $encryption); CertificatePassword = $canary } } }
        @{ Name = 'a proxy with credentials that is no URL'; Parameters = { @{ code = 'c0de'; Proxy = "http://user:$core@127.0.0.1:port" } } }
        @{ Name = 'a proxy with credentials and another scheme'; Parameters = { @{ code = 'c0de'; Proxy = "socks9://user:$core@127.0.0.1:1" } } }
        @{ Name = 'an endpoint with credentials'; Uri = 'https://user:{0}@as.example.test/token'; Parameters = { @{ code = 'c0de' } } }
        @{ Name = 'an endpoint that is no URL'; Uri = 'https://user:{0}@as.example.test:port/token'; Parameters = { @{ code = 'c0de' } } }
        @{ Name = 'a header that cannot be sent'; Parameters = { @{ code = 'c0de'; customHeaders = @{ 'X-Api-Key' = "$core`n" } } } }
        @{ Name = 'headers that are no dictionary'; Parameters = { @{ code = 'c0de'; customHeaders = "Bearer $core" } } }
        @{ Name = 'fields that are no dictionary'; Parameters = { @{ code = 'c0de'; AdditionalParameters = "password=$core" } } }
        @{ Name = 'a field that would be sent twice'; Parameters = { @{ code = 'c0de'; AdditionalParameters = @{ code = $canary } } } }
        @{ Name = 'an array of secrets'; Parameters = { @{ client_secret = $canary, $canary } } }
        @{ Name = 'two credentials'; Parameters = { @{ refresh_token = $canary; client_secret = $canary; client_certificate = $rsa } } }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $core = 'c4nary' + [guid]::NewGuid().ToString('N')
    # With characters that encodings change.
    $canary = "$core+&/=%`"ö"
    $secure = ConvertTo-SecureString $canary -AsPlainText
    $credential = [pscredential]::new('app', $secure)
    $rsa = [RSA]::Create(2048)
    $encryption = [PbeParameters]::new('Aes256Cbc', 'SHA256', 1000)
    # The core as such, and within base64 of any text, where it can begin at three places.
    $traces = @($core) + (0..2).ForEach{
        $base64 = [Convert]::ToBase64String([System.Text.Encoding]::ASCII.GetBytes('x' * $_ + $core))
        $base64.Substring(4, $base64.Length - 8)
    }

    # All that a run wrote, errors in every way they can be looked at.
    function Get-Text($Run) {
        $errors = @($Run.Streams.Error) + @($Run.Thrown) + @($Run.Output | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] }) | Where-Object { $_ }
        @(
            foreach ($name in 'Verbose', 'Debug', 'Warning', 'Information', 'Progress') {
                $Run.Streams[$name] | ForEach-Object { "$_"; $_ | Format-List * -Force | Out-String }
            }
            foreach ($record in $errors) {
                "$record"
                $record | Out-String
                $record | Format-List * -Force | Out-String
                $record | Get-Error | Out-String
                for ($exception = $record.Exception; $exception; $exception = $exception.InnerException) {
                    $exception.ToString()
                    $exception | Format-List * -Force | Out-String
                }
                $response = $record.Exception.psobject.Properties['Response']
                if ($response) {
                    $response.Value.ToString()
                    $response.Value.RequestMessage.ToString()
                    $response.Value.Content.ReadAsStringAsync().Result
                }
            }
            $Run.Output | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] } | Out-String
        ) -join "`n"
    }

    function Assert-NoTrace([string] $Text) {
        foreach ($trace in $traces) { $Text.Contains($trace, 'OrdinalIgnoreCase') | Should -BeFalse -Because 'no form of the secret is shown' }
    }

    function Invoke-Loud([hashtable] $Parameters) {
        Invoke-Pipeline $Module 'param($parameters) token @parameters -Verbose -Debug' $Parameters
    }
}

AfterAll { Stop-Peer $server }

Describe 'The canary' {
    It 'would be found: <_>' -ForEach 'plain', 'form', 'base64', 'with another text before it' {
        $text = switch ($_) {
            plain { "secret is $canary" }
            form { [System.Net.WebUtility]::UrlEncode($canary) }
            base64 { [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($canary)) }
            default { [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes("client:$canary")) }
        }
        { Assert-NoTrace $text } | Should -Throw
    }
}

Describe 'A secret in <Name>' -ForEach $inputs {
    BeforeAll {
        $bound = & $Parameters
        if (-not $bound.Contains('client_id')) { $bound.client_id = 'app' }
        $query = $_.Contains('Query') ? $Query -f $core : ''
    }

    It 'is not shown when the request succeeds' {
        $run = Invoke-Loud ($bound + @{ uri = "$($server.http)/slow$($query ? "$query&" : '?')ms=1" })
        $text = Get-Text $run
        $run.Output.access_token | Should -Not -BeNullOrEmpty
        $text | Should -MatchExactly 'POST http://'
        Assert-NoTrace $text
    }

    It 'is not shown when the request fails on its way' {
        $failing = $bound + @{ uri = "http://127.0.0.1:1/token$query"; MaximumRetryCount = 0 }
        $text = Get-Text (Invoke-Loud $failing)
        $text | Should -MatchExactly FullyQualifiedErrorId
        Assert-NoTrace $text
    }

    It 'is not shown when it is piped in and the error is written' {
        $failing = $bound + @{ uri = "http://127.0.0.1:1/token$query"; MaximumRetryCount = 0 }
        $run = Invoke-Pipeline $Module 'param($item) [pscustomobject]$item | token -Verbose -Debug 2>&1' $failing
        $text = Get-Text $run
        $text | Should -MatchExactly FullyQualifiedErrorId
        Assert-NoTrace $text
    }
}

Describe 'A server that repeats' {
    It '<Name> in an error does not get it shown' -ForEach $repeating {
        $uri = Set-Reply $server /canned/echo @{ status = 400; headers = @(@('Content-Type', 'application/json'), @('X-Echo', @(& $Repeated)[-1]))
            body = @{ error = 'invalid_request'; error_description = "you sent: $(& $Repeated)"; other = @(& $Repeated) } | ConvertTo-Json }
        $bound = & $Parameters
        $text = Get-Text (Invoke-Loud ($bound + @{ uri = $uri; client_id = 'app' }))
        $text | Should -Match 'you sent'
        Assert-NoTrace $text
    }
}

Describe 'A value that cannot be used: <Name>' -ForEach $unusable {
    It 'is not quoted' {
        $bound = & $Parameters
        $bound.uri = $_.Contains('Uri') ? $Uri -f $core : "$($server.http)/echo-token"
        $text = Get-Text (Invoke-Loud ($bound + @{ client_id = 'app' }))
        $text | Should -Match 'FullyQualifiedErrorId'
        Assert-NoTrace $text
    }
}

Describe 'The tokens of an answer' {
    It 'are not shown, whether it can be used or not: <Name>' -ForEach @(
        @{ Name = 'a token response'
            Body = { @{ access_token = "$core-0123456789"; refresh_token = $canary; id_token = $core; unknown = $core; nested = @{ a = $core } } | ConvertTo-Json } }
        @{ Name = 'no access token'; Body = { @{ id_token = $core; refresh_token = $canary } | ConvertTo-Json } }
        @{ Name = 'an array'; Body = { "[{`"access_token`":`"$core`"}]" } }
        @{ Name = 'no JSON'; Body = { "access_token=$core&token_type=bearer" } }
        @{ Name = 'cut short'; Body = { "{`"access_token`":`"$core" } }
        @{ Name = 'a nonce mismatch'; Body = { @{ access_token = $core; id_token = New-Jwt @{ nonce = $core } 'key' } | ConvertTo-Json } }
    ) {
        $uri = Set-Reply $server /canned/tokens @{ headers = @(, @('Content-Type', 'application/json')); body = & $Body }
        $text = Get-Text (Invoke-Loud @{ uri = $uri; client_id = 'app'; code = 'c0de'; nonce = $Name -eq 'a nonce mismatch' ? 'mine' : '' })
        $text | Should -MatchExactly 'POST http://'
        Assert-NoTrace $text
    }
}

Describe 'A transcript' {
    It 'of loud calls that succeed and fail shows no secret' {
        $uri = Set-Reply $server /canned/transcript (New-JsonReply 401 @{ error = 'invalid_client'; error_description = "you sent $canary" })
        $transcript = Join-Path $TestDrive transcript.txt
        # The secret is in the environment, as a command line would be in the transcript's own header.
        $run = Invoke-Pwsh @'
param($module, $transcript, $good, $bad)
$null = Start-Transcript $transcript
Import-Module $module
$secure = ConvertTo-SecureString $env:CANARY -AsPlainText
foreach ($secret in $env:CANARY, $secure, [pscredential]::new('app', $secure)) {
    foreach ($method in 'client_secret_post', 'client_secret_basic', 'client_secret_jwt') {
        token $good -client_id app -client_secret $secret -client_auth_method $method -Verbose -Debug
        token $bad -client_id app -client_secret $secret -client_auth_method $method -Verbose -Debug -ErrorAction SilentlyContinue
        try {
            token $bad -client_id app -client_secret $secret -client_auth_method $method -Verbose -Debug
        } catch {
            $_ | Out-Host
            $_ | Format-List * -Force | Out-Host
            Get-Error | Out-Host
        }
    }
}
token $good -client_id app -code $env:CANARY -code_verifier $env:CANARY -Verbose -Debug
@{ refresh_token = $env:CANARY; client_id = 'app' } | token $bad -Verbose -Debug
$null = Stop-Transcript
'@ $Module, $transcript, "$($server.http)/slow?ms=1", $uri @{ CANARY = $canary }
        $text = Get-Content $transcript -Raw
        [regex]::Matches($text, 'POST http://').Count | Should -BeGreaterThan 20
        [regex]::Matches($text, 'access_token').Count | Should -BeGreaterThan 8
        Assert-NoTrace $text
        Assert-NoTrace ($run.Output + $run.Error)
    }
}

Describe 'The default view of <Type>' -ForEach @(
    @{ Type = 'TokenKit.TokenResponse'; Secret = 'access_token', 'refresh_token', 'id_token' }
    @{ Type = 'TokenKit.DeviceAuthorization'; Secret = , 'device_code' }
    @{ Type = 'TokenKit.LcsApiConfig'; Secret = 'bearertoken', 'refreshtoken' }
    @{ Type = 'TokenKit.ApiCredential'; Secret = , 'ClientSecret' }
    @{ Type = 'TokenKit.DelegatedAccessToken'; Secret = 'AccessToken', 'RefreshToken' }
) {
    It 'shows no secret, alone or after <Name>' -ForEach @(
        @{ Name = 'a list'; First = [pscustomobject]@{ a = 1; b = 2; c = 3; d = 4; e = 5 } }
        @{ Name = 'a table'; First = [pscustomobject]@{ a = 1 } }
        @{ Name = 'an object with a view'; First = Get-Process -Id $PID }
    ) {
        $object = [pscustomobject]@{ PSTypeName = $Type; expires_in = 3600 }
        foreach ($property in $Secret) { $object | Add-Member NoteProperty $property $canary }
        $object, ($First, $object) | ForEach-Object { $_ | Out-String } | Should -Not -Match ([regex]::Escape($canary))
    }
}
