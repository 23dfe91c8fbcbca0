# The ways in which scripts use d365fo.tools today: each must keep working as it is written here.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $global:PSDefaultParameterValues['*-D365Lcs*:Authority'] = $server.http

    # As a deploy cmdlet takes its token.
    function Invoke-Upload { param([Alias('Token')] [string] $BearerToken) $BearerToken }

    function Connect-Lcs { Get-D365LcsApiToken @who -Password $password | Set-D365LcsApiConfig -ProjectId 123456789 }
}

AfterAll {
    $global:PSDefaultParameterValues.Remove('*-D365Lcs*:Authority')
    Stop-Peer $server
}

Describe 'A script that' {
    BeforeEach {
        $null = New-Store
        $null = Get-SentRequest $server
    }

    It 'gets its first token and saves it with the project (1)' {
        Get-D365LcsApiToken -ClientId $client -Username $user -Password $password -LcsApiUri $address | Set-D365LcsApiConfig -ProjectId 123456789 -ClientId $client
        $config = Get-D365LcsApiConfig
        "$($config.clientid) $($config.projectid) $($config.lcsapiuri)" | Should -BeExactly "$client 123456789 $address"
        $config.bearertoken, $config.refreshtoken | Should -Not -BeNullOrEmpty
    }

    It 'gets its daily token with the defaults of the configuration (2)' {
        Connect-Lcs
        $before = (Get-D365LcsApiConfig).bearertoken
        Get-D365LcsApiToken -Username $user -Password $password | Set-D365LcsApiConfig
        (Get-D365LcsApiConfig).bearertoken | Should -Not -BeExactly $before
        (Get-D365LcsApiConfig).projectid | Should -Be 123456789
    }

    It 'refreshes in a chain, again and again (3)' {
        Connect-Lcs
        foreach ($round in 1..3) {
            $before = Get-D365LcsApiConfig
            Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig
            (Get-D365LcsApiConfig).refreshtoken | Should -Not -BeExactly $before.refreshtoken
            (Get-D365LcsApiConfig).bearertoken | Should -Not -BeExactly $before.bearertoken
        }
        @(Get-SentRequest $server).Count | Should -Be 4
    }

    It 'refreshes in a chain that ends with -Temporary, on a build agent (3)' {
        Get-D365LcsApiToken @who -Password $password | Set-D365LcsApiConfig -ProjectId 5 -Temporary
        Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig -Temporary
        (Get-D365LcsApiConfig).bearertoken | Should -Not -BeNullOrEmpty
        (Invoke-Pwsh 'Import-Module $args[0]; (Get-D365LcsApiConfig).psobject.Properties.Value -join "|"' $Module).Output.Trim() | Should -BeExactly '|||||'
    }

    It 'keeps a saved refresh token usable after a chain that ends with -Temporary (3)' {
        Connect-Lcs
        Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig -Temporary
        $run = Invoke-Pwsh @'
param($module, $authority)
Import-Module $module
Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $authority -EnableException | Set-D365LcsApiConfig
'refreshed'
'@ $Module, $server.http
        $run.Output.Trim() | Should -BeExactly refreshed
    }

    It 'keeps the token in a variable and gives it to an upload (4)' {
        $t = Get-D365LcsApiToken @who -Password $password
        $first = $t.access_token
        $t = Invoke-D365LcsApiRefreshToken -ClientId $client -InputObject $t
        $t.access_token | Should -Not -BeExactly $first
        Invoke-Upload -BearerToken $t.access_token | Should -BeExactly $t.access_token
        Invoke-Upload -Token $t.access_token | Should -BeExactly $t.access_token
    }

    It 'pipes the token, or spells the refresh token out: <_> (5)' -ForEach 'pipe', 'RefreshToken', 'Token', 'refresh_token' {
        $t = Get-D365LcsApiToken @who -Password $password
        $new = switch ($_) {
            pipe { $t | Invoke-D365LcsApiRefreshToken -ClientId $client }
            RefreshToken { Invoke-D365LcsApiRefreshToken -ClientId $client -RefreshToken $t.refresh_token }
            Token { Invoke-D365LcsApiRefreshToken -ClientId $client -Token $t.refresh_token }
            refresh_token { Invoke-D365LcsApiRefreshToken -ClientId $client -refresh_token $t.refresh_token }
        }
        $new.access_token | Should -Not -BeNullOrEmpty
        $new.access_token | Should -Not -BeExactly $t.access_token
    }

    It 'tests the expiry by hand (6)' {
        Connect-Lcs
        $expires = [DateTimeOffset]::FromUnixTimeSeconds((Get-D365LcsApiConfig).activetokenexpireson)
        $expires | Should -BeGreaterThan ([DateTimeOffset]::UtcNow)
        $t = Get-D365LcsApiToken @who -Password $password
        $now = [string][DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        $t.expires_on -gt $now | Should -BeTrue
    }

    It 'gives the password of a pipeline as plain text or as SecureString, and everything by position (7)' {
        (Get-D365LcsApiToken $client $user $password $address).token_type | Should -BeExactly Bearer
        $secret = ConvertTo-SecureString $password -AsPlainText
        (Get-D365LcsApiToken $client $user $secret $address).token_type | Should -BeExactly Bearer
    }

    It 'changes an entry of the hashtable and splats it (8)' {
        Connect-Lcs
        $cfg = Get-D365LcsApiConfig -OutputAsHashtable
        $cfg.projectid | Should -Be 123456789
        $cfg.projectid = 987654321
        Set-D365LcsApiConfig @cfg
        $config = Get-D365LcsApiConfig
        $config.projectid | Should -Be 987654321
        $config.refreshtoken | Should -BeExactly $cfg.refreshtoken
    }

    It 'sets one value only (9)' {
        Connect-Lcs
        $before = Get-D365LcsApiConfig
        Set-D365LcsApiConfig -ProjectId 5
        Set-D365LcsApiConfig -LcsApiUri https://lcsapi.eu.lcs.dynamics.com
        $after = Get-D365LcsApiConfig
        "$($after.projectid) $($after.lcsapiuri)" | Should -BeExactly '5 https://lcsapi.eu.lcs.dynamics.com'
        foreach ($name in 'bearertoken', 'refreshtoken', 'clientid', 'activetokenexpireson') { $after.$name | Should -BeExactly $before.$name }
    }

    It 'enables exceptions once and catches (10)' {
        $reached = $false
        Enable-D365Exception
        try {
            try {
                $null = Get-D365LcsApiToken @who -Password wrong
                $reached = $true
            } catch {
                $caught = $_
            }
        } finally {
            Disable-D365Exception
        }
        $reached | Should -BeFalse
        ($caught.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly invalid_grant
    }

    It 'only looks whether there is a token, with $ErrorActionPreference <_> (10)' -ForEach 'Continue', 'Stop', 'SilentlyContinue' {
        $run = Invoke-Pipeline $Module @'
param($preference, $authority, $who)
$ErrorActionPreference = $preference
$t = Get-D365LcsApiToken @who -Password wrong -Authority $authority
if ($null -eq $t) { 'no token' }
'@ $_, $server.http, $who
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output | Should -BeExactly 'no token'
        $run.Streams.Error | Should -BeNullOrEmpty
    }
}
