# Dot-sourced after TestHelpers.ps1, LcsHelpers.ps1, JoseHelpers.ps1, VenafiHelpers.ps1 and SignInHelpers.ps1: runs the
# examples of the pages in powershell/docs in a session of their own, and compares what they show with the page.

# The servers, and a folder for the files that examples name. `Module` is loaded in this session, too.
function Start-Stage([string] $Module, [string] $TestServer) {
    $folder = Join-Path $TestDrive stage
    $null = New-Item $folder -ItemType Directory -Force
    $stage = @{ Module = $Module; Folder = $folder; Server = Start-Peer $TestServer; Provider = Start-Provider; Kept = Suspend-Attendance }
    $env:BROWSER = Get-UserAgent
    $stage.Pair = New-OAuth2KeyPair RS256 -Subject app
    $stage.Plain = New-OAuth2KeyPair RS256 -AsPlainText
    $stage.Issuer = New-Issuer $stage.Server $stage.Pair.PublicJwk
    $stage
}

function Stop-Stage($Stage) {
    Close-Session $Stage
    Disable-D365Exception
    (Get-GovernanceConfiguration).Clear()
    Stop-Peer $Stage.Server
    Stop-Peer $Stage.Provider
    Restore-Attendance $Stage.Kept
}

# ---- what the examples of a page find when they run: each scene gets the stage and the number of the example, and
# returns variables. Substitute: texts of the page and what stands for them here.

$scenes = @{}
function Add-Scene([string[]] $Page, [scriptblock] $Scene) { foreach ($name in $Page) { $scenes[$name] = $Scene } }

# Examples that need what a test machine has not got, and what that is. They are parsed like all others.
$unplayable = @{
    'Invoke-OAuth2TokenEndpoint 4'               = 'a certificate in the store of Windows'
    'Invoke-OAuth2AuthorizationEndpoint 4'       = 'a person who copies an address'
    'Invoke-OAuth2DeviceAuthorizationEndpoint 3' = 'a clipboard'
    'Move-TokenKitStore 2'                       = 'a keyring'
}

if ($IsWindows) { $unplayable['Import-D365LcsApiConfig 1'] = $unplayable['Import-D365LcsApiConfig 2'] = 'a registry of a user of d365fo.tools' }

function Get-Secure([string] $Text) { ConvertTo-SecureString $Text -AsPlainText }

# A port of loopback that nobody uses.
function Get-FreePort {
    $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
    $listener.Start()
    $listener.LocalEndpoint.Port
    $listener.Stop()
}

# A token of the issuer for app. `Claim` adds to its claims.
function New-ExampleToken([string] $Issuer, $Pair, [Collections.IDictionary] $Claim = @{}) {
    $claims = [ordered]@{ iss = $Issuer; sub = 'alice'; aud = 'app'; jti = 'id-1'; iat = 1767225600; exp = 1893456000; nbf = $null }
    foreach ($name in $Claim.Keys) { $claims[$name] = $Claim[$name] }
    (New-OAuth2JwtAssertion app app app -client_certificate $Pair.PrivateKeyPem -key_id $Pair.KeyId -customClaims $claims).client_assertion_jwt
}

# An endpoint that answers each request with this token.
function New-TokenReply($Server, [string] $Path = '/canned/token') {
    Set-Reply $Server $Path (New-JsonReply 200 ([ordered]@{ access_token = 'mF_9.B5f-4.1JqM' + ('a1' * 12); token_type = 'Bearer'; expires_in = 3600; scope = 'openid' }))
}

# A device authorization endpoint and a token endpoint whose user is quick, and metadata that name them.
function New-DeviceReply($Stage) {
    $server = $Stage.Server
    $reply = [ordered]@{ device_code = 'GmRhmhcxhwAzkoEqiMEg'; user_code = 'WDJB-MJHT'; verification_uri = "$($server.http)/device"; expires_in = 600; interval = 1 }
    $token = [ordered]@{ access_token = 'mF_9.B5f-4.1JqM' + ('a1' * 12); token_type = 'Bearer'; expires_in = 3600; scope = 'openid' }
    $token.id_token = New-ExampleToken $server.http $Stage.Pair
    $null = Set-Reply $server /keys (New-JsonReply 200 @{ keys = @($Stage.Pair.PublicJwk) })
    $pending = (New-JsonReply 400 @{ error = 'authorization_pending' }) + @{ times = 1 }
    $uri = Set-Reply $server /canned/device-token $pending, (New-JsonReply 200 $token)
    $metadata = @{ issuer = $server.http; jwks_uri = "$($server.http)/keys"; token_endpoint = $uri }
    $null = Set-Reply $server /.well-known/openid-configuration (New-JsonReply 200 $metadata)
    @{ device_endpoint = Set-Reply $server /canned/device (New-JsonReply 200 $reply); token_endpoint = $uri }
}

Add-Scene Convert-UnixTime, ConvertFrom-JsonWebToken, ConvertTo-Jwk, New-PkceChallenge, New-OAuth2KeyPair, New-OAuth2JwtAssertion {
    param($stage)
    $token = New-ExampleToken $stage.Issuer $stage.Pair
    $file = @{ client_email = 'robot@project.example'; token_uri = New-TokenReply $stage.Server; private_key_id = 'key-1'; private_key = $stage.Plain.PrivateKeyPem }
    ConvertTo-Json $file | Set-Content (Join-Path $stage.Folder service-account.json)
    Set-Content (Join-Path $stage.Folder client.pem) $stage.Plain.PrivateKeyPem
    @{
        token = [pscustomobject]@{ access_token = $token }; tokens = $token, (New-ExampleToken $stage.Issuer $stage.Pair @{ sub = 'bob'; jti = 'id-2'; exp = 1767229200 })
        pair = $stage.Pair; code = 'c0de'; secret = Get-Secure ('k' * 32); token_endpoint = New-TokenReply $stage.Server
    }
}

Add-Scene Test-JsonWebToken, Test-JsonWebTokenSignature {
    param($stage, $number)
    $secure = "$($stage.Server.https)/secure"
    $null = Set-Reply $stage.Server /secure/.well-known/openid-configuration (New-JsonReply 200 @{ issuer = $secure; jwks_uri = "$($stage.Server.https)/keys" })
    $null = New-Issuer $stage.Server $stage.Pair.PublicJwk
    $token = New-ExampleToken $stage.Issuer $stage.Pair
    $expired = New-ExampleToken $stage.Issuer $stage.Pair @{ sub = 'bob'; jti = 'id-2'; exp = 1767229200 }
    $hash = [System.Security.Cryptography.SHA256]::HashData([System.Text.Encoding]::ASCII.GetBytes('acc3ss'))
    $id = New-ExampleToken $stage.Issuer $stage.Pair @{ nonce = 'n0nce'; at_hash = ConvertTo-Base64Url ([byte[]]$hash[0..15]) }
    # Whoever is named by a token is asked over https only.
    $named = New-ExampleToken $secure $stage.Pair
    $signature = $stage.Page -eq 'Test-JsonWebTokenSignature'
    @{
        token = [pscustomobject]@{ id_token = $signature ? $named : $id; access_token = $number -eq 3 ? 'acc3ss' : $token }
        tokens = $token, $expired; pair = $stage.Pair; nonce = 'n0nce'
        PSDefaultParameterValues = @{ 'Test-JsonWebToken*:CertificateAuthority' = $stage.Server.certificate_authority }
    }
}

Add-Scene Get-OidcDiscoveryMetadata {
    param($stage)
    foreach ($path in '', '/other') {
        $issuer = "$($stage.Server.http)$path"
        $metadata = [ordered]@{ issuer = $issuer; authorization_endpoint = "$issuer/authorize"; token_endpoint = "$issuer/token"; userinfo_endpoint = "$issuer/userinfo"; jwks_uri = "$issuer/keys" }
        $null = Set-Reply $stage.Server "$path/.well-known/openid-configuration" (New-JsonReply 200 $metadata)
    }
    @{
        secret = 'demo-secret'
        Substitute = @("'as.example'", "'$($stage.Server.http)'"), @("'other.example'", "'$($stage.Server.http)/other'"), @('-client_id app', '-client_id demo-client'), @('https://other.example', "$($stage.Server.http)/other")
    }
}

Add-Scene Get-OAuth2UserInfo {
    param($stage, $number)
    $server = $stage.Server
    $metadata = @{ issuer = $server.http; userinfo_endpoint = "$($server.http)/userinfo"; jwks_uri = "$($server.http)/jwks" }
    $null = Set-Reply $server /.well-known/openid-configuration (New-JsonReply 200 $metadata)
    $code = (Invoke-Control $server Post code @{ client_id = 'public-client'; scope = 'openid'; redirect_uri = 'http://127.0.0.1/' }).code
    $token = Invoke-OAuth2TokenEndpoint "$($server.http)/token" -client_id public-client -code $code -redirect_uri http://127.0.0.1/
    @{ token = $token; Answer = $token.access_token }
}

Add-Scene Invoke-OAuth2AuthorizationEndpoint {
    param($stage, $number)
    $provider = $stage.Provider
    @{
        authorization_endpoint = $provider.http.authorization_endpoint; token_endpoint = $provider.http.token_endpoint
        PSDefaultParameterValues = @{ 'Invoke-OAuth2AuthorizationEndpoint:Timeout' = 60 }
        Substitute = @('https://as.example/authorize', $provider.http.authorization_endpoint), @('https://as.example', $provider.http.issuer), @("client_id = 'app'", "client_id = 'native'"), @('-client_id app', '-client_id native'), @('localhost:8080', "localhost:$(Get-FreePort)")
    }
}

Add-Scene Invoke-OAuth2DeviceAuthorizationEndpoint {
    param($stage)
    (New-DeviceReply $stage) + @{ Substitute = , @('https://as.example/device_authorization', "$($stage.Server.http)/canned/device") }
}

Add-Scene Invoke-OAuth2TokenEndpoint {
    param($stage, $number)
    $provider = $stage.Provider
    $clients = $provider.clients
    $name = @{ 1 = 'native'; 2 = 'client_secret_post'; 5 = 'private_key_jwt_PS256'; 8 = 'client_secret_post' }[$number] ?? 'public-client'
    if ($number -eq 5) { Copy-Item $clients.$name.keys.pfx (Join-Path $stage.Folder app.pfx) -Force }
    $rows = 'openid', 'api:read' | ForEach-Object { [pscustomobject]@{ client_id = 'client_secret_post'; client_secret = $clients.client_secret_post.client_secret; scope = $_ } }
    $rows | Export-Csv (Join-Path $stage.Folder clients.csv)
    $variables = @{
        authorization_endpoint = $provider.http.authorization_endpoint; token_endpoint = $provider.http.token_endpoint; secret = 'wrong-secret'
        Answer = $clients.private_key_jwt_PS256.keys.password; StandInSecret = $clients.client_secret_post.client_secret
        StandInCredential = [pscredential]::new($clients.client_secret_basic.client_id, (Get-Secure $clients.client_secret_basic.client_secret))
        Substitute = @('-client_id app', "-client_id $name"), @('https://as.example', $provider.http.issuer)
    }
    if ($number -eq 6) {
        $server = $stage.Server
        $code = (Invoke-Control $server Post code @{ client_id = 'public-client'; scope = 'openid'; redirect_uri = 'http://127.0.0.1/' }).code
        $variables.token_endpoint = "$($server.http)/token"
        $variables.t = Invoke-OAuth2TokenEndpoint $variables.token_endpoint -client_id public-client -code $code -redirect_uri http://127.0.0.1/
        $variables.t.expiry_datetime = Get-Date
        $variables.refresh = $variables.t.refresh_token
    } elseif ($number -in 7, 10) {
        $device = New-DeviceReply $stage
        foreach ($key in $device.Keys) { $variables[$key] = $device[$key] }
        $variables.Substitute[1] = @('https://as.example', $stage.Server.http)
        # A loop of one's own is told to be slower, once.
        if ($number -eq 7) {
            $errors = 'authorization_pending', 'slow_down' | ForEach-Object { (New-JsonReply 400 @{ error = $_ }) + @{ times = 1 } }
            $null = Set-Reply $stage.Server /canned/device-token ($errors + (New-JsonReply 200 @{ access_token = 'acc3ss' }))
        }
    }
    $variables
}

Add-Scene Clear-D365LcsApiConfig, Get-D365LcsApiConfig, Get-D365LcsApiToken, Set-D365LcsApiConfig, Test-D365LcsApiToken, Invoke-D365LcsApiRefreshToken, Import-D365LcsApiConfig, Enable-D365Exception, Disable-D365Exception {
    param($stage, $number)
    $null = New-Store
    $null = Invoke-Control $stage.Server Post reset
    Disable-D365Exception
    $authority = @{ Authority = $stage.Server.http }
    $lcs = 'https://lcsapi.eu.lcs.dynamics.com'
    $first, $second, $third = 1..3 | ForEach-Object { Get-D365LcsApiToken -ClientId $client -Username $user -Password $password -LcsApiUri $lcs @authority }
    $first | Set-D365LcsApiConfig -ProjectId 123456789
    if ($stage.Page -ceq 'Import-D365LcsApiConfig') {
        $entries = @{ clientid = $client; projectid = '123456789'; bearertoken = 'b3arer'; refreshtoken = 'r3fresh' }
        $json = $entries.Keys | ForEach-Object { @{ FullName = "d365fo.tools.lcs.$_"; Value = $entries[$_]; Type = $_ -eq 'projectid' ? 3 : 6; Style = 'default'; Version = 1 } } | ConvertTo-Json
        Set-Content (Join-Path $stage.Folder psf_config.json) $json
        $null = New-Item (Join-Path $env:XDG_CONFIG_HOME PowerShell PSFramework psf_config.json) -Value $json -Force
        $values = $entries.Keys | ForEach-Object { """d365fo.tools.lcs.$_""=""$($_ -eq 'projectid' ? 'Int' : 'String'):$($entries[$_])""" }
        Set-Content (Join-Path $stage.Folder lcs.reg) -Encoding unicode "Windows Registry Editor Version 5.00`n`n[HKEY_CURRENT_USER\SOFTWARE\Microsoft\WindowsPowerShell\PSFramework\Config\Default]`n$($values -join "`n")`n"
    }
    $environments = Set-Reply $stage.Server /canned/environments (New-JsonReply 200 @{ Data = @() })
    @{
        client = $client; user = $user; token = $second; uri = $lcs; refresh_token = $second.refresh_token; tokens = $second, $third
        password = Get-Secure ("$($stage.Page) $number" -in 'Get-D365LcsApiToken 4', 'Disable-D365Exception 3' ? 'wrong' : $password)
        secure = Get-Secure (Get-D365LcsApiConfig).bearertoken; environments_uri = $environments
        PSDefaultParameterValues = @{ '*-D365Lcs*:Authority' = $stage.Server.http }
    }
}

Add-Scene Get-TokenKitStore, Move-TokenKitStore {
    param($stage)
    $env:TOKENKIT_HOME = Join-Path $stage.Folder .config tokenkit
    Remove-Item $env:TOKENKIT_HOME -Recurse -Force -ErrorAction Ignore
    $env:TOKENKIT_STORE_KEY = if ($stage.Page -ceq 'Get-TokenKitStore') { [Convert]::ToBase64String([byte[]](1..32)) }
    Set-D365LcsApiConfig -ProjectId 123456789
    $file = Join-Path $stage.Folder tokenkit.key
    Set-Content $file ([Convert]::ToBase64String([System.Security.Cryptography.RandomNumberGenerator]::GetBytes(32)))
    if (-not $IsWindows) { [System.IO.File]::SetUnixFileMode($file, 'UserRead, UserWrite') }
    @{ Substitute = , @('/run/secrets/tokenkit', $file) }
}

Add-Scene Clear-WebView2Cache {
    param($stage)
    $temp = Join-Path $stage.Folder temp
    $null = New-Item (Join-Path $temp PSAuthClientWebview2Cache) -ItemType Directory -Force
    $stage.Variables = @{ ($IsWindows ? 'TEMP' : 'TMPDIR') = $temp }
    @{ Substitute = , @('C:\Users\alice\AppData\Local\Temp\', "$temp$([System.IO.Path]::DirectorySeparatorChar)") }
}

Add-Scene New-VcToken, New-VenafiSession, Get-VenafiSession, Test-VcToken {
    param($stage)
    $server = $stage.Server
    $jwt = New-VenafiJwt $server
    $file = Join-Path $stage.Folder jwt
    Set-Content $file $jwt -NoNewline
    $url = Set-Reply $server /canned/jwt (New-JsonReply 200 @{ value = $jwt })
    $stage.Variables = @{
        SYSTEM_OIDC_TOKEN = $jwt; ACTIONS_ID_TOKEN_REQUEST_URL = $url; ACTIONS_ID_TOKEN_REQUEST_TOKEN = 'x'
        VC_TOKEN = (New-VcToken -Endpoint $server.venafi.endpoint -Jwt $jwt).AccessToken.GetNetworkCredential().Password
        PSModulePath = "$(New-FakeVault)$([System.IO.Path]::PathSeparator)$env:PSModulePath"
    }
    $session = New-VenafiSession -VcEndpoint $server.venafi.endpoint -Jwt $jwt -PassThru
    @{
        endpoint = $server.venafi.endpoint; Jwt = $jwt; key = $server.venafi.api_key; Answer = $server.venafi.api_key
        sess = $session; other = $session; uri = "$($server.http)/v1/useraccounts"; token = New-VcToken -Endpoint $server.venafi.endpoint -Jwt $jwt
        FakeVault = @{}; apiKey = $server.venafi.api_key
        Prepare = "New-VenafiSession -VcEndpoint '$($server.venafi.endpoint)' -Jwt '$jwt'"
        Substitute = @('https://api.venafi.cloud', $server.http), @('https://api.eu.venafi.cloud', $server.http), @('/var/run/secrets/tokens/venafi', $file)
        PSDefaultParameterValues = @{ 'New-VenafiSession:Proxy' = $server.http; 'Test-VcToken:Proxy' = $server.http }
    }
}

Add-Scene Get-DelegateAccessToken, Invoke-RefreshUserAccessToken, Invoke-DeleteTokenCache, New-ApiCredential, New-DelegatedAccessToken, New-DelegatedAccessTokenApiResult, ConvertFrom-JsonToApiCredential, ConvertFrom-JsonToDelegatedAccessToken, ConvertFrom-JsonToDelegatedAccessTokenApiResult, Get-GovernanceConfiguration, Set-GovernanceConfiguration, Set-GovernanceConfigurationApiKey, Set-GovernanceConfigurationApiKeyPrefix, Set-GovernanceConfigurationDefaultHeader, Get-GovernanceHostSetting, Get-GovernanceHostSettingUrl {
    param($stage, $number)
    $server = $stage.Server
    $secret = $stage.Page -eq 'Get-DelegateAccessToken' -and $number -eq 3 ? 'wrong' : 'MyClientSecret'
    $person = 'MyUserPrincipalName'
    Set-GovernanceConfiguration -BaseUrl $server.governance.base_url
    $credential = New-ApiCredential MyClientSecret $person
    $result = Get-DelegateAccessToken $credential
    $rows = , ([pscustomobject]@{ ClientSecret = $secret; UserPrincipalName = $person })
    $rows | Export-Csv (Join-Path $stage.Folder users.csv)
    [pscustomobject]@{ AccessToken = 'acc3ss'; RefreshToken = 'r3fresh'; Duration = 3600 } | Export-Csv (Join-Path $stage.Folder tokens.csv)
    @{ BaseUrl = 'https://governance.example'; SkipCertificateCheck = $false } | ConvertTo-Json | Set-Content (Join-Path $stage.Folder settings.json)
    @{
        credential = $credential; result = $result; secret = Get-Secure $secret; modernApiEndpoint = $server.governance.base_url
        access = 'acc3ss'; refresh = $result.Value.RefreshToken; id = '7'; token = $result.Value; secureHeader = Get-Secure 'Bearer acc3ss'
        variables = @{ Cloud_Governance_Modern_API_Endpoint = 'https://governance.example' }; StandInSecret = $result.Value.RefreshToken
        StandInCredential = [pscredential]::new($person, (Get-Secure MyClientSecret))
        Prepare = "Set-GovernanceConfiguration -BaseUrl '$($server.governance.base_url)'; function Mock { `$args[1].Invoke() }"
        Substitute = @('someone@example.com', $person), @('https://graph-us.avepointonlineservices.com/cg', $server.governance.base_url)
    }
}

# ---- running

# Text of a page as it is here, or the other way round.
function Convert-Word([string] $Text, $Pairs, [switch] $Back) {
    foreach ($pair in $Pairs) {
        $from, $to = if ($Back) { $pair[1], $pair[0] } else { $pair[0], $pair[1] }
        $Text = $Text.Replace($from, $to)
    }
    $Text
}

# Long random texts are cut short, as in the pages.
function ConvertTo-Short([string] $Text) { [regex]::Replace($Text, '(?<![\w-])([\w-]{6})[\w.-]{60,}([\w-]{4})(?![\w-])', '$1…$2') }

# Runs the code of example `Number` of the page in a new session in front of a person, and returns what they see.
function Invoke-Sample($Stage, $Page, [int] $Number) {
    $Stage.Page = $Page.Name
    $Stage.Variables = @{}
    $variables = & $scenes[$Page.Name] $Stage $Number
    $pairs = [System.Collections.Generic.List[object]]::new()
    foreach ($pair in $variables['Substitute']) { $pairs.Add($pair) }
    $pairs.Add(@('https://as.example', $Stage.Server.http))
    $pairs.Add(@('/home/user/.config', $env:XDG_CONFIG_HOME))
    $pairs.Add(@('/home/user', $Stage.Folder))
    $code = Convert-Word $Page.Samples[$Number - 1].Code $pairs
    $environment = @{}
    foreach ($name in $Stage.Variables.Keys) {
        $environment[$name] = [Environment]::GetEnvironmentVariable($name)
        [Environment]::SetEnvironmentVariable($name, $Stage.Variables[$name])
    }
    # One session for all examples of a page.
    if ($Stage['Session'] -ne $Page.Name) {
        Close-Session $Stage
        $Stage.Person = [TokenKit.Tests.PersonHost]::new()
        $Stage.Pipeline = New-AttendedPipeline $Stage.Module $Stage.Person ''
        $Stage.Session = $Page.Name
    }
    $person, $pipeline = $Stage.Person, $Stage.Pipeline
    $person.Shown.Clear()
    if ($code.Contains('Read-Host')) { $person.Say($variables['Answer'] ?? 'a-secret-of-32-letters-or-more-for-HS256') }
    $variables['PSDefaultParameterValues'] ??= @{}
    foreach ($name in $variables.Keys) { $pipeline.Runspace.SessionStateProxy.SetVariable($name, $variables[$name]) }
    $pipeline.Commands.Clear()
    $null = $pipeline.AddScript({
        param($code, $folder)
        [cultureinfo]::CurrentCulture = 'en-US'
        $ProgressPreference = 'SilentlyContinue'
        $PSStyle.OutputRendering = 'PlainText'
        Set-Location $folder
        if (Test-Path variable:StandInSecret) {
            function Get-Secret { ConvertTo-SecureString $StandInSecret -AsPlainText }
            function Get-Credential { $StandInCredential }
        } else {
            function Get-Credential([string] $UserName) { [pscredential]::new($UserName, $password) }
        }
        # What would leave the machine, or take its time.
        function Set-Secret { }
        function Send-MailMessage { }
        function Start-Sleep { }
        if (Test-Path variable:Prepare) { . ([scriptblock]::Create($Prepare)) }
        . ([scriptblock]::Create($code)) *>&1 | ForEach-Object {
            switch ($_) {
                { $_ -is [System.Management.Automation.WarningRecord] } { "WARNING: $_"; break }
                { $_ -is [System.Management.Automation.VerboseRecord] } { "VERBOSE: $_"; break }
                default { $_ }
            }
        } | Out-String -Width 80
    }).AddArgument($code).AddArgument($Stage.Folder)
    try {
        $output = $pipeline.Invoke()
        ConvertTo-Short ((Convert-Word ("$($person.Screen)$output" -replace '\r').Trim() $pairs -Back) -replace '[ \t]+(?=\n|$)' -replace '\n{3,}', "`n`n")
    } catch {
        "ERROR: $($_.Exception.Message)"
        Close-Session $Stage
    } finally {
        foreach ($name in $environment.Keys) { [Environment]::SetEnvironmentVariable($name, $environment[$name]) }
        $env:TOKENKIT_STORE_KEY = $null
    }
}

function Close-Session($Stage) {
    if ($Stage['Session']) { Remove-AttendedPipeline $Stage.Pipeline }
    $Stage.Session = $null
}

# What an output is like, whatever its values: names of a list, headers of a table, names in JSON; of other lines all that
# is no number, time or random text.
function Get-Shape([string] $Text) {
    $lines = $Text -split '\n' | ForEach-Object TrimEnd | Where-Object { $_ }
    $shape = for ($index = 0; $index -lt @($lines).Count; $index++) {
        $line = @($lines)[$index]
        if ($line -match '^(\S+)\s+: ?') { "$($Matches[1]):" }
        elseif ($line -match '^[\s-]*-[\s-]*$') { "table" }
        elseif ($line -match '^\s*"(\w+)":') { "$($Matches[1])=" }
        elseif ($line -match '^\s{4,}\S') { }
        elseif ($line -match '^[█▀▄ ]+$') { 'QR' }
        else {
            $line -replace '\bin [\d.]+ \w+ \([^)]*\)', '#' -replace '"(\w+)":("[^"]*"|\d+)', '"$1"' -replace '\S{6}\.\.\.\S{4}|[\w…-]{20,}', '*' `
                -replace '((Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \w+ )?\d[\d/:,\s]*([AP]M)?', '#' -replace '\s+', ' '
        }
    }
    @($shape | Get-Unique) -join "`n"
}
