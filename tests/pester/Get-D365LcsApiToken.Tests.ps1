# Get-D365LcsApiToken: what is sent, what comes back, where the defaults come from, and how it fails.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $clouds = @(
        foreach ($region in '', 'eu.', 'fr.', 'sa.', 'uae.', 'ch.', 'no.') {
            @{ Uri = "https://lcsapi.${region}lcs.dynamics.com"; Authority = 'login.microsoftonline.com' }
        }
        @{ Uri = 'https://lcsapi.lcs.dynamics.cn'; Authority = 'login.partner.microsoftonline.cn' }
        @{ Uri = 'https://lcsapi.gov.lcs.microsoftdynamics.us'; Authority = 'login.microsoftonline.us' }
    )
}

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
        $null = Get-SentRequest $server
    }

    It 'is the password grant of a public client, with resource and scope' {
        $authority = Set-Authority $server (New-V1Token)
        $null = Get-D365LcsApiToken @who -Password $password -Authority $authority
        $sent = @(Get-SentRequest $server)
        $sent.Count | Should -Be 1
        $sent[0].Method | Should -BeExactly POST
        $sent[0].Headers['content-type'] | Should -Match '^application/x-www-form-urlencoded'
        $sent[0].Headers.ContainsKey('authorization') | Should -BeFalse
        $expected = [ordered]@{ client_id = $client; grant_type = 'password'; password = $password; resource = $address; scope = 'openid'; username = $user }
        ($sent[0].Form.Keys | Sort-Object) -join ' ' | Should -BeExactly ($expected.Keys -join ' ')
        foreach ($name in $expected.Keys) { $sent[0].Form[$name] | Should -BeExactly $expected[$name] }
    }

    It 'carries any password whole, given as <_>' -ForEach 'string', 'SecureString', 'PSCredential' {
        $odd = 'p+ä&=% "''$x'
        $secure = ConvertTo-SecureString $odd -AsPlainText
        $given = switch ($_) { string { $odd } SecureString { $secure } PSCredential { [pscredential]::new('someone else', $secure) } }
        $null = Get-D365LcsApiToken @who -Password $given -Authority (Set-Authority $server (New-V1Token))
        $sent = Get-SentRequest $server
        $sent.Form.password | Should -BeExactly $odd
        $sent.Form.username | Should -BeExactly $user
        $sent.Body | Should -MatchExactly 'password=p%2B%C3%A4%26%3D%25(%20|\+)%22%27%24x'
    }

    It 'takes client, user, password and address by position' {
        $null = Get-D365LcsApiToken app me secret https://lcsapi.eu.lcs.dynamics.com -Authority (Set-Authority $server (New-V1Token))
        $form = (Get-SentRequest $server).Form
        "$($form.client_id) $($form.username) $($form.password) $($form.resource)" | Should -BeExactly 'app me secret https://lcsapi.eu.lcs.dynamics.com'
    }

    It 'goes to <Path> with -Authority <Authority> and <With>' -ForEach @(
        @{ Authority = ''; With = @{}; Path = '/common/oauth2/token' }
        @{ Authority = '/contoso.onmicrosoft.com'; With = @{}; Path = '/contoso.onmicrosoft.com/oauth2/token' }
        @{ Authority = ''; With = @{ Tenant = 'contoso.onmicrosoft.com' }; Path = '/contoso.onmicrosoft.com/oauth2/token' }
        @{ Authority = ''; With = @{ OAuthVersion = 'v2' }; Path = '/common/oauth2/v2.0/token' }
        @{ Authority = '/contoso.onmicrosoft.com/oauth2/v2.0/token'; With = @{}; Path = '/contoso.onmicrosoft.com/oauth2/v2.0/token' }
    ) {
        $null = Get-D365LcsApiToken @who -Password $password -Authority "$($server.http)$Authority" @With -WarningAction SilentlyContinue
        (Get-SentRequest $server).Path | Should -BeExactly $Path
    }

    It 'for <Uri> goes to <Authority>' -ForEach $clouds {
        # A proxy that takes no one: the error names where the request would have gone.
        $null = Get-D365LcsApiToken $client $user $password $Uri -Proxy http://127.0.0.1:1 -MaximumRetryCount 0 -ErrorVariable failure -WarningAction SilentlyContinue
        $failure[0].TargetObject | Should -BeExactly "https://$Authority/common/oauth2/token"
    }
}

Describe 'The output' {
    BeforeEach {
        $null = New-Store
        $null = Get-SentRequest $server
    }

    It 'is the reply untouched: texts stay texts, nothing is added, the order is kept' {
        $reply = New-V1Token
        $token = Get-D365LcsApiToken @who -Password $password -Authority (Set-Authority $server $reply)
        @($token).Count | Should -Be 1
        $token.psobject.Properties.Name -join ' ' | Should -BeExactly ($reply.Keys -join ' ')
        foreach ($name in $reply.Keys) {
            $token.$name | Should -BeExactly $reply[$name]
            $token.$name | Should -BeOfType string
        }
    }

    It 'has expires_on as text where the reply has none' {
        $before = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        $reply = [ordered]@{ token_type = 'Bearer'; expires_in = 3599; access_token = 'a'; refresh_token = 'r' }
        $token = Get-D365LcsApiToken @who -Password $password -OAuthVersion v2 -Authority (Set-Authority $server $reply)
        $token.psobject.Properties.Name -join ' ' | Should -BeExactly 'token_type expires_in access_token refresh_token expires_on'
        $token.expires_in | Should -BeOfType long
        $token.expires_on | Should -BeOfType string
        [long]$token.expires_on - $before | Should -BeIn (3598..3660)
    }

    It 'is shown with its tokens masked' {
        $reply = New-V1Token
        $reply.access_token = 'x' * 60
        $text = Get-D365LcsApiToken @who -Password $password -Authority (Set-Authority $server $reply) | Out-String
        $text | Should -Match 'access_token +: xxxxxx\.\.\.xxxx'
        $text | Should -Match "resource +: $([regex]::Escape($address))"
        $text | Should -Not -Match 'refresh-token|id-token|x{20}'
    }
}

Describe 'The defaults' {
    BeforeEach {
        $null = New-Store
        $null = Get-SentRequest $server
    }

    It 'come from the configuration' {
        Set-D365LcsApiConfig -ClientId stored-client -LcsApiUri https://lcsapi.fr.lcs.dynamics.com
        $null = Get-D365LcsApiToken -Username $user -Password $password -Authority (Set-Authority $server (New-V1Token))
        $form = (Get-SentRequest $server).Form
        $form.client_id | Should -BeExactly stored-client
        $form.resource | Should -BeExactly https://lcsapi.fr.lcs.dynamics.com
    }

    It 'follow a -Temporary change at once' {
        Set-D365LcsApiConfig -ClientId stored-client -LcsApiUri $address
        Set-D365LcsApiConfig -ClientId temporary-client -Temporary
        $null = Get-D365LcsApiToken -Username $user -Password $password -Authority (Set-Authority $server (New-V1Token))
        (Get-SentRequest $server).Form.client_id | Should -BeExactly temporary-client
    }

    It 'are completed: <Word> gives <Count>' -ForEach @(
        @{ Word = ''; Count = 9 }, @{ Word = 'https://lcsapi.eu'; Count = 1 }, @{ Word = 'china'; Count = 1 }, @{ Word = 'zzz'; Count = 0 }
    ) {
        foreach ($command in 'Get-D365LcsApiToken', 'Set-D365LcsApiConfig', 'Invoke-D365LcsApiRefreshToken') {
            $line = "$command -LcsApiUri $Word"
            $matches = @([System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches | Where-Object ResultType -EQ ParameterValue)
            @($matches | Where-Object CompletionText -Match '^https://lcsapi\.\S+$').Count | Should -Be $Count
        }
    }
}

Describe 'Without <Name>' -ForEach @(
    @{ Name = 'a client id'; Left = 'ClientId' }, @{ Name = 'an address'; Left = 'LcsApiUri' }
) {
    BeforeEach {
        $null = New-Store
        $null = Get-SentRequest $server
    }

    It 'it stops the statement before any request, and says what to do' {
        $bound = @{} + $who
        $bound.Remove($Left)
        foreach ($given in $bound, ($bound + @{ $Left = '' })) {
            $failure = Get-Failure { Get-D365LcsApiToken @given -Password $password -Authority $server.http }
            Get-ErrorId $failure | Should -BeExactly ParameterArgumentValidationErrorEmptyStringNotAllowed
            "$failure" | Should -Match 'Set-D365LcsApiConfig'
            "$failure" | Should -Match ($Left -eq 'ClientId' ? 'client' : 'address')
        }
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'only the statement ends, not the script' {
        $bound = @{} + $who
        $bound.Remove($Left)
        $run = Invoke-Pipeline $Module 'param($bound, $authority) Get-D365LcsApiToken @bound -Password p -Authority $authority; "after"' $bound, $server.http
        $run.Output | Should -BeExactly after
        Get-ErrorId $run.Streams.Error[0] | Should -BeExactly ParameterArgumentValidationErrorEmptyStringNotAllowed
    }
}

Describe 'A password that is <Name>' -ForEach @(
    @{ Name = 'a number'; Value = 42 }, @{ Name = 'a hashtable'; Value = @{ password = 'c4nary' } }, @{ Name = 'empty'; Value = '' }
) {
    BeforeEach {
        $null = New-Store
        $null = Get-SentRequest $server
    }

    It 'is refused, and not quoted' {
        $failure = Get-Failure { Get-D365LcsApiToken @who -Password $Value -Authority $server.http }
        Get-ErrorId $failure | Should -BeExactly ParameterArgumentTransformationError
        $failure | Format-List * -Force | Out-String | Should -Not -Match c4nary
        Get-SentRequest $server | Should -BeNullOrEmpty
    }
}

Describe 'A failure' {
    BeforeEach {
        $null = New-Store
        $null = Get-SentRequest $server
    }

    BeforeAll {
        $refused = Set-Authority $server (New-AadError) 400 @(, @('x-ms-request-id', 'request-1'))
        $command = { Get-D365LcsApiToken @who -Password $password -Authority $refused @args }
        $wanted = @{ Authority = $refused; Password = $password } + $who
        $token = { param($with) Get-D365LcsApiToken @with }
    }

    AfterEach { Disable-D365Exception }

    It 'is a warning without output, with a record in $Error and in -ErrorVariable, and the script goes on' {
        $run = Invoke-Pipeline $Module @'
param($bound)
$ErrorActionPreference = 'Stop'
$t = Get-D365LcsApiToken @bound -ErrorVariable seen
if ($null -eq $t) { 'no token' }
$seen.Count
$seen[0].FullyQualifiedErrorId
$Error.Count
$Error[0].FullyQualifiedErrorId
'@ $wanted
        $run.Thrown | Should -BeNullOrEmpty
        $run.Output -join '|' | Should -BeExactly 'no token|1|invalid_grant,TokenKit.Commands.GetD365LcsApiToken|1|invalid_grant,TokenKit.Commands.GetD365LcsApiToken'
        $run.Streams.Error | Should -BeNullOrEmpty
        $run.Streams.Warning.Count | Should -Be 1
        "$($run.Streams.Warning[0])" | Should -Match AADSTS50126
    }

    It 'has a record with the JSON of the server and its response' {
        $null = Get-D365LcsApiToken @wanted -ErrorVariable seen -WarningAction SilentlyContinue
        ($seen[0].ErrorDetails.Message | ConvertFrom-Json).error_description | Should -Match ^AADSTS50126
        $seen[0].Exception | Should -BeOfType System.Net.Http.HttpRequestException
        [int]$seen[0].Exception.Response.StatusCode | Should -Be 400
        $seen[0].Exception.Response.Headers.GetValues('x-ms-request-id') | Should -BeExactly request-1
        $seen[0].CategoryInfo.Category | Should -BeExactly AuthenticationError
        $seen[0].CategoryInfo.Activity | Should -BeExactly Get-D365LcsApiToken
        $seen[0].TargetObject | Should -BeExactly $refused
    }

    It 'leaves no trace with -ErrorAction Ignore, and no warning with -WarningAction SilentlyContinue' {
        $run = Invoke-Pipeline $Module 'param($bound) Get-D365LcsApiToken @bound -ErrorAction Ignore -WarningAction SilentlyContinue; $Error.Count' $wanted
        $run.Output | Should -Be 0
        $run.Streams.Warning | Should -BeNullOrEmpty
    }

    It 'is thrown with <_>, and keeps the JSON and the response' -ForEach '-EnableException', 'Enable-D365Exception', '-ErrorAction Stop' {
        $with = switch ($_) { -EnableException { @{ EnableException = $true } } Enable-D365Exception { Enable-D365Exception; @{} } default { @{ ErrorAction = 'Stop' } } }
        $warnings = $null
        $failure = Get-Failure { Get-D365LcsApiToken @wanted @with -WarningVariable warnings -ErrorVariable seen }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'invalid_grant,TokenKit.Commands.GetD365LcsApiToken'
        ($failure.ErrorDetails.Message | ConvertFrom-Json).error | Should -BeExactly invalid_grant
        [int]$failure.Exception.Response.StatusCode | Should -Be 400
        $warnings | Should -BeNullOrEmpty
    }

    It 'that is thrown ends a script that does not catch it' {
        $run = Invoke-Pipeline $Module 'param($bound) Get-D365LcsApiToken @bound -EnableException; "after"' $wanted
        $run.Output | Should -BeNullOrEmpty
        Get-ErrorId $run.Thrown | Should -BeExactly invalid_grant
    }

    It 'is a warning with -EnableException:$false after Enable-D365Exception' {
        Enable-D365Exception
        $run = Invoke-Pipeline $Module 'param($bound) Get-D365LcsApiToken @bound -EnableException:$false; "after"' $wanted
        $run.Output | Should -BeExactly after
        $run.Streams.Warning.Count | Should -Be 1
    }

    It 'of the connection is a warning, too' {
        $run = Invoke-Pipeline $Module 'param($bound) Get-D365LcsApiToken @bound -Authority http://127.0.0.1:1 -MaximumRetryCount 0 -ErrorVariable seen; $seen[0].FullyQualifiedErrorId' (@{ Password = $password } + $who)
        $run.Output | Should -BeExactly 'connect_failed,TokenKit.Commands.GetD365LcsApiToken'
        $run.Streams.Warning.Count | Should -Be 1
    }
}
