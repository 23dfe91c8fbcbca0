# Proxies, given or from the environment. The test server is one: it answers for any host, and makes tunnels to its
# own https port only. So a request for as.example.test that gets an answer has gone through it.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # A variable of the environment, the exceptions, an address, and whether its request goes through the proxy.
    $variables = @(
        foreach ($name in 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY') {
            @{ Set = $name; Except = ''; Uri = 'http://as.example.test/echo-token'; ViaProxy = $true }
        }
        @{ Set = 'https_proxy'; Except = ''; Uri = { "$($server.http)/echo-token" }; ViaProxy = $false }
        @{ Set = 'http_proxy'; Except = ''; Uri = { "$($server.http)/echo-token" }; ViaProxy = $false }
        @{ Set = 'http_proxy'; Except = ''; Uri = { "http://localhost:$port/echo-token" }; ViaProxy = $false }
        # Windows does not connect to this name of the machine, which is not a loopback address to look at.
        if (-not $IsWindows) {
            @{ Set = 'http_proxy'; Except = ''; Uri = { "http://0.0.0.0:$port/echo-token" }; ViaProxy = $true }
            @{ Set = 'http_proxy'; Except = '0.0.0.0'; Uri = { "http://0.0.0.0:$port/echo-token" }; ViaProxy = $false }
            @{ Set = 'http_proxy'; Except = 'other.example, 0.0.0.0'; Uri = { "http://0.0.0.0:$port/echo-token" }; ViaProxy = $false }
            @{ Set = 'http_proxy'; Except = 'example.test'; Uri = { "http://0.0.0.0:$port/echo-token" }; ViaProxy = $true }
        }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $port = ([uri]$server.http).Port
    $names = 'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'
    $names += $names.ToUpperInvariant()
    $saved = @{}
    foreach ($name in $names) { $saved[$name] = [Environment]::GetEnvironmentVariable($name) }
    function Reset-Proxy {
        foreach ($name in $names) { [Environment]::SetEnvironmentVariable($name, $null) }
        $null = Invoke-Control $server Post reset @{}
    }
    # A request that only the proxy can answer, and one that it carries to the server.
    $remote = @{ uri = 'http://as.example.test/echo-token'; code = 'c0de'; AllowUnencryptedAuthentication = $true }
    $secured = @{ uri = "$($server.https)/token"; client_id = 'demo-client'; client_secret = 'demo-secret'; CertificateAuthority = $server.certificate_authority }
    $credential = [pscredential]::new('proxy user', (ConvertTo-SecureString 'proxy:canary+&' -AsPlainText))
    $authorization = 'Basic ' + [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes('proxy user:proxy:canary+&'))
}

AfterAll {
    foreach ($name in $names) { [Environment]::SetEnvironmentVariable($name, $saved[$name]) }
    Stop-Peer $server
}

Describe '-Proxy' {
    BeforeEach { Reset-Proxy }

    It 'carries http requests, also to loopback: <_>' -ForEach 'http://as.example.test/echo-token', 'http://127.0.0.1:1/echo-token' {
        (token $_ -code c0de -Proxy $server.http -AllowUnencryptedAuthentication).token_type | Should -BeExactly Bearer
        $sent = Get-SentRequest $server
        $sent.ViaProxy | Should -BeTrue
        $sent.ProxyAuthorization | Should -BeNullOrEmpty
        $sent.Headers['host'] | Should -BeExactly ([uri]$_).Authority
    }

    It 'takes an address without scheme' {
        (token @remote -Proxy "127.0.0.1:$port").token_type | Should -BeExactly Bearer
    }

    It 'makes a tunnel for https, in which nothing can be read' {
        (token @secured -Proxy $server.http).token_type | Should -BeExactly Bearer
        $connect, $request = Get-SentRequest $server
        $connect.Method, $connect.Path | Should -BeExactly 'CONNECT', ([uri]$server.https).Authority
        $connect.Body | Should -BeNullOrEmpty
        $request.Scheme, $request.ViaProxy | Should -Be 'https', $false
    }

    It 'gives -ProxyCredential to the proxy and not to the server' {
        $null = Invoke-Control $server Post proxy @{ username = 'proxy user'; password = 'proxy:canary+&' }
        (token @remote -Proxy $server.http -ProxyCredential $credential).token_type | Should -BeExactly Bearer
        (Get-SentRequest $server).ProxyAuthorization | Should -BeExactly $authorization

        (token @secured -Proxy $server.http -ProxyCredential $credential).token_type | Should -BeExactly Bearer
        $connect, $request = Get-SentRequest $server
        $connect.ProxyAuthorization | Should -BeExactly $authorization
        $request.Headers.Keys | Should -Not -Contain 'proxy-authorization'
    }

    It 'takes user name and password in the address, too' {
        $null = Invoke-Control $server Post proxy @{ username = 'user'; password = 'p:w' }
        $proxy = $server.http.Replace('//', '//user:p%3Aw@')
        (token @remote -Proxy $proxy).token_type | Should -BeExactly Bearer
    }

    It 'that asks for credentials is an error: <Name>' -ForEach @(
        @{ Name = 'none, http'; Parameters = { $remote } }
        @{ Name = 'wrong ones, http'
            Parameters = { $remote + @{ ProxyCredential = [pscredential]::new('x', (ConvertTo-SecureString canary -AsPlainText)) } } }
        @{ Name = 'none, https'; Parameters = { $secured } }
        @{ Name = 'wrong ones, https'
            Parameters = { $secured + @{ ProxyCredential = [pscredential]::new('x', (ConvertTo-SecureString canary -AsPlainText)) } } }
    ) {
        $null = Invoke-Control $server Post proxy @{ username = 'user'; password = 'right' }
        $bound = & $Parameters
        # Spelled in another way, so that no open connection of another test serves.
        $failure = Get-Failure { token @bound -Proxy "http://localhost:$port" }
        Get-ErrorId $failure | Should -BeExactly proxy_failed
        $failure.CategoryInfo.Category | Should -BeExactly ConnectionError
        $failure | Format-List * -Force | Out-String | Should -Not -Match canary
    }

    It 'wins over the environment' {
        $env:http_proxy = 'http://127.0.0.1:1'
        $env:no_proxy = '*'
        (token @remote -Proxy $server.http).token_type | Should -BeExactly Bearer
    }

    It 'is one per request: another credential is not served by an old connection' {
        $null = Invoke-Control $server Post proxy @{ username = 'proxy user'; password = 'proxy:canary+&' }
        $null = token @remote -Proxy $server.http -ProxyCredential $credential
        Get-ErrorId (Get-Failure { token @remote -Proxy $server.http }) | Should -BeExactly proxy_failed
    }
}

Describe 'The environment' {
    BeforeEach { Reset-Proxy }

    It '<Set>, no_proxy "<Except>", <Uri>: through the proxy <ViaProxy>' -ForEach $variables {
        [Environment]::SetEnvironmentVariable($Set, $server.http)
        $env:no_proxy = $Except
        $address = $Uri -is [scriptblock] ? (& $Uri) : $Uri
        (token $address -code c0de -AllowUnencryptedAuthentication).token_type | Should -BeExactly Bearer
        (Get-SentRequest $server).ViaProxy | Should -Be $ViaProxy
    }

    It '<_> makes a tunnel for https' -ForEach 'https_proxy', 'HTTPS_PROXY', 'all_proxy' {
        [Environment]::SetEnvironmentVariable($_, $server.http)
        # The proxy refuses this one.
        Get-ErrorId (Get-Failure { token https://as.example.test/token -code c0de }) | Should -BeExactly proxy_failed
        $sent = Get-SentRequest $server
        $sent.Method, $sent.Path | Should -BeExactly 'CONNECT', 'as.example.test:443'
    }

    It 'may hold the credentials, which are not shown' {
        $null = Invoke-Control $server Post proxy @{ username = 'user'; password = 'canary' }
        $env:http_proxy = $server.http.Replace('//', '//user:canary@')
        $streams = token @remote -Verbose -Debug 4>&1 5>&1 3>&1
        $streams[-1].token_type | Should -BeExactly Bearer
        $streams | Select-Object -SkipLast 1 | Out-String | Should -Not -Match canary
    }

    It 'counts as it is at the time of the request' {
        $env:http_proxy = 'http://127.0.0.1:1'
        Get-ErrorId (Get-Failure { token @remote -MaximumRetryCount 0 }) | Should -BeExactly connect_failed
        $env:http_proxy = $server.http
        (token @remote).token_type | Should -BeExactly Bearer
    }
}
