<#
.SYNOPSIS
Packs a staged module: TokenKit.<version>.nupkg as the PowerShell Gallery takes it, TokenKit-<version>.zip to unpack by
hand, the bill of materials, and SHA256SUMS. The same module and time give the same bytes.

.EXAMPLE
./packaging/pack.ps1 -Module ./out/TokenKit/0.1.0 -Destination ./out/package -Time 2026-01-01
#>
param(
    # The folder of the staged module, with its manifest.
    [Parameter(Mandatory)] [string] $Module,
    # The folder to write to. What it held is removed.
    [Parameter(Mandatory)] [string] $Destination,
    # The time that every file in the package has.
    [Parameter(Mandatory)] [DateTimeOffset] $Time,
    # Texts that no file may hold, such as paths of this machine.
    [string[]] $Forbidden = @()
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$root = Split-Path $PSScriptRoot
$Module = (Resolve-Path $Module).ProviderPath
$manifest = Import-PowerShellDataFile (Join-Path $Module TokenKit.psd1)
$version = $manifest.ModuleVersion
$about = $manifest.PrivateData.PSData
# The times in a zip file begin in 1980 and have no zone.
$stamp = [DateTimeOffset]::new([Math]::Max($Time.UtcTicks, [DateTime]::new(1980, 1, 1).Ticks), [TimeSpan]::Zero)

function ConvertTo-Escaped([string] $Text) { [System.Security.SecurityElement]::Escape($Text) }

# The files of the module as relative path -> bytes, in the order of their paths.
function Get-ModuleFile {
    [string[]] $paths = (Get-ChildItem $Module -Recurse -File).ForEach{ [System.IO.Path]::GetRelativePath($Module, $_.FullName).Replace('\', '/') }
    [Array]::Sort($paths, [System.StringComparer]::Ordinal)
    $files = [ordered]@{}
    foreach ($path in $paths) {
        $files[$path] = [System.IO.File]::ReadAllBytes((Join-Path $Module $path))
        if (-not $Forbidden) { continue }
        # One character for each byte.
        $content = [System.Text.Encoding]::Latin1.GetString($files[$path])
        foreach ($encoding in [System.Text.Encoding]::UTF8, [System.Text.Encoding]::Unicode) {
            foreach ($text in $Forbidden) {
                $found = $content.Contains([System.Text.Encoding]::Latin1.GetString($encoding.GetBytes($text)), [System.StringComparison]::Ordinal)
                if ($found) { throw "$path holds '$text', which must not be in a package." }
            }
        }
    }
    $files
}

# A zip file of names and contents, which are bytes or text.
function Write-Archive([string] $File, [System.Collections.IDictionary] $Content) {
    $archive = [System.IO.Compression.ZipFile]::Open($File, 'Create')
    try {
        foreach ($name in $Content.Keys) {
            $entry = $archive.CreateEntry($name, 'Optimal')
            $entry.LastWriteTime = $stamp
            # An ordinary file that all may read and its owner may write, whatever the machine's umask.
            $entry.ExternalAttributes = 0x81A4 -shl 16
            $bytes = $Content[$name] -is [string] ? [System.Text.UTF8Encoding]::new($false).GetBytes($Content[$name]) : $Content[$name]
            $stream = $entry.Open()
            $stream.Write($bytes, 0, $bytes.Length)
            $stream.Dispose()
        }
    } finally {
        $archive.Dispose()
    }
}

# What the changelog says about this version, or about the one to come.
function Get-ReleaseNote {
    $text = Get-Content (Join-Path $root CHANGELOG.md) -Raw
    foreach ($title in [regex]::Escape($version), 'Unreleased') {
        $match = [regex]::Match($text, "(?ms)^## \[?$title\b[^\n]*\n(.*?)(?=^## |\z)")
        if ($match.Success) { return $match.Groups[1].Value.Trim() }
    }
    throw 'CHANGELOG.md says nothing about this version.'
}

# By which the Gallery finds modules by their commands. It takes 4,000 characters.
function Get-Tag {
    $names = $manifest.CmdletsToExport
    $all = @('PSModule') + $about.Tags + 'PSIncludes_Cmdlet' + $names.ForEach{ "PSCommand_$_" } + $names.ForEach{ "PSCmdlet_$_" }
    $text = $all -join ' '
    $text.Length -le 4000 ? $text : ($all.Where{ $_ -notlike 'PSCmdlet_*' } -join ' ')
}

function Get-Nuspec {
    @"
<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2011/08/nuspec.xsd">
  <metadata>
    <id>TokenKit</id>
    <version>$version</version>
    <authors>$(ConvertTo-Escaped $manifest.Author)</authors>
    <owners>$(ConvertTo-Escaped $manifest.Author)</owners>
    <requireLicenseAcceptance>false</requireLicenseAcceptance>
    <licenseUrl>$(ConvertTo-Escaped $about.LicenseUri)</licenseUrl>
    <projectUrl>$(ConvertTo-Escaped $about.ProjectUri)</projectUrl>
    <description>$(ConvertTo-Escaped $manifest.Description)</description>
    <releaseNotes>$(ConvertTo-Escaped (Get-ReleaseNote))</releaseNotes>
    <copyright>$(ConvertTo-Escaped $manifest.Copyright)</copyright>
    <tags>$(ConvertTo-Escaped (Get-Tag))</tags>
  </metadata>
</package>

"@ -replace '\r'
}

# The parts that make a zip file a package (ECMA-376 part 2), around the files.
function Get-PackagePart([System.Collections.IDictionary] $File) {
    $core = 'package/services/metadata/core-properties/tokenkit.psmdcp'
    $types = [ordered]@{ nuspec = 'application/octet'; psmdcp = 'application/vnd.openxmlformats-package.core-properties+xml'; rels = 'application/vnd.openxmlformats-package.relationships+xml' }
    $overrides = foreach ($path in $File.Keys) {
        $extension = [System.IO.Path]::GetExtension($path).TrimStart('.').ToLowerInvariant()
        if ($extension) { $types[$extension] = $types[$extension] ?? 'application/octet' } else { "<Override PartName=`"/$path`" ContentType=`"application/octet`" />" }
    }
    $head = '<?xml version="1.0" encoding="utf-8"?>'
    $parts = [ordered]@{
        '[Content_Types].xml' = "$head<Types xmlns=`"http://schemas.openxmlformats.org/package/2006/content-types`">" +
            (-join $types.Keys.ForEach{ "<Default Extension=`"$_`" ContentType=`"$($types[$_])`" />" }) + "$overrides</Types>"
        '_rels/.rels' = "$head<Relationships xmlns=`"http://schemas.openxmlformats.org/package/2006/relationships`">" +
            '<Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/TokenKit.nuspec" Id="R1" />' +
            "<Relationship Type=`"http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties`" Target=`"/$core`" Id=`"R2`" /></Relationships>"
        'TokenKit.nuspec' = Get-Nuspec
        $core = "$head<coreProperties xmlns:dc=`"http://purl.org/dc/elements/1.1/`" xmlns=`"http://schemas.openxmlformats.org/package/2006/metadata/core-properties`">" +
            "<dc:creator>$(ConvertTo-Escaped $manifest.Author)</dc:creator><dc:description>$(ConvertTo-Escaped $manifest.Description)</dc:description><dc:identifier>TokenKit</dc:identifier><version>$version</version></coreProperties>"
    }
    foreach ($path in $File.Keys) { $parts[$path] = $File[$path] }
    $parts
}

Remove-Item $Destination -Recurse -Force -ErrorAction Ignore
$Destination = (New-Item $Destination -ItemType Directory -Force).FullName
$files = Get-ModuleFile
Write-Archive (Join-Path $Destination "TokenKit.$version.nupkg") (Get-PackagePart $files)
$unpacked = [ordered]@{}
foreach ($path in $files.Keys) { $unpacked["TokenKit/$version/$path"] = $files[$path] }
Write-Archive (Join-Path $Destination "TokenKit-$version.zip") $unpacked
[System.IO.File]::WriteAllBytes((Join-Path $Destination "TokenKit-$version.cdx.json"), $files['TokenKit.cdx.json'])
$sums = (Get-ChildItem $Destination -File | Sort-Object Name).ForEach{ "$((Get-FileHash $_ -Algorithm SHA256).Hash.ToLowerInvariant())  $($_.Name)" }
[System.IO.File]::WriteAllText((Join-Path $Destination SHA256SUMS), "$($sums -join "`n")`n")
Get-ChildItem $Destination -File
