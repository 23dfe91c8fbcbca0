# What the user sees when the store cannot be used as it should: permissions, links, foreign owners, damage, a full
# disk and a busy lock. What happens beneath is tested in Rust.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module

    # A store with a configuration; returns the file of its section.
    function New-FilledStore {
        $folder = New-Store
        Set-D365LcsApiConfig -ProjectId 7 -ClientId app -BearerToken c4nary-bearer -RefreshToken c4nary-refresh
        Get-SectionFile $folder
    }

    function Get-SectionFile([string] $Folder) {
        $file = Get-ChildItem $Folder -Recurse -File -Filter d365lcs.json
        @($file).Count | Should -Be 1
        $file.FullName
    }

    function Get-Mode([string] $Path) { [Convert]::ToString([int][System.IO.File]::GetUnixFileMode($Path), 8) }
}

Describe 'A damaged file: <Name>' -ForEach @(
    @{ Name = 'truncated'; Change = { param($file) $bytes = [System.IO.File]::ReadAllBytes($file); [System.IO.File]::WriteAllBytes($file, $bytes[0..($bytes.Length / 2)]) } }
    @{ Name = 'empty'; Change = { param($file) [System.IO.File]::WriteAllBytes($file, @()) } }
    @{ Name = 'random bytes'; Change = { param($file) [System.IO.File]::WriteAllBytes($file, [System.Security.Cryptography.RandomNumberGenerator]::GetBytes(500)) } }
    @{ Name = 'other JSON'; Change = { param($file) Set-Content $file '[1, 2, 3]' } }
) {
    It 'is a warning that says where it went, and the configuration begins anew' {
        $file = New-FilledStore
        & $Change $file
        $config = Get-D365LcsApiConfig -WarningVariable warnings -WarningAction SilentlyContinue
        $config.psobject.Properties.Value -join '|' | Should -BeExactly '|||||'
        Set-D365LcsApiConfig -ProjectId 8 -WarningVariable later -WarningAction SilentlyContinue
        "$warnings $later" | Should -Match "$([regex]::Escape($file)) is damaged .* set aside as .*damaged-"
        "$warnings $later" | Should -Not -Match c4nary
        (Get-D365LcsApiConfig -WarningVariable none).projectid | Should -Be 8
        $none | Should -BeNullOrEmpty
        @((Get-TokenKitStore).Damaged).Count | Should -Be 1
        Get-TokenKitStore | Out-String | Should -Match 'Damaged +: .*damaged-'
    }
}

Describe 'A file of a later version' {
    It 'is an error that says so, and stays' {
        $file = New-FilledStore
        $json = Get-Content $file -Raw | ConvertFrom-Json -AsHashtable
        $json.version = 99
        ConvertTo-Json $json -Depth 9 | Set-Content $file
        $before = (Get-FileHash $file).Hash
        $failure = Get-Failure { Set-D365LcsApiConfig -ProjectId 8 }
        Get-ErrorId $failure | Should -BeExactly store_version
        "$failure" | Should -Match '99'
        (Get-FileHash $file).Hash | Should -BeExactly $before
    }
}

Describe 'A busy lock' {
    It 'is waited for, with progress, and Ctrl+C ends the wait' {
        # Another process refreshes, slowly, under the lock of the same refresh token.
        $server = Start-Peer $TestServer
        try {
            $null = New-FilledStore
            $slow = Set-Reply $server /canned/slow/oauth2/token (@{ delay_ms = 60000 } + (New-JsonReply 200 (New-V1Token)))
            $other = Start-Pwsh 'Import-Module $args[0]; Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $args[1]' $Module, $slow
            Wait-Until { (Get-OpenRequest $server) -eq 1 } 60000 | Should -BeTrue
            $pipeline = New-Pipeline $Module 'Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $args[0] -Verbose' $slow
            try {
                $null = $pipeline.BeginInvoke()
                Wait-Until { @($pipeline.Streams.Verbose | Where-Object { "$_" -match "locked.*$($other.Process.Id)" }).Count -gt 0 } 20000 | Should -BeTrue -Because 'it tells who holds the lock'
                Wait-Until { $pipeline.Streams.Progress.Count -gt 0 } | Should -BeTrue
                $watch = [System.Diagnostics.Stopwatch]::StartNew()
                $pipeline.Stop()
                $watch.Elapsed.TotalMilliseconds | Should -BeLessThan 2000
                (Get-OpenRequest $server) | Should -Be 1
            } finally {
                $pipeline.Dispose()
                $other.Process.Kill()
            }
        } finally {
            Stop-Peer $server
        }
    }
}

if (-not $IsWindows) {
    Describe 'The files' {
        It 'are for the user alone' {
            $file = New-FilledStore
            Get-Mode $env:TOKENKIT_HOME | Should -BeExactly 700
            $all = Get-ChildItem $env:TOKENKIT_HOME -Recurse -Force
            @($all | Where-Object { -not $_.PSIsContainer }).Count | Should -BeGreaterThan 1
            foreach ($item in $all) { Get-Mode $item.FullName | Should -BeExactly ($item.PSIsContainer ? '700' : '600') -Because $item.FullName }
            @($all.FullName) | Should -Contain $file
        }

        It 'are for the user alone whatever the umask is' {
            $null = New-Store
            $run = Invoke-Pwsh 'Import-Module $args[0]; Set-D365LcsApiConfig -BearerToken x' $Module -Launcher sh, -c, 'umask 0; exec "$@"', sh
            $run.Error | Should -BeNullOrEmpty
            Get-Mode $env:TOKENKIT_HOME | Should -BeExactly 700
            foreach ($item in Get-ChildItem $env:TOKENKIT_HOME -Recurse -Force) { Get-Mode $item.FullName | Should -BeExactly ($item.PSIsContainer ? '700' : '600') }
        }

        It 'that others could read are closed, with a warning' {
            $file = New-FilledStore
            chmod 644 $file
            $config = Get-D365LcsApiConfig -WarningVariable warnings -WarningAction SilentlyContinue
            $config.projectid | Should -Be 7
            "$warnings" | Should -Match 'open to other users \(mode 644\)'
            Get-Mode $file | Should -BeExactly 600
            $null = Get-D365LcsApiConfig -WarningVariable none
            $none | Should -BeNullOrEmpty
        }
    }

    Describe 'A symbolic link in place of the file' {
        It 'is not followed, neither to read nor to write' {
            $file = New-FilledStore
            $target = Join-Path $TestDrive target
            Move-Item $file $target
            $before = (Get-FileHash $target).Hash
            $null = New-Item $file -ItemType SymbolicLink -Value $target
            foreach ($command in { Get-D365LcsApiConfig }, { Set-D365LcsApiConfig -ProjectId 8 }) {
                $failure = Get-Failure $command
                Get-ErrorId $failure | Should -BeExactly store_not_private
                "$failure" | Should -Match "$([regex]::Escape($file)) is a symbolic link"
                $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
            }
            (Get-FileHash $target).Hash | Should -BeExactly $before
        }
    }

    Describe 'A store of another user' {
        It 'is not used' {
            # Root can give a folder away; others have one at hand that is root's.
            if ((id -u) -eq 0) {
                $null = New-FilledStore
                chown -R 65534 $env:TOKENKIT_HOME
            } else {
                $env:TOKENKIT_HOME = '/usr'
            }
            foreach ($command in { Get-D365LcsApiConfig }, { Set-D365LcsApiConfig -ProjectId 8 }) {
                $failure = Get-Failure $command
                Get-ErrorId $failure | Should -BeExactly store_not_private
                "$failure" | Should -Match 'belongs to another user'
                $failure.CategoryInfo.Category | Should -BeExactly SecurityError
            }
        }
    }

    Describe 'A folder that is read-only' {
        BeforeAll {
            # To root nothing is read-only: it steps down, to somebody who can read a copy of the module.
            $launcher = @()
            $copy = $Module
            if ((id -u) -eq 0) {
                $launcher = 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', "HOME=$TestDrive"
                $copy = Join-Path $TestDrive copy TokenKit
                $null = New-Item $copy -ItemType Directory -Force
                Copy-Item "$Module/*" $copy -Recurse
                chmod -R a+rX $TestDrive
            }
            $folder = New-Store
            $null = New-Item (Split-Path $folder) -ItemType Directory -Force
            if ($launcher) { chown 65534 (Split-Path $folder) }
            $run = Invoke-Pwsh 'Import-Module $args[0]; Set-D365LcsApiConfig -ProjectId 7 -ClientId app -RefreshToken old' $copy -Launcher $launcher
            $run.Error | Should -BeNullOrEmpty
            chmod -R a-w $folder
        }

        AfterAll { chmod -R u+w $folder }

        It 'can be read; writing is an error that names it' {
            $run = Invoke-Pwsh @'
Import-Module $args[0]
(Get-D365LcsApiConfig).projectid
try { Set-D365LcsApiConfig -ProjectId 8 } catch { "$($_.FullyQualifiedErrorId)|$_|$($_.ErrorDetails.RecommendedAction)" }
(Get-D365LcsApiConfig).projectid
Set-D365LcsApiConfig -ProjectId 9 -Temporary
(Get-D365LcsApiConfig).projectid
'@ $copy -Launcher $launcher
            $run.Error | Should -BeNullOrEmpty
            $first, $failure, $second, $temporary = $run.Output.Trim() -split '\r?\n'
            "$first $second $temporary" | Should -BeExactly '7 7 9'
            $failure | Should -Match "^store_io,TokenKit.Commands.SetD365LcsApiConfig\|$([regex]::Escape($folder)).*\|.*permissions"
        }

        It 'does not keep a refresh from being made, with a warning' {
            $server = Start-Peer $TestServer
            try {
                $run = Invoke-Pwsh @'
Import-Module $args[0]
(Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $args[1] -WarningVariable warnings -WarningAction SilentlyContinue).access_token
"$warnings"
'@ $copy, (Set-Authority $server (New-V1Token new)) -Launcher $launcher
                $run.Error | Should -BeNullOrEmpty
                $token, $warning = $run.Output.Trim() -split '\r?\n'
                $token | Should -BeExactly access-new
                "$warning" | Should -Match ([regex]::Escape($folder))
            } finally {
                Stop-Peer $server
            }
        }
    }
}

if ($IsLinux) {
    Describe 'A full disk' {
        It 'is an error, the old content stays, and it works again when there is room' {
            $folder = Join-Path $TestDrive full
            $null = New-Item $folder -ItemType Directory
            # A small file system that only this process sees. Who is not root needs sudo without password.
            $elevate = @(if ((id -u) -ne 0) { 'sudo', '-n', '-E' })
            $run = Invoke-Pwsh @'
param($module, $folder)
Import-Module $module
$env:TOKENKIT_HOME = Join-Path $folder store
Set-D365LcsApiConfig -ProjectId 7 -BearerToken old
$filler = [System.IO.File]::Create("$folder/filler")
try { while ($true) { $filler.Write([byte[]]::new(512)); $filler.Flush() } } catch { 'full' }
$big = 'x' * 5000
try { Set-D365LcsApiConfig -BearerToken $big } catch { "$($_.FullyQualifiedErrorId)|$_" }
"$((Get-D365LcsApiConfig).bearertoken) $((Get-D365LcsApiConfig).projectid)"
try { $filler.Dispose() } catch { }
Remove-Item "$folder/filler"
Set-D365LcsApiConfig -BearerToken $big
(Get-D365LcsApiConfig).bearertoken.Length
@(Get-ChildItem $env:TOKENKIT_HOME -Recurse -Force -File -Filter *.tmp).Count
'@ $Module, $folder -Launcher ($elevate + @('unshare', '--mount', 'sh', '-c', "mount -t tmpfs -o size=64k,mode=700 tmpfs '$folder' && exec `"`$@`"", 'sh'))
            $run.Error | Should -BeNullOrEmpty
            $full, $failure, $kept, $length, $left = $run.Output.Trim() -split '\r?\n'
            $full | Should -BeExactly full
            $failure | Should -Match '^store_io,TokenKit.Commands.SetD365LcsApiConfig\|.*No space left'
            "$kept|$length|$left" | Should -BeExactly 'old 7|5000|0'
        }
    }
}
