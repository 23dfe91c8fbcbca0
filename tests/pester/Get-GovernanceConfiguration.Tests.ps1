# Get-GovernanceConfiguration: the one live table.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'The configuration' {
    BeforeEach { (Get-GovernanceConfiguration).Clear() }

    It 'is one hashtable, the same each time' {
        $first = Get-GovernanceConfiguration
        $first | Should -BeOfType hashtable
        [object]::ReferenceEquals($first, (Get-Configuration)) | Should -BeTrue
        Set-GovernanceConfiguration -BaseUrl https://gov.example
        $first.BaseUrl | Should -BeExactly https://gov.example
    }

    It 'has its keys filled in, again after they were taken away' {
        foreach ($round in 1, 2) {
            $configuration = Get-GovernanceConfiguration
            ($configuration.Keys | Sort-Object) -join ' ' | Should -BeExactly 'AccessToken ApiKey ApiKeyPrefix BaseUrl Cookie DefaultHeaders Password Proxy SkipCertificateCheck Username'
            foreach ($name in 'BaseUrl', 'Username', 'Password', 'AccessToken', 'Cookie', 'Proxy') { $configuration[$name] | Should -BeNullOrEmpty }
            foreach ($name in 'DefaultHeaders', 'ApiKey', 'ApiKeyPrefix') {
                $configuration[$name] | Should -BeOfType hashtable
                $configuration[$name].Count | Should -Be 0
            }
            $configuration['SkipCertificateCheck'] | Should -BeExactly $false
            $configuration.Remove('ApiKey')
            $configuration.Remove('BaseUrl')
            $configuration['DefaultHeaders'] = $null
        }
    }

    It 'takes keys in any letter case, one level down, too' {
        $configuration = Get-GovernanceConfiguration
        $configuration['baseurl'] = 'https://gov.example'
        $configuration['APIKEY']['CLIENTSECRET'] = 's'
        $configuration.BaseUrl, $configuration['ApiKey']['clientSecret'] | Should -BeExactly https://gov.example, s
    }

    It 'is of its runspace, and new after the module is imported again' {
        $configuration = Get-GovernanceConfiguration
        $configuration.BaseUrl = 'https://here.example'
        $run = Invoke-Pipeline $Module '$c = Get-Configuration; $c.BaseUrl ?? "none"; $c.BaseUrl = "https://there.example"; Import-Module (Get-Module TokenKit).Path.Replace("TokenKit.dll", "TokenKit.psd1") -Force; (Get-Configuration).BaseUrl ?? "none"'
        $run.Output -join ' ' | Should -BeExactly 'none none'
        (Get-GovernanceConfiguration).BaseUrl | Should -BeExactly https://here.example
    }

    It 'shows no secret when it is displayed, and holds them whole' {
        $configuration = Get-GovernanceConfiguration
        $configuration.BaseUrl = 'https://gov.example'
        $configuration.ApiKey.clientSecret = 'c4nary'
        $configuration.ApiKey.userPrincipalName = 'someone@example.com'
        $configuration.DefaultHeaders.Authorization = 'Bearer c4nary'
        $configuration.Password = $configuration.Cookie = $configuration.AccessToken = 'c4nary'
        $configuration.Proxy = 'http://user:c4nary@proxy.example'
        foreach ($text in ($configuration | Out-String -Width 500), ($configuration | Format-List * | Out-String -Width 500), (, 1 + $configuration | Out-String -Width 500), "$configuration") {
            $text | Should -Not -Match c4nary
        }
        $configuration | Out-String -Width 500 | Should -Match 'https://gov.example'
        $configuration.ApiKey.clientSecret, $configuration['Password'] | Should -BeExactly c4nary, c4nary
        @($configuration.GetEnumerator().Where{ $_.Key -eq 'Password' }.Value) | Should -BeExactly c4nary
        ($configuration | ConvertTo-Json | ConvertFrom-Json).ApiKey.clientSecret | Should -BeExactly c4nary
    }
}
