<#
.SYNOPSIS
Shows the main job against a local authorization server: a token, a refresh, an error.
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

$start = [System.Diagnostics.ProcessStartInfo]@{
    FileName = $TestServer; RedirectStandardInput = $true; RedirectStandardOutput = $true
}
$server = [System.Diagnostics.Process]::Start($start)
try {
    $address = ($server.StandardOutput.ReadLine() | ConvertFrom-Json).http
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
} finally {
    $server.StandardInput.Close()
    if (-not $server.WaitForExit(5000)) { $server.Kill() }
}
