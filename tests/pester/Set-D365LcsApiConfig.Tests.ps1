# Set-D365LcsApiConfig: what is written, for whom and for how long, from parameters and from the pipeline.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $all = @{
        ProjectId = 123456789; ClientId = $client; BearerToken = 'bearer'; ActiveTokenExpiresOn = 1795276800
        RefreshToken = 'refresh'; LcsApiUri = 'https://lcsapi.eu.lcs.dynamics.com'
    }

    # The values in the order of their names, as one text.
    function Get-Text { (Get-D365LcsApiConfig).psobject.Properties.Value -join '|' }

    # The same, as a new process sees it.
    function Get-TextElsewhere {
        (Invoke-Pwsh 'Import-Module $args[0]; (Get-D365LcsApiConfig).psobject.Properties.Value -join "|"' $Module).Output.Trim()
    }
}

Describe 'Parameters' {
    BeforeEach { $folder = New-Store }

    It 'are written, return nothing, and are there for other processes' {
        Set-D365LcsApiConfig @all | Should -BeNullOrEmpty
        Get-Text | Should -BeExactly "1795276800|bearer|$client|https://lcsapi.eu.lcs.dynamics.com|123456789|refresh"
        Get-TextElsewhere | Should -BeExactly (Get-Text)
    }

    It 'are taken by position' {
        Set-D365LcsApiConfig 1 c b 2 r u
        Get-Text | Should -BeExactly '2|b|c|u|1|r'
    }

    It 'that are not given stay: -<Name>' -ForEach @(
        @{ Name = 'ProjectId'; Value = 7 }, @{ Name = 'ClientId'; Value = 'other' }, @{ Name = 'BearerToken'; Value = 'other' }
        @{ Name = 'ActiveTokenExpiresOn'; Value = 7 }, @{ Name = 'RefreshToken'; Value = 'other' }, @{ Name = 'LcsApiUri'; Value = 'https://other' }
    ) {
        Set-D365LcsApiConfig @all
        $expected = Get-D365LcsApiConfig
        $expected.$Name = $Value
        $one = @{ $Name = $Value }
        Set-D365LcsApiConfig @one
        Get-Text | Should -BeExactly ($expected.psobject.Properties.Value -join '|')
    }

    It 'the address has no default that is stored' {
        Set-D365LcsApiConfig -ProjectId 1
        (Get-D365LcsApiConfig).lcsapiuri | Should -BeExactly ''
    }

    It 'common ones are no settings' {
        Set-D365LcsApiConfig -ProjectId 1 -Verbose -ErrorVariable e -WarningVariable w -OutVariable o -InformationAction Ignore 4>$null
        Get-Text | Should -BeExactly '||||1|'
        (Get-Content (Get-ChildItem $folder -Recurse -File -Filter *d365lcs*) -Raw) | Should -Not -Match 'verbose|errorvariable|outvariable'
    }

    It 'that do not fit are an error, and nothing is written' {
        { Set-D365LcsApiConfig -ProjectId many } | Should -Throw
        $folder | Should -Not -Exist
    }

    It 'nothing given changes nothing' {
        Set-D365LcsApiConfig
        $folder | Should -Not -Exist
    }

    It '-WhatIf changes nothing, and shows no token' {
        Set-D365LcsApiConfig @all
        $run = Invoke-Pipeline $Module 'Set-D365LcsApiConfig -BearerToken c4nary -WhatIf -Verbose'
        Get-Text | Should -Match '\|bearer\|'
        $run.Streams.Values | Out-String | Should -Not -Match c4nary
    }
}

Describe 'A piped token' {
    BeforeEach { $folder = New-Store }

    It 'sets token, expiry, refresh token and address; client and project stay' {
        Set-D365LcsApiConfig -ProjectId 5 -ClientId mine
        # One that no command got in this process.
        $token = New-V1Token found
        [pscustomobject]$token | Set-D365LcsApiConfig
        Get-Text | Should -BeExactly "$($token.expires_on)|access-found|mine|$address|5|refresh-found"
        (Get-D365LcsApiConfig).activetokenexpireson | Should -BeOfType long
    }

    It 'leaves the old values where it has none: <Name>' -ForEach @(
        @{ Name = 'no member'; Token = @{ access_token = 'new' } }
        @{ Name = 'an empty text'; Token = @{ access_token = 'new'; refresh_token = ''; expires_on = '' } }
        @{ Name = 'null'; Token = @{ access_token = 'new'; refresh_token = $null; expires_on = $null; resource = $null } }
    ) {
        Set-D365LcsApiConfig @all
        [pscustomobject]$Token | Set-D365LcsApiConfig
        Get-Text | Should -BeExactly "1795276800|new|$client|https://lcsapi.eu.lcs.dynamics.com|123456789|refresh"
    }

    It 'sets the client with which this process got it' {
        $server = Start-Peer $TestServer
        try {
            Set-D365LcsApiConfig -ClientId before
            Get-D365LcsApiToken @who -Password $password -Authority (Set-Authority $server (New-V1Token)) | Set-D365LcsApiConfig
            (Get-D365LcsApiConfig).clientid | Should -BeExactly $client
            Get-D365LcsApiToken @who -Password $password -Authority (Set-Authority $server (New-V1Token other)) | Set-D365LcsApiConfig -ClientId explicit
            (Get-D365LcsApiConfig).clientid | Should -BeExactly explicit
        } finally {
            Stop-Peer $server
        }
    }

    It 'of version 2, which names neither expiry nor address, sets both all the same' {
        $server = Start-Peer $TestServer
        try {
            $before = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
            Get-D365LcsApiToken @who -Password $password -OAuthVersion v2 -Authority $server.http | Set-D365LcsApiConfig
            $config = Get-D365LcsApiConfig
            $config.lcsapiuri | Should -BeExactly $address
            $config.clientid | Should -BeExactly $client
            $config.activetokenexpireson - $before | Should -BeIn (3590..3660)
            (Get-SentRequest $server)[-1].Path | Should -BeExactly /common/oauth2/v2.0/token
            Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -EnableException | Set-D365LcsApiConfig
            (Get-SentRequest $server)[-1].Path | Should -BeExactly /common/oauth2/v2.0/token
            (Get-D365LcsApiConfig).refreshtoken | Should -Not -BeExactly $config.refreshtoken
        } finally {
            Stop-Peer $server
        }
    }

    It 'does not mix with the one before' {
        [pscustomobject]@{ access_token = 'a1'; refresh_token = 'r1'; expires_on = '1' }, [pscustomobject]@{ access_token = 'a2' } | Set-D365LcsApiConfig
        Get-Text | Should -BeExactly '1|a2||||r1'
        # An earlier object's value is not written again over a change in between.
        [pscustomobject]@{ access_token = 'a3'; refresh_token = 'r3' }, [pscustomobject]@{ access_token = 'a4' } |
            ForEach-Object { if ($_.access_token -eq 'a4') { Set-D365LcsApiConfig -RefreshToken between }; $_ } |
            Set-D365LcsApiConfig
        Get-Text | Should -BeExactly '1|a4||||between'
    }

    It 'keeps what is given by name, for each' {
        [pscustomobject]@{ access_token = 'a1' }, [pscustomobject]@{ access_token = 'a2' } | Set-D365LcsApiConfig -ProjectId 9 -RefreshToken fixed
        Get-Text | Should -BeExactly '|a2|||9|fixed'
    }

    It 'that has nothing for it is an error: <Name>' -ForEach @(
        @{ Name = 'a number'; Item = 1 }, @{ Name = 'another object'; Item = [pscustomobject]@{ other = 1 } }
    ) {
        $Item | Set-D365LcsApiConfig -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure.Count | Should -Be 1
        $folder | Should -Not -Exist
    }
}

Describe 'The configuration' {
    BeforeEach { $folder = New-Store }

    It 'piped back changes nothing: <_>' -ForEach 'object', 'dictionary' {
        Set-D365LcsApiConfig @all
        $before = Get-Text
        Get-D365LcsApiConfig -OutputAsHashtable:($_ -eq 'dictionary') | Set-D365LcsApiConfig
        Get-Text | Should -BeExactly $before
    }

    It 'that was never set can be piped back' {
        Get-D365LcsApiConfig | Set-D365LcsApiConfig -ErrorAction SilentlyContinue
        Get-Text | Should -BeExactly '|||||'
    }

    It 'is splatted' {
        Set-D365LcsApiConfig @all
        $config = Get-D365LcsApiConfig -OutputAsHashtable
        $config.projectid = 42
        Set-D365LcsApiConfig @config
        (Get-D365LcsApiConfig).projectid | Should -Be 42
    }
}

Describe '-Temporary' {
    BeforeEach { $folder = New-Store }

    It 'counts in this process only' {
        Set-D365LcsApiConfig @all
        $saved = Get-Text
        Set-D365LcsApiConfig -BearerToken temporary -ProjectId 1 -Temporary
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly temporary
        (Get-D365LcsApiConfig).clientid | Should -BeExactly $client
        Get-TextElsewhere | Should -BeExactly $saved
    }

    It 'writes no file' {
        Set-D365LcsApiConfig -BearerToken temporary -Temporary
        $folder | Should -Not -Exist
    }

    It 'gives way to what is saved later' {
        Set-D365LcsApiConfig -BearerToken temporary -ProjectId 1 -Temporary
        Set-D365LcsApiConfig -BearerToken saved
        Get-Text | Should -BeExactly '|saved|||1|'
    }

    It 'counts in every runspace of the process' {
        Set-D365LcsApiConfig -ProjectId 77 -Temporary
        (Invoke-Pipeline $Module '(Get-D365LcsApiConfig).projectid').Output | Should -Be 77
    }
}

Describe 'Writers' {
    BeforeEach { $folder = New-Store }

    It 'in 64 runspaces at the same time lose nothing' {
        Set-D365LcsApiConfig -ProjectId 1
        $pipelines = foreach ($index in 1..64) {
            New-Pipeline $Module 'param($name, $value) foreach ($i in 1..5) { $one = @{ $name = $value }; Set-D365LcsApiConfig @one }; $c = Get-D365LcsApiConfig; "$($c.projectid)"' @(
                (@('ClientId', 'BearerToken', 'RefreshToken', 'LcsApiUri')[$index % 4]), "v$($index % 4)")
        }
        try {
            $running = $pipelines.ForEach{ $_.BeginInvoke() }
            foreach ($index in 0..63) {
                $pipelines[$index].EndInvoke($running[$index]) -join '' | Should -BeExactly 1
                $pipelines[$index].HadErrors | Should -BeFalse
            }
        } finally {
            $pipelines.ForEach{ $_.Dispose() }
        }
        Get-Text | Should -BeExactly '|v1|v0|v3|1|v2'
        Get-TextElsewhere | Should -BeExactly '|v1|v0|v3|1|v2'
    }
}
