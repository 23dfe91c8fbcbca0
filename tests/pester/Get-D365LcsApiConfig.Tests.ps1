# Get-D365LcsApiConfig: the six values, their types and order, as object, dictionary and headers.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $names = 'activetokenexpireson bearertoken clientid lcsapiuri projectid refreshtoken'
    $values = @{
        ProjectId = 123456789; ClientId = $client; BearerToken = 'b' * 60; ActiveTokenExpiresOn = 1795276800
        RefreshToken = 'r' * 60; LcsApiUri = $address
    }
}

Describe 'The configuration' {
    BeforeEach { $folder = New-Store }

    It 'that was never set has all six values, each an empty text' {
        $config = Get-D365LcsApiConfig
        $config.psobject.Properties.Name -join ' ' | Should -BeExactly $names
        foreach ($property in $config.psobject.Properties) { $property.Value | Should -BeExactly '' }
    }

    It 'makes no store when it is only read' {
        $null = Get-D365LcsApiConfig
        $folder | Should -Not -Exist
    }

    It 'has its types and this order, whatever was set first' {
        Set-D365LcsApiConfig -RefreshToken $values.RefreshToken
        Set-D365LcsApiConfig -ProjectId $values.ProjectId
        Set-D365LcsApiConfig @values
        $config = Get-D365LcsApiConfig
        @($config).Count | Should -Be 1
        $config.psobject.Properties.Name -join ' ' | Should -BeExactly $names
        $config.activetokenexpireson | Should -BeOfType long
        $config.projectid | Should -BeOfType int
        foreach ($name in $values.Keys) { $config.$name | Should -BeExactly $values[$name] }
    }

    It 'is an ordered dictionary with -OutputAsHashtable' {
        Set-D365LcsApiConfig @values
        $config = Get-D365LcsApiConfig -OutputAsHashtable
        $config.GetType() | Should -Be ([System.Collections.Specialized.OrderedDictionary])
        $config.Keys -join ' ' | Should -BeExactly $names
        foreach ($name in $values.Keys) { $config[$name.ToLowerInvariant()] | Should -BeExactly $values[$name] }
    }

    It 'is shown with its tokens masked: <_>' -ForEach 'object', 'dictionary', 'headers' {
        Set-D365LcsApiConfig @values
        $as = $_
        $shown = switch ($as) { object { Get-D365LcsApiConfig } dictionary { Get-D365LcsApiConfig -OutputAsHashtable } headers { Get-D365LcsApiConfig -AsHeaders -WarningAction SilentlyContinue } }
        $text = $shown | Out-String
        "$shown" | Should -Not -Match 'b{20}|r{20}'
        $text | Should -Not -Match 'b{20}|r{20}'
        if ($as -eq 'headers') {
            $text | Should -Match 'Authorization +: Bearer\.\.\.bbbb'
        } else {
            $text | Should -Match 'bearertoken +: bbbbbb\.\.\.bbbb'
            $text | Should -Match 'refreshtoken +: rrrrrr\.\.\.rrrr'
            $text | Should -Match "clientid +: $client"
            $text | Should -Match 'projectid +: 123456789'
            $text | Should -Match 'activetokenexpireson +: 1795276800'
        }
    }

    It 'is the same in a Turkish process' {
        Set-D365LcsApiConfig -ClientId stored
        $run = Invoke-Pwsh '[cultureinfo]::CurrentCulture = "tr-TR"; Import-Module $args[0]; Set-D365LcsApiConfig -ProjectId 5; $c = Get-D365LcsApiConfig; "$($c.CLIENTID) $($c.projectid) $($c.psobject.Properties.Name)"' $Module
        $run.Output.Trim() | Should -BeExactly "stored 5 $names"
    }

    It 'of another process is seen at once' {
        Set-D365LcsApiConfig -ProjectId 1
        $null = Get-D365LcsApiConfig
        $run = Invoke-Pwsh 'Import-Module $args[0]; Set-D365LcsApiConfig -ProjectId 2' $Module
        $run.Error | Should -BeNullOrEmpty
        (Get-D365LcsApiConfig).projectid | Should -Be 2
    }
}

Describe '-AsHeaders' {
    BeforeEach { $folder = New-Store }

    It 'puts the scheme before <Token>: <Value>' -ForEach @(
        @{ Token = 'abc'; Value = 'Bearer abc' }, @{ Token = 'Bearer abc'; Value = 'Bearer abc' }, @{ Token = 'bearer abc'; Value = 'bearer abc' }
    ) {
        Set-D365LcsApiConfig -BearerToken $Token
        $headers = Get-D365LcsApiConfig -AsHeaders
        $headers | Should -BeOfType hashtable
        $headers.Count | Should -Be 1
        $headers.Authorization | Should -BeExactly $Value
        ($headers + @{ Accept = 'application/json' }).Count | Should -Be 2
    }

    It 'is what Invoke-RestMethod takes' {
        $server = Start-Peer $TestServer
        try {
            Set-D365LcsApiConfig -BearerToken abc
            $null = Invoke-RestMethod "$($server.http)/echo-token" -Method Post -Headers (Get-D365LcsApiConfig -AsHeaders) -NoProxy
            (Get-SentRequest $server).Headers['authorization'] | Should -BeExactly 'Bearer abc'
        } finally {
            Stop-Peer $server
        }
    }

    It 'warns when the token has expired' {
        Set-D365LcsApiConfig -BearerToken abc -ActiveTokenExpiresOn 1600000000
        $null = Get-D365LcsApiConfig -AsHeaders -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -Match 'expired.*Invoke-D365LcsApiRefreshToken'
    }

    It 'without a token, or with -OutputAsHashtable, is an error' {
        Get-ErrorId (Get-Failure { Get-D365LcsApiConfig -AsHeaders }) | Should -BeExactly missing_bearer_token
        Get-ErrorId (Get-Failure { Get-D365LcsApiConfig -AsHeaders -OutputAsHashtable }) | Should -BeExactly invalid_argument
    }
}
