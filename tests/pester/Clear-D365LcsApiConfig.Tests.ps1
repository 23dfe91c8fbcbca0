# Clear-D365LcsApiConfig: what goes, what stays, and that it asks.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    function Get-Text { (Get-D365LcsApiConfig).psobject.Properties.Value -join '|' }
}

Describe 'Clear-D365LcsApiConfig' {
    BeforeEach {
        $folder = New-Store
        Set-D365LcsApiConfig -ProjectId 1 -ClientId c -BearerToken b -ActiveTokenExpiresOn 2 -RefreshToken r -LcsApiUri u
    }

    It 'forgets everything and returns nothing' {
        Clear-D365LcsApiConfig | Should -BeNullOrEmpty
        Get-Text | Should -BeExactly '|||||'
        (Invoke-Pwsh 'Import-Module $args[0]; (Get-D365LcsApiConfig).psobject.Properties.Value -join "|"' $Module).Output.Trim() | Should -BeExactly '|||||'
    }

    It 'forgets only what is named' {
        Clear-D365LcsApiConfig -Name BearerToken, refreshtoken
        Get-Text | Should -BeExactly '2||c|u|1|'
    }

    It 'forgets what is kept for this process, too' {
        Set-D365LcsApiConfig -ProjectId 5 -Temporary
        Clear-D365LcsApiConfig
        Get-Text | Should -BeExactly '|||||'
    }

    It 'with -Temporary brings the saved values back' {
        Set-D365LcsApiConfig -ProjectId 5 -BearerToken temporary -Temporary
        Clear-D365LcsApiConfig -Temporary
        Get-Text | Should -BeExactly '2|b|c|u|1|r'
    }

    It 'with -WhatIf forgets nothing' {
        Clear-D365LcsApiConfig -WhatIf
        Get-Text | Should -BeExactly '2|b|c|u|1|r'
    }

    It 'refuses a name that is none, and completes those that are' {
        Get-ErrorId (Get-Failure { Clear-D365LcsApiConfig -Name nothing }) | Should -BeExactly ParameterArgumentValidationError
        [System.Management.Automation.CommandCompletion]::CompleteInput('Clear-D365LcsApiConfig -Name p', 30, $null).CompletionMatches.CompletionText | Should -BeExactly projectid
    }

    It 'leaves no token in a file' {
        Clear-D365LcsApiConfig
        Set-D365LcsApiConfig -BearerToken c4nary -RefreshToken c4nary
        Clear-D365LcsApiConfig
        Get-ChildItem $folder -Recurse -File -Force | ForEach-Object { Get-Content $_ -Raw } | Should -Not -Match c4nary
    }
}
