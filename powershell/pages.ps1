# Dot-sourced by help.ps1 and the tests: the pages in docs/, what is in them, and the parts of them that follow from the
# commands themselves.
Set-StrictMode -Version Latest

# The parts of a page under headings of one level: title and text.
function Get-Section([string] $Text, [int] $Level) {
    # A line in a block of code that begins with # is no heading.
    $masked = [regex]::Replace($Text, '(?ms)^```.*?^```$', { param($block) $block.Value -replace '(?m)^#', "`u{1}" })
    foreach ($match in [regex]::Matches($masked, "(?ms)^#{$Level} (?<title>[^\n]+)\n(?<text>.*?)(?=^#{1,$Level} |\z)")) {
        @{ Title = $match.Groups['title'].Value.Trim(); Text = ($match.Groups['text'].Value -replace "`u{1}", '#').Trim() }
    }
}

# A page as its parts: Name, Online, one text for each heading, Syntax, Parameters and Examples.
function Read-Page([string] $Path) {
    $text = (Get-Content $Path -Raw) -replace '\r'
    $body = $text -replace '(?s)\A---.*?\n---\n'
    $page = @{ Path = $Path; Name = (Get-Section $body 1).Title; Online = [regex]::Match($text, '(?m)^online version: (\S+)').Groups[1].Value }
    foreach ($section in Get-Section $body 2) { $page[$section.Title] = $section.Text }
    $page.Sets = @(foreach ($set in Get-Section $page.SYNTAX 3) {
        @{ Name = $set.Title -replace ' \(Default\)$'; IsDefault = $set.Title.EndsWith(' (Default)'); Syntax = ($set.Text -replace '(?m)^```.*$').Trim() }
    })
    $page.Named = [ordered]@{}
    foreach ($section in (Get-Section $page.PARAMETERS 3).Where{ $_.Title.StartsWith('-') }) {
        $blocks = [regex]::Matches($section.Text, '(?ms)^```yaml\n(.*?)^```').ForEach{ Read-Trait $_.Groups[1].Value }
        $page.Named[$section.Title.Substring(1)] = @{
            Name = $section.Title.Substring(1); Text = ($section.Text -split '(?m)^```yaml')[0].Trim(); Blocks = @($blocks)
        }
    }
    $page.Samples = @(foreach ($section in Get-Section $page.EXAMPLES 3) {
        $match = [regex]::Match($section.Text, '(?s)\A(?<introduction>.*?)\s*^```powershell\n(?<code>.*?)\n```(?:\n\n```output\n(?<output>.*?)\n```)?(?<remarks>.*)\z', 'Multiline')
        @{
            Title = $section.Title; Introduction = $match.Groups['introduction'].Value; Code = $match.Groups['code'].Value
            Output = $match.Groups['output'].Value; Remarks = $match.Groups['remarks'].Value.Trim()
        }
    })
    $page
}

# The members of a YAML block.
function Read-Trait([string] $Yaml) {
    $traits = [ordered]@{}
    foreach ($line in [regex]::Matches($Yaml, '(?m)^(?<name>[^:\n]+):(?<value>.*)$')) {
        $traits[$line.Groups['name'].Value] = $line.Groups['value'].Value.Trim()
    }
    $traits
}

$ownName = { $_.Name -notin [System.Management.Automation.Cmdlet]::CommonParameters }

function Get-TypeName([type] $Type) { ([Nullable]::GetUnderlyingType($Type) ?? $Type).Name }

# The parameter sets, the default one first.
function Get-ParameterSet($Command) { $Command.ParameterSets | Sort-Object { -not $_.IsDefault }, Name }

# The syntax of a command in one parameter set, in lines of at most 110 characters: positional parameters first, then
# those that must be given, then all others in the order of the page.
function Get-PageSyntax($Command, $Set, [string[]] $Order) {
    $parameters = $Set.Parameters.Where($ownName) | Sort-Object { $_.Position -lt 0 ? [int]::MaxValue : $_.Position }, { -not $_.IsMandatory }, { $Order.IndexOf($_.Name) }
    $words = @($Command.Name) + @(foreach ($parameter in $parameters) {
        $name = $parameter.Position -ge 0 ? "[-$($parameter.Name)]" : "-$($parameter.Name)"
        $word = $parameter.ParameterType -eq [switch] ? $name : "$name <$(Get-TypeName $parameter.ParameterType)>"
        $parameter.IsMandatory ? $word : "[$word]"
    }) + '[<CommonParameters>]'
    $lines = [System.Collections.Generic.List[string]]::new()
    $line = $words[0]
    foreach ($word in $words | Select-Object -Skip 1) {
        if ("$line $word".Length -gt 110) {
            $lines.Add($line)
            $line = ''
        }
        $line += " $word"
    }
    $lines.Add($line)
    $lines -join "`n"
}

# What the command itself says about a parameter: one block for each group of sets in which it is the same.
function Get-PageTrait($Command, [string] $Name) {
    $parameter = $Command.Parameters[$Name]
    $values = if ($parameter.ParameterType.IsEnum) { [enum]::GetNames($parameter.ParameterType) } else { $parameter.Attributes.Where{ $_ -is [ValidateSet] }.ForEach{ $_.ValidValues } }
    $sets = @((Get-ParameterSet $Command).Where{ $_.Parameters.Name -contains $Name })
    $groups = $sets | Group-Object {
        $here = $_.Parameters.Where({ $_.Name -eq $Name }, 'First')[0]
        $ways = @(if ($here.ValueFromPipeline) { 'ByValue' }) + @(if ($here.ValueFromPipelineByPropertyName) { 'ByPropertyName' })
        "$($here.IsMandatory)|$($here.Position -lt 0 ? 'Named' : $here.Position)|$($ways ? "True ($($ways -join ', '))" : 'False')"
    }
    foreach ($group in $groups) {
        $required, $position, $pipeline = $group.Name -split '\|'
        [ordered]@{
            'Type' = Get-TypeName $parameter.ParameterType
            'Parameter Sets' = $group.Count -eq $Command.ParameterSets.Count ? '(All)' : $group.Group.Name -join ', '
            # An abbreviation works without being an alias.
            'Aliases' = $parameter.Aliases.Where{ -not $Name.StartsWith($_, 'OrdinalIgnoreCase') } -join ', '
            'Accepted values' = $values -join ', '
            'Required' = $required
            'Position' = $position
            'Accept pipeline input' = $pipeline
            'Accept wildcard characters' = "$($parameter.Attributes.Where{ $_ -is [SupportsWildcards] }.Count -gt 0)"
        }
    }
}

# A YAML block. Only the default value is the page's own.
function ConvertTo-Yaml($Traits, [string] $Default) {
    $accepted = if ($Traits['Accepted values']) { "Accepted values: $($Traits['Accepted values'])`n" }
    @"
``````yaml
Type: $($Traits.Type)
Parameter Sets: $($Traits['Parameter Sets'])
$("Aliases: $($Traits.Aliases)".TrimEnd())
${accepted}
Required: $($Traits.Required)
Position: $($Traits.Position)
Default value: $Default
Accept pipeline input: $($Traits['Accept pipeline input'])
Accept wildcard characters: $($Traits['Accept wildcard characters'])
``````
"@ -replace '\r'
}

# The parameters in the order of the page; what is new comes before -WhatIf and -Confirm.
function Get-ParameterOrder($Page, $Command) {
    $names = @($Command.Parameters.Values.Where($ownName).ForEach{ $_.Name })
    $last = @('WhatIf', 'Confirm').Where{ $_ -in $names }
    @(@($Page.Named.Keys).Where{ $_ -in $names -and $_ -notin $last }) + @($names.Where{ -not $Page.Named.Contains($_) -and $_ -notin $last }) + $last
}

# The page with syntax and YAML blocks as the command is now. A new parameter is without a description, which a test finds.
function Get-UpdatedPage($Page, $Command) {
    $text = (Get-Content $Page.Path -Raw) -replace '\r'
    $order = Get-ParameterOrder $Page $Command
    $syntax = foreach ($set in Get-ParameterSet $Command) {
        "### $($set.Name)$($set.IsDefault ? ' (Default)' : '')`n``````powershell`n$(Get-PageSyntax $Command $set $order)`n```````n"
    }
    $parameters = foreach ($name in $order) {
        $old = $Page.Named[$name]
        $description = if ($old) { $old.Text } else { @{ WhatIf = 'Shows what would happen, and does nothing.'; Confirm = 'Asks before anything is changed.' }[$name] }
        $default = if ($old) { $old.Blocks[0]['Default value'] } elseif ($Command.Parameters[$name].SwitchParameter) { 'False' } else { 'None' }
        $blocks = @(Get-PageTrait $Command $name).ForEach{ ConvertTo-Yaml $_ $default }
        "### -$name`n$description`n`n$($blocks -join "`n`n")`n"
    }
    $common = $Page.PARAMETERS.Substring($Page.PARAMETERS.IndexOf('### CommonParameters')) + "`n"
    $text = [regex]::Replace($text, '(?ms)(?<=^## SYNTAX\n\n).*?(?=\n## DESCRIPTION)', { $syntax -join "`n" })
    [regex]::Replace($text, '(?ms)(?<=^## PARAMETERS\n\n).*?(?=\n## INPUTS)', { @($parameters) + $common -join "`n" })
}

# The text of a page with another output of this example; without one it says so.
function Set-SampleOutput([string] $Text, $Sample, [string] $Output) {
    $silent = 'There is no output.'
    $parts = @("### $($Sample.Title)`n$($Sample.Introduction)`n", "``````powershell`n$($Sample.Code)`n```````n")
    $parts += if ($Output) { "``````output`n$Output`n```````n" } else { "$silent`n" }
    $remarks = $Sample.Remarks.Replace($silent, '').Trim()
    if ($remarks) { $parts += "$remarks`n" }
    $new = $parts -join "`n"
    # Up to the next heading that is none in a block of code.
    [regex]::Replace($Text, "(?ms)^### $([regex]::Escape($Sample.Title))\n(?:^``````.*?^``````\n|(?!#{2,3} )[^\n]*\n)*", { "$new`n" })
}
