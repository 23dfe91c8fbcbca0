# Get-VenafiSession: which session, its renewal as time passes, and the headers.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/VenafiHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $endpoint = $server.venafi.endpoint
    $key = $server.venafi.api_key
}

AfterAll { Stop-Peer $server }

Describe 'The session' {
    BeforeAll {
        Set-VenafiToken $server
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
        $other = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
    }

    It 'is that of the module, the very object' {
        Get-VenafiSession | Should -Be $VenafiSession
        [object]::ReferenceEquals((Get-VenafiSession).Token, $VenafiSession.Token) | Should -BeTrue
    }

    It 'is the one that is given, by <_>' -ForEach 'VenafiSession', 'Key', 'AccessToken' {
        $by = @{ $_ = $other }
        Get-VenafiSession @by | Should -Be $other
    }

    It 'may be an API key, of <Region>' -ForEach @{ Region = $null; Address = 'https://api.venafi.cloud' }, @{ Region = 'eu'; Address = 'https://api.eu.venafi.cloud' } {
        $place = if ($Region) { @{ VcRegion = $Region } } else { @{} }
        foreach ($given in $key, (ConvertTo-SecureString $key -AsPlainText), [pscredential]::new('x', (ConvertTo-SecureString $key -AsPlainText))) {
            $session = Get-VenafiSession -Key $given @place
            $session.Server | Should -BeExactly $Address
            Read-Credential $session.Key | Should -BeExactly $key
        }
        $VenafiSession.psobject.Properties.Name | Should -Not -Contain Key -Because 'that of the module stays'
    }

    It 'may be an access token when its region is known' {
        Get-ErrorId (Get-Failure { Get-VenafiSession -AccessToken opaque }) | Should -BeExactly invalid_session
        $session = Get-VenafiSession -AccessToken opaque -VcRegion au
        $session.Server | Should -BeExactly https://api.au.venafi.cloud
        Read-Credential $session.Token.AccessToken | Should -BeExactly opaque
    }

    It 'that is none is an error: <Name>' -ForEach @(
        @{ Name = 'an object'; Value = [pscustomobject]@{ a = 1 } }
        @{ Name = 'one on premises'; Value = [pscustomobject]@{ Platform = 'VDC' } }
        @{ Name = 'a number'; Value = 5 }
    ) {
        Get-ErrorId (Get-Failure { Get-VenafiSession -VenafiSession $Value }) | Should -BeExactly invalid_session
    }

    It 'shows neither token nor key nor JWT' {
        $text = Get-VenafiSession | Out-String
        $text | Should -Match VC
        foreach ($secret in $VenafiSession.Token.AccessToken, $VenafiSession.Token.JWT) { $text | Should -Not -Match ([regex]::Escape((Read-Credential $secret))) }
        # Among other objects, too.
        $text = [pscustomobject]@{ a = 1; b = 2; c = 3; d = 4; e = 5 }, $VenafiSession, (Get-VenafiSession -Key $key) | Out-String
        $text | Should -Not -Match $key
        "$VenafiSession $($VenafiSession.Token)" | Should -BeExactly 'TokenKit.VenafiSession TokenKit.VcToken'
    }
}

Describe 'The headers' {
    BeforeAll { Set-VenafiToken $server }

    It 'let Invoke-RestMethod in, by <Name>' -ForEach @(
        @{ Name = 'token'; Make = { New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru }; Header = 'Authorization' }
        @{ Name = 'key'; Make = { $s = Get-VenafiSession -Key $key; $s.Server = $server.http; $s }; Header = 'tppl-api-key' }
    ) {
        $session = & $Make
        $headers = Get-VenafiSession -VenafiSession $session -AsHeaders
        $headers | Should -BeOfType hashtable
        $headers.Keys | Should -BeExactly $Header
        (Invoke-RestMethod "$($session.Server)/v1/useraccounts" -Headers $headers -NoProxy).user.id | Should -Not -BeNullOrEmpty
    }

    It 'are those of the key when there are both' {
        $session = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        $session | Add-Member NoteProperty Key ([pscredential]::new('VcKey', (ConvertTo-SecureString $key -AsPlainText)))
        (Get-VenafiSession -VenafiSession $session -AsHeaders)['tppl-api-key'] | Should -BeExactly $key
    }

    It 'are an error when there is neither' {
        $session = [pscustomobject]@{ Platform = 'VC'; Server = 'https://vc.example'; Token = $null }
        Get-ErrorId (Get-Failure { Get-VenafiSession -VenafiSession $session -AsHeaders }) | Should -BeExactly invalid_session
    }
}

Describe 'Renewal' {
    BeforeAll {
        # The time of expiry moves instead of the clock.
        function Set-TimeLeft($Session, [timespan] $Left) { $Session.Token.Expires = (Get-Date) + $Left }
    }

    BeforeEach {
        Set-VenafiToken $server
        $session = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        $before = Read-Credential $session.Token.AccessToken
        $null = Get-SentRequest $server
    }

    It '<Left> before the end: <Renewed>' -ForEach @(
        @{ Left = '01:00:00'; Renewed = $false }
        @{ Left = '00:05:00'; Renewed = $false }
        @{ Left = '00:00:50'; Renewed = $true }
        @{ Left = '00:00:05'; Renewed = $true }
        @{ Left = '-00:00:01'; Renewed = $true }
        @{ Left = '-7.00:00:00'; Renewed = $true }
    ) {
        Set-TimeLeft $session $Left
        $null = Get-VenafiSession -VenafiSession $session
        (Read-Credential $session.Token.AccessToken) -cne $before | Should -Be $Renewed
        @(Get-SentRequest $server).Count | Should -Be ([int]$Renewed)
        if ($Renewed) { $session.Token.Expires | Should -BeGreaterThan (Get-Date).AddMinutes(30) }
    }

    It 'does not look at a time that is not known' {
        $session.Token.Expires = $null
        $null = Get-VenafiSession -VenafiSession $session
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'understands a time in UTC' {
        $session.Token.Expires = [datetime]::UtcNow.AddMinutes(30)
        $null = Get-VenafiSession -VenafiSession $session
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'is left out with -NoRenewal' {
        Set-TimeLeft $session '-00:10'
        Read-Credential (Get-VenafiSession -VenafiSession $session -NoRenewal).Token.AccessToken | Should -BeExactly $before
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'follows tokens that live for seconds, request after request' {
        Set-VenafiToken $server @{ lifetime = 2 }
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
        $seen = foreach ($round in 1..3) {
            $headers = Get-VenafiSession -AsHeaders
            (Invoke-RestMethod "$($VenafiSession.Server)/v1/useraccounts" -Headers $headers -NoProxy).user.id | Should -Not -BeNullOrEmpty
            $headers.Authorization
            Start-Sleep -Milliseconds 2100
        }
        @($seen | Sort-Object -Unique).Count | Should -Be 3
    }

    It 'reads the file of the JWT again' {
        $file = Join-Path $TestDrive jwt
        Set-Content $file (New-VenafiJwt $server)
        $session = New-VenafiSession -VcEndpoint $endpoint -JwtPath $file -PassThru
        $jwt = New-VenafiJwt $server
        Set-Content $file $jwt
        Set-TimeLeft $session '-00:01'
        $null = Get-VenafiSession -VenafiSession $session
        Read-Credential $session.Token.JWT | Should -BeExactly $jwt
        # So does New-VcToken.
        $jwt = New-VenafiJwt $server
        Set-Content $file $jwt
        Read-Credential (New-VcToken -VenafiSession $session).JWT | Should -BeExactly $jwt
    }

    It 'runs the script block again, where its variables are' {
        $count = @{ Value = 0 }
        New-VenafiSession -VcEndpoint $endpoint -JwtScript { $count.Value++; New-VenafiJwt $server }
        $count.Value | Should -Be 1
        Set-TimeLeft $VenafiSession '-00:01'
        $null = Get-VenafiSession
        $count.Value | Should -Be 2
    }

    It 'runs it in another runspace, too' {
        $session = New-VenafiSession -VcEndpoint $endpoint -JwtScript { (Invoke-RestMethod "$env:TEST_SERVER/control/venafi/jwt" -Method Post -Body '{}' -ContentType application/json -NoProxy).jwt.ToString() } -PassThru:$(
            $env:TEST_SERVER = $server.http; $true)
        Set-TimeLeft $session '-00:01'
        $run = Invoke-Pipeline $Module 'param($session) Get-VenafiSession -VenafiSession $session -AsHeaders' $session
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output[0].Authorization | Should -BeExactly "Bearer $(Read-Credential $session.Token.AccessToken)"
        $session.Token.Expires | Should -BeGreaterThan (Get-Date)
    }

    It 'that fails is none as long as the token is good: <Name>' -ForEach @(
        @{ Name = 'the JWT has expired'; Prepare = { $session.Token.JWT = [pscredential]::new('JWT', (ConvertTo-SecureString (New-VenafiJwt $server @{ expires_in = -600 }) -AsPlainText)) }; Id = 'assertion_expired' }
        @{ Name = 'the server fails'; Prepare = { $null = Set-Reply $server ([uri]$endpoint).AbsolutePath @{ status = 401; body = '{"error":"invalid_client"}'; times = 2 } }; Id = 'invalid_client' }
        @{ Name = 'there is no JWT'; Prepare = { $session.Token.JWT = $null }; Id = 'expired_session' }
        @{ Name = 'the file is gone'; Prepare = { $session | Add-Member NoteProperty JwtSource "$TestDrive/gone" }; Id = 'invalid_jwt_source' }
    ) {
        & $Prepare
        Set-TimeLeft $session '00:00:30'
        $messages = Get-VenafiSession -VenafiSession $session -Verbose 4>&1
        $messages[-1] | Should -Be $session
        "$messages" | Should -Match 'still good'
        Set-TimeLeft $session '-00:00:01'
        Get-ErrorId (Get-Failure { Get-VenafiSession -VenafiSession $session }) | Should -BeExactly $Id
        Read-Credential $session.Token.AccessToken | Should -BeExactly $before
    }
}
