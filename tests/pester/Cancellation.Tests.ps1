# Ctrl+C, the end of a pipeline and -Timeout end requests at once.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # What the cmdlet is doing when it is stopped; none would end by itself within a minute.
    $situations = @(
        @{ Name = 'a request over http'; Parameters = { @{ uri = "$($server.http)/slow?ms=60000"; code = 'c0de' } } }
        @{ Name = 'a request over https'
            Parameters = { @{ uri = "$($server.https)/slow?ms=60000"; code = 'c0de'; CertificateAuthority = $server.certificate_authority } } }
        @{ Name = 'a pause before repeating'
            Parameters = { @{ uri = Set-Reply $server /canned/busy $busy; client_id = 'app'; client_secret = 's3cret' } } }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer

    $busy = @{ status = 503; headers = @(, @('Retry-After', '50')) }

    # Lets the cmdlet say that it waits: a later write to a stream would end it, too, and hide that the stop did not.
    function Wait-Patience { Start-Sleep -Milliseconds 1600 }

    # Stops the pipeline and returns how long that took.
    function Stop-Pipeline($Pipeline) {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $Pipeline.Stop()
        $watch.Elapsed.TotalMilliseconds
    }
}

AfterAll { Stop-Peer $server }

Describe 'Ctrl+C' {
    It 'ends <Name>' -ForEach $situations {
        $bound = & $Parameters
        # The time of a warm process: the library is loaded, the code is compiled.
        $null = token "$($server.http)/echo-token" -code warm
        $null = Get-SentRequest $server
        $pipeline = New-Pipeline $Module 'param($bound) token @bound -Timeout 60; "after"' $bound
        try {
            $running = $pipeline.BeginInvoke()
            Wait-Until { @(Get-SentRequest $server).Count -gt 0 } | Should -BeTrue
            Wait-Patience
            $running.IsCompleted | Should -BeFalse
            $milliseconds = Stop-Pipeline $pipeline
            Write-Host ('    stopped within {0:n1} ms' -f $milliseconds)
            $milliseconds | Should -BeLessThan 2000
            $pipeline.InvocationStateInfo.State | Should -BeExactly Stopped
            Wait-Until { (Get-OpenRequest $server) -eq 0 } | Should -BeTrue -Because 'the server sees the end of the connection'
        } finally {
            $pipeline.Dispose()
        }
    }

    It 'ends all requests of a pipeline with -ThrottleLimit' {
        $items = foreach ($index in 1..8) { @{ uri = "$($server.http)/slow?ms=60000"; code = "c0de$index" } }
        $pipeline = New-Pipeline $Module 'param($items) $items | token -ThrottleLimit 5' (, $items)
        try {
            $null = $pipeline.BeginInvoke()
            Wait-Until { (Get-OpenRequest $server) -eq 5 } | Should -BeTrue
            Wait-Patience
            $milliseconds = Stop-Pipeline $pipeline
            Write-Host ('    stopped within {0:n1} ms' -f $milliseconds)
            $milliseconds | Should -BeLessThan 2000
            Wait-Until { (Get-OpenRequest $server) -eq 0 } | Should -BeTrue
        } finally {
            $pipeline.Dispose()
        }
    }

    It 'leaves other runspaces alone, and the next request works' {
        $other = New-Pipeline $Module 'param($uri) (token $uri -code c0de).token_type' "$($server.http)/slow?ms=1500"
        $stopped = New-Pipeline $Module 'param($uri) token $uri -code c0de' "$($server.http)/slow?ms=60000"
        try {
            $null = $stopped.BeginInvoke()
            Wait-Until { (Get-OpenRequest $server) -eq 1 } | Should -BeTrue
            $running = $other.BeginInvoke()
            Wait-Until { (Get-OpenRequest $server) -eq 2 } | Should -BeTrue
            $stopped.Stop()
            $other.EndInvoke($running)[0] | Should -BeExactly Bearer
            (token "$($server.http)/echo-token" -code c0de).token_type | Should -BeExactly Bearer
        } finally {
            $other.Dispose()
            $stopped.Dispose()
        }
    }

    # Windows has no signal that could be sent from here.
    if (-not $IsWindows) {
        It 'as a signal ends a script, whose finally runs' {
            $script = Join-Path $TestDrive slow.ps1
            Set-Content $script @'
param($module, $uri)
Import-Module $module
try { token $uri -code c0de } finally { [Console]::WriteLine('finally') }
[Console]::WriteLine('after')
'@
            $start = [System.Diagnostics.ProcessStartInfo]@{
                FileName = @(Get-Command env -CommandType Application)[0].Source
                RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
            }
            # Tests that run in the background ignore the signal, and so would what they start.
            $default = @(if ($IsLinux) { '--default-signal=INT' })
            foreach ($argument in @($default; (Get-Process -Id $PID).Path; '-NoProfile'; '-File'; $script; $Module; "$($server.http)/slow?ms=60000")) { $start.ArgumentList.Add($argument) }
            $process = [System.Diagnostics.Process]::Start($start)
            try {
                Wait-Until { (Get-OpenRequest $server) -eq 1 } 30000 | Should -BeTrue
                $watch = [System.Diagnostics.Stopwatch]::StartNew()
                & @(Get-Command kill -CommandType Application)[0] -INT $process.Id
                $process.WaitForExit(20000) | Should -BeTrue
                Write-Host ('    ended within {0:n1} ms' -f $watch.Elapsed.TotalMilliseconds)
                $output = $process.StandardOutput.ReadToEnd()
                $output | Should -Match finally
                $output | Should -Not -Match after
                Wait-Until { (Get-OpenRequest $server) -eq 0 } | Should -BeTrue
            } finally {
                if (-not $process.HasExited) { $process.Kill($true) }
            }
        }
    }
}

Describe '-Timeout' {
    It 'ends a request after <Name>' -ForEach @(
        @{ Name = '1, as seconds'; Limit = 1; Least = 0.9 }
        @{ Name = '"1", as seconds'; Limit = '1'; Least = 0.9 }
        @{ Name = 'half a second'; Limit = 0.5; Least = 0.4 }
        @{ Name = 'a TimeSpan'; Limit = [timespan]::FromMilliseconds(700); Least = 0.6 }
    ) {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Get-ErrorId (Get-Failure { token "$($server.http)/slow?ms=60000" -code c0de -Timeout $Limit }) | Should -BeExactly timeout
        $watch.Elapsed.TotalSeconds | Should -BeGreaterThan $Least
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 15
        Wait-Until { (Get-OpenRequest $server) -eq 0 } | Should -BeTrue
    }

    It 'refuses <_>' -ForEach 0, -1, 'soon' {
        $limit = $_
        $failure = Get-Failure { token "$($server.http)/echo-token" -code c0de -Timeout $limit }
        Get-ErrorId $failure | Should -BeIn ParameterArgumentTransformationError, CannotConvertArgumentNoMessage
    }
}
