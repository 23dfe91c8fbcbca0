# The commands' parameters against surface/*.json, the surface of the modules whose scripts must keep running.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $surfaces = Get-ChildItem $PSScriptRoot/surface/*.json | ForEach-Object { Get-Content $_ -Raw | ConvertFrom-Json -AsHashtable }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
}

AfterAll { Stop-Peer $server }

Describe 'The surface of <command>' -ForEach $surfaces {
    BeforeAll {
        $surface = $_
        $info = Get-Command $command
        $common = [System.Management.Automation.Cmdlet]::CommonParameters

        # Set name -> CommandParameterInfo, for the sets that have the parameter.
        function Get-Occurrence([string] $Name) {
            $occurrences = @{}
            foreach ($set in $info.ParameterSets) {
                $set.Parameters | Where-Object Name -CEQ $Name | ForEach-Object { $occurrences[$set.Name] = $_ }
            }
            $occurrences
        }

        # The names beside a parameter's own: one in PowerShell case for each of the protocol, and what is listed.
        function Assert-Alias([System.Collections.IDictionary] $Expected, $Parameter) {
            $name = $Parameter.Name
            $names = @($Expected.Contains('aliases') ? $Expected['aliases'] : @())
            if ($name.Contains('_')) { $names += ($name -split '_').ForEach{ $_.Substring(0, 1).ToUpperInvariant() + $_.Substring(1) } -join '' }
            $names += @($Expected.Contains('addedAliases') ? $Expected['addedAliases'] : @())
            $Parameter.Aliases -join ' ' | Should -BeExactly ($names -join ' ')
        }

        function Assert-Set([System.Collections.IDictionary] $Expected, [string[]] $Key, [string[]] $Actual) {
            $expectedSets = $Key.ForEach{ if ($Expected.Contains($_)) { $Expected[$_] } }
            ($Actual | Sort-Object) -join ', ' | Should -BeExactly (($expectedSets | Sort-Object) -join ', ')
        }

        function Assert-Value([System.Collections.IDictionary] $Expected, $Parameter) {
            $actual = $Parameter.Attributes.Where{ $_ -is [ValidateSet] }.ForEach{ $_.ValidValues }
            $actual -join ' ' | Should -BeExactly ($Expected.Contains('values') ? $Expected['values'] -join ' ' : '')
        }
    }

    It 'has its aliases' {
        $defined = Get-Alias -Definition $command -ErrorAction Ignore | Where-Object Source -EQ TokenKit
        (@($defined).ForEach{ $_.Name } | Sort-Object) -join ' ' | Should -BeExactly (($aliases | Sort-Object) -join ' ')
    }

    It 'has its parameter sets and default' {
        ($info.ParameterSets.Name | Sort-Object) -join ' ' | Should -BeExactly (($parameterSets | Sort-Object) -join ' ')
        $info.DefaultParameterSet | Should -BeExactly $defaultParameterSet
    }

    It 'has no parameter that is neither original nor listed as added' {
        $known = @(@($original) + @($added)).ForEach{ $_.name } + $common
        $info.Parameters.Keys | Where-Object { $_ -cnotin $known } | Should -BeNullOrEmpty
    }

    It 'keeps -<name>: type, sets, position, values and aliases' -ForEach $original {
        $parameter = $info.Parameters[$name]
        $parameter.Name | Should -BeExactly $name
        $parameter.ParameterType.FullName | Should -BeExactly $type
        # An abbreviation that an added parameter would make ambiguous is kept as alias.
        Assert-Alias $_ $parameter
        $occurrences = Get-Occurrence $name
        Assert-Set $_ mandatory $occurrences.Keys.Where{ $occurrences[$_].IsMandatory }
        Assert-Set $_ optional, widened $occurrences.Keys.Where{ -not $occurrences[$_].IsMandatory }
        $expectedPosition = $_.Contains('position') ? $position : [int]::MinValue
        $occurrences.Values.Position | Sort-Object -Unique | Should -Be $expectedPosition
        Assert-Value $_ $parameter
    }

    It 'binds -<name> from the pipeline as it should' -ForEach $original {
        $occurrences = Get-Occurrence $name
        $way = $_.Contains('pipeline') ? $pipeline : 'property'
        # A parameter may bind in some of its sets only.
        $binding = @($_.Contains('pipelineSets') ? $pipelineSets : $occurrences.Keys)
        foreach ($set in $occurrences.Keys) {
            $occurrences[$set].ValueFromPipeline | Should -Be ($way -in 'value', 'both' -and $set -in $binding) -Because $set
            $occurrences[$set].ValueFromPipelineByPropertyName | Should -Be ($way -in 'property', 'both' -and $set -in $binding) -Because $set
        }
    }

    It 'adds -<name>: typed, named, and mandatory only where it makes a set of its own' -ForEach $added {
        $parameter = $info.Parameters[$name]
        $parameter.Name | Should -BeExactly $name
        $parameter.ParameterType.FullName | Should -BeExactly $type
        if ($name.Contains('_')) { Assert-Alias $_ $parameter }
        $occurrences = Get-Occurrence $name
        Assert-Set $_ mandatory $occurrences.Keys.Where{ $occurrences[$_].IsMandatory }
        Assert-Set $_ optional $occurrences.Keys.Where{ -not $occurrences[$_].IsMandatory }
        if ($_.Contains('mandatory')) { $mandatory | Where-Object { $_ -notin $surface['addedSets'] } | Should -BeNullOrEmpty }
        $occurrences.Values.Position | Sort-Object -Unique | Should -Be ([int]::MinValue)
        Assert-Value $_ $parameter
    }

    # Only an added parameter can take an abbreviation away.
    if ($added) {
        It 'lets every abbreviation of an original parameter mean what it meant' {
            # A function with the original's parameters and the common ones, as the engine knows them here.
            $names = @($original).ForEach{ $_.name }
            # Those that keep an abbreviation are of TokenKit.
            $itsAliases = @{}
            foreach ($parameter in $original | Where-Object { $_.Contains('aliases') }) { $itsAliases[$parameter.name] = @($parameter.aliases | Where-Object { $_.Length -gt 1 -and -not $parameter.name.StartsWith($_, 'OrdinalIgnoreCase') }) }
            function Original { [CmdletBinding()] param() dynamicparam {
                    $parameters = [System.Management.Automation.RuntimeDefinedParameterDictionary]::new()
                    foreach ($name in $names) {
                        $attributes = [System.Collections.ObjectModel.Collection[Attribute]]::new()
                        $attributes.Add([Parameter]::new())
                        if ($itsAliases[$name]) { $attributes.Add([Alias]::new($itsAliases[$name])) }
                        $parameters[$name] = [System.Management.Automation.RuntimeDefinedParameter]::new($name, [object], $attributes)
                    }
                    $parameters
                } }
            $before = Get-Command Original
            $compared = 0
            foreach ($spelling in @($names) + $itsAliases.Values.ForEach{ $_ }) {
                foreach ($length in 1..$spelling.Length) {
                    $prefix = $spelling.Substring(0, $length)
                    $meant = try { $before.ResolveParameter($prefix).Name } catch { continue }
                    # Few, and listed in docs/compatibility.md.
                    if ($prefix -in $surface['lostAbbreviations']) { continue }
                    $info.ResolveParameter($prefix).Name | Should -BeExactly $meant -Because "-$prefix meant -$meant"
                    $compared++
                }
            }
            if ($names) { $compared | Should -BeGreaterThan $names.Count }
        }
    }

    It 'resolves: <name>' -ForEach $resolution {
        # Without user interface, or a missing mandatory parameter would be asked for.
        $bound = $parameters + @{ uri = "$($server.http)/echo-token" }
        $run = Invoke-Pipeline $Module 'param($command, $bound) try { & $command @bound } catch { $_ }' $surface.command, $bound
        $sent = @(Get-SentRequest $server)
        if ($_.Contains('errorId')) {
            Get-ErrorId $run.Output[0] | Should -BeExactly $errorId
            $sent | Should -BeNullOrEmpty
        } else {
            $run.Output[0].access_token | Should -Not -BeNullOrEmpty
            $sent.Count | Should -Be 1
            $sent[0].Form.Count | Should -Be $sends.Count
            foreach ($field in $sends.Keys) { $sent[0].Form[$field] | Should -BeExactly $sends[$field] -Because $field }
        }
    }

    if ($command -eq 'Invoke-OAuth2TokenEndpoint') {
        It 'takes only the uri by position' {
            $script = 'param($command, $uri) try { & $command $uri -client_id c "Cert:\CurrentUser\My\8ae399" } catch { $_ }'
            $run = Invoke-Pipeline $Module $script $surface.command, "$($server.http)/echo-token"
            Get-ErrorId $run.Output[0] | Should -BeExactly PositionalParameterNotFound
            Get-SentRequest $server | Should -BeNullOrEmpty
        }
    }
}
