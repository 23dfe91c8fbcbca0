# What a person sees who signs in from an interactive PowerShell: on a terminal of 80 columns, typed by hand.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/SignInHelpers.ps1
    . $PSScriptRoot/BrowserHelpers.ps1
    $attendance = Suspend-Attendance
    $provider = Start-Provider
    $artifacts = Join-Path $PSScriptRoot ../../out/test-artifacts/sign-in

    # Types a line as if at the prompt.
    function Send-Line($Terminal, [string] $Text) { Invoke-Person $Terminal type @{ text = "$Text`r" } }

    # The lines of the screen once this is on it.
    function Wait-Screen($Terminal, [string] $Pattern) { (Invoke-Person $Terminal wait @{ pattern = $Pattern }).lines }

    # Keeps the screen, for whoever wants to look at it.
    function Save-Screen([string] $Name, [string[]] $Line) {
        $null = New-Item $artifacts -ItemType Directory -Force
        Set-Content (Join-Path $artifacts "$Name.txt") $Line
    }

    # The person's answer at the provider.
    function Send-Decision([string] $UserCode, [string] $Action) {
        $body = @{ user_code = $UserCode; action = $Action } | ConvertTo-Json
        $null = Invoke-RestMethod "$($provider.http.test)/device" -Method Post -Body $body -ContentType application/json -NoProxy
    }
}

AfterAll {
    Stop-Peer $provider
    Restore-Attendance $attendance
}

# Windows has no pseudo terminal that could be had without a package of its own.
if (-not $IsWindows) {
    Describe 'At the terminal' {
        BeforeAll {
            $script = "`$server = '$($provider.http | ConvertTo-Json -Compress)' | ConvertFrom-Json; `$issuer = `$server.issuer"
            $terminal = Start-Terminal $Module $script
            # The first prompt, after which everything is loaded.
            $null = Wait-Screen $terminal '^\[\d+\]>'
            $waitPattern = '\b\d+:\d\d\b|\b\d+ ?s\b'
        }

        BeforeEach {
            # An empty screen, whatever the test before has left, and the number that the next prompt but one has.
            Invoke-Person $terminal type @{ text = "`u{3}" }
            Send-Line $terminal 'Clear-Host'
            $last = @(Wait-Screen $terminal '(?<![\s\S])\[\d+\]>(?![\s\S])')[0]
            $next = '^\[{0}\]>' -f (1 + [int]($last -replace '\D'))
        }

        AfterAll { Stop-Peer $terminal }

        It 'a device flow shows code, address, QR code and the time left, and ends with the token' {
            Send-Line $terminal '$token = deviceauth $server.device_authorization_endpoint -client_id native -scope openid -Qr -Wait -issuer $issuer'
            $lines = Wait-Screen $terminal "^.*Invoke-OAuth2DeviceAuthorizationEndpoint.*($waitPattern)"
            Save-Screen terminal-device $lines
            $text = $lines -join "`n"
            $text | Should -Match '\b[A-Z]{4}-[A-Z]{4}\b'
            $userCode = [regex]::Match($text, '\b[A-Z]{4}-[A-Z]{4}\b').Value
            $text | Should -Match ([regex]::Escape("$($provider.http.issuer)/device"))
            foreach ($ground in 'black', 'white') {
                (Invoke-Person $terminal qr @{ ground = $ground }).text |
                    Should -BeExactly "$($provider.http.issuer)/device?user_code=$userCode" -Because "a phone reads it on a $ground ground"
            }
            Send-Decision $userCode approve
            $null = Wait-Screen $terminal $next
            Send-Line $terminal '"$($token.token_type) $($token.access_token.Length -gt 20)"'
            $after = Wait-Screen $terminal '^Bearer True'
            $after -join "`n" | Should -Not -Match '(?m)^Invoke-OAuth2' -Because 'the progress bar is gone'
        }

        It 'a device flow ends with Ctrl+C' {
            Send-Line $terminal 'deviceauth $server.device_authorization_endpoint -client_id native -Wait -token_uri $server.token_endpoint'
            $null = Wait-Screen $terminal "^.*Invoke-OAuth2DeviceAuthorizationEndpoint.*($waitPattern)"
            $stop = Invoke-Person $terminal interrupt @{ pattern = $next }
            Write-Host ('    prompt after {0:n0} ms' -f $stop.milliseconds)
            $stop.milliseconds | Should -BeLessThan 2000
        }

        It 'a sign-in in a browser that cannot be started shows the address and the time left, and ends with Ctrl+C' {
            Send-Line $terminal 'authorize $server.authorization_endpoint -client_id native -scope openid -BrowserCommand no-such-browser'
            $lines = Wait-Screen $terminal "^.*Invoke-OAuth2AuthorizationEndpoint.*($waitPattern)"
            Save-Screen terminal-listen $lines
            $lines -join "`n" | Should -Match "(?m)^$([regex]::Escape($provider.http.authorization_endpoint))\?\S+`$"
            $stop = Invoke-Person $terminal interrupt @{ pattern = $next }
            Write-Host ('    prompt after {0:n0} ms' -f $stop.milliseconds)
            $stop.milliseconds | Should -BeLessThan 2000
        }

        It 'the address of the answer is pasted where no browser can come back: -NoBrowser' {
            Send-Line $terminal '$code = authorize $server.authorization_endpoint -client_id native -scope openid -redirect_uri com.example.tokenkit:/callback -NoBrowser'
            $lines = Wait-Screen $terminal '^Address\b.*:'
            Save-Screen terminal-paste $lines
            # What a person marks and copies: one line, though it goes on at the border of the screen.
            $address = @($lines) -match '^https?://\S+$'
            $address.Count | Should -Be 1
            $query = Get-Query $address[0]
            $query.redirect_uri | Should -BeExactly com.example.tokenkit:/callback
            # A wrong one first, as of another attempt.
            Send-Line $terminal 'com.example.tokenkit:/callback?code=wrong&state=wrong'
            $null = Wait-Screen $terminal 'Try again'
            # A long one, as Entra ID's are.
            $answer = "com.example.tokenkit:/callback?code=right&state=$($query.state)&iss=$([uri]::EscapeDataString($provider.http.issuer))&session_state=$('x' * 1000)"
            Send-Line $terminal $answer
            $lines = Wait-Screen $terminal $next
            $lines -join "`n" | Should -Not -Match 'code=right' -Because 'a code is a secret'
            ($lines -join '').Length | Should -BeLessThan (2 * $answer.Length) -Because 'the screen is not flooded'
            Send-Line $terminal '"$($code.code) $($code.redirect_uri)"'
            # With the prompt behind it: PowerShell can lose what is typed while it makes one.
            $null = Wait-Screen $terminal '^right com\.example\.tokenkit:/callback\n\[\d+\]>'
        }

        It 'pasting ends with Ctrl+C' {
            Send-Line $terminal 'authorize $server.authorization_endpoint -client_id native -NoBrowser'
            $null = Wait-Screen $terminal '^Address\b.*:'
            $stop = Invoke-Person $terminal interrupt @{ pattern = $next }
            Write-Host ('    prompt after {0:n0} ms' -f $stop.milliseconds)
            $stop.milliseconds | Should -BeLessThan 2000
        }
    }
}
