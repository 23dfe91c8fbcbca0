# Set-GovernanceConfigurationDefaultHeader: one header, the others stay.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'One header' {
    BeforeEach { (Get-GovernanceConfiguration).Clear() }

    It 'is set by name or position, and the others stay' {
        Set-GovernanceConfigurationDefaultHeader -Key X-A -Value 1 | Should -BeNullOrEmpty
        Set-ConfigurationDefaultHeader X-B 2
        $headers = (Get-GovernanceConfiguration).DefaultHeaders
        $headers['x-a'], $headers['X-B'] | Should -Be 1, 2
        Set-GovernanceConfigurationDefaultHeader x-a ''
        $headers['X-A'] | Should -BeExactly ''
        $headers.Count | Should -Be 2
    }

    It 'without name is an error' {
        Get-ErrorId (Get-Failure { Set-GovernanceConfigurationDefaultHeader -Value s }) | Should -BeExactly invalid_argument
    }
}
