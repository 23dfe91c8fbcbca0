# Set-GovernanceConfigurationApiKey: one key, the others stay.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'One key' {
    BeforeEach { (Get-GovernanceConfiguration).Clear() }

    It 'is set by name or position, and the others stay' {
        Set-GovernanceConfigurationApiKey -Id clientSecret -ApiKey s | Should -BeNullOrEmpty
        Set-ConfigurationApiKey userPrincipalName u
        $keys = (Get-GovernanceConfiguration).ApiKey
        $keys.clientSecret, $keys.userPrincipalName | Should -BeExactly s, u
        Set-GovernanceConfigurationApiKey CLIENTSECRET n
        $keys.clientSecret | Should -BeExactly n
        $keys.Count | Should -Be 2
    }

    It 'may be empty, or a SecureString' {
        Set-GovernanceConfigurationApiKey clientSecret ''
        (Get-GovernanceConfiguration).ApiKey.clientSecret | Should -BeExactly ''
        Set-GovernanceConfigurationApiKey clientSecret (ConvertTo-SecureString s -AsPlainText)
        (Get-GovernanceConfiguration).ApiKey.clientSecret | Should -BeOfType securestring
    }

    It 'without name is an error' {
        Get-ErrorId (Get-Failure { Set-GovernanceConfigurationApiKey -ApiKey s }) | Should -BeExactly invalid_argument
    }
}
