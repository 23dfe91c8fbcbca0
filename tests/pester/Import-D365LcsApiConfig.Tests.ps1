# Import-D365LcsApiConfig: the settings of d365fo.tools from its JSON file and from a registry export.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $core = 'c4nary' + [guid]::NewGuid().ToString('N')

    # As PSFramework 1.13 writes psf_config.json: values of all modules, each with its type.
    $entries = @(
        @{ FullName = 'd365fo.tools.lcs.clientid'; Value = $client; Type = 6; Style = 'default'; Version = 1 }
        @{ FullName = 'd365fo.tools.lcs.projectid'; Value = '123456789'; Type = 3; Style = 'default'; Version = 1 }
        @{ FullName = 'd365fo.tools.lcs.bearertoken'; Value = "$core-bearer"; Type = 6; Style = 'default'; Version = 1 }
        @{ FullName = 'd365fo.tools.lcs.activetokenexpireson'; Value = '1795276800'; Type = 5; Style = 'default'; Version = 1 }
        @{ FullName = 'd365fo.tools.lcs.refreshtoken'; Value = "$core-refresh"; Type = 6; Style = 'default'; Version = 1 }
        @{ FullName = 'd365fo.tools.lcs.lcsapiuri'; Value = 'https://lcsapi.eu.lcs.dynamics.com'; Type = 6; Style = 'default'; Version = 1 }
        @{ FullName = 'd365fo.tools.lcs.verbose'; Value = 'true'; Type = 1; Style = 'default'; Version = 1 }
        @{ FullName = 'd365fo.tools.azure.common.oauth.token'; Value = 'https://login.microsoftonline.com/common/oauth2/token'; Type = 6; Style = 'default'; Version = 1 }
    )
    $json = Join-Path $TestDrive psf_config.json
    ConvertTo-Json $entries | Set-Content $json

    # As reg.exe exports it: UTF-16, with the types in the texts.
    $reg = Join-Path $TestDrive lcs.reg
    Set-Content $reg -Encoding unicode @"
Windows Registry Editor Version 5.00

[HKEY_CURRENT_USER\SOFTWARE\Microsoft\WindowsPowerShell\PSFramework\Config\Default]
"d365fo.tools.lcs.clientid"="String:$client"
"d365fo.tools.lcs.projectid"="Int:123456789"
"d365fo.tools.lcs.bearertoken"="String:$core-bearer"
"d365fo.tools.lcs.activetokenexpireson"="Long:1795276800"
"d365fo.tools.lcs.refreshtoken"="String:$core-refresh"
"d365fo.tools.lcs.lcsapiuri"="String:https://lcsapi.eu.lcs.dynamics.com"
"d365fo.tools.lcs.verbose"="Bool:true"
"psframework.logging.maxlogfileage"="String:7"

"@
    function Get-Text { (Get-D365LcsApiConfig).psobject.Properties.Value -join '|' }
    $imported = "1795276800|$core-bearer|$client|https://lcsapi.eu.lcs.dynamics.com|123456789|$core-refresh"
}

Describe 'Import-D365LcsApiConfig' {
    BeforeEach { $folder = New-Store }

    It 'takes over <_>, says what, and leaves it as it is' -ForEach 'psf_config.json', 'lcs.reg' {
        $file = Join-Path $TestDrive $_
        $before = (Get-FileHash $file).Hash
        $output = Import-D365LcsApiConfig -Path $file -WarningAction SilentlyContinue
        Get-Text | Should -BeExactly $imported
        (Get-D365LcsApiConfig).projectid | Should -BeOfType int
        (Get-D365LcsApiConfig).activetokenexpireson | Should -BeOfType long
        ($output.Name | Sort-Object) -join ' ' | Should -BeExactly 'activetokenexpireson bearertoken clientid lcsapiuri projectid refreshtoken'
        $output.Changed | Should -Not -Contain $false
        ($output | Where-Object Name -EQ clientid).Value | Should -BeExactly $client
        (Get-FileHash $file).Hash | Should -BeExactly $before
    }

    It 'again changes nothing' {
        $null = Import-D365LcsApiConfig $json -WarningAction SilentlyContinue
        (Import-D365LcsApiConfig $json -WarningAction SilentlyContinue).Changed | Should -Not -Contain $true
    }

    It 'shows no token in any stream' {
        $run = Invoke-Pipeline $Module 'param($file) Import-D365LcsApiConfig $file -Verbose | Format-Table | Out-String' $json
        $run.Thrown | Should -BeNullOrEmpty
        $text = ($run.Output + $run.Streams.Values | ForEach-Object { $_ | Out-String }) -join ''
        $text | Should -Match bearertoken
        $text | Should -Not -Match $core
    }

    It 'with -WhatIf says what there is and saves nothing' {
        $run = Invoke-Pwsh 'Import-Module $args[0]; Import-D365LcsApiConfig $args[1] -WhatIf' $Module, $json
        $run.Output | Should -Match 'bearertoken, clientid'
        $run.Output | Should -Not -Match $core
        $folder | Should -Not -Exist
    }

    It 'with -Temporary writes no file' {
        $null = Import-D365LcsApiConfig $json -Temporary -WarningAction SilentlyContinue
        Get-Text | Should -BeExactly $imported
        $folder | Should -Not -Exist
    }

    It 'takes a path relative to the location' {
        Push-Location $TestDrive
        try { $null = Import-D365LcsApiConfig ./psf_config.json -WarningAction SilentlyContinue } finally { Pop-Location }
        Get-Text | Should -BeExactly $imported
    }

    It 'refuses <Name>: <ErrorId>' -ForEach @(
        @{ Name = 'a file that is missing'; ErrorId = 'store_io|invalid_import'; Content = $null }
        @{ Name = 'a file that is no JSON'; ErrorId = 'invalid_import'; Content = 'nonsense' }
        @{ Name = 'a file without LCS settings'; ErrorId = 'invalid_import'; Content = '[{"FullName":"psframework.x","Value":"1","Type":3}]' }
    ) {
        $file = Join-Path $TestDrive "$([guid]::NewGuid()).json"
        if ($Content) { Set-Content $file $Content }
        Get-ErrorId (Get-Failure { Import-D365LcsApiConfig $file }) | Should -Match "^($ErrorId)$"
        $folder | Should -Not -Exist
    }

    if (-not $IsWindows) {
        It 'without -Path takes what d365fo.tools keeps for this user' {
            $config = Join-Path $TestDrive config PowerShell PSFramework
            $null = New-Item $config -ItemType Directory -Force
            Copy-Item $json $config
            $null = Import-D365LcsApiConfig -WarningAction SilentlyContinue
            Get-Text | Should -BeExactly $imported
            Remove-Item $config -Recurse
            "$(Get-Failure { Import-D365LcsApiConfig })" | Should -Match 'psf_config\.json'
        }
    }
}
