# No password, token or key of the LCS cmdlets is shown in any stream, view, error or transcript, or left in a file
# for others. The canaries are easily found again.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $runs = @(
        @{ Name = 'a password as string'; Script = 'Get-D365LcsApiToken @who -Password $core' }
        @{ Name = 'a password as SecureString'; Script = 'Get-D365LcsApiToken @who -Password (ConvertTo-SecureString $core -AsPlainText)' }
        @{ Name = 'a password as PSCredential'; Script = 'Get-D365LcsApiToken @who -Password ([pscredential]::new("u", (ConvertTo-SecureString $core -AsPlainText)))' }
        @{ Name = 'a refresh token'; Script = 'Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken $core' }
        @{ Name = 'a refresh token of an object'; Script = 'Invoke-D365LcsApiRefreshToken -ClientId app -InputObject @{ refresh_token = $core }' }
        @{ Name = 'a piped configuration'; Script = '[pscustomobject]@{ clientid = "app"; refreshtoken = $core } | Invoke-D365LcsApiRefreshToken' }
        @{ Name = 'a chain'; Script = 'Set-D365LcsApiConfig -ClientId app -RefreshToken $core -Verbose -Debug; Get-D365LcsApiConfig -Verbose -Debug | Invoke-D365LcsApiRefreshToken -Verbose -Debug | Set-D365LcsApiConfig' }
    )
    $configurations = @(
        @{ Name = 'Set'; Script = 'Set-D365LcsApiConfig -BearerToken $core -RefreshToken $core' }
        @{ Name = 'Set -Temporary'; Script = 'Set-D365LcsApiConfig -BearerToken $core -RefreshToken $core -Temporary' }
        @{ Name = 'Set -WhatIf'; Script = 'Set-D365LcsApiConfig -BearerToken $core -RefreshToken $core -WhatIf' }
        @{ Name = 'Set from the pipeline'; Script = '[pscustomobject]@{ access_token = $core; refresh_token = $core } | Set-D365LcsApiConfig' }
        @{ Name = 'Set with a value that does not fit'; Script = '[pscustomobject]@{ access_token = $core; refresh_token = $core; expires_on = "soon" } | Set-D365LcsApiConfig 2>&1' }
        @{ Name = 'Get'; Script = 'Get-D365LcsApiConfig' }
        @{ Name = 'Get -OutputAsHashtable'; Script = 'Get-D365LcsApiConfig -OutputAsHashtable' }
        @{ Name = 'Get -AsHeaders'; Script = 'Get-D365LcsApiConfig -AsHeaders' }
        @{ Name = 'Test'; Script = 'Test-D365LcsApiToken; Test-D365LcsApiToken -BearerToken $core' }
        @{ Name = 'Clear'; Script = 'Clear-D365LcsApiConfig' }
        @{ Name = 'Get-TokenKitStore'; Script = 'Get-TokenKitStore' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $core = 'c4nary' + [guid]::NewGuid().ToString('N')
    $traces = @($core) + (0..2).ForEach{
        $base64 = [Convert]::ToBase64String([System.Text.Encoding]::ASCII.GetBytes('x' * $_ + $core))
        $base64.Substring(4, $base64.Length - 8)
    }
    $reply = New-V1Token
    $reply.access_token = $reply.refresh_token = $reply.id_token = "$core-token"

    function Get-Text($Run) {
        @(
            foreach ($stream in $Run.Streams.Values) { $stream | ForEach-Object { "$_"; $_ | Format-List * -Force | Out-String; if ($_ -is [System.Management.Automation.ErrorRecord]) { $_ | Get-Error | Out-String } } }
            if ($Run.Thrown) { $Run.Thrown | Format-List * -Force | Out-String; $Run.Thrown | Get-Error | Out-String }
            $Run.Output | Out-String
        ) -join "`n"
    }

    function Assert-NoTrace([string] $Text) {
        foreach ($trace in $traces) { $Text.Contains($trace, 'OrdinalIgnoreCase') | Should -BeFalse -Because 'no form of a secret is shown' }
    }

    # Runs the script loudly; the default view of its output and its error variables are part of the result.
    function Invoke-Loud([string] $Script, [string] $Authority) {
        Invoke-Pipeline $Module @"
param(`$core, `$who, `$authority)
if (`$authority) { `$PSDefaultParameterValues['*-D365Lcs*:Authority'] = `$authority }
`$PSDefaultParameterValues['*:MaximumRetryCount'] = 0
& { $Script -Verbose -Debug -WarningAction Continue -ErrorVariable seen -WarningVariable warned } 4>&1 5>&1 3>&1 | Out-String
`$Error | ForEach-Object { `$_ | Format-List * -Force | Out-String; `$_ | Get-Error | Out-String }
"@ @($core, $who, $Authority)
    }
}

AfterAll { Stop-Peer $server }

Describe '<Name>' -ForEach $runs {
    BeforeEach { $null = New-Store }

    It 'is not shown when the request succeeds' {
        $text = Get-Text (Invoke-Loud $Script (Set-Authority $server $reply))
        $text | Should -MatchExactly 'POST http://'
        Assert-NoTrace $text
    }

    It 'is not shown when the server refuses and repeats it' {
        $text = Get-Text (Invoke-Loud $Script (Set-Authority $server (New-AadError invalid_grant "AADSTS1: you sent $core") 400))
        $text | Should -Match 'you sent'
        Assert-NoTrace $text
    }

    It 'is not shown when it is thrown' {
        Enable-D365Exception
        try {
            $text = Get-Text (Invoke-Loud $Script 'http://127.0.0.1:1')
        } finally {
            Disable-D365Exception
        }
        $text | Should -MatchExactly connect_failed
        Assert-NoTrace $text
    }
}

Describe 'The configuration with tokens: <Name>' -ForEach $configurations {
    BeforeEach { $null = New-Store }

    It 'is not shown' {
        Set-D365LcsApiConfig -BearerToken "$core-bearer-0123456789" -RefreshToken "$core-refresh-0123456789"
        $run = Invoke-Loud $Script ''
        Assert-NoTrace (Get-Text $run)
    }
}

Describe 'A transcript' {
    BeforeEach { $null = New-Store }

    It 'of a whole session shows no secret' {
        $transcript = Join-Path $TestDrive transcript.txt
        $run = Invoke-Pwsh @'
param($module, $transcript, $authority, $bad)
$null = Start-Transcript $transcript
Import-Module $module
$PSDefaultParameterValues['*-D365Lcs*:Authority'] = $authority
$who = @{ ClientId = 'app'; Username = 'me'; LcsApiUri = 'https://lcsapi.lcs.dynamics.com' }
Get-D365LcsApiToken @who -Password $env:CANARY -Verbose -Debug
Get-D365LcsApiToken @who -Password $env:CANARY -Verbose -Debug | Set-D365LcsApiConfig -Verbose -Debug
Get-D365LcsApiConfig
Get-D365LcsApiConfig -OutputAsHashtable
Get-D365LcsApiConfig -AsHeaders
Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken -Verbose -Debug | Set-D365LcsApiConfig -Verbose -Debug
Get-D365LcsApiToken @who -Password $env:CANARY -Authority $bad -Verbose -Debug -WarningAction Continue
$Error | Get-Error
$null = Stop-Transcript
'@ $Module, $transcript, (Set-Authority $server $reply), (Set-Authority $server (New-AadError invalid_grant "AADSTS1: you sent $core") 400) @{ CANARY = $core }
        $text = Get-Content $transcript -Raw
        [regex]::Matches($text, 'POST http://').Count | Should -BeGreaterThan 3
        $text | Should -Match bearertoken
        Assert-NoTrace $text
        Assert-NoTrace ($run.Output + $run.Error)
    }
}

Describe 'Temporary files' {
    BeforeEach { $null = New-Store }

    It 'hold no secret' {
        $folder = Join-Path $TestDrive temporary
        $null = New-Item $folder -ItemType Directory
        $run = Invoke-Pwsh @'
param($module, $authority)
Import-Module $module
Get-D365LcsApiToken app me $env:CANARY https://lcsapi.lcs.dynamics.com -Authority $authority | Set-D365LcsApiConfig -Temporary
'@ $Module, (Set-Authority $server $reply) @{ CANARY = $core; TMPDIR = $folder; TMP = $folder; TEMP = $folder }
        $run.Error | Should -BeNullOrEmpty
        Get-ChildItem $folder -Recurse -File -Force | ForEach-Object { Get-Content $_ -Raw } | Should -Not -Match $core
    }
}
