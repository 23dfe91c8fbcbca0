# docs/errors.md: each id in it is provoked, and says and advises what stands there; no other id is in use.
# With -Update the advice is written into the page; ./build.ps1 Help does so.
using namespace System.Security.Cryptography
param([string] $Module, [string] $TestServer, [switch] $Update)

BeforeDiscovery {
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $page = Get-Content $root/docs/errors.md -Raw
    $rows = [ordered]@{}
    foreach ($match in [regex]::Matches($page, '(?m)^\| `(?<id>[a-z_0-9]+)` \| (?<meaning>[^|]+) \| (?<category>[\w, ]+) \| (?<next>[^|]+) \|\r?$')) {
        $rows[$match.Groups['id'].Value] = @{ Category = $match.Groups['category'].Value; Next = $match.Groups['next'].Value }
    }

    # What the server says: the id is its own word.
    $status = @{ invalid_client = 401; invalid_token = 401; insufficient_scope = 403; server_error = 500; temporarily_unavailable = 503 }
    $section = [regex]::Match($page, '(?ms)^## What the server says$(.*?)^## ').Groups[1].Value
    $answers = [regex]::Matches($section, '(?m)^\| `([a-z_]+)` ').ForEach{
        $id = $_.Groups[1].Value
        $rows[$id] + @{ Id = $id; Status = $status[$id] ?? 400 }
    }

    $provocations = [ordered]@{
        invalid_argument               = { token $echo }
        invalid_endpoint               = { token nowhere -code c0de }
        insecure_endpoint              = { token http://as.example/token -code c0de }
        invalid_key                    = { ConvertTo-Jwk '{"kty":"EC"}' }
        invalid_key_password           = { ConvertTo-Jwk $encrypted -Password wrong }
        unsupported_key                = { New-OAuth2JwtAssertion a a a -client_certificate $rsa -Algorithm ES256 }
        malformed_token                = { ConvertFrom-JsonWebToken eyJhbGciOiJSUzI1NiJ9.bm8ganNvbg.c2ln }
        encrypted_token                = { ConvertFrom-JsonWebToken eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0.YQ.YQ.YQ.YQ }
        assertion_expired              = { New-VcToken -Endpoint $server.venafi.endpoint -Jwt (New-Jwt @{ exp = 1600000000 } $rsa) }
        assertion_not_yet_valid        = { New-VcToken -Endpoint $server.venafi.endpoint -Jwt (New-Jwt @{ nbf = 4000000000; exp = 4100000000 } $rsa) }
        missing_base_url               = { (Get-GovernanceConfiguration).Clear(); Get-DelegateAccessToken (New-ApiCredential a b) }
        invalid_certificate_authority  = { token https://as.example/token -code c0de -CertificateAuthority $TestDrive/none.pem }
        invalid_proxy                  = { token https://as.example/token -code c0de -Proxy ftp://proxy.example }
        unknown_member                 = { ConvertFrom-JsonToApiCredential '{"x":1}' }
        not_supported                  = { New-VenafiSession -Server tpp.example }
        dns_failed                     = { token "http://$('a' * 64).test/token" -code c0de -MaximumRetryCount 0 -AllowUnencryptedAuthentication }
        connect_failed                 = { token (New-Fault refuse) -code c0de -MaximumRetryCount 0 }
        tls_failed                     = { token "$($server.https)/token" -code c0de }
        proxy_failed                   = { token https://as.example.test/token -code c0de -Proxy $server.http }
        timeout                        = { token "$($server.http)/slow?ms=60000" -code c0de -Timeout 0.3 }
        connection_lost                = { token (New-Fault @{ close = 'headers' }) -code c0de -MaximumRetryCount 0 }
        request_refused                = { token (New-Fault @{ reset_stream = @{ reason = 7; place = 'headers' } }) -code c0de -MaximumRetryCount 0 -CertificateAuthority $server.certificate_authority }
        http_error                     = { token (New-Answer 404 '{}') -code c0de }
        unexpected_redirect            = { token (Set-Reply $server /canned/moved @{ status = 302; headers = @(, @('Location', '/token')); body = '' }) -code c0de }
        not_json                       = { token (New-Answer 200 '<html>') -code c0de }
        not_json_object                = { token (New-Answer 200 '[]') -code c0de }
        missing_access_token           = { token (New-Answer 200 '{}') -code c0de }
        unexpected_answer              = { New-CompressedAnswer; Get-DelegateAccessToken (New-ApiCredential a b) }
        response_too_large             = { token (New-Fault @{ huge = @{ announced = $false } }) -code c0de }
        issuer_mismatch                = { $null = New-Answer 200 '{"issuer":"https://other.example"}' /liar/.well-known/openid-configuration; Get-OidcDiscoveryMetadata "$($server.http)/liar" }
        invalid_jwks                   = { Test-JsonWebToken (New-Jwt @{ exp = 4000000000 } $rsa) -jwks_uri (New-Answer 200 '{"keys":1}') }
        malformed_userinfo             = { Get-OAuth2UserInfo (New-Answer 200 '{"name":"no sub"}') t0ken }
        malformed_device_authorization = { deviceauth (New-Answer 200 '{}') -client_id app }
        nonce_mismatch                 = { Get-TokenWith @{ nonce = 'other' } -nonce n0nce }
        missing_id_token               = { token (New-Answer 200 '{"access_token":"t0ken","token_type":"Bearer"}') -code c0de -scope openid -nonce n0nce }
        malformed_id_token             = { token (New-Answer 200 '{"access_token":"t0ken","token_type":"Bearer","id_token":"no.id.token"}') -code c0de -nonce n0nce }
        id_token_wrong_issuer          = { Get-TokenWith @{ iss = 'https://other.example' } -issuer $issuer }
        id_token_wrong_audience        = { Get-TokenWith @{ aud = 'other' } -issuer $issuer }
        id_token_expired               = { Get-TokenWith @{ exp = 1600000000 } -issuer $issuer }
        id_token_not_yet_valid         = { Get-TokenWith @{ nbf = 4000000000 } -issuer $issuer }
        id_token_wrong_signature       = { Get-TokenWith @{} -Key ([RSA]::Create(2048)) -issuer $issuer }
        id_token_wrong_hash            = { Get-TokenWith @{ at_hash = 'AAAAAAAAAAAAAAAAAAAAAA' } -issuer $issuer }
        subject_mismatch               = { Get-OAuth2UserInfo (New-Answer 200 '{"sub":"alice"}') t0ken -sub bob }
        unusable_answer                = { Invoke-SignIn 'code=a&code=b' }
        missing_code                   = { Invoke-SignIn 'x=y' }
        port_in_use                    = { authorize https://as.example/authorize -client_id app -redirect_uri "http://127.0.0.1:$($listener.LocalEndpoint.Port)/" -Force }
        expired_token                  = { token (New-Answer 400 '{"error":"expired_token"}') -client_id app -device_code d3vice }
        store_key_missing              = { Lock-Store; $env:TOKENKIT_STORE_KEY = $null; Get-D365LcsApiConfig }
        invalid_store_key              = { $env:TOKENKIT_STORE_KEY = 'garbage'; Get-TokenKitStore }
        store_key_wrong                = { Lock-Store; $env:TOKENKIT_STORE_KEY = New-StoreKey; Get-D365LcsApiConfig }
        invalid_import                 = { Import-D365LcsApiConfig -Path (New-Item "$TestDrive/text.txt" -Value text -Force) }
        missing_bearer_token           = { $null = New-Store; Get-D365LcsApiConfig -AsHeaders }
        no_session                     = { throw (Invoke-Pipeline $Module 'Test-VcToken').Thrown }
        invalid_session                = { New-VcToken -VenafiSession ([pscustomobject]@{ Platform = 'TLSPDC' }) }
        expired_session                = { Get-VenafiSession -VenafiSession ([pscustomobject]@{ Platform = 'VC'; Server = $server.http; Token = [pscustomobject]@{ AccessToken = 't0ken'; Expires = (Get-Date).AddHours(-1) } }) }
        invalid_jwt_source             = { New-VenafiSession -VcEndpoint $server.venafi.endpoint -JwtPath $TestDrive/none.jwt }
    }

    # Those that take more than a line are provoked in another file, and those that no PowerShell can provoke in Rust.
    $elsewhere = @{
        signing_failed               = 'tests/pester/Errors.Tests.ps1'
        epoch_out_of_range           = 'tests/pester/Convert-UnixTime.Tests.ps1'
        interactive_session_required = 'tests/pester/Invoke-OAuth2AuthorizationEndpoint.Tests.ps1'
        state_mismatch               = 'tests/pester/Invoke-OAuth2AuthorizationEndpoint.Tests.ps1'
        malformed_answer             = 'tests/pester/Invoke-OAuth2AuthorizationEndpoint.Tests.ps1'
        cannot_listen                = 'crates/tokenkit/tests/loopback.rs'
        store_locked                 = 'crates/tokenkit/src/store/lock.rs'
        store_not_private            = 'tests/pester/StoreFaults.Tests.ps1'
        store_io                     = 'tests/pester/StoreFaults.Tests.ps1'
        store_version                = 'tests/pester/StoreFaults.Tests.ps1'
        store_keyring                = 'tests/pester/StoreKeyring.Tests.ps1'
        vault_failed                 = 'tests/pester/New-VenafiSession.Tests.ps1'
        native_library_missing       = 'tests/pester/Module.Tests.ps1'
        native_library_unusable      = 'tests/pester/Module.Tests.ps1'
        native_library_mismatch      = 'tests/pester/Module.Tests.ps1'
        module_state_missing         = 'tests/pester/Names.Tests.ps1'
        cache_not_removed            = 'tests/pester/Clear-WebView2Cache.Tests.ps1'
        internal_error               = 'crates/tokenkit-ffi/src/panic.rs'
    }
    $provoked = foreach ($id in $provocations.Keys) { @{ Id = $id; Provoke = $provocations[$id]; Row = $rows[$id] } }
    $others = foreach ($id in $elsewhere.Keys) { @{ Id = $id; File = $elsewhere[$id] } }
    $known = @{ Rows = @($rows.Keys); Tested = @($provocations.Keys) + @($elsewhere.Keys) + @($answers.Id) }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/JoseHelpers.ps1
    . $PSScriptRoot/SignInHelpers.ps1
    Import-Module $Module
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $server = Start-Peer $TestServer
    $echo = "$($server.http)/echo-token"
    $rsa = [RSA]::Create(2048)
    $encrypted = $rsa.ExportEncryptedPkcs8PrivateKeyPem('right'.ToCharArray(), [PbeParameters]::new('Aes256Cbc', 'SHA256', 1000))
    $issuer = New-Issuer $server (ConvertTo-Jwk $rsa)
    $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
    $listener.Start()

    function New-Answer([int] $Status, [string] $Body, [string] $Path = "/canned/$([guid]::NewGuid())") {
        Set-Reply $server $Path @{ status = $Status; headers = @(, @('Content-Type', 'application/json')); body = $Body }
    }

    function New-Fault($Fault) { (Invoke-Control $server Put fault @{ name = [guid]::NewGuid().ToString('N'); fault = $Fault; body = '{}' }).url }

    # What Cloud Governance answers next is JSON that nobody asked to be compressed.
    function New-CompressedAnswer {
        Set-GovernanceConfiguration -BaseUrl "$($server.http)/canned"
        $null = Set-Reply $server /canned/auth/token/delegate @{ status = 200; headers = @(@('Content-Type', 'application/json'), @('Content-Encoding', 'gzip')); body = '{}' }
    }

    # A token response whose ID token has these claims.
    function Get-TokenWith([hashtable] $Claim, $Key = $rsa, [string] $issuer, [string] $nonce) {
        $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        $claims = @{ iss = "$($server.http)"; aud = 'app'; sub = 'alice'; iat = $now; exp = $now + 300 }
        foreach ($name in $Claim.Keys) { $claims[$name] = $Claim[$name] }
        $splat = @{}
        if ($issuer) { $splat.issuer = $issuer }
        if ($nonce) { $splat.nonce = $nonce }
        token (New-Answer 200 (ConvertTo-Json @{ access_token = 't0ken'; token_type = 'Bearer'; id_token = New-Jwt $claims $Key })) -client_id app -code c0de @splat
    }

    # A sign-in whose browser brings these parameters.
    function Invoke-SignIn([string] $Answer) {
        authorize https://as.example/authorize -client_id app -Force -Timeout 30 -BrowserCommand (Get-UserAgent '--answer', $Answer)
    }

    function New-StoreKey { [Convert]::ToBase64String([RandomNumberGenerator]::GetBytes(32)) }

    # A store with something in it, under a key.
    function Lock-Store {
        $null = New-Store
        $env:TOKENKIT_STORE_KEY = New-StoreKey
        Set-D365LcsApiConfig -ProjectId 7
    }

    function Assert-Row($Failure, [string] $Id, $Row) {
        Get-ErrorId $Failure | Should -BeExactly $Id
        if ($Row.Category -notmatch '^by ') { $Failure.CategoryInfo.Category | Should -BeIn ($Row.Category -split ', ') }
        $advice = $Failure.ErrorDetails.RecommendedAction
        $advice | Should -Match '^[A-Z].+\.$'
        if ($Update) {
            $page = Get-Content $root/docs/errors.md -Raw
            $line = [regex]::Match($page, "(?m)^\| ``$Id`` \|.*\|\r?$").Value
            Set-Content $root/docs/errors.md $page.Replace($line, $line.Replace("| $($Row.Next) |", "| $advice |")) -NoNewline
        } else {
            $advice | Should -BeExactly $Row.Next
        }
    }
}

AfterAll {
    (Get-GovernanceConfiguration).Clear()
    $listener.Stop()
    Stop-Peer $server
}

Describe 'The error' {
    AfterEach { $env:TOKENKIT_STORE_KEY = $null }

    It '<Id> is what the page says' -ForEach $provoked {
        Assert-Row (Get-Failure $Provoke) $Id $Row
    }

    It '<Id> of a server is what the page says' -ForEach $answers {
        $uri = New-Answer $Status (ConvertTo-Json @{ error = $Id })
        Assert-Row (Get-Failure { token $uri -code c0de -MaximumRetryCount 0 }) $Id @{ Category = $Category; Next = $Next }
    }

    It '<Id> is provoked in <File>' -ForEach $others {
        $text = Get-Content (Join-Path $root $File) -Raw
        $variant = ($Id -split '_').ForEach{ $_.Substring(0, 1).ToUpperInvariant() + $_.Substring(1) } -join ''
        $text | Should -MatchExactly "\b$Id\b|ErrorCode::($variant|Internal)\b"
    }
}

Describe 'The page' {
    It 'has no id that is not tested here, and the other way round' -ForEach $known {
        ($Rows | Sort-Object) -join ' ' | Should -BeExactly (($Tested | Sort-Object) -join ' ')
    }

    It 'has every id of the module, and none that neither module nor core has' -ForEach $known {
        $core = [regex]::Matches((Get-Content $root/crates/tokenkit/src/error.rs -Raw), '(?m)^    \w+ = "([a-z_]+)"').ForEach{ $_.Groups[1].Value }
        # Ids stand in what makes a failure; its text has spaces.
        $sources = ''
        $own = foreach ($file in Get-ChildItem $root/powershell/src -Recurse -Filter *.cs) {
            $sources += Get-Content $file -Raw
            $calls = [regex]::Matches((Get-Content $file -Raw), '(?s)(Failures\.(Invalid|Library)|new ErrorRecord|new FailureException|=> new|    new)\(.*?;').ForEach{ $_.Value }
            [regex]::Matches($calls -join "`n", '(?<=[(,]\s*)"([a-z]+(_[a-z]+)+)"(?=[,)])').ForEach{ $_.Groups[1].Value }
        }
        $own = $own | Sort-Object -Unique
        @($own).Count | Should -BeGreaterThan 10
        $own | Where-Object { $_ -notin $Rows } | Should -BeNullOrEmpty
        $said = [regex]::Matches((Get-Content $root/docs/errors.md -Raw), '(?ms)\A(.*?)^## What the server says').Groups[1].Value
        [regex]::Matches($said, '(?m)^\| `([a-z_]+)`').ForEach{ $_.Groups[1].Value } | Where-Object { $_ -notin $core -and -not $sources.Contains("""$_""") } | Should -BeNullOrEmpty
    }
}
