# The general names of Cloud.Governance.Client (Get-Configuration, …): aliases of distinct ones that an import can leave
# out, and that never hide what another module brought before.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $general = @(
        @{ General = 'Get-Configuration'; Distinct = 'Get-GovernanceConfiguration' }
        @{ General = 'Get-HostSetting'; Distinct = 'Get-GovernanceHostSetting' }
        @{ General = 'Get-UrlFromHostSetting'; Distinct = 'Get-GovernanceHostSettingUrl' }
        @{ General = 'Set-Configuration'; Distinct = 'Set-GovernanceConfiguration' }
        @{ General = 'Set-ConfigurationApiKey'; Distinct = 'Set-GovernanceConfigurationApiKey' }
        @{ General = 'Set-ConfigurationApiKeyPrefix'; Distinct = 'Set-GovernanceConfigurationApiKeyPrefix' }
        @{ General = 'Set-ConfigurationDefaultHeader'; Distinct = 'Set-GovernanceConfigurationDefaultHeader' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module

    # What a fresh process says, as one line.
    function Get-Answer([string] $Script, [string] $Folder = $TestDrive) {
        $run = Invoke-Pwsh "param(`$module, `$folder)`n$Script" $Module, $Folder
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\r?\n' -join ' '
    }

    $show = '"$((Get-Command Get-Configuration, Get-GovernanceConfiguration, token, New-VcToken -ErrorAction Ignore).Name)"'
    Set-Content "$TestDrive/Other.psm1" "function Get-Configuration { 'the other one' }"
}

Describe '<General>' -ForEach $general {
    It 'is an alias of <Distinct>' {
        $alias = Get-Alias $General
        $alias.Definition | Should -BeExactly $Distinct
        $alias.Source | Should -BeExactly TokenKit
        (Get-Command $Distinct).CommandType | Should -Be Cmdlet
    }
}

Describe 'An import' {
    It 'has the general names by default' {
        Get-Answer "Import-Module `$module; $show" | Should -BeExactly 'Get-Configuration Get-GovernanceConfiguration token New-VcToken'
    }

    It 'leaves them out with -ArgumentList DistinctNames, and keeps all else' {
        Get-Answer "Import-Module `$module -ArgumentList DistinctNames; $show; Test-Path variable:VenafiSession" | Should -BeExactly 'Get-GovernanceConfiguration token New-VcToken True'
    }

    It 'takes no other argument' {
        $run = Invoke-Pwsh 'param($module) Import-Module $module -ArgumentList Anything' $Module
        $run.Error | Should -Match DistinctNames
    }

    It 'puts a prefix before all names with -Prefix, and they work' {
        Get-Answer 'Import-Module $module -Prefix Ave; "$((Get-Command Get-Configuration, Get-AveConfiguration, Get-AveGovernanceConfiguration, New-AveVcToken -ErrorAction Ignore).Name)"; (Get-AveConfiguration) -is [hashtable]; Set-AveConfiguration https://gov.example; (Get-AveConfiguration).BaseUrl' |
            Should -BeExactly 'Get-AveConfiguration Get-AveGovernanceConfiguration New-AveVcToken True https://gov.example'
    }

    It 'takes what is named by -Cmdlet and -Alias only, and the session lives all the same' {
        Get-Answer "Import-Module `$module -Cmdlet Get-GovernanceConfiguration, New-VcToken; $show" | Should -BeExactly 'Get-GovernanceConfiguration New-VcToken'
        Get-Answer "Import-Module `$module -Cmdlet Get-VenafiSession; try { Get-VenafiSession } catch { (`$_.FullyQualifiedErrorId -split ',')[0] }" | Should -BeExactly no_session
    }

    It 'is made by the first use of a general name, too' {
        $folder = Split-Path (Split-Path (Get-ChildItem $Module -Recurse -Filter TokenKit.psd1).DirectoryName)
        Get-Answer '$env:PSModulePath = $folder; (Get-Configuration).Keys.Count' $folder | Should -BeExactly 10
    }

    It 'of TokenKit.dll alone says what is missing' {
        Get-Answer 'Import-Module (Get-ChildItem $module -Recurse -Filter TokenKit.dll | Select-Object -First 1).FullName; try { Get-VenafiSession } catch { ($_.FullyQualifiedErrorId -split ",")[0] }' | Should -BeExactly module_state_missing
    }
}

Describe 'Another module''s Get-Configuration' {
    It 'that was there before stays, as <Name>, with a warning' -ForEach @(
        @{ Name = 'function'; Before = 'Import-Module $folder/Other.psm1'; Answer = 'the other one' }
        @{ Name = 'alias'; Before = 'function Other { "the other one" }; Set-Alias Get-Configuration Other'; Answer = 'the other one' }
        @{ Name = 'cmdlet'; Answer = 'the other one'
            Before = 'Add-Type "using System.Management.Automation; [Cmdlet(`"Get`", `"Configuration`")] public class Other : PSCmdlet { protected override void ProcessRecord() => WriteObject(`"the other one`"); }" -OutputAssembly "$folder/cmdlet.dll"; Import-Module "$folder/cmdlet.dll"' }
    ) {
        Get-Answer "$Before; Import-Module `$module -WarningVariable w -WarningAction SilentlyContinue 3>`$null; Get-Configuration; (Get-GovernanceConfiguration).Keys.Count; (Get-Alias Set-Configuration).Definition" |
            Should -BeExactly "$Answer 10 Set-GovernanceConfiguration"
        (Invoke-Pwsh "param(`$module, `$folder) $Before; Import-Module `$module" $Module, "$TestDrive").Output -replace '\s+', ' ' |
            Should -Match 'WARNING: .*Get-Configuration.*Get-GovernanceConfiguration'
    }

    It 'that was there before stays without a word with -ArgumentList DistinctNames' {
        Get-Answer 'Import-Module $folder/Other.psm1; Import-Module $module -ArgumentList DistinctNames *>&1; Get-Configuration' | Should -BeExactly 'the other one'
    }

    It 'and its New-VcToken stay with -NoClobber' {
        Get-Answer 'Import-Module $folder/Other.psm1; function New-VcToken { "another one" }; Import-Module $module -NoClobber 3>$null; Get-Configuration; New-VcToken; (Get-GovernanceConfiguration).Keys.Count' |
            Should -BeExactly 'the other one another one 10'
    }

    It 'does not keep an import with -Force from having its own names' {
        Get-Answer 'Import-Module $module; Import-Module $module -Force *>&1; (Get-Configuration).Keys.Count' | Should -BeExactly 10
    }
}
