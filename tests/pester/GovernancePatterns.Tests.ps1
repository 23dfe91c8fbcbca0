# The ways in which scripts use Cloud.Governance.Client today: each must keep working as it is written here.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/GovernanceHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $url = $server.governance.base_url
    $s = 'eyJ...'
    $u = 'someone@example.com'
}

AfterAll { Stop-Peer $server }

Describe 'The example of the original''s page' {
    BeforeAll {
        # Verbatim but for the Import-Module line and the address.
        $page = Get-Content $PSScriptRoot/governance-examples.md -Raw
        $examples = [regex]::Matches($page, '(?ms)^```powershell\r?\n(.*?)^```').ForEach{ $_.Groups[1].Value }

        # Runs one in a runspace of its own, and returns what it wrote to the host and its $Result.
        function Invoke-Example([string] $Text, [string] $BaseUrl) {
            $script = $Text.Replace('Import-Module -Name Cloud.Governance.Client', '').Replace('{Cloud_Governance_Modern_API_Endpoint}', $BaseUrl)
            Invoke-Pipeline $Module "$script`n`$Result"
        }
    }

    It 'gets a delegated token' {
        $run = Invoke-Example $examples[0] $url
        $run.Thrown | Should -BeNullOrEmpty
        $run.Streams.Information | Should -BeNullOrEmpty
        $run.Output[0].IsSuccess | Should -BeTrue
        $run.Output[0].Value.AccessToken | Should -Not -BeNullOrEmpty
    }

    It 'refreshes it' {
        $null = Invoke-Control $server Post governance/refresh_token @{ refresh_token = 'MyRefreshToken' }
        $run = Invoke-Example $examples[1] $url
        $run.Thrown | Should -BeNullOrEmpty
        $run.Streams.Information | Should -BeNullOrEmpty
        $run.Output[0].Value.RefreshToken | Should -Not -BeNullOrEmpty
    }

    It 'writes error and headers when it fails: <Name>' -ForEach @{ Name = 'delegate'; Index = 0; Path = '/auth/token/delegate' }, @{ Name = 'refresh'; Index = 1; Path = '/auth/token/refresh' } {
        Set-GovernanceReply $server $Path @{ status = 403; headers = @(@('Content-Type', 'application/json'), @('X-Request-Id', 'r-7')); body = '{"Value":null,"IsSuccess":false,"ErrorMsg":"no license"}' }
        $run = Invoke-Example $examples[$Index] $url
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output[0] | Should -BeNullOrEmpty
        $lines = $run.Streams.Information.ForEach{ "$_" }
        $lines[0] | Should -Match '^Exception occured when calling .*ErrorMsg=no license'
        $headers = $lines[1] -replace '^Response headers: ' | ConvertFrom-Json
        ($headers | Where-Object Key -EQ X-Request-Id).Value | Should -BeExactly r-7
    }
}

Describe 'A script that' {
    BeforeEach {
        (Get-Configuration).Clear()
        $null = Get-SentRequest $server
    }

    It '1: sets the live configuration by indexer, and calls' {
        $c = Get-Configuration
        $c["BaseUrl"] = $url
        $c["ApiKey"]["clientSecret"] = $s
        $c["ApiKey"]["userPrincipalName"] = $u
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        $sent = Get-SentRequest $server
        $sent.Headers['clientsecret'], $sent.Headers['userprincipalname'] | Should -BeExactly $s, $u
    }

    It '2: sets it by commands, and inspects it with -PassThru' {
        Set-Configuration -BaseUrl $url -ApiKey @{ clientSecret = $s; userPrincipalName = $u }
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        Set-Configuration -ApiKey @{}
        Set-ConfigurationApiKey -Id clientSecret -ApiKey $s
        Set-ConfigurationApiKey -Id userPrincipalName -ApiKey $u
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        (Set-Configuration -PassThru)['BaseUrl'] | Should -BeExactly $url
        (Get-SentRequest $server).ForEach{ $_.Headers['clientsecret'] } | Should -BeExactly $s, $s
    }

    It '3: makes a credential, gets a token and tests IsSuccess' {
        Set-Configuration $url
        $cred = New-ApiCredential -ClientSecret MyClientSecret -UserPrincipalName MyUserPrincipalName
        $r = Get-DelegateAccessToken -ApiCredential $cred
        $token = if ($r.IsSuccess) { $r.Value.AccessToken }
        $token | Should -BeOfType string
    }

    It '4: pipes credentials, also from a CSV file' {
        Set-Configuration $url
        (New-ApiCredential MyClientSecret MyUserPrincipalName | Get-DelegateAccessToken).IsSuccess | Should -BeTrue
        $f = "$TestDrive/users.csv"
        $rows = $server.governance.credentials.ForEach{ [pscustomobject]@{ ClientSecret = $_.client_secret; UserPrincipalName = $_.user_principal_name } }
        $rows | Export-Csv $f
        $results = Import-Csv $f | New-ApiCredential | Get-DelegateAccessToken
        $results.Count | Should -Be 3
        $results.IsSuccess | Should -Be $true, $true, $true
    }

    It '5: refreshes by name, position and pipeline' {
        Set-Configuration $url
        $r = Get-DelegateAccessToken (New-TestCredential)
        $r = Invoke-RefreshUserAccessToken -RefreshToken $r.Value.RefreshToken
        $r = Invoke-RefreshUserAccessToken $r.Value.RefreshToken
        $r = $r.Value | Invoke-RefreshUserAccessToken
        $r.IsSuccess | Should -BeTrue
    }

    It '6: prints details and headers of an error' {
        Set-Configuration $url
        try {
            $null = Get-DelegateAccessToken @{ ClientSecret = 'x'; UserPrincipalName = 'y' }
            throw 'not reached'
        } catch {
            ($_.ErrorDetails | ConvertFrom-Json).IsSuccess | Should -BeFalse
            ($_.ErrorDetails.Message | ConvertFrom-Json).ErrorMsg | Should -Not -BeNullOrEmpty
            $headers = $_.Exception.Response.Headers | ConvertTo-Json
        }
        @($headers | ConvertFrom-Json)[0].psobject.Properties.Name -join ' ' | Should -BeExactly 'Key Value'
    }

    It '7: reads status and headers' {
        Set-Configuration $url
        $cred = New-TestCredential
        $h = Get-DelegateAccessToken $cred -WithHttpInfo
        $h["StatusCode"] | Should -Be 200
        $h["Headers"]["Content-Type"][0] | Should -Match json
        $h["Response"].Value.AccessToken | Should -Not -BeNullOrEmpty
    }

    It '8: puts the token on later calls' {
        Set-Configuration $url
        $r = Get-DelegateAccessToken (New-TestCredential)
        Set-ConfigurationDefaultHeader -Key Authorization -Value "Bearer $($r.Value.AccessToken)"
        $null = Get-SentRequest $server
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        (Get-SentRequest $server).Headers['authorization'] | Should -BeExactly "Bearer $($r.Value.AccessToken)"
    }

    It '9: gives the credential as hashtable' {
        Set-Configuration $url
        (Get-DelegateAccessToken -ApiCredential @{ ClientSecret = 'MyClientSecret'; UserPrincipalName = 'MyUserPrincipalName' }).IsSuccess | Should -BeTrue
    }

    It '10: splats settings from a file' {
        @{ BaseUrl = $url; ApiKey = @{ clientSecret = $s; userPrincipalName = $u }; DefaultHeaders = @{ 'X-A' = '1' } } | ConvertTo-Json | Set-Content "$TestDrive/settings.json"
        $cfg = Get-Content "$TestDrive/settings.json" -Raw | ConvertFrom-Json -AsHashtable
        Set-Configuration @cfg
        (Get-DelegateAccessToken (New-TestCredential)).IsSuccess | Should -BeTrue
        (Get-SentRequest $server).Headers['x-a'] | Should -BeExactly 1
    }
}
