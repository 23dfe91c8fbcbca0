# What comes to the listener of a sign-in beside the answer: strangers, stragglers and those who say nothing.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/BrowserHelpers.ps1
    Import-Module $Module
    $browser = Start-Browser

    function Start-Plain([hashtable] $Parameter = @{}) {
        Start-SignIn $Module $browser (Join-Parameter @{ uri = 'http://127.0.0.1:9/auth'; client_id = 'app' } $Parameter)
    }

    # The answer that ends the sign-in, and what the cmdlet made of it.
    function Send-RightAnswer($SignIn) {
        $reply = Send-Raw $SignIn (New-Answer $SignIn ([ordered]@{ code = 'right'; state = $SignIn.Query.state }))
        $reply | Should -Match '^HTTP/1\.1 200 '
        Complete-SignIn $SignIn
    }
}

AfterAll { Stop-Peer $browser }

Describe 'A listener' {
    It 'refuses <Name> and goes on' -ForEach @(
        @{ Name = 'a wrong state'; Answer = { New-Answer $signIn @{ code = 'wrong'; state = 'x' } }; Warns = $true }
        @{ Name = 'a state in other letter case'; Answer = { New-Answer $signIn @{ code = 'wrong'; state = $otherCase } }; Warns = $true }
        @{ Name = 'no state'; Answer = { New-Answer $signIn @{ code = 'wrong' } }; Warns = $true }
        @{ Name = 'an error with a wrong state'; Answer = { New-Answer $signIn @{ error = 'access_denied'; state = 'x' } }; Warns = $true }
        @{ Name = 'a foreign Host'; Answer = { New-Answer $signIn $wrong -HostHeader 'rebound.example' }; Warns = $true }
        @{ Name = 'another port in Host'; Answer = { New-Answer $signIn $wrong -HostHeader '127.0.0.1:1' }; Warns = $true }
        @{ Name = 'another path'; Answer = { New-Answer $signIn $wrong -Path '/elsewhere' }; Warns = $true }
        @{ Name = 'a browser''s wish for an icon'; Answer = { New-Answer $signIn @{} -Path '/favicon.ico' }; Warns = $false }
        @{ Name = 'another method'; Answer = { (New-Answer $signIn $wrong) -replace '^GET', 'PUT' }; Warns = $false }
        @{ Name = 'no HTTP'; Answer = { "hello`r`n`r`n" }; Warns = $false }
    ) {
        $signIn = Start-Plain
        # All but what is wrong about it is right: it must not be taken for the answer.
        $wrong = @{ code = 'wrong'; state = $signIn.Query.state }
        $otherCase = -join $signIn.Query.state.ToCharArray().ForEach{ [char]::IsUpper($_) ? [char]::ToLower($_) : [char]::ToUpper($_) }
        $reply = Send-Raw $signIn (& $Answer)
        $reply | Should -Not -Match '^HTTP/1\.1 [^4]'
        $run = Send-RightAnswer $signIn
        $run.Output[0].code | Should -BeExactly right
        @($run.Streams.Warning).Count -gt 0 | Should -Be $Warns
    }

    It 'says at the end that only a wrong state came' {
        $signIn = Start-Plain @{ Timeout = 2 }
        $null = Send-Raw $signIn (New-Answer $signIn @{ code = 'wrong'; state = 'x' })
        Get-ErrorId (Complete-SignIn $signIn).Thrown | Should -BeExactly state_mismatch
    }

    It 'takes one answer and no second one' {
        $signIn = Start-Plain
        $answers = 'first', 'second' | ForEach-Object {
            (New-Answer $signIn ([ordered]@{ code = $_; state = $signIn.Query.state })) -replace 'Connection: close\r\n'
        }
        # On one connection, and once more on another one as soon as the cmdlet is done.
        $null = Send-Raw $signIn (-join $answers)
        (Complete-SignIn $signIn).Output.code | Should -BeExactly first
        Test-Listening $signIn.RedirectUri | Should -BeFalse
    }

    It 'is not held up by connections that say nothing, or little by little' {
        $signIn = Start-Plain
        $silent = foreach ($index in 1..30) { Connect-Listener $signIn }
        try {
            # Half a request on each second one; on the last one a byte now and then.
            $half = [System.Text.Encoding]::ASCII.GetBytes("GET / HTTP/1.1`r`nHost: ")
            foreach ($index in 0..14) { $silent[2 * $index].GetStream().Write($half) }
            foreach ($byte in $half) {
                $silent[-1].GetStream().WriteByte($byte)
                Start-Sleep -Milliseconds 5
            }
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $run = Send-RightAnswer $signIn
            $watch.Elapsed.TotalSeconds | Should -BeLessThan 10
            Write-Host ('    answered and ended within {0:n0} ms' -f $watch.Elapsed.TotalMilliseconds)
            $run.Output.code | Should -BeExactly right
            Test-Listening $signIn.RedirectUri | Should -BeFalse
        } finally {
            $silent.ForEach{ $_.Dispose() }
        }
    }

    It 'takes an answer that comes slowly' {
        $signIn = Start-Plain
        $client = Connect-Listener $signIn
        try {
            $stream = $client.GetStream()
            foreach ($byte in [System.Text.Encoding]::ASCII.GetBytes((New-Answer $signIn @{ code = 'right'; state = $signIn.Query.state }))) {
                $stream.WriteByte($byte)
                Start-Sleep -Milliseconds 5
            }
            [System.IO.StreamReader]::new($stream).ReadToEnd() | Should -Match '^HTTP/1\.1 200 '
            (Complete-SignIn $signIn).Output.code | Should -BeExactly right
        } finally {
            $client.Dispose()
        }
    }

    It 'reads no request without end' {
        $signIn = Start-Plain
        $client = Connect-Listener $signIn
        try {
            $stream = $client.GetStream()
            $chunk = [System.Text.Encoding]::ASCII.GetBytes("X-Filler: $('x' * 16000)`r`n")
            $stream.Write([System.Text.Encoding]::ASCII.GetBytes("GET / HTTP/1.1`r`n"))
            { foreach ($index in 1..1000) { $stream.Write($chunk) } } | Should -Throw
        } finally {
            $client.Dispose()
        }
        (Send-RightAnswer $signIn).Output.code | Should -BeExactly right
    }

    It 'is its own when two wait at once' {
        $one = Start-Plain
        $two = Start-Plain
        $one.RedirectUri.Port | Should -Not -Be $two.RedirectUri.Port
        $one.Query.state | Should -Not -BeExactly $two.Query.state
        Send-Raw $two (New-Answer $two @{ code = 'wrong'; state = $one.Query.state }) | Should -Match '^HTTP/1\.1 4'
        foreach ($signIn in $two, $one) { (Send-RightAnswer $signIn).Output[0].redirect_uri | Should -BeExactly $signIn.Query.redirect_uri }
    }

    It 'has the port that was given, which no second one gets' {
        $first = Start-Plain
        $taken = $first.Query.redirect_uri
        $failure = Get-Failure { Invoke-OAuth2AuthorizationEndpoint http://127.0.0.1:9/auth -client_id app -redirect_uri $taken -Force -BrowserCommand $browser.command }
        Get-ErrorId $failure | Should -BeExactly port_in_use
        $null = Send-RightAnswer $first
        $again = Start-Plain @{ redirect_uri = $taken }
        $again.Query.redirect_uri | Should -BeExactly $taken
        (Send-RightAnswer $again).Output.code | Should -BeExactly right
    }

    It 'ends by itself when the browser was closed' {
        $signIn = Start-Plain @{ Timeout = 3 }
        # The listener itself is the page that is looked at and closed: a connection was open.
        $null = Invoke-Person $browser visit @{ url = $signIn.Query.redirect_uri; action = 'look'; leavesProvider = $false }
        $run = Complete-SignIn $signIn
        Get-ErrorId $run.Thrown | Should -BeExactly timeout
        Test-Listening $signIn.RedirectUri | Should -BeFalse
    }

    It 'ends with Ctrl+C' {
        $signIn = Start-Plain
        $silent = Connect-Listener $signIn
        try {
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $signIn.Pipeline.Stop()
            Write-Host ('    stopped within {0:n1} ms' -f $watch.Elapsed.TotalMilliseconds)
            $watch.ElapsedMilliseconds | Should -BeLessThan 2000
            Wait-Until { -not (Test-Listening $signIn.RedirectUri) } | Should -BeTrue
        } finally {
            $silent.Dispose()
            $signIn.Pipeline.Dispose()
        }
    }
}
