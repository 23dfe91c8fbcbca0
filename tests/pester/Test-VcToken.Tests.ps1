# Test-VcToken: good or not, until when, and what the server says.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/VenafiHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $endpoint = $server.venafi.endpoint
    Set-VenafiToken $server
    New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
}

AfterAll { Stop-Peer $server }

Describe 'Without asking the server' {
    BeforeEach { $null = Get-SentRequest $server }

    AfterEach { Get-SentRequest $server | Should -BeNullOrEmpty }

    It 'a token is good until it expires' {
        $state = Test-VcToken
        $state.psobject.Properties.Name -join ' ' | Should -BeExactly 'Valid Expires Remaining Renewable JwtExpires Message'
        $state.Valid | Should -BeTrue
        $state.Expires | Should -Be $VenafiSession.Token.Expires
        $state.Remaining.TotalMinutes | Should -BeGreaterThan 55
        $state.Renewable | Should -BeTrue
        [math]::Abs(($state.JwtExpires - (Get-Date).AddMinutes(10)).TotalSeconds) | Should -BeLessThan 60
    }

    It 'a token with <Left> left is <Valid>' -ForEach @{ Left = '00:00:30'; Valid = $true }, @{ Left = '-00:00:01'; Valid = $false } {
        $token = $VenafiSession.Token.psobject.Copy()
        $token.Expires = (Get-Date) + [timespan]$Left
        (Test-VcToken -Token $token).Valid | Should -Be $Valid
        $token | Test-VcToken -Quiet | Should -Be $Valid
    }

    It 'a token that does not say is neither, and -Quiet says no' {
        $session = Get-VenafiSession -AccessToken opaque -VcRegion us
        (Test-VcToken -VenafiSession $session).Valid | Should -BeNullOrEmpty
        Test-VcToken -VenafiSession $session -Quiet | Should -BeFalse
    }

    It 'an access token alone is read when it is a JWT' {
        $jwt = New-Jwt @{ exp = [DateTimeOffset]::UtcNow.AddMinutes(20).ToUnixTimeSeconds() } key
        foreach ($given in $jwt, (ConvertTo-SecureString $jwt -AsPlainText)) {
            $state = Test-VcToken -AccessToken $given
            $state.Valid | Should -BeTrue
            [math]::Round($state.Remaining.TotalMinutes) | Should -Be 20
            $state.Renewable | Should -BeFalse
        }
        (Test-VcToken -AccessToken (New-Jwt @{ exp = 1000 } key)).Valid | Should -BeFalse
        (Test-VcToken -AccessToken opaque).Valid | Should -BeNullOrEmpty
    }

    It 'an expired JWT is no longer Renewable, nor one that cannot be read' {
        $session = $VenafiSession.psobject.Copy()
        $session.Token = $VenafiSession.Token.psobject.Copy()
        $session.Token.JWT = [pscredential]::new('JWT', (ConvertTo-SecureString (New-VenafiJwt $server @{ expires_in = -600 }) -AsPlainText))
        (Test-VcToken -VenafiSession $session).Renewable | Should -BeFalse
        $session | Add-Member NoteProperty JwtSource "$TestDrive/none"
        (Test-VcToken -VenafiSession $session).Renewable | Should -BeFalse
        $null = Get-SentRequest $server
    }
}

Describe 'The server' {
    It 'says yes to a good token' {
        (Test-VcToken -Online).Valid | Should -BeTrue
        Test-VcToken -Token $VenafiSession.Token -Online -Quiet | Should -BeTrue
    }

    It 'says no: <Status>' -ForEach @{ Status = 401 }, @{ Status = 403 } {
        $null = Set-Reply $server /v1/useraccounts @{ status = $Status; body = '{"errors":[{"code":1,"message":"no"}]}'; times = 1 }
        (Test-VcToken -Online).Valid | Should -BeFalse
    }

    It 'that fails says nothing' {
        $null = Set-Reply $server /v1/useraccounts @{ status = 500; times = 1 }
        $state = Test-VcToken -Online -MaximumRetryCount 0
        $state.Valid | Should -BeTrue
        $state.Message | Should -Match 'could not be asked'
    }

    It 'knows whether an API key is good' {
        $session = Get-VenafiSession -Key $server.venafi.api_key
        $session.Server = $server.http
        (Test-VcToken -VenafiSession $session).Valid | Should -BeNullOrEmpty
        (Test-VcToken -VenafiSession $session -Online).Valid | Should -BeTrue
        $session = Get-VenafiSession -Key ([guid]::NewGuid().ToString())
        $session.Server = $server.http
        (Test-VcToken -VenafiSession $session -Online).Valid | Should -BeFalse
    }

    It 'of a region is asked about an access token alone' {
        $null = Get-SentRequest $server
        $state = Test-VcToken -AccessToken opaque -VcRegion eu -Online -Proxy $server.http
        $state.Valid | Should -BeNullOrEmpty
        (Get-SentRequest $server).Path | Should -BeExactly api.eu.venafi.cloud:443
    }
}

Describe 'An access token whose exp is no date' {
    It 'is no error: <Exp>' -ForEach @(
        @{ Exp = 1700000000000; Valid = $null; Expires = $null }
        @{ Exp = 253402300800; Valid = $null; Expires = $null }
        @{ Exp = -1700000000000; Valid = $false; Expires = [DateTime]::UnixEpoch.ToLocalTime() }
    ) {
        $state = Test-VcToken -AccessToken (New-Jwt @{ exp = $Exp } key)
        $state.Valid | Should -Be $Valid
        $state.Expires | Should -Be $Expires
    }
}

Describe 'What is no token' {
    It 'is an error: <Name>' -ForEach @(
        @{ Name = 'an object'; Parameters = @{ Token = [pscustomobject]@{ a = 1 } }; Id = 'invalid_session' }
        @{ Name = 'a number'; Parameters = @{ AccessToken = 5 }; Id = 'invalid_argument' }
        @{ Name = 'a region that is none'; Parameters = @{ AccessToken = 'x'; VcRegion = 'mars' }; Id = 'invalid_argument' }
    ) {
        Get-ErrorId (Get-Failure { Test-VcToken @Parameters }) | Should -BeExactly $Id
    }
}
