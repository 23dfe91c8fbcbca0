# The pages in powershell/docs and the about topics: whole, true to the commands, and what Get-Help shows of them.
using namespace System.Management.Automation.Language
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $pages = (Get-ChildItem $root/powershell/docs -Filter *.md).ForEach{ @{ Name = $_.BaseName; File = $_.FullName } }
    $topics = (Get-ChildItem $root/powershell/module/en-US -Filter *.help.txt).ForEach{ @{ Name = $_.Name -replace '\.help\.txt$'; File = $_.FullName } }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    . $root/powershell/pages.ps1
    Import-Module $Module
    $package = (Get-ChildItem $Module -Recurse -Filter TokenKit.psd1).DirectoryName
    # Without these, PowerShell would look for help on the network.
    $exported = (Get-Module TokenKit).ExportedCommands

    # What is wrong with code of TokenKit's commands: each must exist, with its parameters, also those in a hashtable that
    # is splatted.
    function Find-Mistake([string] $Code) {
        $problems = $null
        $tree = [Parser]::ParseInput($Code, [ref]$null, [ref]$problems)
        $problems.ForEach{ "$_" }
        $tables = @{}
        foreach ($assignment in $tree.FindAll({ $args[0] -is [AssignmentStatementAst] -and $args[0].Right -is [CommandExpressionAst] -and $args[0].Right.Expression -is [HashtableAst] }, $true)) {
            $tables["$($assignment.Left)".TrimStart('$')] = $assignment.Right.Expression.KeyValuePairs.Item1.ForEach{ $_.Value }
        }
        foreach ($call in $tree.FindAll({ $args[0] -is [CommandAst] }, $true)) {
            $name = "$($call.GetCommandName())" -replace '^TokenKit\\'
            $command = $exported[$name]
            if (-not $command) {
                if ($name -match '-(OAuth2|D365|Vc|Venafi|Governance|TokenKit|Jwk|JsonWebToken)') { "$name is no command" }
                continue
            }
            if ($command -is [System.Management.Automation.AliasInfo]) { $command = $command.ResolvedCommand }
            $used = $call.CommandElements.Where{ $_ -is [CommandParameterAst] }.ForEach{ $_.ParameterName }
            $used += $call.CommandElements.Where{ $_ -is [VariableExpressionAst] -and $_.Splatted }.ForEach{ $tables["$($_.VariablePath)"] }
            foreach ($parameter in $used | Where-Object { $_ }) {
                try { $null = $command.ResolveParameter($parameter) } catch { "$name has no -$parameter" }
            }
        }
    }
}

Describe 'The page of <Name>' -ForEach $pages {
    BeforeAll {
        $page = Read-Page $File
        $text = (Get-Content $File -Raw) -replace '\r'
        $command = Get-Command "TokenKit\$Name"
    }

    It 'has its front matter and all headings, in order' {
        $text | Should -MatchExactly "\A---\nexternal help file: TokenKit\.dll-Help\.xml\nModule Name: TokenKit\nonline version: https://github\.com/tokenkit/tokenkit/blob/main/powershell/docs/$Name\.md\nschema: 2\.0\.0\n---\n\n# $Name\n"
        [regex]::Matches($text, '(?m)^## (.+)$').ForEach{ $_.Groups[1].Value } -join ' ' |
            Should -BeExactly 'SYNOPSIS SYNTAX DESCRIPTION EXAMPLES PARAMETERS INPUTS OUTPUTS NOTES RELATED LINKS'
    }

    It 'has no empty part and no placeholder' {
        foreach ($part in 'SYNOPSIS', 'SYNTAX', 'DESCRIPTION', 'EXAMPLES', 'PARAMETERS', 'INPUTS', 'OUTPUTS', 'NOTES', 'RELATED LINKS') {
            $page[$part] | Should -Not -BeNullOrEmpty -Because $part
        }
        foreach ($type in @(Get-Section $page.INPUTS 3) + @(Get-Section $page.OUTPUTS 3)) { $type.Text | Should -Match '\w{3}' -Because $type.Title }
        $text | Should -Not -Match '\{\{|\bTODO\b|\bTBD\b|\bFill in the\b(?! template)'
    }

    It 'has the syntax and the parameter tables of the command (./build.ps1 Help writes them)' {
        Get-UpdatedPage $page $command | Should -BeExactly $text
    }

    It 'describes every parameter in a sentence' {
        foreach ($parameter in $page.Named.Values) {
            $parameter.Text | Should -MatchExactly '^[A-Z-][^\n]{9,}[.:]' -Because "-$($parameter.Name)"
            $parameter.Blocks[0]['Default value'] | Should -Not -BeNullOrEmpty -Because "-$($parameter.Name)"
        }
    }

    It 'has three examples or more, each with what it is for and what it shows' {
        $page.Samples.Count | Should -BeGreaterOrEqual 3
        foreach ($sample in $page.Samples) {
            $sample.Introduction | Should -Match '\w.*[.?:]' -Because $sample.Title
            $sample.Code | Should -Not -BeNullOrEmpty -Because $sample.Title
            if (-not $sample.Output) { $sample.Introduction + $sample.Remarks | Should -Match 'no output|The output is' -Because "$($sample.Title) shows nothing" }
        }
    }

    It 'has examples that parse, of this command, with parameters that exist' {
        $names = @($Name) + @($exported.Values.Where{ $_ -is [System.Management.Automation.AliasInfo] -and $_.ResolvedCommand.Name -eq $Name }.ForEach{ $_.Name })
        foreach ($sample in $page.Samples) {
            Find-Mistake $sample.Code | Should -BeNullOrEmpty -Because $sample.Title
            $sample.Code | Should -Match "(?<![\w-])($($names -join '|'))(?![\w-])" -Because $sample.Title
        }
    }

    It 'names the aliases of the command' {
        foreach ($alias in $exported.Values.Where{ $_ -is [System.Management.Automation.AliasInfo] -and $_.ResolvedCommand.Name -eq $Name }) {
            $page.NOTES | Should -MatchExactly "Alias(es)?: .*``$($alias.Name)``"
        }
    }

    It 'has links that lead somewhere' {
        $links = [regex]::Matches($page['RELATED LINKS'], '\[(?<text>[^\]]+)\]\((?<uri>[^)]+)\)')
        $links.Count | Should -BeGreaterThan 0
        foreach ($link in $links) {
            $uri = $link.Groups['uri'].Value
            if ($uri -match '^https://(www\.rfc-editor\.org/rfc/rfc\d+|openid\.net/specs/)') { continue }
            Join-Path (Split-Path $File) $uri | Should -Exist
            if ($uri -match '^[\w-]+\.md$') { $link.Groups['text'].Value | Should -BeExactly ($uri -replace '\.md$') }
        }
    }

    It 'is shown whole by Get-Help' {
        $help = Get-Help "TokenKit\$Name" -Full
        "$($help.Synopsis)" | Should -Match '\w.*\.'
        @($help.description).Text | Should -Not -BeNullOrEmpty
        @($help.syntax.syntaxItem).Count | Should -Be $command.ParameterSets.Count
        @($help.examples.example).Count | Should -Be $page.Samples.Count
        foreach ($example in $help.examples.example) {
            $example.code | Should -Not -BeNullOrEmpty
            @($example.remarks).Text | Should -Not -BeNullOrEmpty
        }
        # Without parameters there is no member.
        $described = @($help.psobject.Properties['parameters']?.Value.psobject.Properties['parameter']?.Value | Where-Object { $_ })
        ($described.ForEach{ $_.name } | Sort-Object) -join ' ' | Should -BeExactly ((@($page.Named.Keys) | Sort-Object) -join ' ')
        foreach ($parameter in $described) { @($parameter.description).Text | Should -Not -BeNullOrEmpty -Because $parameter.name }
        foreach ($part in $help.inputTypes.inputType, $help.returnValues.returnValue) { @($part.description).Text | Should -Not -BeNullOrEmpty }
        @($help.alertSet.alert).Text | Should -Not -BeNullOrEmpty
        @($help.relatedLinks.navigationLink).linkText | Should -Contain about_TokenKit
    }
}

Describe 'A page that a hand has changed' {
    BeforeAll {
        $original = (Get-Content $root/powershell/docs/Move-TokenKitStore.md -Raw) -replace '\r'
        $copy = Join-Path $TestDrive Move-TokenKitStore.md

        function Update-Copy([string] $Text) {
            Set-Content $copy $Text -NoNewline
            Get-UpdatedPage (Read-Page $copy) (Get-Command TokenKit\Move-TokenKitStore)
        }
    }

    It 'gets its syntax, types, aliases and positions back' {
        $wrong = $original.Replace('[-Backend]', '[-Other]').Replace("Type: SwitchParameter", 'Type: String').Replace('Aliases: cf', 'Aliases: no').Replace('Position: 0', 'Position: 7').Replace('Required: True', 'Required: False')
        $wrong | Should -Not -BeExactly $original
        Update-Copy $wrong | Should -BeExactly $original
    }

    It 'keeps its own words: descriptions, default values, examples' {
        $own = $original.Replace('Default value: None', 'Default value: Nothing at all').Replace('## NOTES', "## NOTES`nMore to know.")
        Update-Copy $own | Should -BeExactly $own
    }

    It 'loses a parameter that there is not, and gets one that is new, without a description' {
        $section = [regex]::Match($original, '(?ms)^### -KeyFile\n.*?(?=^### )').Value
        $section | Should -Not -BeNullOrEmpty
        $updated = Update-Copy $original.Replace($section, $section.Replace('-KeyFile', '-Gone'))
        $updated | Should -Not -Match '-Gone'
        $updated | Should -MatchExactly '(?m)^### -KeyFile\n\n\n```yaml\nType: String$'
    }

    It 'gets the output of an example, or the statement that there is none' {
        $page = Read-Page "$root/powershell/docs/Move-TokenKitStore.md"
        $shown = Set-SampleOutput $original $page.Samples[2] "one`n# two"
        $shown | Should -MatchExactly '(?m)^```output\none\n# two\n```\n\n### EXAMPLE 4$'
        Set-Content $copy $shown -NoNewline
        (Read-Page $copy).Samples.Output[2] | Should -BeExactly "one`n# two"
        $silent = Set-SampleOutput $shown (Read-Page $copy).Samples[2] ''
        $silent | Should -MatchExactly '(?m)^There is no output\.\n\n### EXAMPLE 4$'
        Set-Content $copy $silent -NoNewline
        Set-SampleOutput $silent (Read-Page $copy).Samples[2] $page.Samples[2].Output | Should -BeExactly $original
    }
}

Describe 'Get-Help -Full' {
    It 'fills each of its parts, without marks that are for other readers' {
        $shown = Get-Help TokenKit\Invoke-OAuth2TokenEndpoint -Full | Out-String -Width 80
        foreach ($part in 'NAME', 'SYNOPSIS', 'SYNTAX', 'DESCRIPTION', 'PARAMETERS', 'INPUTS', 'OUTPUTS', 'NOTES', 'RELATED LINKS') {
            $shown | Should -MatchExactly "(?m)^$part\s*\n\s*\S"
        }
        $shown | Should -Not -Match '`[a-z]|\*\*[a-z]|\]\(\w|\|---'
    }
}

Describe 'The topic <Name>' -ForEach $topics {
    BeforeAll { $text = (Get-Content $File -Raw) -replace '\r' }

    It 'is found by Get-Help' {
        $run = Invoke-Pwsh 'param($folder, $name) $env:PSModulePath = $folder; (Get-Help $name) -join "`n"' (Split-Path (Split-Path $package)), $Name
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() | Should -Match "^TOPIC\s+$Name\s+SHORT DESCRIPTION"
    }

    It 'has the parts of a topic, in lines of at most 80 characters' {
        [regex]::Matches($text, '(?m)^[A-Z][A-Z .0-9-]+$').ForEach{ $_.Value }.Where{ $_ -notmatch '^FROM ' } -join ', ' |
            Should -BeExactly 'TOPIC, SHORT DESCRIPTION, LONG DESCRIPTION, SEE ALSO'
        $text -split '\n' | Where-Object { $_.Length -gt 80 -or $_ -match '\t| $' } | Should -BeNullOrEmpty
        $text | Should -Not -Match '[^\x00-\x7f]' -Because 'every console shows it'
    }

    It 'has code that parses, with commands and parameters that exist' {
        $blocks = [regex]::Matches($text, '(?m)^ {8}PS> (?<code>.*\n(?: {9,}.*\n)*)').ForEach{ $_.Groups['code'].Value }
        $blocks.Count | Should -BeGreaterThan 2
        foreach ($block in $blocks) { Find-Mistake $block | Should -BeNullOrEmpty -Because $block }
    }

    It 'names commands, parameters and topics that exist' {
        $foreign = 'Import-Module', 'Get-Help', 'Get-Command', 'Get-Secret', 'Invoke-RestMethod', 'Read-Host', 'Get-Content', 'Get-Date', 'Get-AutomationPSCredential', 'Import-Csv',
            'ConvertFrom-Json', 'Set-ConfigurationHttpSigning', 'Get-ConfigurationHttpSigning'
        $named = [regex]::Matches($text, '(?<![\w-])(Get|Set|New|Test|Invoke|ConvertFrom|ConvertTo|Convert|Clear|Move|Import|Enable|Disable|Read)-\w+').ForEach{ $_.Value }
        $named | Where-Object { -not $exported.ContainsKey($_) -and $_ -notin $foreign } | Should -BeNullOrEmpty
        $parameters = $exported.Values.Where{ $_ -is [System.Management.Automation.CmdletInfo] }.Parameters.Keys + 'Full', 'Module', 'Headers', 'Name', 'AsSecureString', 'Raw', 'ArgumentList', 'NonInteractive', 'base64'
        # An operator, or an abbreviation.
        $others = 'lt', 'split', 'not', 'Wi'
        [regex]::Matches($text, '(?<=^|[\s(])-([A-Za-z]\w+)').ForEach{ $_.Groups[1].Value } | Where-Object { $_ -notin $parameters -and $_ -notin $others } | Should -BeNullOrEmpty
        [regex]::Matches($text, 'about_\w+').ForEach{ $_.Value } | Where-Object { -not (Test-Path (Join-Path (Split-Path $File) "$_.help.txt")) } | Should -BeNullOrEmpty
    }
}

Describe 'The topics' {
    It 'are four, and all are in the package' {
        $names = (Get-ChildItem $package/en-US -Filter about_*.help.txt).Name
        $names.Count | Should -Be 4
        foreach ($name in '', '_Security', '_Runbooks', '_Migration') { $names | Should -Contain "about_TokenKit$name.help.txt" }
    }

    It 'name every command, that of migration in the section of its origin' {
        $migration = (Get-Content $package/en-US/about_TokenKit_Migration.help.txt -Raw) -replace '\r'
        $overview = Get-Content $package/en-US/about_TokenKit.help.txt -Raw
        $table = [regex]::Match((Get-Content $root/README.md -Raw), '(?ms)^## The four origins$(.*?)^## ').Groups[1].Value
        $rows = [regex]::Matches($table, '(?m)^\| `(?<name>[\w-]+)`(?: \((?<aliases>[^)]*)\))? \| (?<origin>[^|]+) \| ')
        $rows.Count | Should -BeGreaterThan 40
        foreach ($row in $rows) {
            $name, $origin = $row.Groups['name'].Value, $row.Groups['origin'].Value
            if ($origin -eq 'TokenKit') {
                "$overview$migration" | Should -MatchExactly "(?<![\w-])$name(?![\w-])"
                continue
            }
            $section = [regex]::Match($migration, "(?ms)^FROM $([regex]::Escape($origin.ToUpperInvariant()))\n(.*?)(?=^FROM |^SEE ALSO)").Groups[1].Value
            $section | Should -MatchExactly "(?m)^  $name(?![\w-])" -Because $origin
            foreach ($alias in [regex]::Matches($row.Groups['aliases'].Value, '`([\w-]+)`').ForEach{ $_.Groups[1].Value }) {
                $section | Should -MatchExactly "\b$alias\b" -Because "it is $name in scripts"
            }
        }
    }
}
