# A person signs in at oidc-provider with a real browser, and the cmdlet's own listener gets the answer.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # What comes back, and how.
    $answers = @(
        @{ Type = 'code'; Mode = 'fragment'; Has = 'code' }
        @{ Type = 'code'; Mode = 'form_post'; Has = 'code' }
        @{ Type = 'id_token'; Mode = 'form_post'; Has = 'id_token' }
        @{ Type = 'id_token token'; Mode = 'default'; Has = 'access_token', 'id_token' }
        @{ Type = 'code id_token'; Mode = 'default'; Has = 'code', 'id_token' }
        @{ Type = 'code id_token'; Mode = 'form_post'; Has = 'code', 'id_token' }
        @{ Type = 'code token'; Mode = 'default'; Has = 'access_token', 'code' }
        @{ Type = 'code id_token token'; Mode = 'form_post'; Has = 'access_token', 'code', 'id_token' }
    )
    $hosts = @('http://localhost/callback')
    # Not every machine, and few containers, have version 6 of IP.
    $addresses = [System.Net.NetworkInformation.NetworkInterface]::GetAllNetworkInterfaces().ForEach{ $_.GetIPProperties().UnicastAddresses }
    if ($addresses.Address -contains [ipaddress]::IPv6Loopback) { $hosts += 'http://[::1]/callback/' }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/BrowserHelpers.ps1
    Import-Module $Module
    $browser = Start-Browser
    $provider = Start-Provider
    $artifacts = Join-Path $PSScriptRoot ../../out/test-artifacts/sign-in
    $request = @{ uri = $provider.http.authorization_endpoint; client_id = 'native'; scope = 'openid'; issuer = $provider.http.issuer }

    # The whole way: what the cmdlet returned or threw, the request it made, and what the browser showed last.
    function Invoke-SignIn([hashtable] $Parameter = @{}, [hashtable] $Person = @{}) {
        $signIn = Start-SignIn $Module $browser (Join-Parameter $request $Parameter)
        $visit = Invoke-Person $browser visit (@{ url = $signIn.Url } + $Person)
        Complete-SignIn $signIn | Add-Member -PassThru -NotePropertyMembers @{ Query = $signIn.Query; RedirectUri = $signIn.RedirectUri; Visit = $visit }
    }

    # What the last page must be, whatever it says.
    function Assert-Page($Visit) {
        $Visit.address | Should -Not -Match '[?#]' -Because 'the answer is gone from the address bar'
        foreach ($secret in 'code=', 'state=', 'token=') { $Visit.history -join ' ' | Should -Not -Match $secret -Because 'it is gone from the history' }
        # That the page itself came with a status of an error is said there, too.
        $Visit.console | Where-Object { $_.url -notin $Visit.responses.url } | Should -BeNullOrEmpty
        $origin = ([uri]$Visit.address).GetLeftPart('Authority')
        $Visit.requests.url | Where-Object { -not $_.StartsWith("$origin/") } | Should -BeNullOrEmpty -Because 'the page loads nothing from elsewhere'
        $Visit.responses.Count | Should -BeGreaterThan 0
        foreach ($response in $Visit.responses) {
            $response.headers.'content-security-policy' | Should -Match "default-src 'none'"
            $response.headers.'content-security-policy' | Should -Not -Match 'unsafe|https?:'
            $response.headers.'cache-control' | Should -Match 'no-store'
            $response.headers.'referrer-policy' | Should -BeExactly 'no-referrer'
            $response.headers.'x-content-type-options' | Should -BeExactly nosniff
        }
        $Visit.html | Should -MatchExactly '<html[^>]* lang="en"'
        $Visit.html | Should -MatchExactly '<meta name="viewport"'
        $Visit.html | Should -MatchExactly '<link rel="icon" href="data:' -Because 'a browser would ask for one otherwise'
        foreach ($view in $Visit.views) {
            $view.lowContrast | Should -BeNullOrEmpty -Because $view.view
            $view.overflow | Should -BeFalse -Because $view.view
        }
    }
}

AfterAll {
    Stop-Peer $browser
    Stop-Peer $provider
}

Describe 'Signing in in a browser' {
    It 'gets a code, which splats into the token command with PKCE, nonce and issuer' {
        $run = Invoke-SignIn @{ scope = 'openid profile offline_access'; prompt = 'consent' }
        $run.Thrown | Should -BeNullOrEmpty
        $code = $run.Output[0]
        $code | Should -BeOfType hashtable
        ($code.Keys | Sort-Object) -join ' ' | Should -BeExactly 'client_id code code_verifier issuer nonce redirect_uri'
        $run.Query.response_type | Should -BeExactly code
        $run.Query.code_challenge_method | Should -BeExactly S256
        $run.Query.redirect_uri | Should -BeExactly $code.redirect_uri
        $run.RedirectUri.Host | Should -BeIn '127.0.0.1', '[::1]'

        $token = Invoke-OAuth2TokenEndpoint $provider.http.token_endpoint @code
        $token.refresh_token | Should -Not -BeNullOrEmpty
        $claims = $token.id_token | ConvertFrom-JsonWebToken
        $claims.sub | Should -BeExactly carol
        $claims.nonce | Should -BeExactly $code.nonce
        Test-Listening $run.RedirectUri | Should -BeFalse
    }

    It 'gets <Type> by <Mode>' -ForEach $answers {
        $parameters = @{ response_type = $Type }
        if ($Mode -ne 'default') { $parameters.response_mode = $Mode }
        $run = Invoke-SignIn $parameters
        $run.Thrown | Should -BeNullOrEmpty
        $answer = $run.Output[0]
        $answer.Keys | Where-Object { $_ -in 'code', 'access_token', 'id_token' } | Sort-Object | Should -BeExactly $Has
        $answer.Keys | Should -Not -Contain state
        $run.Query['response_mode'] | Should -BeExactly $parameters['response_mode']
        if ('access_token' -in $Has) {
            $answer.expires_in | Should -BeOfType int
            $answer.expiry_datetime | Should -BeGreaterThan (Get-Date)
        }
        if ('id_token' -in $Has) { ($answer.id_token | ConvertFrom-JsonWebToken).sub | Should -BeExactly carol }
        if ('code' -in $Has) {
            foreach ($name in @($answer.Keys) -notmatch '^(code|client_id|redirect_uri|code_verifier|nonce|issuer)$') { $answer.Remove($name) }
            (Invoke-OAuth2TokenEndpoint $provider.http.token_endpoint @answer).token_type | Should -BeExactly Bearer
        }
        $run.Visit.title | Should -BeExactly 'You are signed in'
        Assert-Page $run.Visit
    }

    It 'comes back to <_>' -ForEach $hosts {
        $run = Invoke-SignIn @{ redirect_uri = $_ }
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output[0].code | Should -Not -BeNullOrEmpty
        Assert-Page $run.Visit
    }

    It 'is an error when the person refuses, by <_>' -ForEach 'fragment', 'form_post' {
        $run = Invoke-SignIn @{ response_mode = $_ } @{ action = 'deny' }
        $run.Output | Should -BeNullOrEmpty
        Get-ErrorId $run.Thrown | Should -BeExactly access_denied
        ($run.Thrown.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly access_denied
        $run.Visit.title | Should -BeExactly 'Sign-in failed'
        Assert-Page $run.Visit
        Test-Listening $run.RedirectUri | Should -BeFalse
    }
}

Describe 'The userinfo of who signed in' {
    It 'is <Name>' -ForEach @(
        @{ Name = 'a plain answer'; Client = 'native' }
        @{ Name = 'a signed answer, which is verified'; Client = 'native_signed_userinfo' }
    ) {
        $code = (Invoke-SignIn @{ client_id = $Client; scope = 'openid email' } @{ login = 'dora' }).Output[0]
        $token = Invoke-OAuth2TokenEndpoint $provider.http.token_endpoint @code
        $info = Get-OAuth2UserInfo -access_token $token.access_token -id_token $token.id_token -issuer $provider.http.issuer -client_id $Client
        $info.sub | Should -BeExactly dora
        $info.email | Should -BeExactly 'dora@example.com'

        $failure = Get-Failure { Get-OAuth2UserInfo -access_token $token.access_token -sub carol -issuer $provider.http.issuer -client_id $Client }
        Get-ErrorId $failure | Should -BeExactly subject_mismatch
    }
}

Describe 'The page' {
    BeforeAll {
        # An address outside of the provider that leads to where the sign-in listens, with this answer.
        function New-Detour($SignIn, [string] $Query) {
            "data:text/html,<script>location='$($SignIn.RedirectUri)?$Query'</script>"
        }
        $lie = '<img src=x onerror=alert(1)>' + 'W' * 200
    }

    It 'after a sign-in says so' {
        $run = Invoke-SignIn @{} @{ folder = $artifacts; name = 'success' }
        $run.Visit.title | Should -BeExactly 'You are signed in'
        $run.Visit.responses.status | Should -Be 200
        Assert-Page $run.Visit
        foreach ($secret in $run.Output[0].code, $run.Query.state) { $run.Visit.html | Should -Not -Match ([regex]::Escape($secret)) }
    }

    It 'after a refusal says so' {
        $run = Invoke-SignIn @{} @{ action = 'deny'; folder = $artifacts; name = 'denied' }
        $run.Visit.title | Should -BeExactly 'Sign-in failed'
        $run.Visit.text | Should -Match access_denied
        Assert-Page $run.Visit
        $run.Visit.html | Should -Not -Match ([regex]::Escape($run.Query.state))
    }

    It 'after another error shows the server''s words as text, however long they are' {
        $signIn = Start-SignIn $Module $browser @{ uri = 'http://127.0.0.1:9/auth'; client_id = 'app' }
        $query = "error=server_error&error_description=$([uri]::EscapeDataString($lie))&state=$($signIn.Query.state)"
        $visit = Invoke-Person $browser visit @{ url = New-Detour $signIn $query; action = 'look'; folder = $artifacts; name = 'error' }
        Get-ErrorId (Complete-SignIn $signIn).Thrown | Should -BeExactly server_error
        $visit.title | Should -BeExactly 'Sign-in failed'
        $visit.html | Should -Not -Match '<img'
        Assert-Page $visit
    }

    It 'after an answer of another sign-in says that it is not wanted' {
        $signIn = Start-SignIn $Module $browser @{ uri = 'http://127.0.0.1:9/auth'; client_id = 'app' }
        $visit = Invoke-Person $browser visit @{ url = New-Detour $signIn 'code=c0de&state=other'; action = 'look'; folder = $artifacts; name = 'refused' }
        $null = Send-Raw $signIn (New-Answer $signIn ([ordered]@{ code = 'right'; state = $signIn.Query.state }))
        (Complete-SignIn $signIn).Output[0].code | Should -BeExactly right
        Assert-Page $visit
    }
}
