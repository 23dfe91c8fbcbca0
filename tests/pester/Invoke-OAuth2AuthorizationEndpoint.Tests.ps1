# Signing in with a browser: against oidc-provider, and against answers that the browser makes up. The browser has no
# screen; see user-agent.mjs.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/SignInHelpers.ps1
    Import-Module $Module
    $kept = Suspend-Attendance
    $provider = (Start-Provider)
    $http = $provider.http

    # Signs alice in at oidc-provider; what the browser did is in the log.
    function Invoke-SignIn([hashtable] $Parameters, [string[]] $Agent = @()) {
        authorize $http.authorization_endpoint -client_id native -Force @Parameters -BrowserCommand (Get-UserAgent (@('--log', $log) + $Agent))
    }

    # The same with an answer made up by the browser; no server is asked.
    function Invoke-MadeUp([string] $Answer, [hashtable] $Parameters = @{}, [string[]] $Agent = @()) {
        $bound = @{ uri = 'https://as.example/authorize'; client_id = 'app'; Timeout = 30 }
        foreach ($name in $Parameters.Keys) { $bound[$name] = $Parameters[$name] }
        authorize @bound -Force -BrowserCommand (Get-UserAgent (@('--log', $log, '--answer', $Answer) + $Agent))
    }

    # What the browser was told to open in the last sign-in, and what came of it. It may still be writing that down.
    function Get-Visit {
        $null = Wait-Until { try { (Get-Content $log -Raw -ErrorAction Stop | ConvertFrom-Json).request } catch { $false } }
        $visit = Get-Content $log -Raw | ConvertFrom-Json
        $visit | Add-Member Query (Get-Query $visit.request) -PassThru
    }

    function Get-KeyList([hashtable] $Table) { ($Table.Keys | Sort-Object) -join ' ' }

    function Get-FreePort {
        $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
        $listener.Start()
        $listener.LocalEndpoint.Port
        $listener.Stop()
    }
}

AfterAll {
    Stop-Peer $provider
    Restore-Attendance $kept
}

Describe 'The code flow' {
    BeforeEach { $log = Join-Path $TestDrive "$([guid]::NewGuid()).json" }

    It 'gives a hashtable that splats into the token endpoint' {
        $code = Invoke-SignIn @{ scope = 'openid offline_access'; prompt = 'consent' }
        $code | Should -BeOfType hashtable
        Get-KeyList $code | Should -BeExactly 'client_id code code_verifier nonce redirect_uri'
        $code.client_id | Should -BeExactly native
        $code.redirect_uri | Should -Match '^http://127\.0\.0\.1:\d+/?$'
        $token = Invoke-OAuth2TokenEndpoint $http.token_endpoint @code
        (ConvertFrom-JsonWebToken $token.id_token).sub | Should -BeExactly alice
        (ConvertFrom-JsonWebToken $token.id_token).nonce | Should -BeExactly $code.nonce
        $token.refresh_token | Should -Not -BeNullOrEmpty
    }

    It 'without openid has no nonce' {
        $code = Invoke-SignIn @{ scope = 'api:read' }
        Get-KeyList $code | Should -BeExactly 'client_id code code_verifier redirect_uri'
        (Get-Visit).Query.Contains('nonce') | Should -BeFalse
        (Invoke-OAuth2TokenEndpoint $http.token_endpoint @code).scope | Should -BeExactly api:read
    }

    It 'passes the issuer on, whose keys then check the ID token' {
        $code = Invoke-SignIn @{ scope = 'openid'; issuer = $http.issuer }
        $code.issuer | Should -BeExactly $http.issuer
        $token = Invoke-OAuth2TokenEndpoint $http.token_endpoint @code
        Test-JsonWebToken $token.id_token -issuer $http.issuer -audience native -nonce $code.nonce -Quiet | Should -BeTrue
    }

    It 'asks with PKCE, state and nonce of its own making, new each time' {
        $seen = foreach ($round in 1, 2) {
            $code = Invoke-MadeUp code=c0de @{ scope = 'openid mail'; redirect_uri = 'http://localhost/back'; uri = 'https://as.example/authorize?tenant=7' }
            $query = (Get-Visit).Query
            $query.tenant, $query.response_type, $query.client_id, $query.scope | Should -BeExactly '7', 'code', 'app', 'openid mail'
            $query.redirect_uri | Should -BeExactly $code.redirect_uri
            $query.nonce | Should -BeExactly $code.nonce
            $query.code_challenge_method | Should -BeExactly S256
            $query.code_challenge | Should -BeExactly (ConvertTo-Base64Url ([System.Security.Cryptography.SHA256]::HashData([System.Text.Encoding]::ASCII.GetBytes($code.code_verifier))))
            $query.state.Length | Should -BeGreaterThan 15
            Remove-Item $log
            $query.state, $query.nonce, $query.code_challenge
        }
        ($seen | Select-Object -Unique).Count | Should -Be 6
    }

    It 'leaves PKCE out with -usePkce:$false' {
        Get-KeyList (Invoke-MadeUp code=c0de @{ usePkce = $false }) | Should -BeExactly 'client_id code redirect_uri'
        (Get-Visit).Query.Keys | Where-Object { $_ -like 'code_challenge*' } | Should -BeNullOrEmpty
    }

    It 'returns of the answer only what the token endpoint takes' {
        $code = Invoke-MadeUp 'code=c0de&session_state=abc&scope=email&authuser=0&hd=example.com'
        Get-KeyList $code | Should -BeExactly 'client_id code code_verifier redirect_uri'
        $code.code | Should -BeExactly c0de
    }

    It 'decodes the answer as a form' {
        (Invoke-MadeUp 'code=a%2Bb%2F%3D%20c+d%26').code | Should -BeExactly 'a+b/= c d&'
    }

    It 'gives the browser a page that worked, without the answer in it' {
        $code = Invoke-MadeUp code=c0deThatIsNotShown
        $visit = Get-Visit
        $visit.status | Should -Be 200
        $visit.page | Should -Match '<html'
        $visit.page | Should -Not -Match 'c0deThatIsNotShown'
        $code.code | Should -BeExactly c0deThatIsNotShown
    }

    It 'uses the alias <_>' -ForEach 'authorize', 'Invoke-AuthorizationEndpoint' {
        (& $_ https://as.example/authorize -client_id app -Force -Timeout 30 -BrowserCommand (Get-UserAgent '--answer', 'code=c0de')).code | Should -BeExactly c0de
    }
}

Describe 'The redirect URI' {
    BeforeEach { $log = Join-Path $TestDrive "$([guid]::NewGuid()).json" }

    It '<Given> is listened on, and returned as <Pattern>' -ForEach @(
        @{ Given = 'http://localhost:{0}/'; Pattern = '^http://localhost:{0}/$' }
        @{ Given = 'http://127.0.0.1:{0}/callback'; Pattern = '^http://127\.0\.0\.1:{0}/callback$' }
        @{ Given = 'http://[::1]:{0}/'; Pattern = '^http://\[::1\]:{0}/$' }
        @{ Given = 'http://127.0.0.1:{0}/a%20b/'; Pattern = '^http://127\.0\.0\.1:{0}/a%20b/$' }
        @{ Given = 'http://localhost'; Pattern = '^http://localhost:\d+/?$' }
        @{ Given = 'http://localhost/callback'; Pattern = '^http://localhost:\d+/callback$' }
    ) {
        $port = Get-FreePort
        $code = Invoke-MadeUp code=c0de @{ redirect_uri = $Given -f $port }
        $code.code | Should -BeExactly c0de
        $code.redirect_uri | Should -MatchExactly ($Pattern -f $port)
    }

    It 'whose port is taken is an error at once' {
        $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
        $listener.Start()
        try {
            $failure = Get-Failure { Invoke-MadeUp code=c0de @{ redirect_uri = "http://127.0.0.1:$($listener.LocalEndpoint.Port)/" } }
            Get-ErrorId $failure | Should -BeExactly port_in_use
            $failure.CategoryInfo.Category | Should -Be ResourceUnavailable
        } finally {
            $listener.Stop()
        }
    }

    It 'is free again afterwards' {
        $redirect_uri = "http://127.0.0.1:$(Get-FreePort)/"
        foreach ($round in 1..3) { (Invoke-MadeUp "code=c0de$round" @{ redirect_uri = $redirect_uri }).code | Should -BeExactly "c0de$round" }
    }

    It 'that is none is refused: <_>' -ForEach 'nowhere', 'http://127.0.0.1:99999/', 'http://127.0.0.1/#fragment' {
        Get-ErrorId (Get-Failure { Invoke-MadeUp code=c0de @{ redirect_uri = $_ } }) | Should -BeExactly invalid_argument
    }
}

Describe 'The response type' {
    BeforeEach { $log = Join-Path $TestDrive "$([guid]::NewGuid()).json" }

    It '<Type> is answered with <Keys>' -ForEach @(
        @{ Type = 'id_token'; Keys = 'id_token nonce' }
        @{ Type = 'id_token token'; Keys = 'access_token expires_in expiry_datetime id_token nonce scope token_type' }
        @{ Type = 'code id_token'; Keys = 'client_id code code_verifier id_token nonce redirect_uri' }
        @{ Type = 'token code'; Keys = 'access_token client_id code code_verifier expires_in expiry_datetime nonce redirect_uri scope token_type' }
        @{ Type = 'code id_token token'; Keys = 'access_token client_id code code_verifier expires_in expiry_datetime id_token nonce redirect_uri scope token_type' }
    ) {
        foreach ($mode in 'fragment', 'form_post') {
            $reply = Invoke-SignIn @{ response_type = $Type; response_mode = $mode; scope = 'openid profile'; redirect_uri = 'http://127.0.0.1/callback/'; issuer = $http.issuer; WarningAction = 'SilentlyContinue' }
            # oidc-provider tells its session state, and the issuer was given.
            Get-KeyList $reply | ForEach-Object { $_ -replace ' (session_state|issuer)\b' } | Should -BeExactly $Keys
            if ($reply.Contains('id_token')) { (ConvertFrom-JsonWebToken $reply.id_token).nonce | Should -BeExactly $reply.nonce }
            if ($reply.Contains('expires_in')) {
                $reply.expires_in | Should -BeOfType int
                $reply.expiry_datetime | Should -BeOfType datetime
                $reply.expiry_datetime.Kind | Should -Be Local
                ($reply.expiry_datetime - (Get-Date)).TotalSeconds | Should -BeGreaterThan ($reply.expires_in - 60)
            }
            if ($reply.Contains('code')) {
                foreach ($name in 'id_token', 'access_token', 'token_type', 'expires_in', 'expiry_datetime', 'scope', 'session_state') { $reply.Remove($name) }
                (Invoke-OAuth2TokenEndpoint $http.token_endpoint @reply).access_token | Should -Not -BeNullOrEmpty
            }
        }
    }

    It 'token alone is no sign-in of OpenID Connect, and all of the answer is returned' {
        $reply = Invoke-MadeUp 'access_token=t0ken&token_type=Bearer&expires_in=3600&scope=a+b&session_state=x' @{ response_type = 'token'; scope = 'a b'; WarningAction = 'SilentlyContinue' }
        Get-KeyList $reply | Should -BeExactly 'access_token expires_in expiry_datetime scope session_state token_type'
        $reply.scope | Should -BeExactly 'a b'
        (Get-Visit).Query.Contains('nonce') | Should -BeFalse
        (Get-Visit).Query.Contains('code_challenge') | Should -BeFalse
    }

    It 'code with a form has all of the answer, as scripts that remove session_state expect' {
        $reply = Invoke-MadeUp 'code=c0de&session_state=x' @{ response_mode = 'form_post' }
        Get-KeyList $reply | Should -BeExactly 'client_id code code_verifier redirect_uri session_state'
        (Get-Visit).Query.response_mode | Should -BeExactly form_post
    }

    It 'that brings tokens into the browser causes a warning, and so does openid when it is added' {
        $reply = Invoke-SignIn @{ response_type = 'code id_token'; scope = 'profile'; WarningAction = 'SilentlyContinue' }
        $reply.id_token | Should -Not -BeNullOrEmpty
        (Get-Visit).Query.scope | Should -BeExactly 'profile openid'
        $run = Invoke-Pipeline $Module 'param($agent) authorize https://as.example/authorize -client_id app -response_type token -Force -BrowserCommand $agent' (Get-UserAgent '--answer', 'access_token=t&token_type=Bearer')
        $run.Streams.Warning -join ' ' | Should -Match 'RFC 9700'
        $run = Invoke-Pipeline $Module 'param($agent) authorize https://as.example/authorize -client_id app -response_type "code id_token" -scope mail -Force -Timeout 20 -BrowserCommand $agent' (Get-UserAgent '--answer', 'error=access_denied')
        $run.Streams.Warning -join ' ' | Should -Match "'openid' was added"
    }

    It 'that is none is refused: <_>' -ForEach 'none', 'cod', 'code code', 'code,token' {
        $failure = Get-Failure { Invoke-MadeUp code=c0de @{ response_type = $_ } }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
        $log | Should -Not -Exist
    }
}

Describe 'The parameters' {
    BeforeEach { $log = Join-Path $TestDrive "$([guid]::NewGuid()).json" }

    It 'of the caller replace state, nonce and challenge, and the verifier is not sent' {
        $pkce = New-Pkce
        $code = Invoke-MadeUp code=c0de @{
            scope = 'openid'
            customParameters = @{ state = 'my state'; nonce = 'my nonce'; code_challenge = $pkce.Challenge; code_challenge_method = 'S256'; code_verifier = $pkce.Verifier; acr_values = 'mfa'; max_age = 60 }
        }
        $query = (Get-Visit).Query
        $query.state, $query.nonce, $query.code_challenge, $query.acr_values, $query.max_age | Should -BeExactly 'my state', 'my nonce', $pkce.Challenge, 'mfa', '60'
        $query.Contains('code_verifier') | Should -BeFalse
        $code.code_verifier, $code.nonce | Should -BeExactly $pkce.Verifier, 'my nonce'
        $code.Contains('state') | Should -BeFalse
    }

    It 'with a challenge alone give a warning, and no verifier' {
        $run = Invoke-Pipeline $Module 'param($agent, $challenge) authorize https://as.example/authorize -client_id app -customParameters @{ code_challenge = $challenge } -Force -BrowserCommand $agent' (Get-UserAgent '--log', $log, '--answer', 'code=c0de'), (New-Pkce).Challenge
        $run.Streams.Warning -join ' ' | Should -Match code_challenge_method
        Get-KeyList $run.Output[0] | Should -BeExactly 'client_id code redirect_uri'
        (Get-Visit).Query.code_challenge_method | Should -BeExactly S256
    }

    It '-login_hint and -prompt are sent' {
        $null = Invoke-MadeUp code=c0de @{ login_hint = 'alice@contoso.example'; prompt = 'login consent' }
        $query = (Get-Visit).Query
        $query.login_hint, $query.prompt | Should -BeExactly 'alice@contoso.example', 'login consent'
    }

    It 'that would be sent twice are refused' {
        Get-ErrorId (Get-Failure { Invoke-MadeUp code=c0de @{ prompt = 'login'; customParameters = @{ prompt = 'none' } } }) | Should -BeExactly invalid_argument
        Get-ErrorId (Get-Failure { Invoke-MadeUp code=c0de @{ customParameters = @{ client_id = 'other' } } }) | Should -BeExactly invalid_argument
        $log | Should -Not -Exist
    }

    It 'leave the hashtable of the caller as it is' {
        $custom = @{ acr_values = 'mfa'; state = 's' }
        $null = Invoke-MadeUp code=c0de @{ customParameters = $custom }
        Get-KeyList $custom | Should -BeExactly 'acr_values state'
    }

    It '-userAgent warns that it has no effect' {
        $run = Invoke-Pipeline $Module 'param($agent) authorize https://as.example/authorize -client_id app -userAgent "My Agent/1.0" -Force -BrowserCommand $agent' (Get-UserAgent '--answer', 'code=c0de')
        $run.Streams.Warning -join ' ' | Should -Match '-userAgent has no effect'
        $run.Output[0].code | Should -BeExactly c0de
    }

    It '<Line> completes to <Completed>' -ForEach @(
        @{ Line = 'authorize x -prompt se'; Completed = 'select_account' }
        @{ Line = 'authorize x -response_type code'; Completed = "code 'code id_token' 'code token' 'code id_token token'" }
        @{ Line = 'authorize x -response_mode fo'; Completed = 'form_post' }
    ) {
        ([System.Management.Automation.CommandCompletion]::CompleteInput($Line, $Line.Length, $null).CompletionMatches.CompletionText) -join ' ' | Should -BeExactly $Completed
    }

    It 'may be abbreviated as far as the original allowed' {
        (authorize -ur https://as.example/authorize -cl app -s mail -red http://127.0.0.1/ -response_t code -useP $true -cu @{ a = 'b' } -Force -BrowserCommand (Get-UserAgent '--answer', 'code=c0de')).code | Should -BeExactly c0de
    }
}

Describe 'A sign-in that fails' {
    BeforeEach { $log = Join-Path $TestDrive "$([guid]::NewGuid()).json" }

    It 'because the user says no is the error of the server, for programs too' {
        $failure = Get-Failure { Invoke-SignIn @{ scope = 'openid' } '--deny' }
        Get-ErrorId $failure | Should -BeExactly access_denied
        $failure.CategoryInfo.Category | Should -Be PermissionDenied
        ($failure.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly access_denied
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        (Get-Visit).page | Should -Match access_denied
    }

    It 'with an error and its description shows both' {
        $failure = Get-Failure { Invoke-MadeUp 'error=invalid_scope&error_description=No+such+scope&error_uri=https%3A%2F%2Fas.example%2Fhelp' }
        $json = $failure.ErrorDetails.Message | ConvertFrom-Json
        $json.error, $json.error_description, $json.error_uri | Should -BeExactly 'invalid_scope', 'No such scope', 'https://as.example/help'
        "$($failure.Exception.Message)" | Should -Match 'No such scope'
    }

    It 'with -ErrorAction SilentlyContinue gives nothing, not even with a wrong state' {
        Invoke-MadeUp 'error=access_denied' @{ ErrorAction = 'SilentlyContinue' } | Should -BeNullOrEmpty
        Invoke-MadeUp 'code=c0de' @{ ErrorAction = 'SilentlyContinue'; Timeout = 2 } '--state', 'other' | Should -BeNullOrEmpty
    }

    It 'with a wrong state is refused: <Name>' -ForEach @(
        @{ Name = 'another one'; State = 'other' }
        @{ Name = 'in other letter case'; State = 'MY STATE' }
        @{ Name = 'none'; State = '' }
    ) {
        $run = Invoke-Pipeline $Module 'param($agent) authorize https://as.example/authorize -client_id app -customParameters @{ state = "my state" } -Timeout 3 -Force -BrowserCommand $agent' (Get-UserAgent '--log', $log, '--answer', 'code=c0de', '--state', $State)
        Get-ErrorId $run.Thrown | Should -BeExactly state_mismatch
        $run.Thrown.CategoryInfo.Category | Should -Be SecurityError
        $run.Streams.Warning -join ' ' | Should -Match 'refused'
        (Get-Visit).status | Should -BeGreaterOrEqual 400
    }

    It 'without an answer ends with -Timeout' {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $failure = Get-Failure { authorize https://as.example/authorize -client_id app -Timeout 1.5 -Force -BrowserCommand 'node -e 0' -InformationAction Ignore }
        Get-ErrorId $failure | Should -BeExactly timeout
        $failure.CategoryInfo.Category | Should -Be OperationTimeout
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        $watch.Elapsed.TotalSeconds | Should -BeGreaterThan 1.4
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 20
    }

    It 'because the nonce of the ID token is another one gives no token' {
        $rsa = [System.Security.Cryptography.RSA]::Create(2048)
        $jwt = New-Jwt @{ iss = 'https://as.example'; aud = 'app'; sub = 'alice'; nonce = 'other'; exp = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() + 60; iat = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() } $rsa
        $failure = Get-Failure { Invoke-MadeUp "id_token=$jwt" @{ response_type = 'id_token'; scope = 'openid'; WarningAction = 'SilentlyContinue' } }
        Get-ErrorId $failure | Should -BeExactly nonce_mismatch
        $failure.CategoryInfo.Category | Should -Be SecurityError
    }

    It 'because the answer is of another issuer (RFC 9207) gives no code' {
        $failure = Get-Failure { Invoke-MadeUp "code=c0de&iss=https%3A%2F%2Fevil.example" @{ issuer = $http.issuer; uri = $http.authorization_endpoint } }
        Get-ErrorId $failure | Should -BeExactly issuer_mismatch
    }

    It 'because the answer holds no code says so' {
        Get-ErrorId (Get-Failure { Invoke-MadeUp 'session_state=abc' @{ Timeout = 3 } }) | Should -BeIn missing_code, malformed_answer, timeout
    }

    It 'before anything is shown: <Name>' -ForEach @(
        @{ Name = 'no URL'; Uri = 'nowhere'; ErrorId = 'invalid_endpoint' }
        @{ Name = 'http'; Uri = 'http://as.example/authorize'; ErrorId = 'insecure_endpoint' }
    ) {
        Get-ErrorId (Get-Failure { authorize $Uri -client_id app -Force -BrowserCommand (Get-UserAgent '--log', $log, '--answer', 'code=c0de') }) | Should -BeExactly $ErrorId
        $log | Should -Not -Exist
    }
}

Describe 'The browser' {
    BeforeEach { $log = Join-Path $TestDrive "$([guid]::NewGuid()).json" }

    It 'is that of $env:BROWSER without -BrowserCommand' {
        $env:BROWSER = Get-UserAgent '--log', $log, '--answer', 'code=c0de'
        try {
            (authorize https://as.example/authorize -client_id app -Force -Timeout 30).code | Should -BeExactly c0de
        } finally {
            $env:BROWSER = $null
        }
    }

    It 'gets the address in the place of %s' {
        $command = "$(Get-UserAgent '--log', $log, '--answer', 'code=c0de') %s"
        (authorize https://as.example/authorize -client_id app -Force -Timeout 30 -BrowserCommand $command).code | Should -BeExactly c0de
    }

    It 'that cannot be started leaves the address on the screen, and the answer still counts' {
        $person = [TokenKit.Tests.PersonHost]::new()
        $pipeline = New-AttendedPipeline $Module $person 'authorize https://as.example/authorize -client_id app -scope openid -Timeout 60 -BrowserCommand no-such-browser'
        try {
            $running = $pipeline.BeginInvoke()
            $address = Get-ShownAddress $person
            $query = Get-Query $address
            $person.Screen | Should -Match 'No browser was started'
            $null = Invoke-WebRequest "$($query.redirect_uri)?code=c0de&state=$([uri]::EscapeDataString($query.state))" -NoProxy
            $code = $pipeline.EndInvoke($running)[0]
            $code.code | Should -BeExactly c0de
            $code.nonce | Should -BeExactly $query.nonce
        } finally {
            Remove-AttendedPipeline $pipeline
        }
    }

    It 'is waited for with a progress bar that shows the time left' {
        $person = [TokenKit.Tests.PersonHost]::new()
        $pipeline = New-AttendedPipeline $Module $person 'authorize https://as.example/authorize -client_id app -Timeout 60 -BrowserCommand no-such-browser'
        try {
            $null = $pipeline.BeginInvoke()
            Wait-Until { @(Get-ShownSecond $person).Count -ge 2 } | Should -BeTrue
            $left = Get-ShownSecond $person
            $left[0] | Should -BeLessOrEqual 60
            $left[0] | Should -BeGreaterThan 40
            $left[-1] | Should -BeLessThan $left[0]
            "$(@($person.Progress)[0])" | Should -Match 'sign-in'
        } finally {
            Remove-AttendedPipeline $pipeline
        }
    }
}

Describe 'Ctrl+C' {
    It 'ends the waiting at once and lets go of the port' {
        $port = Get-FreePort
        $log = Join-Path $TestDrive warm.json
        $null = Invoke-MadeUp code=warm
        $person = [TokenKit.Tests.PersonHost]::new()
        $pipeline = New-AttendedPipeline $Module $person 'param($uri) authorize https://as.example/authorize -client_id app -redirect_uri $uri -BrowserCommand no-such-browser; "after"' "http://127.0.0.1:$port/"
        try {
            $null = $pipeline.BeginInvoke()
            Get-ShownAddress $person | Should -Not -BeNullOrEmpty
            Start-Sleep -Milliseconds 1600
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $pipeline.Stop()
            Write-Host ('    stopped within {0:n1} ms' -f $watch.Elapsed.TotalMilliseconds)
            # 250 ms on an idle machine; this one may be busy.
            $watch.Elapsed.TotalMilliseconds | Should -BeLessThan 2000
            $pipeline.InvocationStateInfo.State | Should -BeExactly Stopped
            Wait-Until { try { $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, $port); $listener.Start(); $listener.Stop(); $true } catch { $false } } 2000 | Should -BeTrue
        } finally {
            Remove-AttendedPipeline $pipeline
        }
    }
}

Describe 'Pasting the answer' {
    BeforeAll {
        # Runs the cmdlet before a person who pastes what the script block makes of the address on the screen.
        function Invoke-Pasted([hashtable] $Parameters, [scriptblock[]] $Answer) {
            $person = [TokenKit.Tests.PersonHost]::new()
            $pipeline = New-AttendedPipeline $Module $person 'param($parameters) authorize @parameters -Verbose -Debug -WarningAction Continue' (@{ uri = 'https://as.example/authorize'; client_id = 'app' } + $Parameters)
            try {
                $running = $pipeline.BeginInvoke()
                $address = Get-ShownAddress $person
                $query = Get-Query $address
                foreach ($make in $Answer) { $person.Say((& $make $query $address)) }
                $thrown = $null
                $output = try { $pipeline.EndInvoke($running) } catch { $thrown = $_.Exception.InnerException.ErrorRecord }
                [pscustomobject]@{ Output = @($output); Thrown = $thrown; Screen = $person.Screen; Query = $query; Streams = $pipeline.Streams }
            } finally {
                Remove-AttendedPipeline $pipeline
            }
        }
        $right = { param($query) "  $($query['redirect_uri'] ?? 'https://localhost/')?code=c0deOfThePaste&state=$([uri]::EscapeDataString($query.state))&session_state=x " }
    }

    It 'works for a redirect URI that nothing can listen on: <_>' -ForEach 'https://localhost/', 'https://login.microsoftonline.com/common/oauth2/nativeclient', 'com.example.app:/callback' {
        $redirect_uri = $_
        $answer = { param($query) "$($redirect_uri)?code=c0de&state=$([uri]::EscapeDataString($query.state))" }
        $run = Invoke-Pasted @{ redirect_uri = $redirect_uri; BrowserCommand = 'no-such-browser' } $answer
        $run.Thrown | Should -Be $null
        $run.Output[0].code | Should -BeExactly c0de
        $run.Output[0].redirect_uri | Should -BeExactly $redirect_uri
        $run.Query.redirect_uri | Should -BeExactly $redirect_uri
    }

    It 'works with -NoBrowser for <Name>' -ForEach @(
        @{ Name = 'a loopback redirect URI'; Parameters = @{ redirect_uri = 'http://127.0.0.1/' } }
        @{ Name = 'the redirect URI that the server has'; Parameters = @{} }
    ) {
        $run = Invoke-Pasted ($Parameters + @{ NoBrowser = $true; scope = 'openid' }) $right
        $run.Output[0].code | Should -BeExactly c0deOfThePaste
        $run.Output[0].nonce | Should -BeExactly $run.Query.nonce
        $run.Output[0]['redirect_uri'] | Should -BeExactly $Parameters['redirect_uri']
    }

    It 'works for tokens in the fragment' {
        $answer = { param($query) "https://localhost/#access_token=t0ken&token_type=Bearer&expires_in=60&state=$([uri]::EscapeDataString($query.state))" }
        $run = Invoke-Pasted @{ redirect_uri = 'https://localhost/'; NoBrowser = $true; response_type = 'token' } $answer
        $run.Output[0].access_token | Should -BeExactly t0ken
    }

    It 'asks again when something else was pasted' {
        $run = Invoke-Pasted @{ NoBrowser = $true } { 'what?' }, { 'https://localhost/?code=x&state=other' }, $right
        $run.Output[0].code | Should -BeExactly c0deOfThePaste
        @($run.Streams.Warning).Count | Should -Be 2
    }

    It 'gives up after the third time' {
        $run = Invoke-Pasted @{ NoBrowser = $true } { 'a' }, { '' }, { 'c' }
        $run.Thrown | Should -Not -Be $null
        $run.Output | Should -BeNullOrEmpty
    }

    It 'ends at once with the error of the server' {
        $run = Invoke-Pasted @{ NoBrowser = $true } { param($query) "https://localhost/?error=access_denied&state=$([uri]::EscapeDataString($query.state))" }
        Get-ErrorId $run.Thrown | Should -BeExactly access_denied
    }

    It 'shows nothing of it in any stream' {
        $run = Invoke-Pasted @{ NoBrowser = $true } { 'https://localhost/?code=c0deOfThePaste&state=other' }, $right
        $run.Output[0].code | Should -BeExactly c0deOfThePaste
        $run.Screen | Should -Not -Match c0deOfThePaste
        $run.Screen | Should -Not -Match ([regex]::Escape($run.Output[0].code_verifier))
        $all = foreach ($name in 'Error', 'Warning', 'Verbose', 'Debug', 'Information') { $run.Streams.$name | ForEach-Object { "$_"; $_ | Format-List * -Force | Out-String } }
        $all -join ' ' | Should -Not -Match c0deOfThePaste
    }

    It 'is not in a transcript' {
        $person = [TokenKit.Tests.PersonHost]::new()
        $transcript = Join-Path $TestDrive transcript.txt
        $pipeline = New-AttendedPipeline $Module $person 'param($file) $null = Start-Transcript $file; try { $null = authorize https://as.example/authorize -client_id app -NoBrowser } finally { $null = Stop-Transcript }' $transcript
        try {
            $running = $pipeline.BeginInvoke()
            $person.Say((& $right (Get-Query (Get-ShownAddress $person))))
            $null = $pipeline.EndInvoke($running)
            $text = Get-Content $transcript -Raw
            $text | Should -Match 'paste it here'
            $text | Should -Not -Match c0deOfThePaste
        } finally {
            Remove-AttendedPipeline $pipeline
        }
    }
}

Describe 'Where nobody can sign in' {
    It 'it fails at once and names the other ways: <Name>' -ForEach @(
        @{ Name = 'a host that cannot ask'; Run = { (Invoke-Pipeline $Module 'authorize https://as.example/authorize -client_id app').Thrown } }
        @{ Name = '-NonInteractive'
            Run = { Invoke-Pwsh 'param($module) Import-Module $module; try { authorize https://as.example/authorize -client_id app } catch { "$($_.FullyQualifiedErrorId)|$_" }' $Module } }
        @{ Name = 'a build server'
            Run = {
                $env:GITHUB_ACTIONS = 'true'
                try {
                    $person = [TokenKit.Tests.PersonHost]::new()
                    $pipeline = New-AttendedPipeline $Module $person 'try { authorize https://as.example/authorize -client_id app } catch { $_ }'
                    $pipeline.Invoke()[0].Exception.Message | Should -Match 'GITHUB_ACTIONS'
                    $pipeline.Commands.Clear()
                    $pipeline.AddScript('try { authorize https://as.example/authorize -client_id app } catch { $_ }').Invoke()[0]
                    Remove-AttendedPipeline $pipeline
                } finally { $env:GITHUB_ACTIONS = $null }
            } }
        @{ Name = 'a thread job'; Run = { Start-ThreadJob { param($module) Import-Module $module; try { authorize https://as.example/authorize -client_id app } catch { $_ } } -ArgumentList $Module | Receive-Job -Wait -AutoRemoveJob } }
    ) {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $failure = & $Run
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 60
        if ($failure -is [System.Management.Automation.ErrorRecord]) {
            Get-ErrorId $failure | Should -BeExactly interactive_session_required
            $failure.ErrorDetails.RecommendedAction | Should -Match '-Force'
            $message = $failure.Exception.Message
        } else {
            $failure.Output | Should -MatchExactly '^interactive_session_required,'
            $message = $failure.Output
        }
        foreach ($way in 'client secret', 'client_certificate', '-ClientAssertion', 'refresh token', 'Invoke-OAuth2DeviceAuthorizationEndpoint') { $message | Should -Match $way }
    }

    It '-Force goes on' {
        $run = Invoke-Pipeline $Module 'param($agent) authorize https://as.example/authorize -client_id app -Force -BrowserCommand $agent' (Get-UserAgent '--answer', 'code=c0de')
        $run.Output[0].code | Should -BeExactly c0de
    }

    It '-Force with -NoBrowser is an error where nothing can be read' {
        $run = Invoke-Pipeline $Module 'authorize https://as.example/authorize -client_id app -Force -NoBrowser'
        Get-ErrorId $run.Thrown | Should -BeExactly interactive_session_required
    }
}

Describe 'What is shown' {
    BeforeEach { $log = Join-Path $TestDrive "$([guid]::NewGuid()).json" }

    It 'is no code, state, nonce, verifier or token, in no stream: <Name>' -ForEach @(
        @{ Name = 'a code'; Parameters = @{ scope = 'openid' } }
        @{ Name = 'tokens as form'; Parameters = @{ scope = 'openid'; response_type = 'code id_token token'; response_mode = 'form_post'; redirect_uri = 'http://127.0.0.1/callback/' } }
        @{ Name = 'tokens in the fragment'; Parameters = @{ scope = 'openid'; response_type = 'id_token token'; redirect_uri = 'http://127.0.0.1/callback/' } }
    ) {
        $bound = $Parameters + @{ uri = $http.authorization_endpoint; client_id = 'native'; issuer = $http.issuer; Timeout = 30; BrowserCommand = Get-UserAgent '--log', $log; login_hint = 'hint-of-the-user' }
        $run = Invoke-Pipeline $Module 'param($bound) authorize @bound -Force -Verbose -Debug -WarningAction Continue' $bound
        $run.Thrown | Should -Be $null
        $reply = $run.Output[0]
        $query = (Get-Visit).Query
        $secrets = @('code', 'code_verifier', 'nonce', 'access_token', 'id_token').ForEach{ $reply[$_] } + $query.state + $query['code_challenge'] + 'hint-of-the-user' | Where-Object { $_ }
        $secrets.Count | Should -BeGreaterThan 3
        $text = foreach ($name in 'Verbose', 'Debug', 'Warning', 'Information', 'Progress') { $run.Streams[$name] | ForEach-Object { "$_"; $_ | Format-List * -Force | Out-String } }
        $text = $text -join "`n"
        $text | Should -Match ([regex]::Escape($http.authorization_endpoint))
        foreach ($secret in $secrets) { $text.Contains($secret) | Should -BeFalse }
    }
}
