# Dot-sourced by Canaries.Tests.ps1: every way in which a secret gets into a command, and in which a command ends.
$all = 'string', 'SecureString', 'PSCredential'
# Commands that ask a server, at $u: $v holds the secret as each of the types, $c its text. Suffix: what the command adds
# to the address. What the server answers holds canaries, too. IsUnsent: the server does not get to know the secret. IsQuiet: it
# fails without an error.
$uses = @(
    foreach ($method in 'client_secret_post', 'client_secret_basic', 'client_secret_jwt') {
        @{ Name = "client_secret, $method"; Types = $all; Script = "token `$u -client_id app -client_secret `$v -client_auth_method $method" }
    }
    @{ Name = 'code'; Script = 'token $u -client_id app -code $v' }
    @{ Name = 'code_verifier'; Script = 'token $u -client_id app -code c0de -code_verifier $v' }
    @{ Name = 'nonce'; IsUnsent = $true; Script = 'token $u -client_id app -code c0de -nonce $v'; Id = 'malformed_id_token' }
    @{ Name = 'refresh_token'; Types = $all; Script = 'token $u -client_id app -refresh_token $v' }
    @{ Name = 'device_code'; Script = 'token $u -client_id app -device_code $v' }
    @{ Name = 'device_code, waiting'; Script = 'token $u -client_id app -device_code $v -Wait -Timeout 2'; IsQuiet = $true }
    @{ Name = 'jwtAssertion'; Value = 'jwt'; Script = 'token $u -client_id app -jwtAssertion $v' }
    @{ Name = 'ClientAssertion'; Value = 'jwt'; Types = $all; Script = 'token $u -client_id app -ClientAssertion $v' }
    @{ Name = 'piped'; Types = 'string', 'SecureString'; Script = '[pscustomobject]@{ uri = $u; refresh_token = $v; client_secret = $v; client_id = "app" } | token' }
    @{ Name = 'a piped table'; Types = 'string', 'SecureString'; Script = 'token -uri $u -InputObject @{ refresh_token = $v; client_secret = $v; client_id = "app" }' }
    @{ Name = 'customHeaders'; Value = 'plain'; Types = 'string', 'SecureString'
        Script = 'token $u -client_id app -code c0de -customHeaders @{ "X-Api-Key" = $v; Authorization = "Bearer $c"; Cookie = "a=$c" }' }
    @{ Name = 'AdditionalParameters'; Types = 'string', 'SecureString'; Script = 'token $u -client_id app -code c0de -AdditionalParameters @{ password = $v; unknown = $v }' }
    @{ Name = 'a query'; Value = 'plain'; Script = 'token "${u}?sig=$c" -client_id app -code c0de' }
    @{ Name = 'client_certificate, PEM'; IsUnsent = $true; Value = 'pem'; Types = 'string', 'SecureString'; Script = 'token $u -client_id app -client_certificate $v' }
    @{ Name = 'client_certificate, JWK'; IsUnsent = $true; Value = 'jwk'; Types = 'string', 'SecureString'; Script = 'token $u -client_id app -client_certificate $v' }
    @{ Name = 'client_certificate, JWK as object'; IsUnsent = $true; Value = 'jwk'; Script = 'token $u -client_id app -client_certificate ($v | ConvertFrom-Json)' }
    @{ Name = 'client_certificate, PFX'; IsUnsent = $true; Types = $all; Script = 'token $u -client_id app -client_certificate $pfx -CertificatePassword $v' }
    @{ Name = 'client_certificate, encrypted PEM'; IsUnsent = $true; Types = $all; Script = 'token $u -client_id app -client_certificate $encrypted -CertificatePassword $v' }
    @{ Name = 'client_secret for a device'; Types = $all; Script = 'deviceauth $u -client_id app -client_secret $v' }
    @{ Name = 'key for a device'; IsUnsent = $true; Types = $all; Script = 'deviceauth $u -client_id app -client_certificate $pfx -CertificatePassword $v' }
    @{ Name = 'fields for a device'; Value = 'plain'; Types = 'string', 'SecureString'
        Script = 'deviceauth $u -client_id app -AdditionalParameters @{ password = $v } -customHeaders @{ "X-Api-Key" = $v; Cookie = "a=$c" }' }
    @{ Name = 'access_token'; Answer = 'user'; Value = 'plain'; Types = $all; Script = 'Get-OAuth2UserInfo $u -access_token $v -sub alice' }
    @{ Name = 'id_token'; Answer = 'user'; IsUnsent = $true; Value = 'jwt'; Types = $all; Script = 'Get-OAuth2UserInfo $u -access_token c0de -id_token $v' }
    @{ Name = 'tokens that are checked'; IsUnsent = $true; Value = 'jwt'; Script = 'Test-JsonWebToken -jwtInput $v -jwks_uri $u -access_token $v -code $v -nonce $v'; Id = 'invalid_jwks' }
    @{ Name = 'a token whose signature is checked'; IsUnsent = $true; Value = 'jwt'; Script = 'Test-JsonWebTokenSignature -jwtInput $v -jwks_uri $u'; Id = 'invalid_jwks' }
    @{ Name = 'metadata'; IsUnsent = $true; Suffix = '/.well-known/openid-configuration'; Script = 'Get-OidcDiscoveryMetadata $u'; Id = '*' }
    @{ Name = 'password'; Types = $all; Suffix = '/oauth2/token'
        Script = 'Get-D365LcsApiToken -ClientId app -Username me -Password $v -LcsApiUri https://lcsapi.lcs.dynamics.com -Authority $u/oauth2/token -EnableException' }
    @{ Name = 'password, with a warning'; Types = 'string', 'SecureString'; Suffix = '/oauth2/token'
        Script = 'Get-D365LcsApiToken -ClientId app -Username me -Password $v -LcsApiUri https://lcsapi.lcs.dynamics.com -Authority $u/oauth2/token'; IsQuiet = $true }
    @{ Name = 'refresh token of LCS'; Suffix = '/oauth2/token'; Script = '$env:TOKENKIT_HOME = "$stores/$(New-Guid)"; Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken $v -Authority $u/oauth2/token -EnableException' }
    @{ Name = 'refresh token of LCS in an object'; Suffix = '/oauth2/token'
        Script = '$env:TOKENKIT_HOME = "$stores/$(New-Guid)"; Invoke-D365LcsApiRefreshToken -ClientId app -InputObject @{ refresh_token = $v } -Authority $u/oauth2/token -EnableException' }
    @{ Name = 'JWT of a workload'; Value = 'jwt'; Types = $all; Suffix = '/v1/oauth2/token'; Script = 'New-VcToken -Endpoint "$u/v1/oauth2/token" -Jwt $v' }
    @{ Name = 'session by JWT'; Value = 'jwt'; Types = $all; Suffix = '/v1/oauth2/token'
        Script = 'New-VenafiSession -VcEndpoint "$u/v1/oauth2/token" -Jwt $v -PassThru' }
    @{ Name = 'session by JWT in a file'; Value = 'jwt'; Suffix = '/v1/oauth2/token'
        Script = '[System.IO.File]::WriteAllText($file, $c); New-VenafiSession -VcEndpoint "$u/v1/oauth2/token" -JwtPath $file -PassThru; Remove-Item $file' }
    @{ Name = 'session by script'; Value = 'jwt'; Types = $all; Suffix = '/v1/oauth2/token'
        Script = 'New-VenafiSession -VcEndpoint "$u/v1/oauth2/token" -JwtScript { $v } -PassThru' }
    @{ Name = 'session that is renewed'; Value = 'jwt'; Suffix = '/v1/oauth2/token'
        Script = '$old = [pscustomobject]@{ PSTypeName = "TokenKit.VenafiSession"; Platform = "VC"; Server = $u; Token = [pscustomobject]@{ Endpoint = "$u/v1/oauth2/token"
            AccessToken = [pscredential]::new("a", (ConvertTo-SecureString $c -AsPlainText)); JWT = [pscredential]::new("a", (ConvertTo-SecureString $c -AsPlainText)); Expires = (Get-Date).AddSeconds(-1) } }
            New-VcToken -VenafiSession $old; Get-VenafiSession -VenafiSession $old; Test-VcToken -VenafiSession $old; Test-VcToken -Token $old.Token' }
    @{ Name = 'credential for Cloud Governance'; Types = $all; Suffix = '/auth/token/delegate'
        Script = '(Get-GovernanceConfiguration).Clear(); Set-GovernanceConfiguration -BaseUrl $u; New-ApiCredential -ClientSecret $v -UserPrincipalName me | Get-DelegateAccessToken' }
    @{ Name = 'credential with all there is'; Types = 'string', 'SecureString'; Suffix = '/auth/token/delegate'
        Script = '(Get-GovernanceConfiguration).Clear(); Set-GovernanceConfiguration -BaseUrl $u -ApiKey @{ clientSecret = $v; userPrincipalName = "me" } -DefaultHeaders @{ "X-Secret" = $plain } -ApiKeyPrefix @{ clientSecret = $c } -AccessToken $c -Password $c -Cookie $c
            Get-DelegateAccessToken -ApiCredential @{ ClientSecret = $v; UserPrincipalName = "me"; Nested = @{ Secret = $c } } -WithHttpInfo' }
    @{ Name = 'refresh token of Cloud Governance'; Value = 'plain'; Types = $all; Suffix = '/auth/token/refresh'
        Script = '(Get-GovernanceConfiguration).Clear(); Set-GovernanceConfiguration -BaseUrl $u; Invoke-RefreshUserAccessToken -RefreshToken $v' }
    @{ Name = 'credential to forget'; Types = 'string', 'SecureString'; Suffix = '/admin/auth/token/cache'
        Script = '(Get-GovernanceConfiguration).Clear(); Set-GovernanceConfiguration -BaseUrl $u; Invoke-DeleteTokenCache -ApiCredential @{ ClientSecret = $v; UserPrincipalName = "me" }' }
)
# How a server, or the way to it, fails. Ids: those of all commands.
$ways = @(
    @{ Way = 'succeeds' }
    @{ Way = 'is refused by a server that repeats it'; Reply = 'repeat' }
    @{ Way = 'is not authorized'; Reply = 'unauthorized' }
    @{ Way = 'meets a broken server'; Reply = 'broken' }
    @{ Way = 'gets an answer of no use'; Reply = 'odd' }
    @{ Way = 'loses the connection'; Fault = 'lost'; Ids = 'connection_lost' }
    @{ Way = 'finds nobody'; Fault = 'closed'; Ids = 'connect_failed' }
    @{ Way = 'waits too long'; Fault = 'stalled'; Defaults = @{ '*:Timeout' = '00:00:00.3'; '*:TimeoutSec' = 1 }; Ids = 'timeout' }
    @{ Way = 'is stopped'; Fault = 'stalled'; Stop = 300 }
    @{ Way = 'would go over http'; Reply = 'insecure'; Ids = 'insecure_endpoint' }
    @{ Way = 'goes through a proxy'; Proxy = 'open' }
    @{ Way = 'goes through a proxy whose address holds the password'; Proxy = 'address' }
    @{ Way = 'goes through a proxy that refuses'; Proxy = 'locked'; Ids = 'proxy_failed' }
    @{ Way = 'has a proxy that is none'; Proxy = 'unusable'; Ids = 'invalid_proxy' }
)
# What asks no server, or is wrong before that. Id: the error that is due.
$further = @(
    @{ Name = 'a panic'; Script = 'token panic: -client_id app -client_secret $v'; Types = $all; Id = 'internal_error' }
    @{ Name = 'a PEM that is damaged'; Value = 'plain'; Script = 'token $u -client_id app -client_certificate "-----BEGIN PRIVATE KEY-----`n$c`n-----END PRIVATE KEY-----"'; Id = 'invalid_key' }
    @{ Name = 'a JWK that is damaged'; Value = 'plain'; Script = 'token $u -client_id app -client_certificate "{`"kty`":`"RSA`",`"d`":`"$c`"}"'; Id = 'invalid_key' }
    @{ Name = 'a JWK that is no JSON'; Value = 'plain'; Script = 'token $u -client_id app -client_certificate "{`"kty`":$c}"'; Id = 'invalid_key' }
    @{ Name = 'a wrong key password'; Types = $all; Script = 'token $u -client_id app -client_certificate $other -CertificatePassword $v'; Id = 'invalid_key_password' }
    @{ Name = 'an endpoint with credentials'; Value = 'plain'; Script = 'token "https://user:$c@as.example.test/token" -client_id app -code c0de'; Id = 'invalid_endpoint' }
    @{ Name = 'an endpoint that is no URL'; Value = 'plain'; Script = 'token "https://user:$c@as.example.test:port/token" -client_id app -code c0de'; Id = 'invalid_endpoint' }
    @{ Name = 'a header that cannot be sent'; Script = 'token $u -client_id app -code c0de -customHeaders @{ "X-Api-Key" = "$c`n" }'; Id = 'invalid_argument' }
    @{ Name = 'headers that are no dictionary'; Script = 'token $u -client_id app -code c0de -customHeaders "Bearer $c"'; Id = '*' }
    @{ Name = 'fields that are no dictionary'; Script = 'token $u -client_id app -code c0de -AdditionalParameters "password=$c"'; Id = '*' }
    @{ Name = 'a field that would be sent twice'; Script = 'token $u -client_id app -code c0de -AdditionalParameters @{ code = $c }'; Id = '*' }
    @{ Name = 'an array of secrets'; Script = 'token $u -client_id app -client_secret $c, $c'; Id = '*' }
    @{ Name = 'two credentials'; Script = 'token $u -client_id app -refresh_token $c -client_secret $c -client_certificate $pem'; Id = '*' }

    @{ Name = 'a key as Base64 where a file is named'; Value = 'base64'; Id = 'invalid_key'
        Script = 'New-OAuth2JwtAssertion a b c -client_certificate $c; token $u -client_id app -client_certificate $c; ConvertTo-Jwk $c; Test-JsonWebToken $jwt -jwk $c; Test-JsonWebTokenSignature $jwt -SigningCertificate $c' }
    @{ Name = 'a PFX as Base64 where a file is named'; Value = 'pfx_text'; Id = 'invalid_key'
        Script = 'New-OAuth2JwtAssertion a b c -client_certificate $c; ConvertTo-Jwk $c; Test-JsonWebToken $jwt -jwk $c; Test-JsonWebTokenSignature $jwt -SigningCertificate $c' }
    @{ Name = 'a key line by line'; Value = 'pem'; Id = 'invalid_key'; Script = '$c -split "`n" | ConvertTo-Jwk; $c -split "`n" | ForEach-Object { ConvertTo-Jwk "/$_" }' }
    @{ Name = 'a JWT where a file is named'; Value = 'jwt'; Id = 'invalid_jwt_source'
        Script = 'New-VenafiSession -VcEndpoint "$u/v1/oauth2/token" -JwtPath $c; Import-D365LcsApiConfig -Path $c; token $u -code c0de -CertificateAuthority $c; ConvertTo-Jwk $c' }
    @{ Name = 'a key of the store where a file is named'; Value = 'store_key'; Script = 'Move-TokenKitStore key -KeyFile $c'; Id = 'invalid_store_key' }

    @{ Name = 'a JWT that is signed'; Types = $all; Script = 'New-OAuth2JwtAssertion -issuer a -subject a -audience a -client_secret $v'; Asked = $false }
    @{ Name = 'a JWT that is signed with a key'; Value = 'pem'; Types = 'string', 'SecureString'; Script = 'New-OAuth2JwtAssertion -issuer a -subject a -audience a -client_certificate $v' }
    @{ Name = 'a JWT that is signed with a PFX'; Types = $all; Script = 'New-OAuth2JwtAssertion -issuer a -subject a -audience a -client_certificate $pfx -CertificatePassword $v' }
    @{ Name = 'a JWT for which the key is damaged'; Types = 'SecureString', 'PSCredential'; Script = 'New-OAuth2JwtAssertion -issuer a -subject a -audience a -client_certificate $v'; Id = '*' }
    @{ Name = 'a JWT for which the key password is wrong'; Types = $all; Script = 'New-OAuth2JwtAssertion -issuer a -subject a -audience a -client_certificate $other -CertificatePassword $v'; Id = 'invalid_key_password' }
    @{ Name = 'a key as JWK'; Value = 'pem'; Types = 'string', 'SecureString'; Script = 'ConvertTo-Jwk $v; ConvertTo-Jwk $v -IncludePrivate' }
    @{ Name = 'an encrypted key as JWK'; Types = $all; Script = 'ConvertTo-Jwk $encrypted -Password $v; ConvertTo-Jwk $pfx -Password $v -IncludePrivate' }
    @{ Name = 'a shared secret as JWK'; Types = $all; Script = 'ConvertTo-Jwk -client_secret $v -IncludePrivate' }
    @{ Name = 'a shared secret as public JWK'; Types = $all; Script = 'ConvertTo-Jwk -client_secret $v'; Id = '*' }
    @{ Name = 'a key that is none as JWK'; Types = 'SecureString', 'PSCredential'; Script = 'ConvertTo-Jwk -Key $v'; Id = '*' }
    @{ Name = 'a key whose password is wrong as JWK'; Types = $all; Script = 'ConvertTo-Jwk $other -Password $v'; Id = 'invalid_key_password' }
    @{ Name = 'a token that is read'; Value = 'jwt'; Script = 'ConvertFrom-JsonWebToken -jwtInput $v'; Asked = $true }
    @{ Name = 'a token that cannot be read'; Script = 'ConvertFrom-JsonWebToken $c'; Id = '*' }
    @{ Name = 'a token that is checked'; Types = $all; Script = 'Test-JsonWebToken $jwt -client_secret $v; Test-JsonWebToken $jwt -client_secret $c -access_token $v -code $v -nonce $c -issuer i; Test-JsonWebTokenSignature $jwt -client_secret $v' }
    @{ Name = 'a token that is checked by a key'; Value = 'jwk'; Types = 'string', 'SecureString'; Script = 'Test-JsonWebToken $jwt -jwk $v; Test-JsonWebTokenSignature $jwt -jwk $v'; Id = 'algorithm_not_allowed' }
    @{ Name = 'a token that is none'; Script = 'Test-JsonWebToken $c -client_secret key; Test-JsonWebTokenSignature -jwtInput $c -client_secret key'; Id = '*' }
    @{ Name = 'a key that is none for a check'; Types = , 'SecureString'; Script = 'Test-JsonWebToken $jwt -jwk $v; Test-JsonWebTokenSignature $jwt -jwk $v'; Id = '*' }

    @{ Name = 'the configuration for LCS'; Script = 'Set-D365LcsApiConfig -ClientId app -BearerToken $v -RefreshToken $v; Get-D365LcsApiConfig; Get-D365LcsApiConfig -OutputAsHashtable; Get-D365LcsApiConfig -AsHeaders; Test-D365LcsApiToken' }
    @{ Name = 'the configuration for LCS, for the process'; Script = 'Set-D365LcsApiConfig -BearerToken $v -RefreshToken $v -Temporary; Get-D365LcsApiConfig; Clear-D365LcsApiConfig -Temporary' }
    @{ Name = 'the configuration for LCS that is not set'; Script = 'Set-D365LcsApiConfig -BearerToken $v -RefreshToken $v -WhatIf' }
    @{ Name = 'the configuration for LCS from an object'; Script = '[pscustomobject]@{ access_token = $v; refresh_token = $v } | Set-D365LcsApiConfig; Set-D365LcsApiConfig -InputObject @{ bearertoken = $v }' }
    @{ Name = 'the configuration for LCS with a value that does not fit'; Script = '[pscustomobject]@{ access_token = $v; refresh_token = $v; expires_on = "soon" } | Set-D365LcsApiConfig' }
    @{ Name = 'the token for LCS'; Types = $all; Script = 'Test-D365LcsApiToken -BearerToken $v -ActiveTokenExpiresOn 1' }
    @{ Name = 'the configuration of d365fo.tools'; Script = 'Import-D365LcsApiConfig -Path $psf; Clear-D365LcsApiConfig' }
    @{ Name = 'a configuration that cannot be read'; Script = 'Import-D365LcsApiConfig -Path $damaged'; Id = 'invalid_import' }
    @{ Name = 'the key of the store'; Value = 'store_key'; Types = $all; Script = 'Get-TokenKitStore; Move-TokenKitStore key -Key $v' }
    @{ Name = 'a key for the store that is none'; Types = $all; Script = 'Move-TokenKitStore key -Key $v'; Id = '*' }

    @{ Name = 'the API key of a session'; Types = $all; Script = 'New-VenafiSession -VcKey $v -PassThru -Proxy $open; New-VenafiSession -VcKey $v -Proxy $open; $VenafiSession; Get-VenafiSession; $VenafiSession = $null' }
    @{ Name = 'the API key of a session, asked for'; Types = $all; Script = 'Get-VenafiSession -VenafiSession (New-VenafiSession -VcKey $v -PassThru -Proxy $open) -AsHeaders'; Asked = $true }
    @{ Name = 'an API key of another type'; Script = 'New-VenafiSession -VcKey @{ a = $c }'; Id = '*' }
    @{ Name = 'a session with a server on premises'; Script = 'New-VenafiSession -Server vtdc -OnPremisesParameters $c'; Id = 'not_supported' }
    @{ Name = 'a JWT that is none'; Types = $all; Script = 'New-VcToken -Endpoint "$u/v1/oauth2/token" -Jwt $v'; Id = '*' }
    @{ Name = 'a file that holds no JWT'; Script = '[System.IO.File]::WriteAllText($file, $c); New-VenafiSession -VcEndpoint "$u/v1/oauth2/token" -JwtPath $file'; Id = '*' }
    @{ Name = 'a script that returns no JWT'; Script = 'New-VenafiSession -VcEndpoint "$u/v1/oauth2/token" -JwtScript { throw "not $c".Substring(0, 3) }'; Id = 'invalid_jwt_source' }
    @{ Name = 'a token endpoint with credentials'; Value = 'plain'; Script = 'New-VcToken -Endpoint "https://u:$c@vc.example.test/" -Jwt $jwt'; Id = '*' }
    @{ Name = 'an access token'; Types = $all; Script = 'Test-VcToken -AccessToken $v -Online -Proxy $open; Test-VcToken -AccessToken $v -Online -Proxy $locked; Test-VcToken -AccessToken $v' }
    @{ Name = 'a session that is none'; Types = $all; Script = 'Get-VenafiSession -VenafiSession $v; Test-VcToken -Token $v'; Id = '*' }

    @{ Name = 'objects of Cloud Governance'; Types = $all; Script = 'New-ApiCredential -ClientSecret $v -UserPrincipalName me' }
    @{ Name = 'tokens of Cloud Governance'
        Script = 'New-DelegatedAccessToken -AccessToken $c -RefreshToken $c; New-DelegatedAccessTokenApiResult -Value (New-DelegatedAccessToken -AccessToken $c -RefreshToken $c) -IsSuccess $true'}
    @{ Name = 'JSON of Cloud Governance'; Value = 'plain'
        Script = 'ConvertFrom-JsonToApiCredential -Json "{`"ClientSecret`":`"$c`"}"; ConvertFrom-JsonToDelegatedAccessToken -Json "{`"AccessToken`":`"$c`",`"RefreshToken`":`"$c`"}"
            ConvertFrom-JsonToDelegatedAccessTokenApiResult -Json "{`"Value`":{`"AccessToken`":`"$c`",`"RefreshToken`":`"$c`"},`"IsSuccess`":true}"' }
    @{ Name = 'JSON with a member too many'; Value = 'plain'; Script = 'ConvertFrom-JsonToApiCredential "{`"ClientSecret`":`"$c`",`"x`":1}"'; Id = 'unknown_member' }
    @{ Name = 'JSON that is none'; Script = 'ConvertFrom-JsonToApiCredential $c'; Id = 'not_json_object' }
    @{ Name = 'the configuration of Cloud Governance'; Types = $all
        Script = '(Get-GovernanceConfiguration).Clear(); Set-GovernanceConfiguration -AccessToken $c -Password $c -Cookie $c -PassThru; Set-GovernanceConfigurationApiKey -Id clientSecret -ApiKey $v; Set-GovernanceConfigurationApiKeyPrefix -Id clientSecret -ApiKeyPrefix $c
            Set-GovernanceConfigurationDefaultHeader -Key X-Secret -Value $v; Get-GovernanceConfiguration; (Get-GovernanceConfiguration).ApiKey; (Get-GovernanceConfiguration).DefaultHeaders; (Get-GovernanceConfiguration).ApiKeyPrefix' }
    @{ Name = 'a credential as text'; Types = $all; Script = 'Set-GovernanceConfiguration $u; Get-DelegateAccessToken -ApiCredential $v'; Id = '*' }
    @{ Name = 'a BaseUrl with credentials'; Value = 'plain'; Script = 'Set-GovernanceConfiguration "https://u:$c@gov.example.test"; Get-DelegateAccessToken @{ ClientSecret = "s" }'; Id = '*' }
    @{ Name = 'a header that Cloud Governance cannot get'; Script = 'Set-GovernanceConfiguration $u -DefaultHeaders @{ "X-Secret" = "$c`n" }; Get-DelegateAccessToken @{ ClientSecret = "s" }'; Id = '*' }
    @{ Name = 'an API key that is no table'; Value = 'plain'; Id = 'ParameterArgumentTransformationError'
        Script = 'Set-GovernanceConfiguration -ApiKey $c; Set-GovernanceConfiguration -ApiKeyPrefix $c; Set-GovernanceConfiguration -DefaultHeaders "Authorization: $c"; New-OAuth2JwtAssertion a b c -client_certificate $encrypted -customClaims $c' }
    @{ Name = 'commands that take none'; Script = '(New-OAuth2KeyPair).psobject.TypeNames; New-PkceChallenge | Out-Null; Convert-UnixTime; Clear-WebView2Cache; Enable-D365Exception; Disable-D365Exception; Get-GovernanceHostSetting; Get-GovernanceHostSettingUrl'; Id = '*' }
    @{ Name = 'a sign-in with the browser'; Value = 'plain'; Script = 'authorize $u/authorize -client_id app -BrowserCommand $browser -Force -customParameters @{ password = $c; hint = $c } -ProxyCredential ([pscredential]::new("a", (ConvertTo-SecureString $c -AsPlainText))) -Proxy $open' }
    @{ Name = 'a sign-in that is refused'; Value = 'plain'; Script = 'authorize $u/authorize -client_id app -BrowserCommand $refusing -Force -customParameters @{ password = $c }'; Id = 'access_denied' }
)
# Parameters that hold no secret, by name, whatever the command.
$public = @(
    'uri', 'client_id', 'redirect_uri', 'scope', 'client_auth_method', 'key_id', 'AssertionAlgorithm', 'AssertionAudience', 'AssertionLifetime', 'issuer', 'Wait'
    'ThrottleLimit', 'Timeout', 'CertificateAuthority', 'MaximumRetryCount', 'AllowUnencryptedAuthentication', 'response_type', 'usePkce', 'response_mode', 'userAgent'
    'login_hint', 'prompt', 'NoBrowser', 'BrowserCommand', 'Force', 'Qr', 'OpenBrowser', 'CopyCode', 'token_uri', 'sub', 'jwks_uri', 'audience', 'authorizedParty'
    'ClockSkew', 'Quiet', 'SigningCertificate', 'subject', 'Subject', 'jwtId', 'customClaims', 'Algorithm', 'Lifetime', 'KeyId', 'IncludePrivate', 'AsPlainText', 'KeySize', 'ValidDays'
    'date', 'epoch', 'Username', 'ClientId', 'LcsApiUri', 'EnableException', 'Authority', 'Tenant', 'OAuthVersion', 'ProjectId', 'ActiveTokenExpiresOn', 'Temporary'
    'OutputAsHashtable', 'AsHeaders', 'Name', 'MinimumLifetime', 'Path', 'Backend', 'KeyFile', 'VcRegion', 'VaultVcKeyName', 'VcEndpoint', 'VcSecretName', 'RefreshSession'
    'Server', 'TimeoutSec', 'PassThru', 'NoRenewal', 'Endpoint', 'UpdateSession', 'Online', 'JwtPath', 'ReturnType', 'WithHttpInfo', 'NoApiKey', 'UserPrincipalName', 'Duration'
    'IsSuccess', 'ErrorMsg', 'Index', 'Variables', 'BaseUrl', 'SkipCertificateCheck', 'Id', 'Key of Set-GovernanceConfigurationDefaultHeader'
)

$cases = @(
    foreach ($use in $uses) {
        $types = @($use['Types'] ?? 'string')
        $turn = 0
        foreach ($way in $ways) {
            # Where all goes well each type counts, elsewhere they take turns.
            foreach ($type in $way.Way -eq 'succeeds' ? $types : $types[$turn++ % $types.Count]) {
                @{ Title = "$($use.Name), as $type, $($way.Way)"; Type = $type; Way = $way; Use = $use; Script = $use.Script; Value = $use['Value'] }
            }
        }
    }
    foreach ($item in $further) {
        foreach ($type in $item['Types'] ?? 'string') {
            @{ Title = "$($item.Name), as $type"; Type = $type; Way = $null; Use = $item; Script = $item.Script; Value = $item['Value'] }
        }
    }
)
