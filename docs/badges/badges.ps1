<#
.SYNOPSIS
Writes the badges of the README from what manifest and Cargo.toml say.
#>
param([string] $Destination = $PSScriptRoot)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$root = Split-Path (Split-Path $PSScriptRoot)
$manifest = Import-PowerShellDataFile (Join-Path $root powershell/module/TokenKit.psd1)
$null = (Get-Content (Join-Path $root Cargo.toml) -Raw) -match '(?m)^license = "(.+)"'
$license = $Matches[1]
$systems = $manifest.PrivateData.PSData.Tags.Where{ $_ -in 'Linux', 'Windows', 'MacOS' }

function Write-Badge([string] $Name, [string] $Label, [string] $Value, [string] $Colour) {
    # The width of a letter of 11 pixels, about.
    $left, $right = ($Label, $Value).ForEach{ [int]($_.Length * 6.6 + 14) }
    $width = $left + $right
    $text = {
        param($Middle, $Text)
        "<text x=`"$Middle`" y=`"14`" textLength=`"$([int]($Text.Length * 6.6))`">$([System.Security.SecurityElement]::Escape($Text))</text>"
    }
    $svg = @"
<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="20" role="img" aria-label="${Label}: $Value">
<title>${Label}: $Value</title>
<clipPath id="r"><rect width="$width" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="$left" height="20" fill="#444"/><rect x="$left" width="$right" height="20" fill="$Colour"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">$(& $text ([int]($left / 2)) $Label)$(& $text ([int]($left + $right / 2)) $Value)</g>
</svg>

"@ -replace '\r'
    [System.IO.File]::WriteAllText((Join-Path (Resolve-Path $Destination) "$Name.svg"), $svg)
}

Write-Badge powershell PowerShell "$($manifest.PowerShellVersion) and newer" '#1f5fa8'
Write-Badge platforms "runs on" ($systems -join ', ') '#2f6f44'
Write-Badge license license $license '#6a4b8a'
