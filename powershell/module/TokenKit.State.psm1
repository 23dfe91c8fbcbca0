# What the module keeps between commands, for each runspace its own, gone with the module. The cmdlets find it here.
param([string] $Names)

# The session of New-VenafiSession. Exported, so that scripts read it and edit its properties.
$VenafiSession = $null

# The live table of Get-GovernanceConfiguration.
$Configuration = $null

# Names of Cloud.Governance.Client that other modules may have, too. Import-Module TokenKit -ArgumentList DistinctNames
# leaves them out. An alias hides every command of its name, so one that is there already keeps its name.
switch ($Names) {
    '' {
        $general = @{
            'Get-Configuration'              = 'Get-GovernanceConfiguration'
            'Get-HostSetting'                = 'Get-GovernanceHostSetting'
            'Get-UrlFromHostSetting'         = 'Get-GovernanceHostSettingUrl'
            'Set-Configuration'              = 'Set-GovernanceConfiguration'
            'Set-ConfigurationApiKey'        = 'Set-GovernanceConfigurationApiKey'
            'Set-ConfigurationApiKeyPrefix'  = 'Set-GovernanceConfigurationApiKeyPrefix'
            'Set-ConfigurationDefaultHeader' = 'Set-GovernanceConfigurationDefaultHeader'
        }
        # The engine itself: the cmdlets for this would load a module each.
        $items = $ExecutionContext.SessionState.PSVariable
        $commands = $ExecutionContext.InvokeCommand
        $taken = foreach ($name in $general.Keys) {
            if ($items.GetValue("alias:$name") -or $items.GetValue("function:$name") -or $commands.GetCmdlet($name)) {
                $name
            } else {
                $items.Set("alias:$name", $general[$name])
            }
        }
        if ($taken) {
            Write-Warning "Another module has $($taken -join ', ') already, so TokenKit leaves that as it is. Its own commands are $($general[$taken] -join ', ')."
        }
    }
    'DistinctNames' { }
    default { throw "TokenKit takes one argument: DistinctNames. It got: $Names" }
}

Export-ModuleMember -Variable VenafiSession -Alias *
