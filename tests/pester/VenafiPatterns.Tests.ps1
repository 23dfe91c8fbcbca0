# The ways in which scripts use VenafiPS with TLSPC today: each must keep working as it is written here. Where a script
# would call another cmdlet of that module, a function of the script that takes -VenafiSession stands for it.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/VenafiHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $endpoint = $url = $server.venafi.endpoint
    $key = $server.venafi.api_key
    Set-VenafiToken $server

    # Stands for the cmdlets that use a session.
    function Get-VcUser {
        param([Alias('Key', 'AccessToken')] [psobject] $VenafiSession, [string] $Server)
        $given = if ($VenafiSession) { @{ VenafiSession = $VenafiSession } } else { @{} }
        $headers = Get-VenafiSession @given -AsHeaders
        if (-not $Server) { $Server = (Get-VenafiSession @given -NoRenewal).Server }
        (Invoke-RestMethod "$Server/v1/useraccounts" -Headers $headers -NoProxy).user
    }
}

AfterAll { Stop-Peer $server }

Describe 'The example of the original''s page' {
    It '1: New-VcToken' {
        $Jwt = New-VenafiJwt $server
        New-VenafiSession -VcEndpoint $endpoint -Jwt $Jwt
        $before = $VenafiSession.Token
        New-VcToken
        $VenafiSession.Token | Should -Not -Be $before
    }

    It '2: New-VcToken -Endpoint … -Jwt $Jwt' {
        $Jwt = New-VenafiJwt $server
        $endpoint | Should -Match '/v1/oauth2/v2\.0/2222c771-61f3-11ec-8a47-490a1e43c222/token$'
        $token = Invoke-Expression 'New-VcToken -Endpoint ''https://api.venafi.cloud/v1/oauth2/v2.0/2222c771-61f3-11ec-8a47-490a1e43c222/token'' -Jwt $Jwt'.Replace('https://api.venafi.cloud', $server.http)
        $token.AccessToken | Should -BeOfType pscredential
    }

    It '3: New-VcToken -VenafiSession $sess' {
        $sess = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        (New-VcToken -VenafiSession $sess).psobject.Properties.Name -join ' ' | Should -BeExactly 'Endpoint AccessToken JWT Expires'
    }
}

Describe 'A script that' {
    BeforeEach { $null = Get-SentRequest $server }

    It '1: makes a session by a key, then uses commands without a session' {
        foreach ($vcKey in $key, (ConvertTo-SecureString $key -AsPlainText), [pscredential]::new('x', (ConvertTo-SecureString $key -AsPlainText))) {
            New-VenafiSession -VcKey $vcKey -VcRegion eu -Proxy $server.http
            $VenafiSession.Server | Should -BeExactly https://api.eu.venafi.cloud
            (Get-VcUser -Server $server.http).id | Should -Not -BeNullOrEmpty
        }
    }

    It '2: makes a session in a pipeline, and renews it now and then with a bare New-VcToken' {
        $jwt = New-VenafiJwt $server
        New-VenafiSession -VcEndpoint $url -Jwt $jwt
        foreach ($round in 1..3) {
            (Get-VcUser).id | Should -Not -BeNullOrEmpty
            New-VcToken
        }
        @(Get-SentRequest $server | Where-Object Path -EQ ([uri]$endpoint).AbsolutePath).Count | Should -Be 4
    }

    It '3: hands a session to each command, or to a function that takes one' {
        $s = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        (Get-VcUser -VenafiSession $s).id | Should -Not -BeNullOrEmpty
        function Invoke-Wrapper { param($VenafiSession) Get-VcUser -VenafiSession $VenafiSession }
        (Invoke-Wrapper -VenafiSession $s).id | Should -Not -BeNullOrEmpty
    }

    It '4: puts the token into a header of its own, and compares Expires with Get-Date' {
        $jwt = New-VenafiJwt $server
        $t = New-VcToken -Endpoint $endpoint -Jwt $jwt
        $h = @{ Authorization = "Bearer $($t.AccessToken.GetNetworkCredential().Password)" }
        (Invoke-RestMethod "$($server.http)/v1/useraccounts" -Headers $h -NoProxy).user.id | Should -Not -BeNullOrEmpty
        $t.Expires -gt (Get-Date) | Should -BeTrue
        $t.Expires -gt (Get-Date).AddHours(2) | Should -BeFalse
    }

    It '5: assigns a new token to a session' {
        $s = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        $before = $s.Token
        $s.Token = New-VcToken -VenafiSession $s
        $s.Token.psobject.Properties.Name | Should -BeExactly $before.psobject.Properties.Name
        (Get-VcUser -VenafiSession $s).id | Should -Not -BeNullOrEmpty
    }

    It '6: reads and tests $VenafiSession at the prompt' {
        $run = Invoke-Pwsh @'
param($module, $endpoint, $jwt)
Import-Module $module
"before: $($null -eq $VenafiSession)"
New-VenafiSession -VcEndpoint $endpoint -Jwt $jwt
$VenafiSession.Platform
$VenafiSession.Server
$VenafiSession.User.companyId
$VenafiSession.Token.Expires -gt (Get-Date)
$VenafiSession.Server = 'https://changed.example'
(Get-VenafiSession).Server
Remove-Module TokenKit
"after: $(Test-Path variable:VenafiSession)"
'@ $Module, $endpoint, (New-VenafiJwt $server)
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\r?\n' -join ' ' | Should -BeExactly "before: True VC $($server.http) 2222c771-61f3-11ec-8a47-490a1e43c222 True https://changed.example after: False"
    }

    It '7: keeps a key in the vault once, and uses it later, by old names, too' {
        $path = $env:PSModulePath
        $env:PSModulePath = (New-FakeVault) + [System.IO.Path]::PathSeparator + $path
        try {
            $k = $key
            New-VenafiSession -VcKey $k -VaultVcKeyName n -Proxy $server.http
            New-VenafiSession -VaultVcKeyName n -Proxy $server.http
            Read-Credential $VenafiSession.Key | Should -BeExactly $k
            New-VenafiSession -VaasKey $k -VaultVaasKeyName old -Proxy $server.http
            New-VenafiSession -VaultVaasKeyName old -Proxy $server.http
            Read-Credential $VenafiSession.Key | Should -BeExactly $k
        } finally {
            $env:PSModulePath = $path
            Remove-Module Microsoft.PowerShell.SecretManagement -ErrorAction Ignore
            Remove-Variable FakeVault -Scope Global
        }
    }

    It '8: splats' {
        $p = @{ VcEndpoint = $endpoint; Jwt = New-VenafiJwt $server; PassThru = $true }
        $s = New-VenafiSession @p
        $s.Platform | Should -BeExactly VC
    }

    It '9: gives an API key in place of a session' {
        (Get-VcUser -VenafiSession $key -Server $server.http).id | Should -Not -BeNullOrEmpty
        (Get-VcUser -Key $key -Server $server.http).id | Should -Not -BeNullOrEmpty
        (Get-SentRequest $server).ForEach{ $_.Headers['tppl-api-key'] } | Should -BeExactly $key, $key
    }

    It '10: exports from one tenant and imports into another' {
        $a = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        $b = New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server) -PassThru
        function Import-VcUser { param([Parameter(ValueFromPipeline)] $User, $VenafiSession) process { Get-VcUser -VenafiSession $VenafiSession } }
        $null = Get-SentRequest $server
        $null = Get-VcUser -VenafiSession $a | Import-VcUser -VenafiSession $b
        $tokens = (Get-SentRequest $server).ForEach{ $_.Headers['authorization'] }
        $tokens | Should -BeExactly "Bearer $(Read-Credential $a.Token.AccessToken)", "Bearer $(Read-Credential $b.Token.AccessToken)"
    }
}

Describe 'The session of the module' {
    It 'is shared by scripts, functions and other modules of a runspace' {
        Set-Content "$TestDrive/Other.psm1" 'function Get-OtherServer { (Get-VenafiSession).Server }; function Set-OtherSession($endpoint, $jwt) { New-VenafiSession -VcEndpoint $endpoint -Jwt $jwt }'
        $run = Invoke-Pwsh @'
param($module, $other, $endpoint, $jwt)
Import-Module $module
Import-Module $other
Set-OtherSession $endpoint $jwt
$VenafiSession.Platform
Get-OtherServer
function Get-FromFunction { $VenafiSession.Platform }
Get-FromFunction
& { $VenafiSession.Platform }
Set-Content "$(Split-Path $other)/s.ps1" '$VenafiSession.Platform'
& "$(Split-Path $other)/s.ps1"
'@ $Module, "$TestDrive/Other.psm1", $endpoint, (New-VenafiJwt $server)
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\r?\n' -join ' ' | Should -BeExactly "VC $($server.http) VC VC VC"
    }

    It 'is there for a module that brings TokenKit as a nested one' {
        $null = New-Item "$TestDrive/Outer" -ItemType Directory
        $manifest = (Get-ChildItem $Module -Recurse -Filter TokenKit.psd1).FullName
        Set-Content "$TestDrive/Outer/Outer.psd1" "@{ ModuleVersion = '1.0'; RootModule = 'Outer.psm1'; NestedModules = @('$manifest'); FunctionsToExport = 'Use-Outer'; CmdletsToExport = '*'; VariablesToExport = '*' }"
        Set-Content "$TestDrive/Outer/Outer.psm1" 'function Use-Outer($endpoint, $jwt) { New-VenafiSession -VcEndpoint $endpoint -Jwt $jwt; (Get-VenafiSession).Platform }'
        $run = Invoke-Pwsh 'param($outer, $endpoint, $jwt) Import-Module $outer; Use-Outer $endpoint $jwt; (Get-VenafiSession).Platform' "$TestDrive/Outer", $endpoint, (New-VenafiJwt $server)
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\s+' -join ' ' | Should -BeExactly 'VC VC'
    }

    It 'is each runspace''s own in ForEach-Object -Parallel, and a session may be handed over' {
        New-VenafiSession -VcEndpoint $endpoint -Jwt (New-VenafiJwt $server)
        $mine = $VenafiSession
        $jwts = 1..3 | ForEach-Object { New-VenafiJwt $server }
        $results = $jwts | ForEach-Object -ThrottleLimit 3 -Parallel {
            Import-Module $using:Module
            $before = $null -eq $VenafiSession
            New-VenafiSession -VcEndpoint $using:endpoint -Jwt $_
            Start-Sleep -Milliseconds 200
            [pscustomobject]@{
                Before = $before; Own = (Get-VenafiSession).Token.JWT.GetNetworkCredential().Password -ceq $_
                Handed = (Get-VenafiSession -VenafiSession $using:mine -AsHeaders).Authorization
            }
        }
        $results.Before | Should -Be $true, $true, $true
        $results.Own | Should -Be $true, $true, $true
        $results.Handed | Sort-Object -Unique | Should -BeExactly "Bearer $(Read-Credential $mine.Token.AccessToken)"
        [object]::ReferenceEquals($VenafiSession, $mine) | Should -BeTrue
    }

    It 'is gone after Import-Module -Force, and works again' {
        $run = Invoke-Pwsh @'
param($module, $endpoint, $jwt)
Import-Module $module
New-VenafiSession -VcEndpoint $endpoint -Jwt $jwt
Import-Module $module -Force
"gone: $($null -eq $VenafiSession)"
try { Get-VenafiSession } catch { ($_.FullyQualifiedErrorId -split ',')[0] }
New-VenafiSession -VcEndpoint $endpoint -Jwt $jwt
$VenafiSession.Platform
'@ $Module, $endpoint, (New-VenafiJwt $server)
        $run.Error | Should -BeNullOrEmpty
        $run.Output.Trim() -split '\r?\n' -join ' ' | Should -BeExactly 'gone: True no_session VC'
    }
}
