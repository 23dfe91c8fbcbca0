# The ways in which scripts use the command today: each must keep working as it is written here. Where a script
# would sign somebody in first, what that returns is made by hand here; SignInPatterns.Tests.ps1 signs in.
using namespace System.Security.Cryptography
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $token_endpoint = "$($server.http)/token"
    $echo = "$($server.http)/echo-token"

    # What an authorization command returns for a code flow: a hashtable to splat.
    function New-AuthorizationResponse([string] $ClientId, [string] $Scope, [switch] $WithoutVerifier, [string] $Challenge) {
        $pkce = $WithoutVerifier ? @{ Challenge = $Challenge } : (New-Pkce)
        $response = @{ client_id = $ClientId; redirect_uri = 'http://localhost:8080/'; nonce = [guid]::NewGuid().ToString('N') }
        $request = $response + @{ scope = $Scope; code_challenge = $pkce.Challenge }
        $response.code = (Invoke-Control $server Post code $request).code
        if (-not $WithoutVerifier) { $response.code_verifier = $pkce.Verifier }
        $response
    }
}

AfterAll { Stop-Peer $server }

Describe 'A script that' {
    BeforeEach { $null = Get-SentRequest $server }

    It 'splats the authorization response into the token command' {
        $code = New-AuthorizationResponse public-client 'openid profile'
        $token = Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code
        $token.access_token | Should -Not -BeNullOrEmpty
        (Read-Jwt $token.id_token).Claims.nonce | Should -BeExactly $code.nonce
    }

    It 'adds -client_secret beside the splat' {
        $code = New-AuthorizationResponse demo-client 'openid'
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -client_secret demo-secret).token_type | Should -BeExactly Bearer
    }

    It 'adds -customHeaders beside the splat' {
        $code = New-AuthorizationResponse public-client 'openid'
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -customHeaders @{ Origin = 'http://localhost' }).token_type | Should -BeExactly Bearer
        (Get-SentRequest $server).Headers['origin'] | Should -BeExactly 'http://localhost'
    }

    It 'removes what is no parameter from a hybrid response, keeps the id_token, and splats the rest' {
        $splat = New-AuthorizationResponse public-client 'openid'
        $splat.id_token = 'e30.e30.AA'
        $splat.session_state = 'abc'
        $id_token = $splat.id_token
        $splat.Remove('id_token')
        $splat.Remove('session_state')
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @splat).token_type | Should -BeExactly Bearer
        $id_token | Should -BeExactly e30.e30.AA
    }

    It 'uses one splat for Basic, post and certificate' {
        $splat = @{ client_id = 'app'; scope = '.default'; redirect_uri = 'https://localhost/'; verbose = $false }
        $rsa = [RSA]::Create(2048)
        $certificate = New-Certificate $rsa
        $null = Invoke-OAuth2TokenEndpoint -uri $echo @splat -client_secret s3cret -client_auth_method client_secret_basic
        $null = Invoke-OAuth2TokenEndpoint -uri $echo @splat -client_secret s3cret -client_auth_method client_secret_post
        $null = Invoke-OAuth2TokenEndpoint -uri $echo @splat -client_certificate $certificate
        $sent = Get-SentRequest $server
        $sent.Form.grant_type | Should -BeExactly 'client_credentials', 'client_credentials', 'client_credentials'
        $sent.Form.redirect_uri | Should -BeExactly 'https://localhost/', 'https://localhost/', 'https://localhost/'
        $sent[0].Headers['authorization'] | Should -BeExactly 'Basic YXBwOnMzY3JldA=='
        $sent[1].Form.client_secret | Should -BeExactly s3cret
        (Read-Jwt $sent[2].Form.client_assertion).Header.x5t | Should -BeExactly (ConvertTo-Base64Url $certificate.GetCertHash())
    }

    It 'takes the secret from a vault as SecureString' {
        $secret = ConvertTo-SecureString demo-secret -AsPlainText -Force
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint -client_id demo-client -client_secret $secret).token_type | Should -BeExactly Bearer
    }

    It 'refreshes, reassigns and tests the time of expiry' {
        $code = New-AuthorizationResponse rotating-client 'openid offline_access'
        $t = Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -client_secret rotating-secret
        foreach ($round in 1..3) {
            $old = $t.refresh_token
            $t = Invoke-OAuth2TokenEndpoint -uri $token_endpoint -refresh_token $t.refresh_token -client_id rotating-client `
                -client_secret rotating-secret -scope openid -nonce $code.nonce
            $t.refresh_token | Should -Not -BeExactly $old
            $t.expiry_datetime -lt (Get-Date) | Should -BeFalse
            $t.expiry_datetime -lt (Get-Date).AddHours(2) | Should -BeTrue
        }
    }

    It 'loops over a device code in try/catch and reads the error from ErrorDetails' {
        $body = @{ client_id = 'public-client'; scope = 'openid'; test_interval = 0 }
        $device = Invoke-RestMethod "$($server.http)/device_authorization" -Method Post -Body $body -NoProxy
        $polls = 0
        do {
            $polls++
            $pending = $false
            try {
                $token = Invoke-OAuth2TokenEndpoint -uri $token_endpoint -device_code $device.device_code -client_id public-client
            } catch {
                $pending = ($_.ErrorDetails.Message | ConvertFrom-Json).error -eq 'authorization_pending'
                if (-not $pending) { throw }
                if ($polls -eq 2) { $null = Invoke-Control $server Post device @{ user_code = $device.user_code; action = 'approve' } }
            }
        } while ($pending -and $polls -lt 10)
        $polls | Should -Be 3
        $token.access_token | Should -Not -BeNullOrEmpty
    }

    It 'exchanges the assertion of a service account whose key is PEM text in a JSON file' {
        $rsa = [RSA]::Create(2048)
        $account = @{ type = 'service_account'; client_email = 'sa@project.example'; private_key_id = 'k1'; private_key = $rsa.ExportPkcs8PrivateKeyPem() }
        $account | ConvertTo-Json | Set-Content $TestDrive/key.json
        $file = Get-Content $TestDrive/key.json -Raw | ConvertFrom-Json
        $key = [RSA]::Create()
        $key.ImportFromPem($file.private_key)
        $assertion = @{ client_assertion_jwt = New-Jwt (New-AssertionClaim $file.client_email $file.client_email $token_endpoint) $key }
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint -jwtAssertion $assertion.client_assertion_jwt).access_token | Should -Not -BeNullOrEmpty
    }

    It 'makes PKCE and nonce itself and adds -code_verifier beside the splat' {
        $pkce = New-Pkce
        $code = New-AuthorizationResponse public-client 'openid' -WithoutVerifier -Challenge $pkce.Challenge
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -code_verifier $pkce.Verifier).token_type | Should -BeExactly Bearer
    }

    It 'makes an Authorization header for later calls of the token' {
        $t = Invoke-OAuth2TokenEndpoint $token_endpoint -client_id demo-client -client_secret demo-secret
        $h = @{ Authorization = "Bearer $($t.access_token)" }
        $null = Get-SentRequest $server
        $null = Invoke-RestMethod $echo -Headers $h -NoProxy
        (Get-SentRequest $server).Headers['authorization'] | Should -BeExactly "Bearer $($t.access_token)"
        $t.access_token.Length | Should -BeGreaterThan 40
    }

    It 'uses the alias <_>' -ForEach 'token', 'Invoke-TokenEndpoint' {
        (& $_ $token_endpoint -client_id demo-client -client_secret demo-secret).token_type | Should -BeExactly Bearer
    }

    It 'abbreviates parameters as far as the original allowed' {
        $null = token $echo -client_i app -ref r3fresh -red http://localhost/ -s openid -client_s s3cret -client_a client_secret_post -n x -cu @{ 'X-A' = '1' }
        $sent = Get-SentRequest $server
        $sent.Headers['x-a'] | Should -BeExactly 1
        ($sent.Form.Keys | Sort-Object) -join ' ' | Should -BeExactly 'client_id client_secret grant_type redirect_uri refresh_token scope'
    }

    It 'asks in the handler of a button, on a thread whose window takes no messages meanwhile' {
        if (-not ('TokenKit.Tests.BusyWindow' -as [type])) {
            Add-Type -Namespace TokenKit.Tests -Name BusyWindow -UsingNamespace System.Threading -MemberDefinition @'
public sealed class Context : SynchronizationContext { public override void Post(SendOrPostCallback callback, object state) { } }
'@
        }
        $pipeline = New-Pipeline $Module @'
param($uri)
[System.Threading.SynchronizationContext]::SetSynchronizationContext([TokenKit.Tests.BusyWindow+Context]::new())
(token $uri -client_id demo-client -client_secret demo-secret -Verbose).token_type
'@ $token_endpoint
        try {
            $running = $pipeline.BeginInvoke()
            Wait-Until { $running.IsCompleted } 30000 | Should -BeTrue
            $pipeline.EndInvoke($running) | Should -BeExactly Bearer
            $pipeline.Streams.Verbose | Should -Not -BeNullOrEmpty
        } finally {
            $pipeline.Dispose()
        }
    }

    It 'writes parameter names in any letter case' {
        (token -URI $token_endpoint -Client_Id demo-client -CLIENT_SECRET demo-secret -Client_Auth_Method CLIENT_SECRET_BASIC).token_type | Should -BeExactly Bearer
    }
}

Describe 'The example of the original''s page' {
    It 'a code: Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code' {
        $code = New-AuthorizationResponse public-client 'User.Read profile openid email'
        $token = Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code
        foreach ($name in 'token_type', 'scope', 'expires_in', 'access_token', 'refresh_token', 'id_token', 'expiry_datetime') {
            $token.psobject.Properties.Name | Should -Contain $name
        }
    }

    It 'a secret: -scope ".default" -client_id "123" -client_secret "secret"' {
        $null = Get-SentRequest $server
        $null = Invoke-OAuth2TokenEndpoint -uri $echo -scope ".default" -client_id "123" -client_secret "secret"
        (Get-SentRequest $server).Form.client_secret | Should -BeExactly secret
    }

    It 'a certificate by path: fails by position as it did, and works by name' {
        $key = Join-Path $TestDrive key.pem
        [RSA]::Create(2048).ExportPkcs8PrivateKeyPem() | Set-Content $key
        $failure = Get-Failure { Invoke-OAuth2TokenEndpoint -uri $echo -scope ".default" -client_id "123" $key }
        Get-ErrorId $failure | Should -BeExactly PositionalParameterNotFound
        (Invoke-OAuth2TokenEndpoint -uri $echo -scope ".default" -client_id "123" -client_certificate $key).token_type | Should -BeExactly Bearer
    }
}
