# The ways in which scripts sign people in today: each must keep working as it is written here, with oidc-provider and
# a browser without a screen. $env:BROWSER stands for the person's own.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/SignInHelpers.ps1
    Import-Module $Module
    $kept = Suspend-Attendance
    $provider = Start-Provider
    $server = Start-Peer $TestServer
    $authorization_endpoint = $provider.http.authorization_endpoint
    $token_endpoint = $provider.http.token_endpoint
    $env:BROWSER = Get-UserAgent
    # Whether somebody is there is told by the host of the tests, which may be a build server.
    $PSDefaultParameterValues['Invoke-OAuth2AuthorizationEndpoint:Force'] = $true
    $PSDefaultParameterValues['Invoke-OAuth2AuthorizationEndpoint:Timeout'] = 60
}

AfterAll {
    $PSDefaultParameterValues.Remove('Invoke-OAuth2AuthorizationEndpoint:Force')
    $PSDefaultParameterValues.Remove('Invoke-OAuth2AuthorizationEndpoint:Timeout')
    Stop-Peer $provider
    Stop-Peer $server
    Restore-Attendance $kept
}

Describe 'A script that' {
    It 'splats into authorize, and the answer into token' {
        $splat = @{
            client_id        = 'native'
            scope            = 'openid profile offline_access'
            redirect_uri     = 'http://localhost:{0}/callback' -f (Get-Random -Minimum 40000 -Maximum 60000)
            customParameters = @{ prompt = 'consent' }
        }
        $code = Invoke-OAuth2AuthorizationEndpoint -uri $authorization_endpoint @splat
        $token = Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code
        foreach ($name in 'token_type', 'scope', 'expires_in', 'access_token', 'refresh_token', 'id_token', 'expiry_datetime') {
            $token.psobject.Properties.Name | Should -Contain $name
        }
    }

    It 'adds -client_secret beside the splat' {
        $client = $provider.clients.client_secret_post
        $code = Invoke-OAuth2AuthorizationEndpoint -uri $authorization_endpoint -client_id $client.client_id -scope 'openid' -redirect_uri 'http://localhost/'
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -client_secret $client.client_secret).token_type | Should -BeExactly Bearer
    }

    It 'adds -customHeaders beside the splat' {
        $code = Invoke-OAuth2AuthorizationEndpoint -uri $authorization_endpoint -client_id native -scope 'openid' -redirect_uri 'http://localhost/'
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -customHeaders @{ 'X-Client' = 'script' }).token_type | Should -BeExactly Bearer
    }

    It 'keeps the id_token of a hybrid answer, removes what is no parameter, and splats the rest' {
        $splat = Invoke-OAuth2AuthorizationEndpoint -uri $authorization_endpoint -client_id native -scope 'openid' -redirect_uri 'http://localhost/' -response_type 'code id_token' -response_mode form_post -WarningAction SilentlyContinue
        $id_token = $splat.id_token
        $splat.Remove('id_token')
        $splat.Remove('session_state')
        $token = Invoke-OAuth2TokenEndpoint -uri $token_endpoint @splat
        (ConvertFrom-JsonWebToken $token.id_token).sub | Should -BeExactly (ConvertFrom-JsonWebToken $id_token).sub
    }

    It 'uses one splat for authorize and for each kind of client' {
        $client = $provider.clients.client_secret_post
        $splat = @{ client_id = $client.client_id; scope = 'api:read'; redirect_uri = 'http://localhost/'; verbose = $false }
        $code = Invoke-OAuth2AuthorizationEndpoint -uri $authorization_endpoint @splat
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -client_secret $client.client_secret).scope | Should -BeExactly api:read
        (Invoke-OAuth2TokenEndpoint -uri $token_endpoint @splat -client_secret $client.client_secret -client_auth_method client_secret_post).scope | Should -BeExactly api:read
    }

    It 'refreshes with the nonce of the sign-in, and reassigns' {
        $code = Invoke-OAuth2AuthorizationEndpoint -uri $authorization_endpoint -client_id native -scope 'openid offline_access' -redirect_uri 'http://localhost/' -customParameters @{ prompt = 'consent' }
        $t = Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code
        $old = $t.refresh_token
        $t = Invoke-OAuth2TokenEndpoint -uri $token_endpoint -refresh_token $t.refresh_token -client_id native -scope 'openid' -nonce $code.nonce
        $t.refresh_token | Should -Not -BeExactly $old
        $t.expiry_datetime -lt (Get-Date) | Should -BeFalse
    }

    It 'stores the reply of a device flow, shows .message, and asks in a loop' {
        $d = Invoke-OAuth2DeviceAuthorizationEndpoint -uri "$($server.http)/device_authorization" -client_id public-client -scope 'openid' -WarningAction SilentlyContinue
        $d.message | Should -Match $d.user_code
        $polls = 0
        do {
            $polls++
            Start-Sleep -Seconds $d.interval
            try {
                $t = Invoke-OAuth2TokenEndpoint -uri "$($server.http)/token" -device_code $d.device_code -client_id public-client
            } catch {
                ($_.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly authorization_pending
                $t = $null
                if ($polls -eq 2) { $null = Invoke-Control $server Post device @{ user_code = $d.user_code; action = 'approve' } }
            }
        } until ($t -or $polls -gt 9)
        $polls | Should -Be 3
        $t.access_token | Should -Not -BeNullOrEmpty
    }

    It 'makes PKCE, state and nonce itself, and adds -code_verifier beside the splat' {
        $pkce = New-PkceChallenge
        $custom = @{ code_challenge = $pkce.code_challenge; code_challenge_method = $pkce.code_challenge_method; state = 'my state'; nonce = 'my nonce' }
        $code = Invoke-OAuth2AuthorizationEndpoint -uri $authorization_endpoint -client_id native -scope 'openid' -redirect_uri 'http://localhost/' -customParameters $custom
        $code.ContainsKey('code_verifier') | Should -BeFalse
        $token = Invoke-OAuth2TokenEndpoint -uri $token_endpoint @code -code_verifier $pkce.code_verifier
        (ConvertFrom-JsonWebToken $token.id_token).nonce | Should -BeExactly 'my nonce'
    }

    It 'uses the short aliases' {
        $code = authorize $authorization_endpoint -client_id native -scope openid -Force
        (token $token_endpoint @code).token_type | Should -BeExactly Bearer
    }

    It 'looks into the tokens that an implicit sign-in returned' {
        $reply = authorize $authorization_endpoint -client_id native -scope openid -response_type 'id_token token' -redirect_uri http://localhost/ -WarningAction SilentlyContinue -Force
        (ConvertFrom-JsonWebToken $reply.id_token).nonce | Should -BeExactly $reply.nonce
        $reply.expiry_datetime -gt (Get-Date) | Should -BeTrue
        Test-JsonWebTokenSignature $reply.id_token -issuer $provider.http.issuer | Should -BeTrue
    }
}
