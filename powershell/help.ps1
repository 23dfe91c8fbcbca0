<#
.SYNOPSIS
Writes the pages in docs/ as the help file that Get-Help reads (MAML), or the parts of the pages that follow from the
commands.
.EXAMPLE
./powershell/help.ps1 -Destination ./out/TokenKit/0.1.0/en-US/TokenKit.dll-Help.xml
.EXAMPLE
./powershell/help.ps1 -Update ./out/TokenKit
Writes SYNTAX and the YAML blocks of each page as the commands of this module are. ./build.ps1 Help does so, too.
#>
param(
    # The file to write.
    [Parameter(Mandatory, ParameterSetName = 'Destination')] [string] $Destination,
    # The staged module whose commands the pages are to follow. It stays loaded in this process.
    [Parameter(Mandatory, ParameterSetName = 'Update')] [string] $Update
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. $PSScriptRoot/pages.ps1

$folder = 'https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/'

function ConvertTo-Escaped([string] $Text) { [System.Security.SecurityElement]::Escape($Text) }

# Without the emphasis that a terminal cannot show; a link to another page is its name alone.
function ConvertTo-Plain([string] $Text) {
    $Text -replace '`|\*\*' -replace '\[([^\]]+)\]\([\w-]+\.md\)', '$1' -replace '\[([^\]]+)\]\((https?:[^)]+)\)', '$1 ($2)'
}

# Paragraphs are wrapped by the terminal. Items of a list, and the rows of a table, are one each.
function ConvertTo-Paragraph([string] $Text) {
    foreach ($paragraph in (ConvertTo-Plain $Text) -split '\n{2,}') {
        $lines = if ($paragraph.StartsWith('|')) {
            ($paragraph -split '\n' | Select-Object -Skip 2).ForEach{ '- ' + ($_.Trim('|', ' ') -replace ' \| ', ': ') }
        } else {
            $paragraph -replace '\n(?!- )\s*', ' ' -split '\n'
        }
        $lines.ForEach{ "<maml:para>$(ConvertTo-Escaped $_)</maml:para>" }
    }
}

# A parameter, in one set or, without one, in general: by its first block then.
function ConvertTo-Parameter($Parameter, [string] $Set) {
    $traits = ($Parameter.Blocks.Where{ ($_['Parameter Sets'] -split ', ') -contains $Set } + $Parameter.Blocks)[0]
    $aliases = if ($traits.Aliases) { $traits.Aliases } else { 'none' }
    $element = '<command:parameterValue required="{0}" variableLength="false">{1}</command:parameterValue>'
    $value = if ($traits.Type -ne 'SwitchParameter') { $element -f 'true', (ConvertTo-Escaped $traits.Type) }
    $accepted = if ($traits.Contains('Accepted values')) { ConvertTo-Escaped $traits['Accepted values'] }
    if ($Set -and $accepted) {
        $value += "<command:parameterValueGroup>$(($accepted -split ', ').ForEach{ $element -f 'false', $_ })</command:parameterValueGroup>"
    }
    @"
<command:parameter required="$($traits.Required.ToLowerInvariant())" variableLength="true" globbing="$($traits['Accept wildcard characters'].ToLowerInvariant())" pipelineInput="$(ConvertTo-Escaped $traits['Accept pipeline input'])" position="$($traits.Position.ToLowerInvariant())" aliases="$(ConvertTo-Escaped $aliases)">
<maml:name>$($Parameter.Name)</maml:name>
<maml:description>$(ConvertTo-Paragraph $Parameter.Text)$(if ($accepted) { "<maml:para>Accepted values: $accepted</maml:para>" })</maml:description>
$value<dev:type><maml:name>$(ConvertTo-Escaped $traits.Type)</maml:name></dev:type><dev:defaultValue>$(ConvertTo-Escaped $traits['Default value'])</dev:defaultValue>
</command:parameter>
"@
}

# Input and output types.
function ConvertTo-Value([string] $Text, [string] $Element) {
    foreach ($type in Get-Section $Text 3) {
        "<command:$Element><dev:type><maml:name>$(ConvertTo-Escaped $type.Title)</maml:name></dev:type><maml:description>$(ConvertTo-Paragraph $type.Text)</maml:description></command:$Element>"
    }
}

# What is run, after a blank line what comes out of it, and what it is for. Get-Help would put an introduction and the
# code on one line.
function ConvertTo-Example($Sample) {
    $code = $Sample.Code
    if ($Sample.Output) { $code += "`n`n$($Sample.Output)" }
    $remarks = ($Sample.Introduction, $Sample.Remarks).Where{ $_ }.ForEach{ ConvertTo-Paragraph $_ }
    "<command:example><maml:title>-------------------------- $($Sample.Title) --------------------------</maml:title><dev:code>$(ConvertTo-Escaped $code)</dev:code><dev:remarks>$remarks</dev:remarks></command:example>"
}

# Links of a page; those to files of the repository are whole addresses, those to other commands their names.
function ConvertTo-Link($Page) {
    $links = @(@{ Text = 'Online version'; Uri = $Page.Online }) + @([regex]::Matches($Page['RELATED LINKS'], '\[(?<text>[^\]]+)\]\((?<uri>[^)]+)\)').ForEach{
        @{ Text = $_.Groups['text'].Value; Uri = $_.Groups['uri'].Value }
    })
    foreach ($link in $links) {
        $uri = if ($link.Text -match '^(about_|\w+-\w+$)') { '' } else { [uri]::new([uri]$folder, $link.Uri).AbsoluteUri }
        "<maml:navigationLink><maml:linkText>$(ConvertTo-Escaped $link.Text)</maml:linkText><maml:uri>$(ConvertTo-Escaped $uri)</maml:uri></maml:navigationLink>"
    }
}

function ConvertTo-Command($Page) {
    $verb, $noun = $Page.Name -split '-', 2
    @"
<command:command xmlns:maml="http://schemas.microsoft.com/maml/2004/10" xmlns:command="http://schemas.microsoft.com/maml/dev/command/2004/10" xmlns:dev="http://schemas.microsoft.com/maml/dev/2004/10">
<command:details><command:name>$($Page.Name)</command:name><command:verb>$verb</command:verb><command:noun>$noun</command:noun><maml:description>$(ConvertTo-Paragraph $Page.SYNOPSIS)</maml:description></command:details>
<maml:description>$(ConvertTo-Paragraph $Page.DESCRIPTION)</maml:description>
<command:syntax>
$(foreach ($set in $Page.Sets) {
    $members = [regex]::Matches($set.Syntax, '(?<=[\s\[])-(\w+)').ForEach{ $_.Groups[1].Value }
    "<command:syntaxItem><maml:name>$($Page.Name)</maml:name>$($members.ForEach{ ConvertTo-Parameter $Page.Named[$_] $set.Name })</command:syntaxItem>"
})
</command:syntax>
<command:parameters>$($Page.Named.Values.ForEach{ ConvertTo-Parameter $_ })</command:parameters>
<command:inputTypes>$(ConvertTo-Value $Page.INPUTS inputType)</command:inputTypes>
<command:returnValues>$(ConvertTo-Value $Page.OUTPUTS returnValue)</command:returnValues>
<maml:alertSet><maml:alert>$(ConvertTo-Paragraph $Page.NOTES)</maml:alert></maml:alertSet>
<command:examples>
$($Page.Samples.ForEach{ ConvertTo-Example $_ })
</command:examples>
<command:relatedLinks>
$(ConvertTo-Link $Page)
</command:relatedLinks>
</command:command>
"@
}

$pages = foreach ($file in Get-ChildItem (Join-Path $PSScriptRoot docs) -Filter *.md) { Read-Page $file.FullName }
if ($Update) {
    Import-Module (Resolve-Path $Update).ProviderPath
    foreach ($page in $pages) { Set-Content $page.Path (Get-UpdatedPage $page (Get-Command "TokenKit\$($page.Name)")) -NoNewline }
    return
}
$null = New-Item (Split-Path $Destination) -ItemType Directory -Force
# Parsed once, so that a page cannot break the help of the whole module unnoticed.
$help = [xml] "<?xml version=`"1.0`" encoding=`"utf-8`"?><helpItems schema=`"maml`" xmlns=`"http://msh`">$($pages.ForEach{ ConvertTo-Command $_ })</helpItems>"
$help.Save($Destination)
