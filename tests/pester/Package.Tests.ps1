# What is published: packed from the staged module as ./build.ps1 Package does, read back, installed and used.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $staged = (Get-ChildItem $Module -Recurse -Filter TokenKit.psd1).DirectoryName
    $time = [DateTimeOffset]'2026-02-03T04:05:06Z'
    $triple = (rustc -vV | Select-String '^host: (.+)').Matches[0].Groups[1].Value
    # As in build.ps1: where crates.io cannot be reached, a local registry takes its place.
    $crates = $env:TOKENKIT_CRATES ?? (Join-Path $root ../shared/crates)
    $cargoOption = if (Test-Path (Join-Path $crates index)) {
        $crates = (Resolve-Path $crates).ProviderPath
        '--config', "source.crates-io.replace-with='mirror'", '--config', "source.mirror.local-registry='$crates'"
    } else { @() }

    function Invoke-Bill([string] $Destination) { & $root/packaging/bill.ps1 -Triple $triple -Destination $Destination -Time $time -CargoOption $cargoOption }

    # Packs the module without its native library, which takes long; returns the folder.
    function New-SmallRelease([string] $Name, [DateTimeOffset] $Time = $time, [string[]] $Forbidden = @()) {
        $copy = Join-Path $TestDrive $Name TokenKit
        $null = New-Item $copy -ItemType Directory
        Copy-Item "$packed/*" $copy -Recurse
        Remove-Item $copy/runtimes -Recurse
        $null = & $root/packaging/pack.ps1 -Module $copy -Destination (Join-Path $TestDrive $Name out) -Time $Time -Forbidden $Forbidden
        Join-Path $TestDrive $Name out
    }

    # The entries of an archive as name -> SHA-256.
    function Get-Entry([string] $File) {
        $archive = [System.IO.Compression.ZipFile]::OpenRead($File)
        try {
            $entries = [ordered]@{}
            foreach ($entry in $archive.Entries) {
                $stream = $entry.Open()
                $entries[$entry.FullName] = [Convert]::ToHexString([System.Security.Cryptography.SHA256]::HashData($stream))
                $stream.Dispose()
            }
            $entries
        } finally {
            $archive.Dispose()
        }
    }

    $packed = Join-Path $TestDrive packed
    $release = Join-Path $TestDrive release
    $null = New-Item $packed -ItemType Directory
    Copy-Item "$staged/*" $packed -Recurse
    Invoke-Bill $packed
    $null = & $root/packaging/pack.ps1 -Module $packed -Destination $release -Time $time
    $manifest = Import-PowerShellDataFile $packed/TokenKit.psd1
    $version = $manifest.ModuleVersion
    $nupkg = Join-Path $release "TokenKit.$version.nupkg"
    $bill = Get-Content $release/TokenKit-$version.cdx.json -Raw | ConvertFrom-Json -DateKind String
}

Describe 'What is published' {
    It 'is the package, the archive, the bill of materials, and their checksums' {
        (Get-ChildItem $release | Sort-Object Name).Name | Should -BeExactly 'SHA256SUMS', "TokenKit-$version.cdx.json", "TokenKit-$version.zip", "TokenKit.$version.nupkg"
        $sums = @{}
        foreach ($line in Get-Content $release/SHA256SUMS) {
            $line | Should -MatchExactly '^[0-9a-f]{64}  \S+$' -Because 'sha256sum --check reads it'
            $sums[($line -split '  ')[1]] = ($line -split '  ')[0]
        }
        foreach ($file in Get-ChildItem $release -Exclude SHA256SUMS) { $sums[$file.Name] | Should -Be (Get-FileHash $file).Hash }
    }

    It 'is the same bytes when it is made again, elsewhere and later' {
        Invoke-Bill $TestDrive/again
        foreach ($file in Get-ChildItem $TestDrive/again) { (Get-FileHash $packed/$($file.Name)).Hash | Should -Be (Get-FileHash $file).Hash -Because $file.Name }
        $one, $two = (New-SmallRelease one), (New-SmallRelease two)
        foreach ($file in Get-ChildItem $one) { (Get-FileHash $two/$($file.Name)).Hash | Should -Be (Get-FileHash $file).Hash -Because $file.Name }
        # In a process with another zone and culture, from files with another time.
        $other = Join-Path $TestDrive other
        (Get-ChildItem $TestDrive/one/TokenKit -Recurse -File).ForEach{ $_.LastWriteTime = '1999-12-31' }
        $run = Invoke-Pwsh 'param($script, $module, $out, $time) [cultureinfo]::CurrentCulture = "ar-SA"; $null = & $script -Module $module -Destination $out -Time ([DateTimeOffset]::FromUnixTimeSeconds($time))' @(
            "$root/packaging/pack.ps1", "$TestDrive/one/TokenKit", $other, $time.ToUnixTimeSeconds()) @{ TZ = 'Asia/Kathmandu' }
        $run.Error | Should -BeNullOrEmpty
        (Get-FileHash $other/SHA256SUMS).Hash | Should -Be (Get-FileHash $one/SHA256SUMS).Hash
    }

    It 'has the time it was given' {
        $early, $late = (New-SmallRelease early $time), (New-SmallRelease late $time.AddDays(1))
        (Get-FileHash $late/TokenKit.$version.nupkg).Hash | Should -Not -Be (Get-FileHash $early/TokenKit.$version.nupkg).Hash
        $bill.metadata.timestamp | Should -BeExactly '2026-02-03T04:05:06Z'
        $archive = [System.IO.Compression.ZipFile]::OpenRead($nupkg)
        $archive.Entries.ForEach{ $_.LastWriteTime.DateTime.ToString('s') } | Sort-Object -Unique | Should -BeExactly '2026-02-03T04:05:06'
        $archive.Dispose()
    }

    It 'is not made when a file holds what it must not, such as a path of the machine' {
        { New-SmallRelease forbidden $time 'Invoke-OAuth2TokenEndpoint' } | Should -Throw "*holds 'Invoke-OAuth2TokenEndpoint'*"
        # In .NET's own encoding, too.
        { New-SmallRelease wide $time 'native_library_missing' } | Should -Throw "TokenKit.dll holds*"
        { New-SmallRelease allowed $time '/no/such/folder' } | Should -Not -Throw
    }
}

Describe 'The package' {
    BeforeAll {
        $entries = Get-Entry $nupkg
        $parts = '[Content_Types].xml', '_rels/.rels', 'TokenKit.nuspec', 'package/services/metadata/core-properties/tokenkit.psmdcp'
        $archive = [System.IO.Compression.ZipFile]::OpenRead($nupkg)
        $reader = [System.IO.StreamReader]::new($archive.GetEntry('TokenKit.nuspec').Open())
        $nuspec = ([xml]$reader.ReadToEnd()).package.metadata
        $reader.Dispose()
        $archive.Dispose()
    }

    It 'is one as ECMA-376 has it: every part has a type, and the relations lead to nuspec and properties' {
        $archive = [System.IO.Compression.ZipFile]::OpenRead($nupkg)
        try {
            $read = { param($name) $reader = [System.IO.StreamReader]::new($archive.GetEntry($name).Open()); [xml]$reader.ReadToEnd(); $reader.Dispose() }
            $types = (& $read '[Content_Types].xml').Types
            $relations = (& $read '_rels/.rels').Relationships.Relationship
            $core = (& $read $parts[3]).coreProperties
        } finally {
            $archive.Dispose()
        }
        foreach ($part in $entries.Keys -ne '[Content_Types].xml') {
            $extension = [System.IO.Path]::GetExtension($part).TrimStart('.')
            @($types.Default.Extension -eq $extension).Count + @($types.Override.PartName -ceq "/$part").Count | Should -Be 1 -Because $part
        }
        $relations.Target.TrimStart('/') | Should -BeExactly 'TokenKit.nuspec', $parts[3]
        $relations.Target.TrimStart('/') | Should -BeIn $entries.Keys
        $core.identifier | Should -BeExactly TokenKit
        $core.version | Should -BeExactly $version
    }

    It 'says in its nuspec what the manifest says' {
        $nuspec.id | Should -BeExactly TokenKit
        $nuspec.version | Should -BeExactly $version
        $nuspec.authors | Should -BeExactly $manifest.Author
        $nuspec.description | Should -BeExactly $manifest.Description
        $nuspec.copyright | Should -BeExactly $manifest.Copyright
        $nuspec.projectUrl | Should -BeExactly $manifest.PrivateData.PSData.ProjectUri
        $nuspec.licenseUrl | Should -BeExactly $manifest.PrivateData.PSData.LicenseUri
        $nuspec.requireLicenseAcceptance | Should -BeExactly false
    }

    It 'brings the notes of its release' {
        $first = [regex]::Match((Get-Content $root/CHANGELOG.md -Raw), '(?ms)^## .*?^(- .*?)$').Groups[1].Value
        $nuspec.releaseNotes | Should -Match ([regex]::Escape($first))
        $nuspec.releaseNotes | Should -Not -Match '(?m)^## '
        $nuspec.releaseNotes.Length | Should -BeLessThan 35000 -Because 'the Gallery takes no more'
    }

    It 'is found by its tags: module, edition, systems, and every command' {
        $tags = $nuspec.tags -split ' '
        foreach ($tag in 'PSModule', 'PSEdition_Core', 'Windows', 'Linux', 'MacOS', 'PSIncludes_Cmdlet') { $tags | Should -Contain $tag }
        foreach ($command in $manifest.CmdletsToExport) { $tags | Should -Contain "PSCommand_$command" }
        $nuspec.tags.Length | Should -Not -BeGreaterThan 4000 -Because 'the Gallery takes no more'
    }

    It 'holds the files of the module, as the archive does, and no other' {
        $files = @{}
        foreach ($file in Get-ChildItem $packed -Recurse -File) { $files[[System.IO.Path]::GetRelativePath($packed, $file).Replace('\', '/')] = (Get-FileHash $file).Hash }
        foreach ($name in 'TokenKit.dll', 'TokenKit.psd1', 'THIRD-PARTY-NOTICES.txt', 'TokenKit.cdx.json', 'LICENSE', 'en-US/TokenKit.dll-Help.xml') { $files.Keys | Should -Contain $name }
        ($entries.Keys | Sort-Object) -join ' ' | Should -BeExactly ((@($files.Keys) + $parts | Sort-Object) -join ' ')
        $archived = Get-Entry $release/TokenKit-$version.zip
        $archived.Count | Should -Be $files.Count
        foreach ($name in $files.Keys) {
            $entries[$name] | Should -Be $files[$name] -Because $name
            $archived["TokenKit/$version/$name"] | Should -Be $files[$name] -Because $name
        }
    }
}

if (-not $IsWindows) {
    Describe 'A signature' {
        It 'is made on Windows only, and nothing is packed as if it were signed' {
            { & $root/packaging/sign.ps1 -Module $packed -Certificate $packed/TokenKit.dll } | Should -Throw '*made on Windows*'
        }
    }
}

Describe 'The bill of materials' {
    BeforeAll {
        $byName = @{}
        foreach ($component in $bill.components) { $byName[$component.name] = @($byName[$component.name]) + $component -ne $null }
        $lock = Get-Content $root/Cargo.lock -Raw
    }

    It 'lists what is in the native library: <_>' -ForEach 'tokenkit', 'tokenkit-ffi', 'aws-lc-sys', 'reqwest', 'rustls', 'serde_json', 'tokio' {
        $byName[$_] | Should -Not -BeNullOrEmpty
        $byName[$_].scope | Should -BeExactly required
    }

    It 'tells apart what only takes part in the build: <_>' -ForEach 'serde_derive', 'PowerShellStandard.Library' {
        $byName[$_].scope | Should -BeExactly excluded
    }

    It 'does not list what only tests and generates: <_>' -ForEach 'tokenkit-testserver', 'tokenkit-bindgen', 'axum', 'proptest', 'insta', 'cbindgen' {
        $lock | Should -Match "(?m)^name = `"$_`"" -Because 'the workspace has it'
        $byName.Keys | Should -Not -Contain $_
    }

    It 'gives each crate the checksum of Cargo.lock, a license and an address of its own' {
        ($bill.components.'bom-ref' | Sort-Object -Unique).Count | Should -Be $bill.components.Count
        foreach ($component in $bill.components) {
            ($component.licenses | ConvertTo-Json -Depth 3) | Should -Match '"(expression|url)": "[\w(]' -Because $component.name
            if ($component.purl -notlike 'pkg:cargo/tokenkit*' -and $component.purl -like 'pkg:cargo/*') {
                $lock | Should -Match "name = `"$($component.name)`"\nversion = `"$([regex]::Escape($component.version))`"\nsource = .*\nchecksum = `"$($component.hashes[0].content)`""
            }
        }
    }

    It 'says what depends on what, from the module down' {
        $known = @($bill.components.'bom-ref') + $bill.metadata.component.'bom-ref'
        foreach ($dependency in $bill.dependencies) { @($dependency.ref) + $dependency.dependsOn | Should -BeIn $known }
        # From the module, all else is reached.
        $edges = @{}
        foreach ($dependency in $bill.dependencies) { $edges[$dependency.ref] = $dependency.dependsOn }
        $reached = [System.Collections.Generic.HashSet[string]]::new()
        $open = [System.Collections.Generic.Queue[string]]::new([string[]] $bill.metadata.component.'bom-ref')
        while ($open.Count) {
            $reference = $open.Dequeue()
            if ($reached.Add($reference)) { @($edges[$reference]).Where{ $_ }.ForEach{ $open.Enqueue($_) } }
        }
        $known | Where-Object { -not $reached.Contains($_) } | Should -BeNullOrEmpty
    }

    It 'is a CycloneDX 1.6 document' {
        $bill.bomFormat | Should -BeExactly CycloneDX
        $bill.specVersion | Should -BeExactly '1.6'
        $bill.serialNumber | Should -MatchExactly '^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
    }
}

Describe 'The notices' {
    It 'have a license text for every crate of others in the library' {
        $notices = Get-Content $packed/THIRD-PARTY-NOTICES.txt -Raw
        $rule = '=' * 78
        $sections = [regex]::Matches($notices, "(?ms)^$rule\n(?<crates>[^\n]+)\n$rule\n\n(?<text>.*?)(?=^$rule\n|\z)")
        $covered = $sections.ForEach{ $_.Groups['crates'].Value -split ', ' }
        $others = $bill.components.Where{ $_.scope -eq 'required' -and $_.purl -like 'pkg:cargo/*' -and $_.purl -notlike 'pkg:cargo/tokenkit*' }
        $others.Count | Should -BeGreaterThan 50
        $others.ForEach{ "$($_.name) $($_.version)" } | Where-Object { $_ -notin $covered } | Should -BeNullOrEmpty
        foreach ($section in $sections) { $section.Groups['text'].Value | Should -Match 'Permission|Licen[cs]e|Redistribution' -Because $section.Groups['crates'].Value }
    }
}

Describe 'Installed from a folder of packages' {
    BeforeAll {
        $server = Start-Peer $TestServer
        $repository = New-Item (Join-Path $TestDrive repository) -ItemType Directory
        Copy-Item $nupkg $repository
        $modules = New-Item (Join-Path $TestDrive modules) -ItemType Directory
        if (Get-Module Microsoft.PowerShell.PSResourceGet -ListAvailable) {
            $run = Invoke-Pwsh @'
param($repository, $path)
$ErrorActionPreference = 'Stop'
$name = "tokenkit-$([guid]::NewGuid())"
Register-PSResourceRepository $name -Uri $repository -Trusted
try {
    $found = Find-PSResource TokenKit -Repository $name
    if ($found.Author -ne 'The TokenKit authors') { throw "Found: $($found | Out-String)" }
    Save-PSResource TokenKit -Repository $name -Path $path
} finally {
    Unregister-PSResourceRepository $name
}
'@ $repository, $modules @{ XDG_DATA_HOME = (New-Item (Join-Path $TestDrive data) -ItemType Directory).FullName } -Milliseconds 120000
            $run.Error | Should -BeNullOrEmpty
        } else {
            # As PSResourceGet does it: everything is unpacked, and what belongs to the package only is removed.
            $target = Join-Path $modules TokenKit $version
            [System.IO.Compression.ZipFile]::ExtractToDirectory($nupkg, $target)
            foreach ($extra in '[Content_Types].xml', '_rels', 'package', 'TokenKit.nuspec') { Remove-Item -LiteralPath (Join-Path $target $extra) -Recurse -Force }
        }
    }

    AfterAll { Stop-Peer $server }

    It 'is found by its name in a new process, and gets a token there' {
        $run = Invoke-Pwsh @'
param($modules, $uri)
$env:PSModulePath = $modules
Import-Module TokenKit
(Get-Module TokenKit).Version.ToString()
(Invoke-OAuth2TokenEndpoint $uri -client_id demo-client -client_secret demo-secret).token_type
(Get-Help Invoke-OAuth2TokenEndpoint).Synopsis
'@ $modules, "$($server.http)/token"
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\r?\n' | Should -BeExactly $version, 'Bearer', 'Requests tokens from an OAuth 2.0 token endpoint.'
    }

    It 'has the files of the module, and its manifest is valid' {
        $installed = Join-Path $modules TokenKit $version
        (Test-ModuleManifest $installed/TokenKit.psd1).Version.ToString() | Should -BeExactly $version
        $own = (Get-ChildItem $packed -Recurse -File).ForEach{ [System.IO.Path]::GetRelativePath($packed, $_) } | Sort-Object
        # PSResourceGet adds a note of where a module came from.
        $there = (Get-ChildItem $installed -Recurse -File).ForEach{ [System.IO.Path]::GetRelativePath($installed, $_) } | Where-Object { $_ -ne 'PSGetModuleInfo.xml' } | Sort-Object
        $there -join ' ' | Should -BeExactly ($own -join ' ')
    }
}
