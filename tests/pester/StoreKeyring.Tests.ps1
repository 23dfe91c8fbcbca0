# The keyring of the system: a real Secret Service (gnome-keyring) in a D-Bus session of its own. The keyrings of
# Windows and macOS are those of the user who runs the tests, so they are left alone.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

if ($IsLinux) {
    Describe 'A Secret Service' {
        BeforeAll {
            # Runs a script in a session with a keyring; locked when it got no password.
            function Invoke-Session([string] $Script, [switch] $Locked) {
                $env:TOKENKIT_NO_KEYRING = $null
                $state = Join-Path $TestDrive ([guid]::NewGuid())
                $null = New-Item $state -ItemType Directory
                $unlock = 'printf "secret\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 && sleep 1;'
                if ($Locked) { $unlock = 'gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1;' }
                # The daemon keeps its files, and its socket, in folders of the test.
                $environment = @{ XDG_DATA_HOME = $state; XDG_RUNTIME_DIR = $state; HOME = $state; XDG_CURRENT_DESKTOP = '' }
                try {
                    $run = Invoke-Pwsh $Script $Module -Environment $environment -Launcher dbus-run-session, '--', sh, -c, "$unlock exec `"`$@`"", sh
                } finally {
                    $env:TOKENKIT_NO_KEYRING = '1'
                }
                # What the bus says about its own limits is not of the script.
                $run.Error = $run.Error -replace '(?m)^dbus-daemon\[.*\r?\n?'
                $run
            }
        }

        BeforeEach { $folder = New-Store }

        It 'keeps the key of a new store, and the files are sealed' {
            $run = Invoke-Session @'
Import-Module $args[0]
$store = Get-TokenKitStore
"$($store.Exists) $($store.Backend) $($store.Sealed)"
Set-D365LcsApiConfig -ProjectId 7 -BearerToken c4nary
$store = Get-TokenKitStore
"$($store.Exists) $($store.Backend) $($store.Sealed) $($store.Readable)"
(Get-D365LcsApiConfig).bearertoken
& (Get-Process -Id $PID).Path -NoProfile -Command "Import-Module '$($args[0])'; (Get-D365LcsApiConfig).projectid"
'@
            $run.Error | Should -BeNullOrEmpty
            $run.Output.Trim() -split '\r?\n' -join '|' | Should -BeExactly 'False keyring True|True keyring True True|c4nary|7'
            Get-ChildItem $folder -Recurse -File -Force | ForEach-Object { Get-Content $_ -Raw } | Should -Not -Match c4nary
        }

        It 'that is gone is an error that says so; the files stay' {
            $null = Invoke-Session 'Import-Module $args[0]; Set-D365LcsApiConfig -BearerToken c4nary'
            $failure = Get-Failure { Get-D365LcsApiConfig }
            Get-ErrorId $failure | Should -BeExactly store_keyring
            $failure.ErrorDetails.RecommendedAction | Should -Match keyring
            $store = Get-TokenKitStore
            "$($store.Backend) $($store.Sealed) $($store.Readable)" | Should -BeExactly 'keyring True False'
            Get-ErrorId (Get-Failure { Set-D365LcsApiConfig -ProjectId 1 }) | Should -BeExactly store_keyring
        }

        It 'can be moved to and from' {
            $run = Invoke-Session @'
Import-Module $args[0]
$env:TOKENKIT_NO_KEYRING = '1'
Set-D365LcsApiConfig -BearerToken c4nary
"$((Get-TokenKitStore).Backend)"
"$((Move-TokenKitStore keyring).Backend) $((Get-D365LcsApiConfig).bearertoken)"
$key = [Convert]::ToBase64String([byte[]](1..32))
$null = Move-TokenKitStore key -Key $key
$env:TOKENKIT_STORE_KEY = $key
"$((Get-TokenKitStore).Backend) $((Get-D365LcsApiConfig).bearertoken)"
"$((Move-TokenKitStore file).Backend) $((Get-D365LcsApiConfig).bearertoken)"
'@
            $run.Error | Should -BeNullOrEmpty
            $run.Output.Trim() -split '\r?\n' -join '|' | Should -BeExactly 'file|keyring c4nary|key c4nary|file c4nary'
        }

        It 'that is locked does not make a script wait for a person: a new store does without' {
            $run = Invoke-Session -Locked @'
Import-Module $args[0]
$watch = [System.Diagnostics.Stopwatch]::StartNew()
Set-D365LcsApiConfig -ProjectId 7 -WarningAction SilentlyContinue
$store = Get-TokenKitStore
"$($store.Backend) $($store.Sealed) $((Get-D365LcsApiConfig).projectid) $($watch.Elapsed.TotalSeconds -lt 30)"
'@
            $run.Error | Should -BeNullOrEmpty
            $run.Output.Trim() | Should -BeExactly 'file False 7 True'
        }
    }
}

Describe 'Without a keyring' {
    It 'a new store is plain, and Get-TokenKitStore says why' {
        $null = New-Store
        $run = Invoke-Pwsh 'Import-Module $args[0]; Set-D365LcsApiConfig -ProjectId 7; $s = Get-TokenKitStore; "$($s.Backend) $($s.Sealed)"; $s.Note' $Module -Environment @{ TOKENKIT_NO_KEYRING = '1' }
        $run.Error | Should -BeNullOrEmpty
        ($run.Output.Trim() -split '\r?\n')[0] | Should -BeExactly 'file False'
    }
}
