# Get-GovernanceHostSetting: the template of the address.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'The host settings' {
    It 'are an array with one hashtable' {
        $settings = Get-GovernanceHostSetting
        , $settings | Should -BeOfType array
        $settings.Count | Should -Be 1
        $settings[0] | Should -BeOfType hashtable
        $settings[0]['Url'] | Should -BeExactly '{Cloud_Governance_Modern_API_Endpoint}'
        (Get-HostSetting)[0].Url | Should -BeExactly $settings[0].Url
    }
}
