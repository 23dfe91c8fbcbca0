# A person finishes device flows at oidc-provider with a real browser while the cmdlet waits.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/BrowserHelpers.ps1
    Import-Module $Module
    $browser = Start-Browser
    $provider = Start-Provider
    $device = @{ uri = $provider.http.device_authorization_endpoint; client_id = 'native'; scope = 'openid offline_access' }
    $wait = $device + @{ Wait = $true; issuer = $provider.http.issuer; OpenBrowser = $true; BrowserCommand = $browser.command; Force = $true }

    # Starts a script that opens the browser, and returns with the address and the code in it.
    function Start-Device([string] $Script, [object[]] $Argument) {
        $pipeline = New-Pipeline $Module $Script $Argument
        $running = $pipeline.BeginInvoke()
        $url = (Invoke-Person $browser opened).url
        [pscustomobject]@{ Pipeline = $pipeline; Running = $running; Url = $url; UserCode = ($url -split 'user_code=')[1] }
    }

    # The requests to the token endpoint since the last call.
    function Get-Poll {
        (Invoke-WebRequest "$($provider.http.test)/requests" -NoProxy).Content | ConvertFrom-Json
    }
}

AfterAll {
    Stop-Peer $browser
    Stop-Peer $provider
}

Describe 'A device flow' {
    It 'ends with a token when the person approves: -Wait' {
        $flow = Start-Device 'param($bound) Invoke-OAuth2DeviceAuthorizationEndpoint @bound' $wait
        $visit = Invoke-Person $browser visit @{ url = $flow.Url; action = 'approveDevice'; leavesProvider = $false; login = 'erin' }
        $run = Complete-SignIn $flow
        $run.Thrown | Should -BeNullOrEmpty
        $visit.shownCode | Should -BeExactly $flow.UserCode
        "$($run.Streams.Warning)" | Should -Match $flow.UserCode -Because 'the person compares it'
        $run.Output.Count | Should -Be 1
        ($run.Output[0].id_token | ConvertFrom-JsonWebToken).sub | Should -BeExactly erin
        $run.Output[0].refresh_token | Should -Not -BeNullOrEmpty
    }

    It 'ends with a token when the person types the code in: piped into the token command' {
        $script = 'param($device, $uri) Invoke-OAuth2DeviceAuthorizationEndpoint @device | Invoke-OAuth2TokenEndpoint $uri -client_id native'
        $flow = Start-Device $script ($device + @{ OpenBrowser = $true; BrowserCommand = $browser.command }), $provider.http.token_endpoint
        $visit = Invoke-Person $browser visit @{
            url = ($flow.Url -split '\?')[0]; userCode = $flow.UserCode.ToLowerInvariant(); action = 'approveDevice'; leavesProvider = $false
        }
        $visit.shownCode | Should -BeExactly $flow.UserCode
        $run = Complete-SignIn $flow
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output[0].access_token | Should -Not -BeNullOrEmpty
    }

    It 'ends at once when the person refuses' {
        $null = Get-Poll
        $flow = Start-Device 'param($bound) Invoke-OAuth2DeviceAuthorizationEndpoint @bound' $wait
        $null = Invoke-Person $browser visit @{ url = $flow.Url; action = 'denyDevice'; leavesProvider = $false }
        $run = Complete-SignIn $flow
        $run.Output | Should -BeNullOrEmpty
        Get-ErrorId $run.Thrown | Should -BeExactly access_denied
        # The refusal was the answer to the last request: no further one was made.
        $asked = @(Get-Poll).Count
        Start-Sleep -Milliseconds 1500
        @(Get-Poll).Count | Should -Be 0
        $asked | Should -BeGreaterThan 0
    }

    It 'slows down when the server says so, and keeps the new pace' {
        $null = Get-Poll
        $flow = Start-Device 'param($bound) Invoke-OAuth2DeviceAuthorizationEndpoint @bound' $wait
        $body = @{ user_code = $flow.UserCode; action = 'slow_down' } | ConvertTo-Json
        $null = Invoke-RestMethod "$($provider.http.test)/device" -Method Post -Body $body -ContentType application/json -NoProxy
        $null = Invoke-Person $browser visit @{ url = $flow.Url; action = 'approveDevice'; leavesProvider = $false }
        $run = Complete-SignIn $flow
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output[0].access_token | Should -Not -BeNullOrEmpty
        $polls = @(Get-Poll)
        # The provider asks for 1 s, and for 5 s more once it has said slow_down (RFC 8628 section 3.5).
        ($polls[-1].time - $polls[-2].time) / 1000 | Should -BeGreaterThan 5.9
    }
}
