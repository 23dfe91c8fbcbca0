# New-VenafiSession: what the session is, where it is kept, its vault, and what goes wrong.
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

Describe 'A session for a service account' {
    BeforeAll { Set-VenafiToken $server }

    BeforeEach { $null = Get-SentRequest $server }

    It 'has its properties, in order and with their types' {
        $session = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -TimeoutSec 30 -PassThru
        $session | Should -BeOfType PSCustomObject
        $session.psobject.Properties.Name -join ' ' | Should -BeExactly 'Platform Server TimeoutSec SkipCertificateCheck Token User'
        $session.Platform | Should -BeExactly VC
        $session.Server | Should -BeExactly $server.http -Because 'scheme and port belong to it'
        $session.TimeoutSec | Should -BeOfType int
        $session.TimeoutSec | Should -Be 30
        $session.SkipCertificateCheck | Should -BeOfType bool
        $session.SkipCertificateCheck | Should -BeFalse
        $session.Token.psobject.Properties.Name -join ' ' | Should -BeExactly 'Endpoint AccessToken JWT Expires'
    }

    It 'knows its user, userId first' {
        $session = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        @($session.User.psobject.Properties.Name)[0] | Should -BeExactly userId
        $session.User.companyId | Should -Not -BeNullOrEmpty
        $sent = @(Get-SentRequest $server)
        $sent.Path -join ' ' | Should -BeExactly "$(([uri]$endpoint).AbsolutePath) /v1/useraccounts"
        $sent[1].Headers['authorization'] | Should -BeExactly "Bearer $(Read-Credential $session.Token.AccessToken)"
        $sent[1].Headers.Keys | Should -Not -Contain tppl-api-key
    }

    It 'has no User when the server does not tell: <Status>' -ForEach @{ Status = 401 }, @{ Status = 403 }, @{ Status = 500 }, @{ Status = 200 } {
        $null = Set-Reply $server /v1/useraccounts @{ status = $Status; body = '{"no":"user"}'; times = 1 }
        $session = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru -MaximumRetryCount 0
        $session.psobject.Properties.Name | Should -Not -Contain User
        $session.Token | Should -Not -BeNullOrEmpty
    }

    It 'becomes that of the module, and is returned with -PassThru instead' {
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) | Should -BeNullOrEmpty
        $kept = $VenafiSession
        $other = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        $VenafiSession | Should -Be $kept
        $other | Should -Not -Be $kept
    }

    It 'that cannot be made leaves the old one: <Name>' -ForEach @(
        @{ Name = 'refused'; Jwt = { New-VenafiJwt $server @{ subject = 'nobody' } }; Id = 'invalid_client' }
        @{ Name = 'expired'; Jwt = { New-VenafiJwt $server @{ expires_in = -600 } }; Id = 'assertion_expired' }
        @{ Name = 'unreadable'; Jwt = { 'opaque' }; Id = 'malformed_token' }
    ) {
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
        $before = $VenafiSession
        $jwt = & $Jwt
        Get-ErrorId (Get-Failure { New-VenafiSession -VcEndpoint $endpoint -Jwt $jwt }) | Should -BeExactly $Id
        New-VenafiSession -VcEndpoint $endpoint -Jwt $jwt -ErrorAction SilentlyContinue
        $VenafiSession | Should -Be $before
        $VenafiSession.Token | Should -Not -BeNullOrEmpty
    }

    It 'that is asked for without anything is an error that says what to give' {
        $failure = Get-Failure { New-VenafiSession }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
        $failure.Exception.Message | Should -Match '-VcKey'
    }

    It 'refreshes with -RefreshSession, in place or as a copy' {
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
        $session = $VenafiSession
        $before = Read-Credential $session.Token.AccessToken
        $copy = New-VenafiSession -RefreshSession -PassThru
        Read-Credential $session.Token.AccessToken | Should -BeExactly $before
        Read-Credential $copy.Token.AccessToken | Should -Not -BeExactly $before
        New-VenafiSession -RefreshSession
        $VenafiSession | Should -Be $session
        Read-Credential $session.Token.AccessToken | Should -Not -BeExactly $before
    }
}

Describe 'A session by an API key' {
    BeforeEach { $null = Get-SentRequest $server }

    It 'of region <Region> has the server <Address>' -ForEach @(
        @{ Region = $null; Address = 'https://api.venafi.cloud' }
        @{ Region = 'us'; Address = 'https://api.venafi.cloud' }
        @{ Region = 'EU'; Address = 'https://api.eu.venafi.cloud' }
        @{ Region = 'au'; Address = 'https://api.au.venafi.cloud' }
        @{ Region = 'uk'; Address = 'https://api.uk.venafi.cloud' }
        @{ Region = 'sg'; Address = 'https://api.sg.venafi.cloud' }
        @{ Region = 'ca'; Address = 'https://api.ca.venafi.cloud' }
    ) {
        $place = if ($Region) { @{ VcRegion = $Region } } else { @{} }
        # The proxy makes no tunnel, and sees who was asked.
        $session = New-VenafiSession -VcKey $key @place -PassThru -Proxy $server.http
        $session.Server | Should -BeExactly $Address
        $session.psobject.Properties.Name -join ' ' | Should -BeExactly 'Platform Server TimeoutSec SkipCertificateCheck Key'
        @(Get-SentRequest $server)[0].Path | Should -BeExactly "$(([uri]$Address).Host):443"
    }

    It 'takes the key as <Name>' -ForEach @(
        @{ Name = 'string'; Make = { $key }; User = 'VcKey' }
        @{ Name = 'SecureString'; Make = { ConvertTo-SecureString $key -AsPlainText }; User = 'VcKey' }
        @{ Name = 'PSCredential'; Make = { [pscredential]::new('me', (ConvertTo-SecureString $key -AsPlainText)) }; User = 'me' }
    ) {
        $session = New-VenafiSession -VcKey (& $Make) -PassThru -Proxy $server.http
        $session.Key | Should -BeOfType pscredential
        $session.Key.UserName | Should -BeExactly $User
        Read-Credential $session.Key | Should -BeExactly $key
    }

    It 'takes the old name of the parameter' {
        Read-Credential (New-VenafiSession -VaasKey $key -PassThru -Proxy $server.http).Key | Should -BeExactly $key
    }

    It 'of an unknown region, another type or nothing is an error' {
        $failure = Get-Failure { New-VenafiSession -VcKey $key -VcRegion mars }
        Get-ErrorId $failure | Should -BeExactly invalid_argument
        $failure.Exception.Message | Should -Match 'us, eu, au, uk, sg, ca'
        $over = ConvertTo-SecureString x -AsPlainText
        $over.Dispose()
        foreach ($value in 5, '', [securestring]::new(), $over, [pscredential]::new('x', $over)) { Get-ErrorId (Get-Failure { New-VenafiSession -VcKey $value }) | Should -BeExactly invalid_argument }
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'completes the regions, for <_>' -ForEach 'New-VenafiSession -VcKey x -VcRegion ', 'Get-VenafiSession -VenafiSession x -VcRegion ', 'Test-VcToken -AccessToken x -VcRegion ' {
        (TabExpansion2 $_ $_.Length).CompletionMatches.CompletionText -join ' ' | Should -BeExactly 'us eu au uk sg ca'
        (TabExpansion2 "${_}u" ($_.Length + 1)).CompletionMatches.CompletionText -join ' ' | Should -BeExactly 'us uk'
    }
}

Describe 'A session that reads its JWT again' {
    BeforeAll { Set-VenafiToken $server }

    It 'keeps the absolute path of the file' {
        Push-Location $TestDrive
        try {
            Set-Content jwt.txt (New-VenafiJwt $server)
            $session = New-VenafiSession -VcEndpoint $endpoint -JwtPath jwt.txt -PassThru
        } finally {
            Pop-Location
        }
        $session.JwtSource | Should -BeExactly (Join-Path (Get-Item TestDrive:/).FullName jwt.txt)
        $session.psobject.Properties.Name -join ' ' | Should -BeExactly 'Platform Server TimeoutSec SkipCertificateCheck Token JwtSource User'
    }

    It 'takes from a script block what it returns as <Name>' -ForEach @(
        @{ Name = 'string'; Make = { param($jwt) $jwt } }
        @{ Name = 'SecureString'; Make = { param($jwt) ConvertTo-SecureString $jwt -AsPlainText } }
        @{ Name = 'the last of several objects'; Make = { param($jwt) 'noise'; $jwt } }
    ) {
        $jwt = New-VenafiJwt $server
        $session = New-VenafiSession -VcEndpoint $endpoint -JwtScript { & $Make $jwt } -PassThru
        Read-Credential $session.Token.JWT | Should -BeExactly $jwt
    }

    It 'is an error when the JWT cannot be had: <Name>' -ForEach @(
        @{ Name = 'no file'; Source = { @{ JwtPath = "$TestDrive/none" } } }
        @{ Name = 'no drive'; Source = { @{ JwtPath = 'NoDrive:\jwt' } } }
        @{ Name = 'a folder'; Source = { @{ JwtPath = "$TestDrive" } } }
        @{ Name = 'a script that returns nothing'; Source = { @{ JwtScript = { } } } }
        @{ Name = 'a script that throws'; Source = { @{ JwtScript = { throw 'no identity here' } } } }
    ) {
        $source = & $Source
        Get-ErrorId (Get-Failure { New-VenafiSession -VcEndpoint $endpoint @source }) | Should -BeExactly invalid_jwt_source
    }
}

Describe 'The vault' {
    BeforeEach {
        Set-VenafiToken $server
        $path = $env:PSModulePath
        $env:PSModulePath = (New-FakeVault) + [System.IO.Path]::PathSeparator + $path
    }

    AfterEach {
        $env:PSModulePath = $path
        Remove-Module Microsoft.PowerShell.SecretManagement -ErrorAction Ignore
    }

    AfterAll { Remove-Variable FakeVault -Scope Global }

    It 'keeps a key with server and TimeoutSec, and gives it back' {
        New-VenafiSession -VcKey $key -VcRegion eu -VaultVcKeyName n -TimeoutSec 7 -Proxy $server.http
        $FakeVault.n.Secret | Should -BeOfType pscredential
        Read-Credential $FakeVault.n.Secret | Should -BeExactly $key
        $FakeVault.n.Metadata.Server | Should -BeExactly https://api.eu.venafi.cloud
        $session = New-VenafiSession -VaultVaasKeyName n -PassThru -Proxy $server.http
        $session.Server | Should -BeExactly https://api.eu.venafi.cloud
        $session.TimeoutSec | Should -Be 7
        Read-Credential $session.Key | Should -BeExactly $key
        (New-VenafiSession -VaultVcKeyName n -TimeoutSec 9 -PassThru -Proxy $server.http).TimeoutSec | Should -Be 9
    }

    It 'gives back what another module kept, and the key is sent as tppl-api-key' {
        $FakeVault.old = @{ Secret = [pscredential]::new('x', (ConvertTo-SecureString $key -AsPlainText)); Metadata = @{ Server = $server.http } }
        $null = Get-SentRequest $server
        $session = New-VenafiSession -VaultVcKeyName old -PassThru
        $sent = Get-SentRequest $server
        $sent.Path | Should -BeExactly /v1/useraccounts
        $sent.Headers['tppl-api-key'] | Should -BeExactly $key
        $sent.Headers.Keys | Should -Not -Contain authorization
        $session.User.userId | Should -Not -BeNullOrEmpty
        @($session.psobject.Properties.Name)[-1] | Should -BeExactly User
    }

    It 'keeps JWT and token, and gives them back without a request for a token' {
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -VcSecretName ci -TimeoutSec 40
        $before = $VenafiSession
        $null = Get-SentRequest $server
        $session = New-VenafiSession -VcSecretName ci -PassThru
        Read-Credential $session.Token.AccessToken | Should -BeExactly (Read-Credential $before.Token.AccessToken)
        Read-Credential $session.Token.JWT | Should -BeExactly (Read-Credential $before.Token.JWT)
        [math]::Abs(($session.Token.Expires - $before.Token.Expires).TotalSeconds) | Should -BeLessThan 1
        $session.Token.Expires.Kind | Should -Be Local
        $session.TimeoutSec | Should -Be 40
        (Get-SentRequest $server).Path | Should -BeExactly /v1/useraccounts
    }

    It 'renews a token from the vault that has expired' {
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -VcSecretName ci
        $FakeVault.ci.Metadata.Expires = [datetime]::UtcNow.AddHours(-1).ToString('o')
        $session = New-VenafiSession -VcSecretName ci -PassThru
        $session.Token.Expires | Should -BeGreaterThan (Get-Date)
    }

    It '<Name> is an error that says what to do' -ForEach @(
        @{ Name = 'no secret of that name'; Match = 'none'; Prepare = { } }
        @{ Name = 'a secret without metadata'; Match = 'metadata'; Prepare = { $FakeVault.none = @{ Secret = 'x'; Metadata = @{} } } }
        @{ Name = 'no vault of that name'; Match = 'Register-SecretVault'; Prepare = { $env:PSModulePath = (New-FakeVault Other) + [System.IO.Path]::PathSeparator + $path } }
        @{ Name = 'no module for vaults'; Match = 'Install-Module'; Prepare = { $env:PSModulePath = $path } }
    ) {
        & $Prepare
        $failure = Get-Failure { New-VenafiSession -VaultVcKeyName none }
        Get-ErrorId $failure | Should -BeExactly vault_failed
        $failure.Exception.Message | Should -Match $Match
    }
}

Describe 'A server on premises' {
    It 'is an error that says which module is for it: <Name>' -ForEach @(
        @{ Name = '-Server'; Parameters = @{ Server = 'vdc.example' } }
        @{ Name = '-Url'; Parameters = @{ Url = 'vdc.example' } }
        @{ Name = 'with a token'; Parameters = @{ Server = 'vdc.example'; AccessToken = 'c4nary' } }
        @{ Name = 'with credential and scope'; Parameters = @{ Server = 'vdc.example'; ClientId = 'a'; Scope = @{ a = 'b' }; Credential = 'c4nary' } }
    ) {
        $failure = Get-Failure { New-VenafiSession @Parameters }
        Get-ErrorId $failure | Should -BeExactly not_supported
        $failure.Exception.Message | Should -Match VenafiPS
        $failure | Out-String | Should -Not -Match c4nary
    }

    It 'takes no misspelt parameter elsewhere' {
        Get-ErrorId (Get-Failure { New-VenafiSession -VcKey x -VcRegoin eu }) | Should -BeExactly NamedParameterNotFound
    }
}
