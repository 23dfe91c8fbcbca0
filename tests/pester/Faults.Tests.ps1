# What breaks a process that does not take care: modules that go while a call runs, many runspaces, jobs, a process that
# ends, and servers that do not answer as they should. Each in a process of its own, whose crash or hang is seen.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # Commands that ask a server, each with what it is asked by.
    $commands = @(
        @{ Command = 'Invoke-OAuth2TokenEndpoint'; Call = { param($uri, $limit) Invoke-OAuth2TokenEndpoint $uri -code c0de -Timeout $limit }
            Body = '{"access_token":"a","token_type":"Bearer"}' }
        @{ Command = 'Get-OidcDiscoveryMetadata'; Call = { param($uri, $limit) Get-OidcDiscoveryMetadata $uri -Timeout $limit }; Body = '{"issuer":"{uri}"}' }
        @{ Command = 'Test-JsonWebToken'; Call = { param($uri, $limit) Test-JsonWebToken eyJhbGciOiJSUzI1NiJ9.e30.c2ln -jwks_uri $uri -Timeout $limit }; Body = '{"keys":[]}' }
    )
    $faults = @(
        @{ Fault = @{ reset = 'body' }; Id = 'connection_lost' }
        @{ Fault = @{ close = 'headers' }; Id = 'connection_lost' }
        @{ Fault = @{ stall = 'body' }; Id = 'timeout' }
        @{ Fault = 'chunked_garbage'; Id = 'connection_lost' }
        @{ Fault = 'gzip_bomb'; Id = 'not_json' }
        @{ Fault = @{ huge = @{ announced = $false } }; Id = 'response_too_large' }
        @{ Fault = 'deep_json'; Id = 'not_json' }
        @{ Fault = 'utf16'; Id = 'not_json' }
        @{ Fault = 'nul_in_body'; Id = 'not_json' }
        @{ Fault = 'byte_order_mark'; Id = $null }
        @{ Fault = @{ interim = 100 }; Id = $null }
        @{ Fault = @{ redirect = @{ status = 302; target = 'file:///etc/passwd' } }; Id = 'unexpected_redirect' }
    )
    $cases = foreach ($command in $commands) {
        foreach ($fault in $faults) { $command + @{ Fault = $fault.Fault; Id = $fault.Id; Title = ConvertTo-Json $fault.Fault -Compress; Outcome = $fault.Id ?? 'no error' } }
    }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $echo = "$($server.http)/echo-token"

    # Runs a script that gets the module and the server's address; the time is for a machine that does much else.
    function Invoke-Script([string] $Script) {
        $run = Invoke-Pwsh "param(`$module, `$server)`n`$ErrorActionPreference = 'Stop'; Import-Module `$module`n$Script" $Module, $server.http -Milliseconds 300000
        $run.Error | Should -BeNullOrEmpty
        $run
    }
}

AfterAll { Stop-Peer $server }

Describe 'The module' {
    It 'may be removed while a call runs in another runspace' {
        $run = Invoke-Script @'
$running = [powershell]::Create().AddScript('param($module, $uri) Import-Module $module; (token $uri -code c0de).token_type').AddArgument($module).AddArgument("$server/slow?ms=3000")
$result = $running.BeginInvoke()
while ((Invoke-RestMethod "$server/control/open" -NoProxy).open -eq 0) { Start-Sleep -Milliseconds 10 }
Remove-Module TokenKit
$running.EndInvoke($result)
Import-Module $module
(token "$server/echo-token" -code c0de).token_type
'@
        $run.Output.Trim() -split '\s+' | Should -BeExactly Bearer, Bearer
    }

    It 'may be removed by the command behind it in the pipeline' {
        $run = Invoke-Script @'
$items = foreach ($index in 1..20) { @{ uri = "$server/echo-token"; code = "c0de$index" } }
$tokens = $items | token -ThrottleLimit 4 | ForEach-Object { Remove-Module TokenKit -ErrorAction Ignore; $_ }
"$($tokens.Count) $(@(Get-Module TokenKit).Count)"
'@
        $run.Output.Trim() | Should -BeExactly '20 0'
    }

    It 'may be removed and imported a hundred times, which loads nothing twice' {
        $run = Invoke-Script @'
foreach ($round in 1..100) {
    Remove-Module TokenKit
    Import-Module $module -Force
    if ((token "$server/echo-token" -code c0de).token_type -ne 'Bearer') { throw "round $round" }
}
$process = Get-Process -Id $PID
@($process.Modules.FileName -match '[\\/]runtimes[\\/].*tokenkit').Count
@([AppDomain]::CurrentDomain.GetAssemblies().Where{ $_.GetName().Name -eq 'TokenKit' }).Count
'@
        $run.Output.Trim() -split '\s+' | Should -BeExactly 1, 1
    }
}

Describe 'Calls' {
    It 'run in 64 runspaces at once (ForEach-Object -Parallel)' {
        $run = Invoke-Script @'
$ids = 1..64 | ForEach-Object -Parallel {
    Import-Module $using:module
    foreach ($round in 1..3) { (token "$using:server/echo-token" -client_id "$_-$round" -code c0de).received.form.client_id }
    try { token "$using:server/token" -client_id $_ -code c0de } catch { ($_.FullyQualifiedErrorId -split ',')[0] }
} -ThrottleLimit 64
$failed, $good = $ids.Where({ $_ -eq 'invalid_client' }, 'Split')
"$($failed.Count) $(@($good | Sort-Object -Unique).Count)"
'@
        $run.Output.Trim() | Should -BeExactly '64 192'
    }

    It 'run in thread jobs and in jobs, and end with them' {
        $run = Invoke-Script @'
$script = { param($module, $uri) Import-Module $module; (token $uri -code c0de).token_type }
$jobs = @(
    foreach ($index in 1..8) { Start-ThreadJob $script -ArgumentList $module, "$server/echo-token" }
    foreach ($index in 1..2) { Start-Job $script -ArgumentList $module, "$server/echo-token" }
)
$jobs | Receive-Job -Wait -AutoRemoveJob
$stopped = @(
    Start-ThreadJob $script -ArgumentList $module, "$server/slow?ms=600000"
    Start-Job $script -ArgumentList $module, "$server/slow?ms=600000"
)
while ((Invoke-RestMethod "$server/control/open" -NoProxy).open -lt 2) { Start-Sleep -Milliseconds 50 }
$stopped | Stop-Job
$stopped.State
$stopped | Remove-Job
'@
        $run.Output.Trim() -split '\s+' | Should -BeExactly (@('Bearer') * 10 + 'Stopped', 'Stopped')
        Wait-Until { (Get-OpenRequest $server) -eq 0 } 30000 | Should -BeTrue -Because 'the connections end with the jobs'
    }

    It 'do not hold up a process that ends: <Name>' -ForEach @(
        @{ Name = 'exit'; End = 'exit 7' }
        @{ Name = 'Environment.Exit'; End = '[Environment]::Exit(7)' }
        @{ Name = 'Environment.Exit on another thread, the call on the main one'
            End = '$null = Start-ThreadJob { Start-Sleep -Milliseconds 500; [Environment]::Exit(7) }; token "$server/slow?ms=600000" -code c0de' }
    ) {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $run = Invoke-Script @"
foreach (`$index in 1..4) {
    `$pipeline = [powershell]::Create().AddScript('param(`$module, `$uri) Import-Module `$module; token `$uri -code c0de').AddArgument(`$module).AddArgument("`$server/slow?ms=600000")
    `$null = `$pipeline.BeginInvoke()
}
while ((Invoke-RestMethod "`$server/control/open" -NoProxy).open -lt 4) { Start-Sleep -Milliseconds 10 }
$End
"@
        $run.ExitCode | Should -Be 7
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 120
        Wait-Until { (Get-OpenRequest $server) -eq 0 } 30000 | Should -BeTrue
    }
}

Describe 'A server' {
    It 'that answers <Command> with <Title> makes <Outcome>' -ForEach $cases {
        $name = [guid]::NewGuid().ToString('N')
        $set = @{ name = $name; fault = $Fault; body = $Body }
        $uri = (Invoke-Control $server Put fault $set).url
        $set.body = $Body.Replace('{uri}', $uri)
        $null = Invoke-Control $server Put fault $set
        $null = Get-SentRequest $server
        $limit = $Id -eq 'timeout' ? 1 : 60
        $found = try { $null = & $Call $uri $limit; $null } catch { Get-ErrorId $_ }
        $found | Should -BeExactly $Id
        @(Get-SentRequest $server).Count | Should -Be 1
    }
}
