# Whatever takes longer than a second shows progress, and takes it away at its end; and results are there as soon as they can be.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/GovernanceHelpers.ps1
    . $PSScriptRoot/VenafiHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer

    function Set-SlowReply([string] $Path, $Body, [int] $Milliseconds = 2500) { Set-Reply $server $Path (@{ delay_ms = $Milliseconds } + (New-JsonReply 200 $Body)) }
    # The steps of the one bar of a run, and that it was taken away.
    function Assert-Bar($Run, [string] $Pattern) {
        $bars = @($Run.Streams.Progress)
        $bars.Count | Should -BeGreaterThan 1
        @($bars.ActivityId | Select-Object -Unique).Count | Should -Be 1
        @($bars.StatusDescription) -match $Pattern | Should -Not -BeNullOrEmpty
        $bars[-1].RecordType | Should -Be Completed
    }
}

AfterAll { Stop-Peer $server }

Describe 'A wait' {
    It 'for <Name> shows a bar and takes it away' -ForEach @(
        @{ Name = 'a token'; Path = '/slow/token'; Body = @{ access_token = 'a' }; Script = 'token $args[0] -client_id a -code b' }
        @{ Name = 'metadata'; Path = '/slow/.well-known/openid-configuration'; Body = @{ issuer = 'x' }; Script = 'Get-OidcDiscoveryMetadata $args[0]' }
        @{ Name = 'a user'; Path = '/slow/me'; Body = @{ sub = 'a' }; Script = 'Get-OAuth2UserInfo $args[0] token' }
        @{ Name = 'a device code'; Path = '/slow/device'; Body = @{ device_code = 'd'; user_code = 'u'; verification_uri = 'https://x.example'; expires_in = 9 }; Script = 'deviceauth $args[0] -client_id a 3>$null' }
        @{ Name = 'keys'; Path = '/slow/keys'; Body = @{ keys = @() }; Script = 'Test-JsonWebToken eyJhbGciOiJSUzI1NiJ9.e30.c2ln -jwks_uri $args[0]' }
        @{ Name = 'a token of LCS'; Path = '/slow/lcs/oauth2/token'; Body = @{ access_token = 'a' }; Script = 'Get-D365LcsApiToken -ClientId a -Username b -Password c -LcsApiUri https://lcsapi.lcs.dynamics.com -Authority $args[0]' }
    ) {
        $uri = Set-SlowReply $Path $Body
        $run = Invoke-Pipeline $Module "try { $Script } catch { }" $uri
        Assert-Bar $run '^Waiting for the answer$'
    }

    It 'another attempt counts down' {
        $uri = Set-Reply $server /busy @{ status = 429; headers = @(, @('Retry-After', '4')); body = '' }, (New-JsonReply 200 @{ access_token = 'a' })
        $run = Invoke-Pipeline $Module 'token $args[0] -client_id a -client_secret b' $uri
        $run.Output.access_token | Should -BeExactly a
        Assert-Bar $run '^Trying again in 4\.0 s: .*429'
        @($run.Streams.Progress.SecondsRemaining | Where-Object { $_ -gt 0 } | Select-Object -Unique).Count | Should -BeGreaterThan 1
    }

    It 'an answer that fails takes its bar away' {
        $uri = Set-Reply $server /slow/failure (@{ delay_ms = 2000 } + (New-JsonReply 400 @{ error = 'invalid_grant' }))
        $run = Invoke-Pipeline $Module 'token $args[0] -client_id a -code b' $uri
        Get-ErrorId $run.Thrown | Should -BeExactly invalid_grant
        Assert-Bar $run '^Waiting for the answer$'
    }

    It 'a quick answer shows none' {
        $uri = Set-Reply $server /quick (New-JsonReply 200 @{ access_token = 'a' })
        (Invoke-Pipeline $Module 'token $args[0] -client_id a -code b' $uri).Streams.Progress | Should -BeNullOrEmpty
    }
}

Describe 'A pipeline' {
    It 'of short requests shows how far it is, <Name>' -ForEach @(
        @{ Name = 'one after the other'; Throttle = 1; Count = 6 }
        @{ Name = 'several at a time'; Throttle = 4; Count = 24 }
    ) {
        $uri = "$($server.http)/slow?ms=400"
        $run = Invoke-Pipeline $Module 'param($uri, $throttle, $count) 1..$count | ForEach-Object { @{ client_id = "c$_" } } | token $uri -client_secret s -ThrottleLimit $throttle' $uri, $Throttle, $Count
        $run.Output.Count | Should -Be $Count
        Assert-Bar $run '^\d+ done\b'
    }

    It 'of tokens to be checked shows how many' {
        $script = 'param($jwt) & { 1..12 | ForEach-Object { Start-Sleep -Milliseconds 150; $jwt } } | Test-JsonWebToken -client_secret ("k" * 32) -Quiet'
        $run = Invoke-Pipeline $Module $script (New-Jwt @{ sub = 'a' } ('k' * 32))
        $run.Output.Count | Should -Be 12
        Assert-Bar $run '^\d+ tokens checked$'
    }
}

Describe 'The result of Test-JsonWebToken' {
    It 'is there before a slow producer has made the next token' {
        $order = [System.Collections.Generic.List[string]]::new()
        $jwt = New-Jwt @{ sub = 'a' } ('k' * 32)
        & { foreach ($number in 1..5) { Start-Sleep -Milliseconds 100; $order.Add("made $number"); $jwt } } |
            Test-JsonWebToken -client_secret ('k' * 32) -Quiet | ForEach-Object { $order.Add('seen') }
        $order -join ', ' | Should -BeExactly ((1..5).ForEach{ "made $_, seen" } -join ', ')
    }

    It 'of a fast producer comes in batches, in order' {
        $key = 'k' * 32
        $jwts = 1..1200 | ForEach-Object { New-Jwt @{ jti = "$_" } $key }
        $results = $jwts | Test-JsonWebToken -client_secret $key
        $results.Claims.jti -join ' ' | Should -BeExactly (1..1200 -join ' ')
    }
}
