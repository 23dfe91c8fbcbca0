# Disable-D365Exception: failures are warnings again.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $refused = Set-Authority $server (New-AadError) 400
}

AfterAll { Stop-Peer $server }

Describe 'Disable-D365Exception' {
    It 'returns nothing, also when nothing was enabled' { Disable-D365Exception | Should -BeNullOrEmpty }

    It 'undoes Enable-D365Exception' {
        Enable-D365Exception
        Disable-D365Exception
        $token = Get-D365LcsApiToken app me secret $address -Authority $refused -WarningVariable warnings -WarningAction SilentlyContinue
        $token | Should -BeNullOrEmpty
        $warnings.Count | Should -Be 1
    }

    It 'leaves -EnableException alone' {
        Disable-D365Exception
        Get-ErrorId (Get-Failure { Get-D365LcsApiToken app me secret $address -Authority $refused -EnableException }) | Should -BeExactly invalid_grant
    }
}
