# Set-GovernanceConfiguration: what it sets, clears, and leaves alone.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'Setting' {
    BeforeEach { (Get-GovernanceConfiguration).Clear() }

    It '-<Name> stores it under its name' -ForEach @(
        @{ Name = 'BaseUrl'; Value = 'https://gov.example/api' }
        @{ Name = 'Username'; Value = 'u' }
        @{ Name = 'Password'; Value = 'p' }
        @{ Name = 'ApiKey'; Value = @{ clientSecret = 's' } }
        @{ Name = 'ApiKeyPrefix'; Value = @{ clientSecret = 'Bearer' } }
        @{ Name = 'Cookie'; Value = 'c' }
        @{ Name = 'AccessToken'; Value = 't' }
        @{ Name = 'DefaultHeaders'; Value = @{ 'X-A' = '1' } }
        @{ Name = 'Proxy'; Value = 'http://127.0.0.1:1' }
        @{ Name = 'Proxy'; Value = [uri]'http://127.0.0.1:1' }
        @{ Name = 'Proxy'; Value = [System.Net.WebProxy]::new('http://127.0.0.1:1') }
        @{ Name = 'Proxy'; Value = [System.Net.WebRequest]::GetSystemWebProxy() }
        @{ Name = 'SkipCertificateCheck'; Value = $true }
    ) {
        $bound = @{ $Name = $Value }
        Set-GovernanceConfiguration @bound | Should -BeNullOrEmpty
        (Get-GovernanceConfiguration)[$Name] | Should -Be $Value
    }

    It 'leaves the rest as it is, also SkipCertificateCheck and Proxy' {
        Set-GovernanceConfiguration -BaseUrl https://gov.example -SkipCertificateCheck -Proxy http://127.0.0.1:1
        Set-GovernanceConfiguration -Username u
        $configuration = Get-GovernanceConfiguration
        $configuration.BaseUrl, $configuration.SkipCertificateCheck, $configuration.Proxy | Should -Be https://gov.example, $true, http://127.0.0.1:1
        Set-GovernanceConfiguration -SkipCertificateCheck:$false -Proxy $null
        $configuration.SkipCertificateCheck | Should -BeFalse
        $configuration.Proxy | Should -BeNullOrEmpty
    }

    It 'clears with an empty text or table' {
        Set-GovernanceConfiguration https://gov.example u p @{ a = 1 } @{ a = 1 } c t @{ a = 1 } http://127.0.0.1:1
        Set-GovernanceConfiguration '' '' '' @{} @{} '' '' @{} ''
        $configuration = Get-GovernanceConfiguration
        foreach ($name in 'BaseUrl', 'Username', 'Password', 'Cookie', 'AccessToken', 'Proxy') { $configuration[$name] | Should -BeNullOrEmpty -Because $name }
        foreach ($name in 'ApiKey', 'ApiKeyPrefix', 'DefaultHeaders') { $configuration[$name].Count | Should -Be 0 -Because $name }
    }

    It 'replaces tables as a whole' {
        Set-GovernanceConfiguration -ApiKey @{ clientSecret = 's'; userPrincipalName = 'u' }
        Set-GovernanceConfiguration -ApiKey @{ clientSecret = 'n' }
        (Get-GovernanceConfiguration).ApiKey.Keys | Should -BeExactly clientSecret
    }

    It 'takes tables as objects of ConvertFrom-Json, too' {
        Set-GovernanceConfiguration -ApiKey ('{"ClientSecret":"s"}' | ConvertFrom-Json) -DefaultHeaders ([pscustomobject]@{ 'X-A' = 1 })
        (Get-GovernanceConfiguration).ApiKey.clientSecret | Should -BeExactly s
        (Get-GovernanceConfiguration).DefaultHeaders.'X-A' | Should -Be 1
    }

    It 'does not quote a text in place of a table: -<_>' -ForEach 'ApiKey', 'ApiKeyPrefix', 'DefaultHeaders' {
        $parameters = @{ $_ = 'Authorization: S3CRET' }
        (Get-Failure { Set-GovernanceConfiguration @parameters }) | Should -Not -Match S3CRET
    }

    It 'returns the live table with -PassThru' {
        $configuration = Set-GovernanceConfiguration -BaseUrl https://gov.example -PassThru
        [object]::ReferenceEquals($configuration, (Get-GovernanceConfiguration)) | Should -BeTrue
    }

    It 'refuses what cannot be used, and stores nothing then: <Name>' -ForEach @(
        @{ Name = 'a BaseUrl that is none'; Parameters = @{ BaseUrl = 'here'; Username = 'u' }; Id = 'invalid_endpoint' }
        @{ Name = 'a proxy that is a number'; Parameters = @{ Proxy = 5; Username = 'u' }; Id = 'invalid_proxy' }
    ) {
        $failure = try { Set-GovernanceConfiguration @Parameters } catch [System.Management.Automation.RuntimeException] { $_ }
        Get-ErrorId $failure | Should -BeExactly $Id
        (Get-GovernanceConfiguration).Username | Should -BeNullOrEmpty
    }
}
