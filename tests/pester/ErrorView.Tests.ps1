# What a person reads when something fails: a sentence, and the next step.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # One for each kind of failure; the first sentence, and what is to be done.
    $cases = @(
        @{ Line = 'token $u/token -client_id demo-client -client_secret wrong-secret'; Says = 'http\S+/token answered invalid_client: .*\(HTTP 401\)\.'; Advises = 'Check the client id' }
        @{ Line = 'token $u/token -client_id demo-client -client_secret demo-secret -refresh_token wrong'; Says = 'http\S+/token answered invalid_grant: .*\(HTTP 400\)\.'; Advises = 'Get a new one' }
        @{ Line = 'token $u/lines -client_id a -code b'; Says = 'http\S+/lines answered invalid_grant: AADSTS70000: it is over\. Trace ID: 1 Timestamp: 2 \(HTTP 400\)\.'; Advises = 'Get a new one' }
        @{ Line = 'token $u/html -client_id a -code b'; Says = 'http\S+/html answered HTTP 200: .*\.'; Advises = 'not of a web page' }
        @{ Line = 'token $u/down -client_id a -code b'; Says = 'http\S+/down answered HTTP 503: .*\.'; Advises = 'Check the endpoint address' }
        @{ Line = 'token $u/away -client_id a -code b'; Says = 'http\S+/away answered HTTP 302: .*\.'; Advises = 'final address' }
        @{ Line = 'token http://127.0.0.1:1/x -client_id a -code b -MaximumRetryCount 0'; Says = 'http://127\.0\.0\.1:1/x: no connection: .*\.'; Advises = '\(-Proxy\)' }
        @{ Line = 'token https://no-such-host.invalid/x -client_id a -code b -MaximumRetryCount 0'; Says = 'https://no-such-host\.invalid/x: the host name was not resolved: .*\.'; Advises = 'Check the host name' }
        @{ Line = 'token $u/slow?ms=3000 -client_id a -code b -Timeout 1'; Says = 'http\S+/slow: no complete answer within 1 s\.'; Advises = '-Timeout' }
        @{ Line = 'token http://server.example/x -client_id a -code b'; Says = '\S.*http.*\.'; Advises = '-AllowUnencryptedAuthentication' }
        @{ Line = 'token $u/token -client_id a'; Says = 'There is nothing to exchange for a token .*\.' }
        @{ Line = 'token $u/token -client_id a -client_secret 5'; Says = '-client_secret: a secret is a string, .*\.' }
        @{ Line = 'token $u/token -client_id a -client_certificate ./no-such-file.pem'; Says = '.*no-such-file\.pem.*\.'; Advises = 'Name a certificate or key file' }
        @{ Line = 'ConvertFrom-JsonWebToken eyJhbGciOiJIUzI1NiJ9.e30x.c2ln'; Says = '\S.*\.'; Advises = 'Give a whole JWT' }
        @{ Line = 'Get-OidcDiscoveryMetadata $u/nothing'; Says = 'http\S+ answered HTTP 404: .*\.'; Advises = '\S'; Quotes = $true }
        @{ Line = 'authorize $u/authorize -client_id a'; Says = 'The authorization endpoint needs a person who signs in, .*\.'; Advises = '-Force' }
        @{ Line = 'New-VcToken'; Says = 'There is no session: make one with New-VenafiSession, .*\.' }
        @{ Line = 'Get-DelegateAccessToken (New-ApiCredential a b)'; Says = '\S.*BaseUrl.*\.'; Advises = 'Set-GovernanceConfiguration -BaseUrl' }
        @{ Line = 'Get-D365LcsApiConfig -AsHeaders'; Says = 'No bearer token is configured\. .*\.' }
        @{ Line = 'Get-D365LcsApiToken -Username a -Password b'; Says = '\S.*\.'; Advises = 'Set-D365LcsApiConfig' }
        @{ Line = 'Get-D365LcsApiToken -ClientId c -Username a -Password b -LcsApiUri https://lcsapi.lcs.dynamics.com -Authority $u/down -EnableException'; Says = 'http\S+ answered .*\.'; Advises = '\S' }
        @{ Line = 'Import-D365LcsApiConfig ./no-such-file.json'; Says = '.*no-such-file\.json.*\.'; Advises = '\S' }
        @{ Line = '@{ client_id = "a" } | token $u/token'; Says = 'There is nothing to exchange for a token .*\.' }
        @{ Line = '@{ client_id = "a"; client_secret = "b" } | token $u/token'; Says = 'http\S+/token answered invalid_client: .*\.'; Advises = 'Check the client id' }
        @{ Line = '5 | token $u/token'; Says = 'The piped object has no property that is a parameter of this command\.' }
        @{ Line = 'New-OAuth2KeyPair ES256 -KeySize 4096'; Says = '-KeySize is for RSA keys; .*\.' }
        @{ Line = 'Move-TokenKitStore key'; Says = '-Backend key needs the new key: .*\.' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $null = Set-Reply $server /html @{ status = 200; headers = @(, @('Content-Type', 'text/html')); body = '<html>' }
    $null = Set-Reply $server /lines (New-JsonReply 400 @{ error = 'invalid_grant'; error_description = "AADSTS70000: it is over.`r`nTrace ID: 1`r`nTimestamp: 2" })
    $null = Set-Reply $server /down @{ status = 503; headers = @(); body = '' }
    $null = Set-Reply $server /away @{ status = 302; headers = @(, @('Location', 'https://else.example/')); body = '' }

    # Each line as if typed at a prompt, and what PowerShell writes to the error stream. Of one process, in their order.
    function Invoke-Line([string[]] $Line, [string] $First = '') {
        $script = "`$u = '$($server.http)'; Import-Module '$Module'; $First"
        $mark = 'next-line-' + [guid]::NewGuid().ToString('N')
        $text = @($script) + $Line.ForEach{ $_; "[Console]::Error.WriteLine('$mark')" }
        $env:NO_COLOR = '1'
        try {
            $shown = $text -join "`n" | & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -Command - 2>&1 | ForEach-Object { "$_" }
        } finally {
            $env:NO_COLOR = $null
        }
        ($shown -join "`n") -split $mark | ForEach-Object Trim
    }
}

AfterAll { Stop-Peer $server }

Describe 'At the prompt' -ForEach @{ Cases = $cases } {
    BeforeAll { $shown = Invoke-Line $Cases.Line }

    It '<Line>' -ForEach $cases {
        $text = $shown[$Cases.Line.IndexOf($Line)]
        # One sentence, however the lines are broken.
        $plain = $text -replace '\s*\n\s*', ' '
        $plain | Should -Match "^(WARNING|[A-Z]\w+-\w+): $Says"
        # Some sentences say themselves what to do.
        if ($_.Contains('Advises')) { $plain | Should -Match $Advises }
        $plain | Should -Not -Match 'Correct the value'
        $plain | Should -Match '\.$'
        $text | Should -Not -Match '\.\.\s|\.\. |Line \||\+ Category|Exception calling|System\.|TokenKit\.|wrong-secret'
        # What is no OAuth error is quoted.
        if (-not $_.Contains('Quotes')) { $text | Should -Not -Match '\{"' }
    }
}

Describe 'Elsewhere' {
    BeforeAll { $line = 'token $u/token -client_id demo-client -client_secret wrong-secret' }

    It 'a script says where, without its line' {
        $file = Join-Path $TestDrive failing.ps1
        Set-Content $file "`$u = '$($server.http)'; Import-Module '$Module'`n$line"
        $run = Invoke-Pwsh "& '$file'"
        $run.Error | Should -Match '^Invoke-OAuth2TokenEndpoint: http\S+ answered\s+invalid_client'
        $run.Error | Should -Match "(?m)^  at .*failing\.ps1:2\s*$"
        $run.Error | Should -Not -Match 'wrong-secret|Line \|'
    }

    It 'another $ErrorView is that of PowerShell: <_>' -ForEach 'NormalView', 'CategoryView', 'DetailedView' {
        $text = (Invoke-Line $line "`$ErrorView = '$_'")[0]
        $text | Should -Match @{ NormalView = 'CategoryInfo +: AuthenticationError'; CategoryView = '^AuthenticationError'; DetailedView = 'FullyQualifiedErrorId' }[$_]
    }

    It 'scripts find the server''s JSON as before' {
        $failure = Get-Failure { token "$($server.http)/token" -client_id demo-client -client_secret wrong-secret }
        ($failure.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly invalid_client
        $failure | Should -BeOfType System.Management.Automation.ErrorRecord
    }
}

# Windows has no pseudo terminal that could be had without a package of its own.
if (-not $IsWindows) {
    Describe 'On a terminal of 80 columns' {
        BeforeAll {
            . $PSScriptRoot/BrowserHelpers.ps1
            $terminal = Start-Terminal $Module "`$u = '$($server.http)'"
            $null = Invoke-Person $terminal wait @{ pattern = '^\[\d+\]>' }
        }

        AfterAll { Stop-Peer $terminal }

        It 'lines are broken between words, and indented' {
            $null = Invoke-Person $terminal type @{ text = "Clear-Host; token `$u/token -client_id demo-client -client_secret wrong-secret`r" }
            $lines = @((Invoke-Person $terminal wait @{ pattern = 'enabled for it\.' }).lines)
            $text = @($lines -match '^Invoke-OAuth2TokenEndpoint: |^  \S')
            $text.Count | Should -BeGreaterThan 2
            ($text | Measure-Object Length -Maximum).Maximum | Should -BeLessThan 80
            $text -join "`n" | Should -Match '(?s)^Invoke-OAuth2TokenEndpoint: http\S+ answered\s+invalid_client.*\n  Check the client id'
        }

        It 'a token is a list that fits, with the time that is left' {
            $null = Invoke-Person $terminal type @{ text = "Clear-Host; token `$u/token -client_id demo-client -client_secret demo-secret`r" }
            $lines = @((Invoke-Person $terminal wait @{ pattern = 'expiry_datetime : in 59 min' }).lines)
            $lines -match '^access_token    : \w' | Should -Not -BeNullOrEmpty
        }
    }
}
