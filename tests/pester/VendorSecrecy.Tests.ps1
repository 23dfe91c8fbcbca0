# No secret of the Venafi and Cloud Governance commands is shown: not in verbose, debug, warning, error, progress or the
# default view, whatever way it takes in and whatever the server repeats.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # Script text for a runspace; $p holds the canary in each form, and addresses.
    $successes = @(
        @{ Name = 'New-VcToken, string'; Script = 'New-VcToken -Endpoint $p.Echo -Jwt $p.Jwt @loud' }
        @{ Name = 'New-VcToken, SecureString'; Script = 'New-VcToken -Endpoint $p.Echo -Jwt (ConvertTo-SecureString $p.Jwt -AsPlainText) @loud' }
        @{ Name = 'New-VcToken, PSCredential'; Script = 'New-VcToken -Endpoint $p.Echo -Jwt ([pscredential]::new("x", (ConvertTo-SecureString $p.Jwt -AsPlainText))) @loud' }
        @{ Name = 'a session and its token'; Script = 'New-VenafiSession -VcEndpoint $p.Echo -Jwt $p.Jwt @loud; New-VcToken @loud; $VenafiSession; $VenafiSession.Token; Get-VenafiSession @loud; Test-VcToken @loud; Test-VcToken -Online -MaximumRetryCount 0 @loud' }
        @{ Name = 'a session by a script block'; Script = 'New-VenafiSession -VcEndpoint $p.Echo -JwtScript { $p.Jwt } -PassThru @loud' }
        @{ Name = 'a session by a key'; Script = 'New-VenafiSession -VcKey $p.Canary -PassThru -Proxy $p.Server @loud; New-VenafiSession -VcKey (ConvertTo-SecureString $p.Canary -AsPlainText) -PassThru -Proxy $p.Server @loud' }
        @{ Name = 'Test-VcToken -AccessToken'; Script = 'Test-VcToken -AccessToken $p.Canary -Online -Proxy $p.Server @loud' }
        @{ Name = 'Get-DelegateAccessToken'; Script = 'Set-GovernanceConfiguration $p.Canned; New-ApiCredential $p.Canary u | Get-DelegateAccessToken @loud' }
        @{ Name = 'Get-DelegateAccessToken, everything secret'
            Script = 'Set-GovernanceConfiguration $p.Canned -ApiKey @{ clientSecret = $p.Core; userPrincipalName = "u" } -DefaultHeaders @{ "X-Secret" = $p.Core } -AccessToken $p.Core -Password $p.Core -Cookie $p.Core -PassThru @loud; Get-GovernanceConfiguration @loud
                Get-DelegateAccessToken @{ ClientSecret = $p.Canary; UserPrincipalName = "u"; Nested = @{ Secret = $p.Canary } } -WithHttpInfo @loud' }
        @{ Name = 'Invoke-RefreshUserAccessToken'; Script = 'Set-GovernanceConfiguration $p.Canned; Invoke-RefreshUserAccessToken $p.Core @loud; Invoke-RefreshUserAccessToken (ConvertTo-SecureString $p.Core -AsPlainText) @loud' }
        @{ Name = 'Invoke-DeleteTokenCache'; Script = 'Set-GovernanceConfiguration $p.Canned; Invoke-DeleteTokenCache @{ ClientSecret = $p.Canary } @loud' }
        @{ Name = 'a credential'; Script = 'New-ApiCredential $p.Canary u @loud; [pscustomobject]@{ a = 1 }; New-ApiCredential $p.Canary u; New-DelegatedAccessToken $p.Canary $p.Canary 1' }
    )
    $failures = @(
        @{ Name = 'a JWT that is none'; Script = 'New-VcToken -Endpoint $p.Echo -Jwt $p.Canary @loud' }
        @{ Name = 'a key of another type'; Script = 'New-VenafiSession -VcKey @{ a = $p.Canary } @loud' }
        @{ Name = 'a file as JWT source that holds none'; Script = 'Set-Content $p.File $p.Canary; New-VenafiSession -VcEndpoint $p.Echo -JwtPath $p.File @loud' }
        @{ Name = 'a server that repeats the JWT'; Script = 'New-VcToken -Endpoint $p.Repeat -Jwt $p.Jwt @loud' }
        @{ Name = 'an endpoint with credentials'; Script = 'New-VcToken -Endpoint "https://u:$($p.Core)@vc.example.test/" -Jwt $p.Jwt @loud' }
        @{ Name = 'an access token without region'; Script = 'Get-VenafiSession -AccessToken $p.Canary @loud' }
        @{ Name = 'nobody listens for Venafi'; Script = 'New-VcToken -Endpoint http://127.0.0.1:1/ -Jwt $p.Jwt -MaximumRetryCount 0 @loud' }
        @{ Name = 'a service that repeats the secret'; Script = 'Set-GovernanceConfiguration $p.RepeatBase -ApiKey @{ clientSecret = $p.Core }; Get-DelegateAccessToken @{ ClientSecret = $p.Canary; UserPrincipalName = "u" } @loud' }
        @{ Name = 'a service that repeats the refresh token'; Script = 'Set-GovernanceConfiguration $p.RepeatBase; Invoke-RefreshUserAccessToken $p.Core @loud' }
        @{ Name = 'nobody listens for Cloud Governance'; Script = 'Set-GovernanceConfiguration http://127.0.0.1:1 -ApiKey @{ clientSecret = $p.Core }; Get-DelegateAccessToken @{ ClientSecret = $p.Canary } -MaximumRetryCount 0 @loud' }
        @{ Name = 'a header that cannot be sent'; Script = 'Set-GovernanceConfiguration $p.Canned -DefaultHeaders @{ "X-Secret" = "$($p.Core)`n" }; Get-DelegateAccessToken @{ ClientSecret = "s" } @loud' }
        @{ Name = 'a credential as text'; Script = 'Set-GovernanceConfiguration $p.Canned; Get-DelegateAccessToken $p.Canary @loud' }
        @{ Name = 'a BaseUrl with credentials'; Script = 'Set-GovernanceConfiguration "https://u:$($p.Core)@gov.example.test"; Get-DelegateAccessToken @{ ClientSecret = "s" } @loud' }
        @{ Name = 'JSON with a member too many'; Script = 'ConvertFrom-JsonToApiCredential "{`"ClientSecret`":`"$($p.Core)`",`"x`":1}" @loud' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $core = 'c4nary' + [guid]::NewGuid().ToString('N')
    $canary = "$core+&/=%`"ö"
    $jwt = New-Jwt @{ exp = [DateTimeOffset]::UtcNow.AddHours(1).ToUnixTimeSeconds(); secret = $core } $core
    # The core as such, within base64 of any text, and the JWT's own parts.
    $traces = @($core) + ($jwt -split '\.')[1..2] + (0..2).ForEach{
        $base64 = [Convert]::ToBase64String([System.Text.Encoding]::ASCII.GetBytes('x' * $_ + $core))
        $base64.Substring(4, $base64.Length - 8)
    }
    $tokens = @{ access_token = "$core-a"; refresh_token = "$core-r"; id_token = "$core-i"; expires_in = 3600 }
    $result = @{ Value = @{ AccessToken = "$core-a"; RefreshToken = "$core-r"; Duration = 3600 }; IsSuccess = $true; ErrorMsg = $null }
    $p = @{
        Core = $core; Canary = $canary; Jwt = $jwt; Server = $server.http; File = "$TestDrive/jwt"; Canned = "$($server.http)/canned"; RepeatBase = "$($server.http)/canned/repeat"
        Echo = Set-Reply $server /canned/token (New-JsonReply 200 $tokens)
        Repeat = Set-Reply $server /canned/repeat (New-JsonReply 400 @{ error = 'invalid_client'; error_description = "you sent $jwt" } @(, @('X-Echo', $jwt)))
    }
    foreach ($path in '/auth/token/delegate', '/auth/token/refresh', '/admin/auth/token/cache') {
        $null = Set-Reply $server "/canned$path" (New-JsonReply 200 $result)
        $null = Set-Reply $server "/canned/repeat$path" (New-JsonReply 403 @{ IsSuccess = $false; ErrorMsg = "you sent $canary and $core" } @(, @('X-Echo', $core)))
    }

    # All that a run wrote, errors in every way they can be looked at.
    function Get-Text($Run) {
        $errors = @($Run.Streams.Error) + @($Run.Thrown) | Where-Object { $_ }
        @(
            foreach ($name in 'Verbose', 'Debug', 'Warning', 'Information', 'Progress') { $Run.Streams[$name] | ForEach-Object { "$_"; $_ | Format-List * -Force | Out-String } }
            foreach ($record in $errors) {
                "$record"; $record | Out-String; $record | Format-List * -Force | Out-String; $record | Get-Error | Out-String
                for ($exception = $record.Exception; $exception; $exception = $exception.InnerException) { $exception.ToString(); $exception | Format-List * -Force | Out-String }
                $response = $record.Exception.psobject.Properties['Response']
                if ($response) { $response.Value.ToString(); $response.Value.Content.ReadAsStringAsync().Result }
            }
            $Run.Output | Out-String -Width 1000
            $Run.Output | ForEach-Object { $_ | Out-String -Width 1000 }
        ) -join "`n"
    }

    function Invoke-Loud([string] $Script) { Invoke-Pipeline $Module "param(`$p) `$loud = @{ Verbose = `$true; Debug = `$true }`n$Script" $p }

    function Assert-NoTrace([string] $Text) {
        foreach ($trace in $traces) { $Text.Contains($trace, 'OrdinalIgnoreCase') | Should -BeFalse -Because 'no form of the secret is shown' }
    }
}

AfterAll { Stop-Peer $server }

Describe 'What succeeds' {
    It 'shows no secret: <Name>' -ForEach $successes {
        $run = Invoke-Loud $Script
        $run.Thrown | Should -BeNullOrEmpty
        $run.Streams.Error | Should -BeNullOrEmpty
        $text = Get-Text $run
        if ($Name -notin 'a credential') { $text | Should -MatchExactly '(POST|GET|DELETE) http' }
        Assert-NoTrace $text
    }
}

Describe 'What fails' {
    It 'shows no secret: <Name>' -ForEach $failures {
        $run = Invoke-Loud $Script
        @($run.Streams.Error) + @($run.Thrown) | Where-Object { $_ } | Should -Not -BeNullOrEmpty
        $text = Get-Text $run
        if ($Name -match 'repeats') { $text | Should -Match 'you sent' }
        Assert-NoTrace $text
    }
}

Describe 'The canary' {
    It 'would be found' {
        { Assert-NoTrace "a $canary b" } | Should -Throw
        { Assert-NoTrace "a $jwt b" } | Should -Throw
    }
}
