<#
.SYNOPSIS
Writes the pages in docs/ as the help file that Get-Help reads (MAML).
.EXAMPLE
./powershell/help.ps1 -Destination ./out/TokenKit/0.1.0/en-US/TokenKit.dll-Help.xml
#>
param(
    # The file to write.
    [Parameter(Mandatory)] [string] $Destination
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# The parts of a page under headings of one level: title and text, without the emphasis that a terminal cannot show.
function Get-Section([string] $Text, [int] $Level) {
    foreach ($match in [regex]::Matches($Text, "(?ms)^#{$Level} (?<title>[^\n]+)\n(?<text>.*?)(?=^#{1,$Level} |\z)")) {
        @{ Title = $match.Groups['title'].Value.Trim(); Text = $match.Groups['text'].Value.Trim() }
    }
}

# The members of the YAML blocks of a parameter.
function Get-Trait([string] $Text, [string] $Name) {
    [regex]::Matches($Text, "(?m)^$([regex]::Escape($Name)): *(?<value>.*)$").ForEach{ $_.Groups['value'].Value.Trim() }
}

function ConvertTo-Escaped([string] $Text) { [System.Security.SecurityElement]::Escape($Text) }

# Paragraphs keep their lines where these mean something, as in tables; others are wrapped by the terminal.
function ConvertTo-Paragraph([string] $Text) {
    foreach ($paragraph in $Text -replace '`' -replace '\[([^\]]+)\]\(([^)]+)\)', '$1 ($2)' -split '\n{2,}') {
        $lines = if ($paragraph -match '(?m)^\|') { $paragraph } else { $paragraph -replace '\s*\n', ' ' }
        "<maml:para>$(ConvertTo-Escaped $lines)</maml:para>"
    }
}

function ConvertTo-Parameter([string] $Name, [hashtable] $Page, [string] $Set) {
    $parameter = $Page.Named[$Name]
    # One block for each group of sets.
    $sets = @(Get-Trait $parameter 'Parameter Sets')
    $index = [Math]::Max(0, [Array]::FindIndex([string[]] $sets, [Predicate[string]] { $args[0] -split ', ' -contains $Set }))
    $trait = { ConvertTo-Escaped @(Get-Trait $parameter $args[0])[$index] }
    $type = & $trait Type
    $value = if ($type -ne 'SwitchParameter') { "<command:parameterValue required=`"true`" variableLength=`"false`">$type</command:parameterValue>" }
    @"
<command:parameter required="$((& $trait Required).ToLowerInvariant())" variableLength="true" globbing="false" pipelineInput="$(& $trait 'Accept pipeline input')" position="$((& $trait Position).ToLowerInvariant())" aliases="none">
<maml:name>$Name</maml:name>
<maml:description>$(ConvertTo-Paragraph ($parameter -split '```yaml')[0].Trim())</maml:description>
$value<dev:type><maml:name>$type</maml:name></dev:type><dev:defaultValue>$(& $trait 'Default value')</dev:defaultValue>
</command:parameter>
"@
}

function ConvertTo-Command([string] $Text) {
    $Text = $Text -replace '\r'
    $online = [regex]::Match($Text, '(?m)^online version: (\S+)').Groups[1].Value
    $Text = $Text -replace '(?s)\A---.*?\n---\n'
    $name = (Get-Section $Text 1).Title
    $page = @{ Named = @{} }
    foreach ($section in Get-Section $Text 2) { $page[$section.Title] = $section.Text }
    $parameters = @(Get-Section $page.PARAMETERS 3 | Where-Object { $_.Title.StartsWith('-') })
    foreach ($section in $parameters) { $page.Named[$section.Title.Substring(1)] = $section.Text }
    $links = @([regex]::Matches($page['RELATED LINKS'], '\[(?<text>[^\]]+)\]\((?<uri>[^)]+)\)'))
    $verb, $noun = $name -split '-', 2
    @"
<command:command xmlns:maml="http://schemas.microsoft.com/maml/2004/10" xmlns:command="http://schemas.microsoft.com/maml/dev/command/2004/10" xmlns:dev="http://schemas.microsoft.com/maml/dev/2004/10">
<command:details><command:name>$name</command:name><command:verb>$verb</command:verb><command:noun>$noun</command:noun><maml:description>$(ConvertTo-Paragraph $page.SYNOPSIS)</maml:description></command:details>
<maml:description>$(ConvertTo-Paragraph $page.DESCRIPTION)</maml:description>
<command:syntax>
$(foreach ($syntax in Get-Section $page.SYNTAX 3) {
    $set = $syntax.Title -replace ' \(Default\)$'
    $members = [regex]::Matches($syntax.Text, '(?<=[\s\[])-(\w+)').ForEach{ $_.Groups[1].Value }
    "<command:syntaxItem><maml:name>$name</maml:name>$($members.ForEach{ ConvertTo-Parameter $_ $page $set })</command:syntaxItem>"
})
</command:syntax>
<command:parameters>$($parameters.ForEach{ ConvertTo-Parameter $_.Title.Substring(1) $page '' })</command:parameters>
<command:inputTypes>$(foreach ($type in Get-Section $page.INPUTS 3) { "<command:inputType><dev:type><maml:name>$(ConvertTo-Escaped $type.Title)</maml:name></dev:type><maml:description>$(ConvertTo-Paragraph $type.Text)</maml:description></command:inputType>" })</command:inputTypes>
<command:returnValues>$(foreach ($type in Get-Section $page.OUTPUTS 3) { "<command:returnValue><dev:type><maml:name>$(ConvertTo-Escaped $type.Title)</maml:name></dev:type><maml:description>$(ConvertTo-Paragraph $type.Text)</maml:description></command:returnValue>" })</command:returnValues>
<maml:alertSet><maml:alert>$(ConvertTo-Paragraph $page.NOTES)</maml:alert></maml:alertSet>
<command:examples>
$(foreach ($example in Get-Section $page.EXAMPLES 3) {
    $null = $example.Text -match '(?s)\A```powershell\n(?<code>.*?)\n```\s*(?<remarks>.*)\z'
    "<command:example><maml:title>$(ConvertTo-Escaped $example.Title)</maml:title><dev:code>$(ConvertTo-Escaped $Matches.code)</dev:code><dev:remarks>$(ConvertTo-Paragraph $Matches.remarks)</dev:remarks></command:example>"
})
</command:examples>
<command:relatedLinks>
<maml:navigationLink><maml:linkText>Online version</maml:linkText><maml:uri>$(ConvertTo-Escaped $online)</maml:uri></maml:navigationLink>
$(foreach ($link in $links) { "<maml:navigationLink><maml:linkText>$(ConvertTo-Escaped $link.Groups['text'].Value)</maml:linkText><maml:uri>$(ConvertTo-Escaped $link.Groups['uri'].Value)</maml:uri></maml:navigationLink>" })
</command:relatedLinks>
</command:command>
"@
}

$commands = foreach ($file in Get-ChildItem (Join-Path $PSScriptRoot docs) -Filter *.md) {
    ConvertTo-Command (Get-Content $file -Raw)
}
$null = New-Item (Split-Path $Destination) -ItemType Directory -Force
# Parsed once, so that a page cannot break the help of the whole module unnoticed.
$help = [xml] "<?xml version=`"1.0`" encoding=`"utf-8`"?><helpItems schema=`"maml`" xmlns=`"http://msh`">$commands</helpItems>"
$help.Save($Destination)
