# Enable-D365Exception: failures are thrown without -EnableException, by both commands and in every runspace.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $refused = Set-Authority $server (New-AadError) 400
}

AfterAll { Stop-Peer $server }

Describe 'Enable-D365Exception' {
    AfterEach { Disable-D365Exception }

    It 'returns nothing' { Enable-D365Exception | Should -BeNullOrEmpty }

    It 'lets <Name> throw' -ForEach @(
        @{ Name = 'Get-D365LcsApiToken'; Command = { Get-D365LcsApiToken app me secret $address -Authority $refused } }
        @{ Name = 'Invoke-D365LcsApiRefreshToken'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken r -Authority $refused } }
        @{ Name = 'a piped configuration'; Command = { [pscustomobject]@{ clientid = 'app'; refreshtoken = 'r' } | Invoke-D365LcsApiRefreshToken -Authority $refused | Set-D365LcsApiConfig } }
    ) {
        Enable-D365Exception
        Get-ErrorId (Get-Failure $Command) | Should -BeExactly invalid_grant
    }

    It 'once at the top of a script is enough for try and catch' {
        $run = Invoke-Pipeline $Module @'
param($authority)
Enable-D365Exception
try { Get-D365LcsApiToken app me secret https://lcsapi.lcs.dynamics.com -Authority $authority; 'after' } catch { 'caught' }
'@ $refused
        $run.Output | Should -BeExactly caught
        $run.Streams.Warning | Should -BeNullOrEmpty
    }

    It 'counts in every runspace of the process' {
        Enable-D365Exception
        $run = Invoke-Pipeline $Module 'param($authority) Get-D365LcsApiToken app me secret https://lcsapi.lcs.dynamics.com -Authority $authority' $refused
        Get-ErrorId $run.Thrown | Should -BeExactly invalid_grant
    }

    It 'leaves commands without -EnableException alone' {
        Enable-D365Exception
        { Get-D365LcsApiConfig; Set-D365LcsApiConfig -ProjectId 1 } | Should -Not -Throw
    }
}
