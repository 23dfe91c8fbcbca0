# Get-GovernanceHostSettingUrl: the template filled in.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'The address' {
    BeforeAll { $variables = @{ Cloud_Governance_Modern_API_Endpoint = 'https://gov.example/api' } }

    It 'is that of the variable, by position, name and pipeline' {
        Get-GovernanceHostSettingUrl 0 $variables | Should -BeExactly https://gov.example/api
        Get-UrlFromHostSetting -Variables $variables | Should -BeExactly https://gov.example/api
        0 | Get-GovernanceHostSettingUrl -Variables $variables | Should -BeExactly https://gov.example/api
    }

    It 'needs the variable, and an index that is there' {
        (Get-Failure { Get-GovernanceHostSettingUrl }).Exception.Message | Should -Match Cloud_Governance_Modern_API_Endpoint
        Get-ErrorId (Get-Failure { Get-GovernanceHostSettingUrl 1 $variables }) | Should -BeExactly invalid_argument
        Get-ErrorId (Get-Failure { Get-GovernanceHostSettingUrl -1 $variables }) | Should -BeExactly invalid_argument
    }
}
