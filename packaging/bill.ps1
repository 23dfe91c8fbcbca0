<#
.SYNOPSIS
Writes what a package is made of: THIRD-PARTY-NOTICES.txt, and a bill of materials in CycloneDX 1.6.

.DESCRIPTION
The crates are those that Cargo compiles for the native library on the given platforms, with what builds them; the NuGet
packages those that the managed assembly was compiled with. What is not in the shipped files has the scope "excluded", and
is not in the notices. The same sources give the same bytes.

.EXAMPLE
./packaging/bill.ps1 -Triple x86_64-unknown-linux-gnu -Destination ./out/TokenKit/0.1.0 -Time 2026-01-01
#>
param(
    # The platforms of the package, as Rust names them.
    [Parameter(Mandatory)] [string[]] $Triple,
    # The folder to write to: the staged module.
    [Parameter(Mandatory)] [string] $Destination,
    # The time of the release.
    [Parameter(Mandatory)] [DateTimeOffset] $Time,
    # Further options of cargo, such as those that replace crates.io.
    [string[]] $CargoOption = @()
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true

$root = Split-Path $PSScriptRoot
$library = 'tokenkit-cdylib'

function Invoke-Cargo([string] $Command) { & cargo $Command @CargoOption --manifest-path (Join-Path $root Cargo.toml) --locked @args }

# The packages that Cargo takes for these kinds of dependencies, as name@version, each with those it depends on.
function Get-Tree([string] $Kind) {
    $tree = @{}
    foreach ($platform in $Triple) {
        $path = [System.Collections.Generic.List[string]]::new()
        foreach ($line in Invoke-Cargo tree -p $library -e $Kind --target $platform --prefix depth --format '{p}') {
            if ($line -notmatch '^(?<depth>\d+)(?<name>\S+) v(?<version>\S+)') { throw "cargo tree wrote: $line" }
            $id, $depth = "$($Matches.name)@$($Matches.version)", [int]$Matches.depth
            $path.RemoveRange($depth, $path.Count - $depth)
            $path.Add($id)
            $tree[$id] ??= [System.Collections.Generic.SortedSet[string]]::new([System.StringComparer]::Ordinal)
            if ($depth) { $null = $tree[$path[$depth - 1]].Add($id) }
        }
    }
    $tree
}

function Get-Purl([string] $Kind, [string] $Id) { "pkg:$Kind/$($Id -replace '\+', '%2B')" }

# The packages that the managed assembly was compiled with, as NuGet has resolved them.
function Get-NuGetPackage {
    $assets = Get-Content (Join-Path $root powershell/obj/project.assets.json) -Raw | ConvertFrom-Json -AsHashtable
    $used = @($assets.targets.Values)[0]
    foreach ($id in $assets.libraries.Keys | Sort-Object -CaseSensitive) {
        $package = $assets.libraries[$id]
        if ($package.type -ne 'package') { continue }
        $name, $version = $id -split '/'
        $folder = @($assets.packageFolders.Keys).ForEach{ Join-Path $_ $package.path }.Where({ Test-Path $_ }, 'First')[0]
        $about = ([xml](Get-Content (Join-Path $folder "$($name.ToLowerInvariant()).nuspec") -Raw)).package.metadata
        $license = if ($about.SelectSingleNode("*[local-name()='license' and @type='expression']")) {
            @{ expression = $about.license.InnerText }
        } else {
            @{ license = [ordered]@{ name = "The license of $name"; url = $about.licenseUrl } }
        }
        # What is compiled against only has no assembly to be shipped.
        $shipped = @($used[$id]['runtime'].Keys).Where{ $_ -notlike '*/_._' }.Count -gt 0
        [ordered]@{
            type = 'library'; 'bom-ref' = Get-Purl nuget "$name@$version"; name = $name; version = $version
            scope = $shipped ? 'required' : 'excluded'
            hashes = @([ordered]@{ alg = 'SHA-512'; content = [Convert]::ToHexString([Convert]::FromBase64String($package.sha512)).ToLowerInvariant() })
            licenses = @($license); purl = Get-Purl nuget "$name@$version"
        }
    }
}

$version = (Get-Content (Join-Path $root Cargo.toml) -Raw) -match '(?ms)^\[workspace\.package\].*?^version = "([^"]+)"' ? $Matches[1] : $(throw 'Cargo.toml names no version.')
$crates = @{}
foreach ($package in (Invoke-Cargo metadata --format-version 1 | ConvertFrom-Json -AsHashtable).packages) { $crates["$($package.name)@$($package.version)"] = $package }
$checksums = @{}
foreach ($match in [regex]::Matches((Get-Content (Join-Path $root Cargo.lock) -Raw), '(?m)^name = "(.+)"\nversion = "(.+)"\nsource = .*\nchecksum = "(.+)"')) {
    $checksums["$($match.Groups[1].Value)@$($match.Groups[2].Value)"] = $match.Groups[3].Value
}
$all = Get-Tree 'normal,build'
$shipped = Get-Tree 'normal,no-proc-macro'
$rust = ((rustc --version) -split ' ')[1]
# In every library that Rust makes.
$standard = [ordered]@{
    type = 'library'; 'bom-ref' = Get-Purl generic "rust-std@$rust"; name = 'rust-std'; version = $rust; scope = 'required'
    licenses = @(@{ expression = 'MIT OR Apache-2.0' }); purl = Get-Purl generic "rust-std@$rust"
    externalReferences = @([ordered]@{ type = 'vcs'; url = 'https://github.com/rust-lang/rust' })
}

# An old way to write "or" is no SPDX expression.
function Get-License($Crate) { $Crate.license -replace '\s*/\s*', ' OR ' }

# ---- the bill of materials

[string[]] $ids = $all.Keys
[Array]::Sort($ids, [System.StringComparer]::Ordinal)
$components = @(foreach ($id in $ids) {
        $crate = $crates[$id]
        $component = [ordered]@{
            type = 'library'; 'bom-ref' = Get-Purl cargo $id; name = $crate.name; version = $crate.version
            scope = $shipped.ContainsKey($id) ? 'required' : 'excluded'
        }
        if ($checksums[$id]) { $component.hashes = @([ordered]@{ alg = 'SHA-256'; content = $checksums[$id] }) }
        $component.licenses = @(@{ expression = Get-License $crate })
        $component.purl = Get-Purl cargo $id
        if ($crate.repository) { $component.externalReferences = @([ordered]@{ type = 'vcs'; url = $crate.repository }) }
        $component
    }) + $standard + @(Get-NuGetPackage)

$self = "pkg:nuget/TokenKit@${version}?repository_url=https://www.powershellgallery.com/api/v2"
$dependencies = @([ordered]@{
        ref = $self; dependsOn = @(Get-Purl cargo "$library@$version") + $components.Where{ $_.purl -notlike 'pkg:cargo/*' }.purl
    }) + $ids.ForEach{
    [ordered]@{ ref = Get-Purl cargo $_; dependsOn = @(@($all[$_]).ForEach{ Get-Purl cargo $_ }) }
}
# An identifier that follows from what the bill says (RFC 9562 section 5.8).
$said = [System.Text.Encoding]::UTF8.GetBytes((ConvertTo-Json @($self, $components, $dependencies) -Depth 9 -Compress))
$hex = [Convert]::ToHexString([System.Security.Cryptography.SHA256]::HashData($said)).ToLowerInvariant()
$serial = $hex -replace '^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$', '$1-$2-8$3-8$4-$5'
$bill = [ordered]@{
    '$schema' = 'http://cyclonedx.org/schema/bom-1.6.schema.json'; bomFormat = 'CycloneDX'; specVersion = '1.6'
    serialNumber = "urn:uuid:$serial"; version = 1
    metadata = [ordered]@{
        timestamp = $Time.UtcDateTime.ToString('yyyy-MM-ddTHH:mm:ssZ', [cultureinfo]::InvariantCulture)
        component = [ordered]@{
            type = 'library'; 'bom-ref' = $self; name = 'TokenKit'; version = $version
            licenses = @(@{ expression = 'MIT OR Apache-2.0' }); purl = $self
        }
    }
    components = $components
    dependencies = $dependencies
}
$null = New-Item $Destination -ItemType Directory -Force
[System.IO.File]::WriteAllText((Join-Path (Resolve-Path $Destination) TokenKit.cdx.json), "$((ConvertTo-Json $bill -Depth 9) -replace '\r')`n")

# ---- the notices

$rule = '=' * 78
# License text -> the crates that have it.
$texts = [ordered]@{}
$table = foreach ($id in $ids.Where{ $shipped.ContainsKey($_) -and $crates[$_].source }) {
    $crate = $crates[$id]
    $label = "$($crate.name) $($crate.version)"
    $files = @(Get-ChildItem (Split-Path $crate.manifest_path) -File | Where-Object { $_.Name -match '^(licen[cs]e|copying|notice|copyright|unlicense|patents)' -and $_.Length -gt 200 } | Sort-Object Name)
    # A file that only names the licenses is no text of one. Of those to choose from, MIT is taken.
    if ((Get-License $crate) -match '^[^()]* OR [^()]*$' -and $files -match 'MIT[^/\\]*$') { $files = $files -notmatch '(apache|unlicense)[^/\\]*$' }
    $found = $files.ForEach{ Get-Content $_ -Raw }
    if (-not $found) {
        if ((Get-License $crate) -notmatch '\bMIT\b') { throw "$label brings no license text, and none is known for $($crate.license)." }
        $owner = $crate.authors ? ($crate.authors -join ', ') : "the authors of $($crate.name)"
        $found = (Get-Content (Join-Path $root LICENSE-MIT) -Raw) -replace '(?m)^Copyright .*$', "Copyright (c) $owner"
    }
    foreach ($text in $found) {
        $text = ($text -replace '\r' -replace '(?m)[ \t]+$').Trim("`n")
        if (-not $texts.Contains($text)) { $texts[$text] = [System.Collections.Generic.List[string]]::new() }
        if ($label -notin $texts[$text]) { $texts[$text].Add($label) }
    }
    '{0,-40} {1}' -f $label, (Get-License $crate)
}
$notices = @(
    "TokenKit $version contains the following software of others, in its native library."
    'TokenKit.cdx.json says where each part comes from.'
    ''
    $table
    '{0,-40} {1}' -f "The Rust standard library $rust", 'MIT OR Apache-2.0'
    ''
    'The Rust standard library is Copyright (c) The Rust Project Contributors. It is used'
    'under the MIT license, the text of which is among those that follow.'
    foreach ($text in $texts.Keys) { $rule, ($texts[$text] -join ', '), $rule, '', $text, '' }
)
[System.IO.File]::WriteAllText((Join-Path (Resolve-Path $Destination) THIRD-PARTY-NOTICES.txt), "$($notices -join "`n")`n")
