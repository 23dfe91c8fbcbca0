# The examples of the pages of d365fo.tools, each line as it stands there, against a server that behaves as Entra's
# token endpoint of version 1. Only the authority is another one, by $PSDefaultParameterValues.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $examples = @(
        @{ Page = 'Get-D365LcsApiToken'; Number = 1; Returns = $true
            Lines = 'Get-D365LcsApiToken -ClientId "9b4f4503-b970-4ade-abc6-2c086e4c4929" -Username "serviceaccount@domain.com" -Password "TopSecretPassword" -LcsApiUri "https://lcsapi.lcs.dynamics.com"' }
        @{ Page = 'Get-D365LcsApiToken'; Number = 2; Saves = 'clientid', 'lcsapiuri', 'projectid'
            Lines = 'Get-D365LcsApiToken -ClientId "9b4f4503-b970-4ade-abc6-2c086e4c4929" -Username "serviceaccount@domain.com" -Password "TopSecretPassword" -LcsApiUri "https://lcsapi.lcs.dynamics.com" | Set-D365LcsApiConfig -ProjectId 123456789' }
        @{ Page = 'Get-D365LcsApiToken'; Number = 3; Configured = $true; Returns = $true
            Lines = 'Get-D365LcsApiToken -Username "serviceaccount@domain.com" -Password "TopSecretPassword"' }
        @{ Page = 'Get-D365LcsApiToken'; Number = 4; Configured = $true; Saves = @()
            Lines = 'Get-D365LcsApiToken -Username "serviceaccount@domain.com" -Password "TopSecretPassword" | Set-D365LcsApiConfig' }
        @{ Page = 'Invoke-D365LcsApiRefreshToken'; Number = 1; Refused = 'invalid_grant'
            Lines = 'Invoke-D365LcsApiRefreshToken -ClientId "9b4f4503-b970-4ade-abc6-2c086e4c4929" -RefreshToken "Tsdljfasfe2j32324"' }
        @{ Page = 'Invoke-D365LcsApiRefreshToken'; Number = 2; Variable = 'temp'
            Lines = @'
$temp = Get-D365LcsApiToken -LcsApiUri "https://lcsapi.eu.lcs.dynamics.com" -ClientId "9b4f4503-b970-4ade-abc6-2c086e4c4929" -Username "serviceaccount@domain.com" -Password "TopSecretPassword"
$temp = Invoke-D365LcsApiRefreshToken -ClientId "9b4f4503-b970-4ade-abc6-2c086e4c4929" -InputObject $temp
'@ }
        @{ Page = 'Invoke-D365LcsApiRefreshToken'; Number = 3; Configured = $true; SignedIn = $true; Saves = @()
            Lines = 'Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer

    # Runs lines as a user's session would; what they leave in a variable is output, too.
    function Invoke-Lines([string] $Lines, [string] $Variable) {
        $script = "`$PSDefaultParameterValues['*-D365Lcs*:Authority'] = `$args[0]`n$Lines"
        if ($Variable) { $script += "`n`$$Variable" }
        Invoke-Pipeline $Module $script $server.http
    }
}

AfterAll { Stop-Peer $server }

Describe 'Example <Number> of <Page>' -ForEach $examples {
    BeforeEach {
        $null = New-Store
        $example = $_
        if ($example['Configured']) { Set-D365LcsApiConfig -ProjectId 123456789 -ClientId $client -LcsApiUri $address }
        if ($example['SignedIn']) { Get-D365LcsApiToken -Username $user -Password $password -Authority $server.http | Set-D365LcsApiConfig }
        $before = Get-D365LcsApiConfig
        $run = Invoke-Lines $Lines $example['Variable']
    }

    It 'runs as it is written' {
        $run.Thrown | Should -BeNullOrEmpty
        $run.Streams.Error | Should -BeNullOrEmpty
        if ($example['Refused']) {
            # The refresh token of the page is not one of this server: a warning, and no output.
            $run.Output | Should -BeNullOrEmpty
            "$($run.Streams.Warning)" | Should -Match 'AADSTS'
            return
        }
        $run.Streams.Warning | Should -BeNullOrEmpty
        if ($example['Returns'] -or $example['Variable']) {
            $run.Output.Count | Should -Be 1
            foreach ($name in 'token_type', 'scope', 'expires_in', 'expires_on', 'resource', 'access_token', 'refresh_token') {
                $run.Output[0].$name | Should -BeOfType string -Because "$name is a text in version 1"
                $run.Output[0].$name | Should -Not -BeNullOrEmpty
            }
            [long]$run.Output[0].expires_on | Should -BeGreaterThan ([DateTimeOffset]::UtcNow.ToUnixTimeSeconds())
        }
        if ($example.Contains('Saves')) {
            $run.Output | Should -BeNullOrEmpty
            $config = Get-D365LcsApiConfig
            $config.projectid | Should -Be 123456789
            $config.clientid | Should -BeExactly $client
            $config.lcsapiuri | Should -BeExactly $address
            $config.activetokenexpireson | Should -BeGreaterThan ([DateTimeOffset]::UtcNow.ToUnixTimeSeconds())
            foreach ($name in 'bearertoken', 'refreshtoken') {
                $config.$name | Should -Not -BeNullOrEmpty
                $config.$name | Should -Not -BeExactly $before.$name
            }
        }
    }
}
