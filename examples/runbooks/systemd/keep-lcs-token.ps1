# Keeps the token for Dynamics LCS fresh, for the jobs of the same user. The first run needs client id, user name and
# password; later ones refresh, and sign in again when the refresh token is refused. Run by keep-lcs-token.timer, or by
# cron as in the file crontab.
$ErrorActionPreference = 'Stop'
Enable-D365Exception

if (Test-D365LcsApiToken -MinimumLifetime 1800 -Quiet) { return }

# What systemd has decrypted for this service alone; see LoadCredential= in the unit.
$passwordFile = "$env:CREDENTIALS_DIRECTORY/lcs-password"
$config = Get-D365LcsApiConfig
if ($config.refreshtoken) {
    try {
        $config | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig
        return
    } catch {
        # The refresh token has expired or was revoked. No other failure is mended by a sign-in.
        if ($_.FullyQualifiedErrorId -notlike 'invalid_grant,*' -or -not (Test-Path $passwordFile)) { throw }
    }
}
$password = Get-Content $passwordFile -Raw | ForEach-Object Trim | ConvertTo-SecureString -AsPlainText
Get-D365LcsApiToken -ClientId $env:LCS_CLIENT_ID -Username $env:LCS_USERNAME -Password $password -LcsApiUri $env:LCS_API_URI |
    Set-D365LcsApiConfig -ProjectId $env:LCS_PROJECT_ID
