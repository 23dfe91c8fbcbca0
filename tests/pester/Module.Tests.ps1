# The package: manifest, what is in it, loading and unloading, the native library, and one page for each command.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $manifestFile = Get-ChildItem $Module -Recurse -Filter TokenKit.psd1
    $commands = foreach ($name in (Import-PowerShellDataFile $manifestFile).CmdletsToExport) {
        @{ Name = $name; Page = Join-Path $root "powershell/docs/$name.md" }
    }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $echo = "$($server.http)/echo-token"
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $manifestFile = Get-ChildItem $Module -Recurse -Filter TokenKit.psd1
    $package = $manifestFile.DirectoryName
    $manifest = Import-PowerShellDataFile $manifestFile
    $assembly = (Get-Module TokenKit).NestedModules.Where{ $_.ModuleType -eq 'Binary' }.ImplementingAssembly

    # A copy of the package whose native library is changed by the script block, which gets its path.
    function New-Package([scriptblock] $Change) {
        $copy = Join-Path $TestDrive ([guid]::NewGuid()) TokenKit
        $null = New-Item $copy -ItemType Directory
        Copy-Item "$package/*" $copy -Recurse
        & $Change (Get-ChildItem $copy/runtimes -Recurse -File).FullName
        $copy
    }
}

AfterAll { Stop-Peer $server }

Describe 'The manifest' {
    It 'is valid, and its version is that of its folder' {
        $info = Test-ModuleManifest $manifestFile
        "$($info.Version)" | Should -BeExactly $manifestFile.Directory.Name
        $info.CompatiblePSEditions | Should -BeExactly Core
        $info.PowerShellVersion | Should -Be ([version]'7.4')
        foreach ($member in 'Tags', 'ProjectUri', 'LicenseUri', 'ReleaseNotes') { $info.PrivateData.PSData[$member] | Should -Not -BeNullOrEmpty -Because $member }
    }

    It 'names each export, and nothing else is exported' {
        $loaded = Get-Module TokenKit
        foreach ($kind in 'Cmdlets', 'Aliases', 'Functions', 'Variables') {
            $manifest["${kind}ToExport"] | Where-Object { $_ -match '[*?]' } | Should -BeNullOrEmpty
        }
        ($loaded.ExportedCmdlets.Keys | Sort-Object) -join ' ' | Should -BeExactly (($manifest.CmdletsToExport | Sort-Object) -join ' ')
        ($loaded.ExportedAliases.Keys | Sort-Object) -join ' ' | Should -BeExactly (($manifest.AliasesToExport | Sort-Object) -join ' ')
        $loaded.ExportedFunctions.Count | Should -Be 0
        $loaded.ExportedVariables.Keys | Should -BeExactly $manifest.VariablesToExport
    }

    It 'leaves no cmdlet of the assembly and no alias out' {
        $types = $assembly.GetExportedTypes().Where{ $_.IsSubclassOf([System.Management.Automation.Cmdlet]) -and -not $_.IsAbstract }
        $types | Should -Not -BeNullOrEmpty
        $attributes = $types.ForEach{ $_.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false) }
        $names = $attributes.ForEach{ "$($_.VerbName)-$($_.NounName)" }
        ($names | Sort-Object) -join ' ' | Should -BeExactly (($manifest.CmdletsToExport | Sort-Object) -join ' ')
        # The general names are made by the import, which can leave them out.
        $general = (Get-Alias).Where{ $_.Source -eq 'TokenKit' -and $_.Definition -like '?et-Governance*' }.Name
        $aliases = @($types.ForEach{ $_.GetCustomAttributes([Alias], $false) }.ForEach{ $_.AliasNames }) + $general
        ($aliases | Sort-Object) -join ' ' | Should -BeExactly (($manifest.AliasesToExport | Sort-Object) -join ' ')
    }
}

Describe 'The package' {
    It 'has one managed assembly, which refers to .NET and PowerShell only' {
        $managed = Get-ChildItem $package -Recurse -Filter *.dll | Where-Object FullName -NotMatch '[\\/]runtimes[\\/]'
        $managed.Name | Should -BeExactly TokenKit.dll
        $references = $assembly.GetReferencedAssemblies().Name
        $references | Where-Object { $_ -notmatch '^(System(\.|$)|netstandard$|mscorlib$|Microsoft\.Win32\.)' } | Should -BeNullOrEmpty
    }

    It 'has a native library for known platforms only, one file each' {
        $known = 'linux-x64', 'linux-arm64', 'linux-musl-x64', 'linux-musl-arm64', 'win-x64', 'win-arm64', 'osx-x64', 'osx-arm64'
        $platforms = @(Get-ChildItem $package/runtimes -Directory)
        $platforms.Count | Should -BeGreaterThan 0
        foreach ($platform in $platforms) {
            $platform.Name | Should -BeIn $known
            $expected = switch -Wildcard ($platform.Name) { win* { 'tokenkit.dll' } osx* { 'libtokenkit.dylib' } default { 'libtokenkit.so' } }
            (Get-ChildItem $platform -Recurse -File).ForEach{ [System.IO.Path]::GetRelativePath($platform, $_) } | Should -BeExactly (Join-Path native $expected)
        }
    }

    It 'has the licenses and the views, and no symbols or sources' {
        $files = (Get-ChildItem $package -Recurse -File).Name
        foreach ($name in 'LICENSE-APACHE', 'LICENSE-MIT', 'TokenKit.Format.ps1xml', 'TokenKit.Types.ps1xml') { $files | Should -Contain $name }
        $files | Where-Object { $_ -match '\.(pdb|cs|rs|psm1|deps\.json)$' -and $_ -ne 'TokenKit.Arguments.psm1' } | Should -BeNullOrEmpty
    }

    It 'tells nothing about the machine that built it' {
        $bytes = [System.IO.File]::ReadAllBytes("$package/TokenKit.dll")
        foreach ($encoding in [System.Text.Encoding]::UTF8, [System.Text.Encoding]::Unicode) {
            $encoding.GetString($bytes).Contains($root) | Should -BeFalse
        }
    }
}

Describe 'Loading' {
    BeforeAll {
        $call = '(token $uri -code c0de).token_type'
        $isLoaded = '@((Get-Process -Id $PID).Modules.FileName -match "[\\/]runtimes[\\/].*tokenkit").Count'
    }

    It 'does not load the native library before the first request' {
        $run = Invoke-Pwsh "param(`$module, `$uri) Import-Module `$module; `$null = Get-Command token -Syntax; $isLoaded; $call; $isLoaded" $Module, $echo
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\s+' -join ' ' | Should -BeExactly '0 Bearer 1'
    }

    It 'writes nothing' {
        $run = Invoke-Pwsh 'param($module) Import-Module $module *>&1' $Module
        $run.Output + $run.Error | Should -BeNullOrEmpty
    }

    It 'can be removed and imported again, and imported with -Force' {
        $run = Invoke-Pwsh @"
param(`$module, `$uri)
Import-Module `$module; $call
Remove-Module TokenKit; [bool](Get-Command token -ErrorAction Ignore)
Import-Module `$module; $call
Import-Module `$module -Force; $call
"@ $Module, $echo
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\s+' -join ' ' | Should -BeExactly 'Bearer False Bearer Bearer'
    }

    It 'finds a package by its name in a folder of PSModulePath' {
        $run = Invoke-Pwsh "param(`$folder, `$uri) `$env:PSModulePath = `$folder; $call" (Split-Path (Split-Path $package)), $echo
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() | Should -BeExactly Bearer
    }

    It 'works in eight runspaces at the same time' {
        $pipelines = foreach ($index in 1..8) {
            New-Pipeline $Module 'param($uri, $id) foreach ($i in 1..20) { (token $uri -client_id "$id-$i" -code c0de).received.form.client_id }' $echo, $index
        }
        try {
            $running = $pipelines.ForEach{ $_.BeginInvoke() }
            foreach ($index in 0..7) {
                $expected = (1..20).ForEach{ "$($index + 1)-$_" } -join ' '
                $pipelines[$index].EndInvoke($running[$index]) -join ' ' | Should -BeExactly $expected
                $pipelines[$index].HadErrors | Should -BeFalse
            }
        } finally {
            $pipelines.ForEach{ $_.Dispose() }
        }
    }

    It 'is safe when a runspace ends while others go on' {
        foreach ($round in 1..5) { (Invoke-Pipeline $Module "param(`$uri) $call" $echo).Output | Should -BeExactly Bearer }
        (token $echo -code c0de).token_type | Should -BeExactly Bearer
    }
}

Describe 'A native library that' {
    BeforeAll {
        $script = @'
param($module, $uri)
Import-Module $module
foreach ($attempt in 1..2) {
    try { token $uri -code c0de } catch { "$(($_.FullyQualifiedErrorId -split ',')[0])|$($_.Exception.Message)|$($_.ErrorDetails.RecommendedAction)" }
}
'@
        $runtime = [System.Runtime.InteropServices.RuntimeEnvironment]::GetRuntimeDirectory()
        $foreign = (Get-ChildItem $runtime -Filter *System.IO.Compression.Native.*)[0]
        # The platform as the folders name it.
        $platform = (Get-ChildItem $package/runtimes -Directory).Name | Where-Object {
            $architecture = [System.Runtime.InteropServices.RuntimeInformation]::ProcessArchitecture.ToString().ToLowerInvariant()
            $_ -like "$($IsWindows ? 'win' : $IsMacOS ? 'osx' : 'linux')-*$architecture"
        }
    }

    It '<Name> is an error at each request: <ErrorId>' -ForEach @(
        @{ Name = 'is missing'; ErrorId = 'native_library_missing'; Change = { param($file) Remove-Item $file } }
        @{ Name = 'is no library'; ErrorId = 'native_library_unusable'; Change = { param($file) Set-Content $file 'no library' } }
        @{ Name = 'is another one'; ErrorId = 'native_library_mismatch'; Change = { param($file) Copy-Item $foreign $file } }
    ) {
        $run = Invoke-Pwsh $script (New-Package $Change), $echo
        $run.Error | Should -BeNullOrEmpty
        $lines = $run.Output.Trim() -split '\r?\n'
        $lines.Count | Should -Be 2
        foreach ($line in $lines) {
            $id, $message, $action = $line -split '\|'
            $id | Should -BeExactly $ErrorId
            $action | Should -Not -BeNullOrEmpty
            if ($ErrorId -ne 'native_library_mismatch') {
                $message | Should -Match ([regex]::Escape($platform)) -Because 'it names the platform'
                $message | Should -Match 'tokenkit\.(dll|so|dylib)' -Because 'it names the file'
            }
        }
    }
}

Describe '<Name>' -ForEach $commands {
    It 'has one source file, one test file, one surface and one page' {
        @(Get-ChildItem $root/powershell/src/Cmdlets -Recurse -Filter "$($Name.Replace('-', '')).cs").Count | Should -Be 1
        "$PSScriptRoot/$Name.Tests.ps1" | Should -Exist
        "$PSScriptRoot/surface/$Name.json" | Should -Exist
        $Page | Should -Exist
    }
}

Describe 'The table of the origins in the README' {
    BeforeAll {
        $text = [regex]::Match((Get-Content $root/README.md -Raw), '(?ms)^## The four origins$(.*?)^## ').Groups[1].Value
        $rows = [regex]::Matches($text, '(?m)^\| `(?<name>[\w-]+)`(?: \((?<aliases>[^)]*)\))? \| (?<origin>[^|]+) \| (?<tests>[^|]+) \|$')
    }

    It 'lists every command once, and no other' {
        ($rows.ForEach{ $_.Groups['name'].Value } | Sort-Object) -join ' ' | Should -BeExactly (($manifest.CmdletsToExport | Sort-Object) -join ' ')
    }

    It 'has its aliases, its origin and its test files' {
        foreach ($row in $rows) {
            $name = $row.Groups['name'].Value
            $surface = Get-Content "$PSScriptRoot/surface/$name.json" -Raw | ConvertFrom-Json
            $listed = [regex]::Matches($row.Groups['aliases'].Value, '`([\w-]+)`').ForEach{ $_.Groups[1].Value }
            ($listed | Sort-Object) -join ' ' | Should -BeExactly (($surface.aliases | Sort-Object) -join ' ') -Because $name
            $surface.origin | Should -Match "^$([regex]::Escape($row.Groups['origin'].Value.Trim()))( |$)" -Because $name
            $files = [regex]::Matches($row.Groups['tests'].Value, '\]\(([^)]+)\)').ForEach{ $_.Groups[1].Value }
            $files | Should -Contain "tests/pester/$name.Tests.ps1"
            foreach ($file in $files) { Join-Path $root $file | Should -Exist }
        }
    }
}

Describe 'The folders' {
    It 'hold no page, surface or source file of a command that is not exported' {
        $names = $manifest.CmdletsToExport
        (Get-ChildItem $root/powershell/docs -Filter *.md).BaseName | Where-Object { $_ -notin $names } | Should -BeNullOrEmpty
        (Get-ChildItem $PSScriptRoot/surface -Filter *.json).BaseName | Where-Object { $_ -notin $names } | Should -BeNullOrEmpty
        (Get-ChildItem $root/powershell/src/Cmdlets -Recurse -Filter *.cs).BaseName | Where-Object { $_ -notin $names.Replace('-', '') } | Should -BeNullOrEmpty
    }
}
