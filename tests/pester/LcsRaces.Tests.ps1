# Many processes with one configuration: no refresh token is spent twice, no update is lost, and whoever is killed
# leaves the old or the new content.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer

    function Connect-Lcs { Get-D365LcsApiToken @who -Password $password -Authority $server.http | Set-D365LcsApiConfig -ProjectId 123456789 }

    # Starts processes that load the module, say so by a file, and begin together when a line comes.
    function Start-Together([int] $Count, [string] $Script, [string[]] $ArgumentList) {
        $ready = Join-Path $TestDrive ([guid]::NewGuid())
        $null = New-Item $ready -ItemType Directory
        $begin = @'
param($module, $ready, $a, $b)
$ErrorActionPreference = 'Stop'
Import-Module $module
$null = Get-D365LcsApiConfig
$null = New-Item (Join-Path $ready $PID)
$null = [Console]::In.ReadLine()

'@
        $running = foreach ($index in 1..$Count) { Start-Pwsh ($begin + $Script) (@($Module, $ready) + $ArgumentList + $index) }
        Wait-Until { @(Get-ChildItem $ready).Count -eq $Count } 120000 | Should -BeTrue -Because 'every process gets ready'
        $running.ForEach{ $_.Process.StandardInput.WriteLine() }
        $running
    }
}

AfterAll { Stop-Peer $server }

Describe 'Get | Invoke | Set in 32 processes, 20 times each' {
    It 'spends every refresh token once, and the configuration has the newest' {
        $null = New-Store
        $null = Invoke-Control $server Put entra @{ rotates = $true }
        Connect-Lcs
        $null = Get-SentRequest $server
        $first = (Get-D365LcsApiConfig).refreshtoken
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $running = Start-Together 32 @'
$PSDefaultParameterValues['Invoke-D365LcsApiRefreshToken:Authority'] = $a
Enable-D365Exception
$done = 0
foreach ($round in 1..20) {
    Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig
    $done++
}
$done
'@ $server.http
        $started = $watch.Elapsed
        $results = $running.ForEach{ Wait-Pwsh $_ 300000 }
        foreach ($result in $results) {
            $result.Error | Should -BeNullOrEmpty
            $result.Output.Trim() | Should -BeExactly 20
        }
        $spent = @(Get-SentRequest $server).ForEach{ $_.Form.refresh_token }
        Write-Host ('    640 refreshes by {0} requests in {1:n1} s, after {2:n1} s to start' -f $spent.Count, ($watch.Elapsed - $started).TotalSeconds, $started.TotalSeconds)
        $spent.Count | Should -BeGreaterOrEqual 20
        ($spent | Sort-Object -Unique).Count | Should -Be $spent.Count -Because 'no refresh token is sent twice'
        $spent[0] | Should -BeExactly $first
        $state = Invoke-Control $server Get entra
        $state.invalid_grants | Should -Be 0
        $state.reuses | Should -Be 0
        (Get-D365LcsApiConfig).refreshtoken | Should -BeExactly $state.newest.refresh_token
        (Get-D365LcsApiConfig).projectid | Should -Be 123456789

        # And it is good for another.
        Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $server.http -EnableException | Set-D365LcsApiConfig
        (Get-D365LcsApiConfig).refreshtoken | Should -BeExactly (Invoke-Control $server Get entra).newest.refresh_token
    }
}

Describe 'A process that is killed' {
    It 'while it <Name> leaves the configuration whole: 24 times' -ForEach @(
        @{ Name = 'sets values'; Script = @'
foreach ($i in 1..100000) { $n = "$b-$i"; Set-D365LcsApiConfig -BearerToken $n -RefreshToken $n -ClientId $n -LcsApiUri $n }
'@ }
        @{ Name = 'refreshes'; Script = @'
foreach ($i in 1..100000) { Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $a | Set-D365LcsApiConfig }
'@ }
    ) {
        $null = New-Store
        $null = Invoke-Control $server Put entra @{ rotates = $true }
        $random = [Random]::new()
        $kills = 0
        foreach ($batch in 1..3) {
            if ($Name -eq 'refreshes') { Connect-Lcs } else { Set-D365LcsApiConfig -BearerToken 0 -RefreshToken 0 -ClientId 0 -LcsApiUri 0 }
            $running = Start-Together 8 $Script $server.http
            foreach ($one in $running) {
                Start-Sleep -Milliseconds $random.Next(5, 120)
                $one.Process.HasExited | Should -BeFalse -Because "it would go on: $($one.Process.HasExited ? $one.Error.Result : '')"
                # SIGKILL on Unix.
                $one.Process.Kill()
                $one.Process.WaitForExit()
                $kills++
                $config = Get-D365LcsApiConfig -WarningVariable warnings -WarningAction SilentlyContinue
                $warnings | Should -BeNullOrEmpty
                if ($Name -eq 'refreshes') {
                    $config.refreshtoken | Should -Not -BeNullOrEmpty
                    $config.projectid | Should -Be 123456789
                } else {
                    $config.bearertoken | Should -Match '^(0|\d+-\d+)$'
                    foreach ($other in 'refreshtoken', 'clientid', 'lcsapiuri') { $config.$other | Should -BeExactly $config.bearertoken }
                }
            }
        }
        $kills | Should -Be 24
        @((Get-TokenKitStore).Damaged).Count | Should -Be 0
        # Nobody is left who holds the lock.
        Set-D365LcsApiConfig -ProjectId 1
        (Get-D365LcsApiConfig).projectid | Should -Be 1
    }

    It 'between Invoke and Set loses no token' {
        $null = New-Store
        $null = Invoke-Control $server Put entra @{ rotates = $true }
        Connect-Lcs
        $old = (Get-D365LcsApiConfig).refreshtoken
        $running = Start-Together 1 'Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $a | ForEach-Object { Stop-Process -Id $PID -Force; Start-Sleep 60 } | Set-D365LcsApiConfig' $server.http
        $running[0].Process.WaitForExit(60000) | Should -BeTrue
        $config = Get-D365LcsApiConfig
        $config.refreshtoken | Should -Not -BeExactly $old
        $config.refreshtoken | Should -BeExactly (Invoke-Control $server Get entra).newest.refresh_token
        (Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $server.http -EnableException).access_token | Should -Not -BeNullOrEmpty
    }
}

Describe 'A job that was slow' {
    It 'does not undo the refresh of another' {
        $null = New-Store
        $null = Invoke-Control $server Put entra @{ rotates = $true }
        Connect-Lcs
        $slow = Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $server.http
        Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $server.http | Set-D365LcsApiConfig
        $newest = Get-D365LcsApiConfig
        $slow | Set-D365LcsApiConfig -ProjectId 7
        $config = Get-D365LcsApiConfig
        $config.projectid | Should -Be 7
        foreach ($name in 'bearertoken', 'refreshtoken', 'activetokenexpireson') { $config.$name | Should -BeExactly $newest.$name }
    }
}

Describe '64 writers' {
    It 'in 8 processes lose nothing, and no one waits for ever' {
        $null = New-Store
        $running = Start-Together 8 @'
$value = $b
1..8 | ForEach-Object -ThrottleLimit 8 -Parallel {
    Import-Module $using:module
    foreach ($i in 1..10) {
        switch ($using:value % 4) {
            0 { Set-D365LcsApiConfig -ClientId "client-$i" }
            1 { Set-D365LcsApiConfig -BearerToken "bearer-$i" }
            2 { Set-D365LcsApiConfig -RefreshToken "refresh-$i" }
            3 { Set-D365LcsApiConfig -ProjectId $i }
        }
    }
}
'done'
'@ $server.http
        foreach ($result in $running.ForEach{ Wait-Pwsh $_ 120000 }) {
            $result.Error | Should -BeNullOrEmpty
            $result.Output.Trim() | Should -BeExactly done
        }
        $config = Get-D365LcsApiConfig
        "$($config.clientid) $($config.bearertoken) $($config.refreshtoken) $($config.projectid)" | Should -Match '^client-\d+ bearer-\d+ refresh-\d+ \d+$'
    }
}
