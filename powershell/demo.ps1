<#
.SYNOPSIS
Shows the main jobs against a local server: a token, a refresh, an error; the Dynamics LCS cmdlets with the configuration
they keep, in a folder of its own; sessions with Venafi and Cloud Governance.
#>
param(
    # The staged module folder.
    [Parameter(Mandatory)] [string] $Module,
    # The tokenkit-testserver executable.
    [Parameter(Mandatory)] [string] $TestServer
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# Shows lines as a user would type them, runs them, and prints what comes out. To be dot-sourced, so that the
# lines share their variables.
function Show-Step([string] $Comment, [scriptblock] $Command) {
    Write-Host "`n# $Comment" -ForegroundColor DarkGray
    Write-Host "PS> $("$Command".Trim() -replace '(?m)^ {8}', '    ')" -ForegroundColor Cyan
    Write-Host (. $Command | Out-String).Trim()
}

# Never the store of the user who looks on, nor their keyring.
$folder = Join-Path ([System.IO.Path]::GetTempPath()) "tokenkit-demo-$([guid]::NewGuid())"
$env:TOKENKIT_HOME = $folder
$env:TOKENKIT_NO_KEYRING = '1'
$env:TOKENKIT_STORE_KEY = $env:TOKENKIT_STORE_KEY_FILE = $null

$start = [System.Diagnostics.ProcessStartInfo]@{
    FileName = $TestServer; RedirectStandardInput = $true; RedirectStandardOutput = $true
}
$server = [System.Diagnostics.Process]::Start($start)
try {
    $ready = $server.StandardOutput.ReadLine() | ConvertFrom-Json
    $address = $ready.http
    $token_endpoint = "$address/token"
    Import-Module $Module

    . Show-Step 'A token for an application (client credentials)' {
        Invoke-OAuth2TokenEndpoint $token_endpoint -client_id demo-client -client_secret demo-secret -scope api.read
    }

    $body = @{ client_id = 'public-client'; scope = 'openid'; redirect_uri = 'http://127.0.0.1/'; nonce = 'n-0S6_WzA2Mj' } | ConvertTo-Json
    $code = (Invoke-RestMethod "$address/control/code" -Method Post -Body $body -ContentType application/json).code
    . Show-Step 'A token for a user, from the code that a sign-in yields; the nonce is checked' {
        $token = Invoke-OAuth2TokenEndpoint $token_endpoint -client_id public-client -code $code -redirect_uri http://127.0.0.1/ -scope openid -nonce n-0S6_WzA2Mj
        $token
    }

    . Show-Step 'The same user later, by the refresh token' {
        Invoke-OAuth2TokenEndpoint $token_endpoint -client_id public-client -refresh_token $token.refresh_token
    }

    # The JWT that the identity provider of a pipeline gives, and where Venafi and Cloud Governance are.
    function New-Jwt { (Invoke-RestMethod "$address/control/venafi/jwt" -Method Post -Body '{}' -ContentType application/json).jwt }
    $jwt = New-Jwt
    $vc_endpoint = $ready.venafi.endpoint
    . Show-Step 'A session with Venafi TLS Protect Cloud, by the JWT of a pipeline' {
        New-VenafiSession -VcEndpoint $vc_endpoint -Jwt $jwt
        $VenafiSession
    }

    . Show-Step 'A new access token for it, and a request with that' {
        New-VcToken
        Invoke-RestMethod "$($VenafiSession.Server)/v1/useraccounts" -Headers (Get-VenafiSession -AsHeaders) | Select-Object -ExpandProperty user
    }

    . Show-Step 'A session that renews itself: half a minute before the end it asks for another JWT' {
        New-VenafiSession -VcEndpoint $vc_endpoint -JwtScript { New-Jwt }
        $VenafiSession.Token.Expires = (Get-Date).AddSeconds(30)
        (Get-VenafiSession).Token
    }

    $governance = $ready.governance
    . Show-Step 'A delegated token of AvePoint Cloud Governance, and its refresh' {
        Set-GovernanceConfiguration -BaseUrl $governance.base_url
        $result = New-ApiCredential MyClientSecret MyUserPrincipalName | Get-DelegateAccessToken
        $result.Value
        ($result | Invoke-RefreshUserAccessToken).Value
    }

    . Show-Step 'A wrong secret' {
        try {
            Invoke-OAuth2TokenEndpoint $token_endpoint -client_id demo-client -client_secret wrong-secret
        } catch {
            "Message     : $_"
            "ErrorId     : $($_.FullyQualifiedErrorId)"
            "Category    : $($_.CategoryInfo.Category)"
            "HTTP status : $([int]$_.Exception.Response.StatusCode)"
            "What to do  : $($_.ErrorDetails.RecommendedAction)"
        }
    }

    # The rest talks to this server in place of Microsoft Entra.
    $PSDefaultParameterValues['*-D365Lcs*:Authority'] = $address
    $password = ConvertTo-SecureString TopSecretPassword -AsPlainText
    . Show-Step 'Dynamics LCS: the first token is saved with all that the next one needs (Get | Set)' {
        Get-D365LcsApiToken -ClientId 9b4f4503-b970-4ade-abc6-2c086e4c4929 -Username serviceaccount@domain.com -Password $password -LcsApiUri https://lcsapi.eu.lcs.dynamics.com | Set-D365LcsApiConfig -ProjectId 123456789
        Get-D365LcsApiConfig
    }

    . Show-Step 'Another by the refresh token, which the server takes once only (Get | Invoke | Set)' {
        Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig
        Get-D365LcsApiConfig
    }

    $before = Get-D365LcsApiConfig
    $refreshes = (Invoke-RestMethod "$address/control/entra").refreshes
    . Show-Step 'Eight jobs do so at the same time: the refresh token is spent once, all get the new one' {
        1..8 | ForEach-Object -ThrottleLimit 8 -Parallel {
            Import-Module $using:Module
            $using:before | Invoke-D365LcsApiRefreshToken -Authority $using:address | Set-D365LcsApiConfig
        }
        "Requests        : $((Invoke-RestMethod "$address/control/entra").refreshes - $refreshes)"
        "Still good for  : $((Test-D365LcsApiToken).TimeLeft)"
    }

    . Show-Step 'Where it is kept' { Get-TokenKitStore }

    $key = [Convert]::ToBase64String([System.Security.Cryptography.RandomNumberGenerator]::GetBytes(32))
    . Show-Step 'Sealed with a key' {
        $null = Move-TokenKitStore key -Key $key
        $env:TOKENKIT_STORE_KEY = $key
        Get-TokenKitStore
    }

    . Show-Step 'A wrong password is a warning and no token, so that a chain changes nothing' {
        $token = Get-D365LcsApiToken -Username serviceaccount@domain.com -Password wrong 3>&1
        "$token"
    }
} finally {
    Remove-Item $folder -Recurse -Force -ErrorAction Ignore
    $server.StandardInput.Close()
    if (-not $server.WaitForExit(5000)) { $server.Kill() }
}
