# Invoke-D365LcsApiRefreshToken: sets and pipeline, what is sent, and that a refresh token is spent once.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
}

AfterAll { Stop-Peer $server }

Describe 'The request' {
    BeforeEach {
        $null = New-Store
        $authority = Set-Authority $server (New-V1Token new)
        $null = Get-SentRequest $server
        $old = [pscustomobject](New-V1Token old)
    }

    It 'is the refresh grant: with <Name>' -ForEach @(
        @{ Name = 'client and token'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken r -Authority $authority }; Resource = '' }
        @{ Name = 'the alias -Token'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -Token r -Authority $authority }; Resource = '' }
        @{ Name = 'the alias -refresh_token'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -refresh_token r -Authority $authority }; Resource = '' }
        @{ Name = 'an object'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -InputObject ([pscustomobject]@{ refresh_token = 'r' }) -Authority $authority }; Resource = '' }
        @{ Name = 'a hashtable'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -InputObject @{ refresh_token = 'r'; resource = 'https://lcsapi.eu.lcs.dynamics.com' } -Authority $authority }; Resource = 'https://lcsapi.eu.lcs.dynamics.com' }
        @{ Name = 'a piped object'; Command = { [pscustomobject]@{ refresh_token = 'r' } | Invoke-D365LcsApiRefreshToken -ClientId app -Authority $authority }; Resource = '' }
        @{ Name = 'a piped object with a client'; Command = { [pscustomobject]@{ clientid = 'app'; refreshtoken = 'r'; lcsapiuri = 'https://lcsapi.eu.lcs.dynamics.com' } | Invoke-D365LcsApiRefreshToken -Authority $authority }; Resource = 'https://lcsapi.eu.lcs.dynamics.com' }
        @{ Name = 'an address of its own'; Command = { [pscustomobject]@{ refresh_token = 'r'; resource = 'https://other.example' } | Invoke-D365LcsApiRefreshToken -ClientId app -LcsApiUri https://lcsapi.eu.lcs.dynamics.com -Authority $authority }; Resource = 'https://lcsapi.eu.lcs.dynamics.com' }
    ) {
        (& $Command).access_token | Should -BeExactly access-new
        $sent = @(Get-SentRequest $server)
        $sent.Count | Should -Be 1
        $expected = [ordered]@{ client_id = 'app'; grant_type = 'refresh_token'; refresh_token = 'r' }
        if ($Resource) { $expected.resource = $Resource }
        ($sent[0].Form.Keys | Sort-Object) -join ' ' | Should -BeExactly ($expected.Keys -join ' ')
        foreach ($name in $expected.Keys) { $sent[0].Form[$name] | Should -BeExactly $expected[$name] }
    }

    It 'takes everything from the piped configuration, the address of the cloud, too' {
        Set-D365LcsApiConfig -ClientId stored -RefreshToken refresh-stored -LcsApiUri https://lcsapi.lcs.dynamics.cn
        Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $authority | Set-D365LcsApiConfig
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly access-new
        $form = (Get-SentRequest $server).Form
        "$($form.client_id) $($form.refresh_token) $($form.resource)" | Should -BeExactly 'stored refresh-stored https://lcsapi.lcs.dynamics.cn'
        # Without -Authority the one that issued the configured token is asked again.
        (Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken).access_token | Should -BeExactly access-new
        (Get-SentRequest $server).Path | Should -BeExactly ([uri]$authority).AbsolutePath
    }

    It 'for a Chinese address goes to the authority in China' {
        $null = Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken r -LcsApiUri https://lcsapi.lcs.dynamics.cn -Proxy http://127.0.0.1:1 -MaximumRetryCount 0 -ErrorVariable failure -WarningAction SilentlyContinue
        $failure[0].TargetObject | Should -BeExactly 'https://login.partner.microsoftonline.cn/common/oauth2/token'
    }
}

Describe 'Several piped objects' {
    BeforeEach {
        $null = New-Store
        $authority = Set-Authority $server (New-V1Token new)
        $null = Get-SentRequest $server
        $old = [pscustomobject](New-V1Token old)
    }

    It 'give a token each, in order' {
        $tokens = 1..3 | ForEach-Object { [pscustomobject]@{ refresh_token = "r$_" } } | Invoke-D365LcsApiRefreshToken -ClientId app -Authority $authority
        @($tokens).Count | Should -Be 3
        @(Get-SentRequest $server).ForEach{ $_.Form.refresh_token } -join ' ' | Should -BeExactly 'r1 r2 r3'
    }

    It 'go on after one that fails' {
        $failing = Set-Reply $server /canned/two/oauth2/token (New-JsonReply 200 (New-V1Token a)), (New-JsonReply 400 (New-AadError)), (New-JsonReply 200 (New-V1Token c))
        $tokens = 1..3 | ForEach-Object { [pscustomobject]@{ refresh_token = "f$_" } } | Invoke-D365LcsApiRefreshToken -ClientId app -Authority $failing -WarningVariable warnings -WarningAction SilentlyContinue
        $tokens.access_token -join ' ' | Should -BeExactly 'access-a access-c'
        $warnings.Count | Should -Be 1
    }

    It 'stop at the first that fails with -EnableException' {
        $failing = Set-Authority $server (New-AadError) 400
        $failure = Get-Failure { 1..3 | ForEach-Object { [pscustomobject]@{ refresh_token = "g$_" } } | Invoke-D365LcsApiRefreshToken -ClientId app -Authority $failing -EnableException }
        Get-ErrorId $failure | Should -BeExactly invalid_grant
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'do not inherit what an earlier one had' {
        $null = [pscustomobject]@{ refresh_token = 'one'; resource = $address }, [pscustomobject]@{ refresh_token = 'two' } | Invoke-D365LcsApiRefreshToken -ClientId app -Authority $authority
        $sent = @(Get-SentRequest $server)
        $sent[0].Form.resource | Should -BeExactly $address
        $sent[1].Form.Contains('resource') | Should -BeFalse
    }
}

Describe 'What is missing' {
    BeforeEach {
        $null = New-Store
        $authority = Set-Authority $server (New-V1Token new)
        $null = Get-SentRequest $server
        $old = [pscustomobject](New-V1Token old)
    }

    It 'is an error before any request: <Name>' -ForEach @(
        @{ Name = 'only a client'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -Authority $authority } }
        @{ Name = 'an object without refresh token'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -InputObject ([pscustomobject]@{ access_token = 'a' }) -Authority $authority } }
        @{ Name = 'an empty refresh token'; Command = { Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken '' -Authority $authority } }
        @{ Name = 'an empty client id'; Command = { Invoke-D365LcsApiRefreshToken -ClientId '' -RefreshToken r -Authority $authority } }
    ) {
        $failure = Get-Failure $Command
        Get-ErrorId $failure | Should -BeExactly ParameterArgumentValidationErrorEmptyStringNotAllowed
        "$failure" | Should -Match 'Set-D365LcsApiConfig'
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'in a piped configuration is an error that names it, for that object' {
        Set-D365LcsApiConfig -RefreshToken r
        $run = Invoke-Pipeline $Module 'param($authority) Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $authority | Set-D365LcsApiConfig; "after"' $authority
        $run.Output | Should -BeExactly after
        Get-ErrorId $run.Streams.Error[0] | Should -BeExactly ParameterArgumentValidationErrorEmptyStringNotAllowed
        "$($run.Streams.Error[0])" | Should -Match 'client id is empty.*Set-D365LcsApiConfig'
        (Get-D365LcsApiConfig).refreshtoken | Should -BeExactly r
    }
}

Describe 'A failure' {
    BeforeEach {
        $null = New-Store
        $authority = Set-Authority $server (New-V1Token new)
        $null = Get-SentRequest $server
        $old = [pscustomobject](New-V1Token old)
    }

    It 'is a warning without output, in both sets, and the configuration stays' {
        $failing = Set-Authority $server (New-AadError) 400
        Set-D365LcsApiConfig -ClientId app -RefreshToken kept -BearerToken bearer
        $run = Invoke-Pipeline $Module @'
param($authority)
$ErrorActionPreference = 'Stop'
Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $authority | Set-D365LcsApiConfig
$t = Invoke-D365LcsApiRefreshToken -ClientId app -InputObject @{ refresh_token = 'x' } -Authority $authority
if ($null -eq $t) { 'no token' }
'@ $failing
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output | Should -BeExactly 'no token'
        $run.Streams.Warning.Count | Should -Be 2
        $run.Streams.Error | Should -BeNullOrEmpty
        (Get-D365LcsApiConfig).refreshtoken | Should -BeExactly kept
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly bearer
    }

    It 'is thrown with -EnableException and keeps the JSON and the response' {
        $failing = Set-Authority $server (New-AadError) 400
        $failure = Get-Failure { Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken r -Authority $failing -EnableException }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'invalid_grant,TokenKit.Commands.InvokeD365LcsApiRefreshToken'
        ($failure.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly invalid_grant
        [int]$failure.Exception.Response.StatusCode | Should -Be 400
    }
}

Describe 'A refresh token' {
    BeforeEach {
        $null = New-Store
        $authority = Set-Authority $server (New-V1Token new)
        $null = Get-SentRequest $server
        $old = [pscustomobject](New-V1Token old)
    }

    It 'is spent once, whoever comes with it' {
        Set-D365LcsApiConfig -ClientId app -RefreshToken once
        $first = Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $authority
        $second = Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken once -Authority $authority
        $other = Invoke-Pwsh 'param($module, $authority) Import-Module $module; (Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken once -Authority $authority).refresh_token' $Module, $authority
        ($first.refresh_token, $second.refresh_token, $other.Output.Trim()) -join ' ' | Should -BeExactly 'refresh-new refresh-new refresh-new'
        @(Get-SentRequest $server).Count | Should -Be 1
    }

    It 'that is configured is replaced before the new one is returned' {
        Set-D365LcsApiConfig -ClientId app -RefreshToken first -LcsApiUri $address
        $null = Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $authority
        $config = Get-D365LcsApiConfig
        $config.refreshtoken | Should -BeExactly refresh-new
        $config.bearertoken | Should -BeExactly access-new
    }

    It 'whose refresh is stopped by Ctrl+C is not lost: the request is finished in the background' {
        $null = Invoke-Control $server Put entra @{ rotates = $true; delay_ms = 1500 }
        try {
            Get-D365LcsApiToken @who -Password $password -Authority $server.http | Set-D365LcsApiConfig
            $old = (Get-D365LcsApiConfig).refreshtoken
            $pipeline = New-Pipeline $Module 'Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Authority $args[0]' $server.http
            try {
                $running = $pipeline.BeginInvoke()
                Wait-Until { (Get-OpenRequest $server) -eq 1 } | Should -BeTrue
                $watch = [System.Diagnostics.Stopwatch]::StartNew()
                $pipeline.Stop()
                Write-Host ('    stopped within {0:n1} ms' -f $watch.Elapsed.TotalMilliseconds)
                $watch.Elapsed.TotalMilliseconds | Should -BeLessThan 1000
                $running.IsCompleted | Should -BeTrue
            } finally {
                $pipeline.Dispose()
            }
            Wait-Until { (Get-D365LcsApiConfig).refreshtoken -ne $old } | Should -BeTrue
            (Get-D365LcsApiConfig).refreshtoken | Should -BeExactly (Invoke-Control $server Get entra).newest.refresh_token
        } finally {
            $null = Invoke-Control $server Put entra @{}
        }
    }
}
