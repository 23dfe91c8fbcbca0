# Set-GovernanceConfigurationApiKeyPrefix: one prefix, the others stay.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'One prefix' {
    BeforeEach { (Get-GovernanceConfiguration).Clear() }

    It 'is set by name or position, and the others stay' {
        Set-GovernanceConfigurationApiKeyPrefix -Id clientSecret -ApiKeyPrefix Bearer | Should -BeNullOrEmpty
        Set-ConfigurationApiKeyPrefix userPrincipalName Name
        $prefixes = (Get-GovernanceConfiguration).ApiKeyPrefix
        $prefixes.clientSecret, $prefixes.userPrincipalName | Should -BeExactly Bearer, Name
    }

    It 'without name is an error' {
        Get-ErrorId (Get-Failure { Set-GovernanceConfigurationApiKeyPrefix -ApiKeyPrefix s }) | Should -BeExactly invalid_argument
    }
}
