# Keeps the token for Dynamics LCS fresh, for the jobs of the same user. The first run needs client id, user name and
# password; later ones refresh. Run by keep-lcs-token.timer, or by cron as in the file crontab.
$ErrorActionPreference = 'Stop'
Enable-D365Exception

if (Test-D365LcsApiToken -MinimumLifetime 1800 -Quiet) { return }

$config = Get-D365LcsApiConfig
if ($config.refreshtoken) {
    $config | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig
} else {
    # What systemd has decrypted for this service alone; see LoadCredential= in the unit.
    $password = Get-Content (Join-Path $env:CREDENTIALS_DIRECTORY lcs-password) -Raw | ForEach-Object Trim | ConvertTo-SecureString -AsPlainText
    Get-D365LcsApiToken -ClientId $env:LCS_CLIENT_ID -Username $env:LCS_USERNAME -Password $password -LcsApiUri $env:LCS_API_URI |
        Set-D365LcsApiConfig -ProjectId $env:LCS_PROJECT_ID
}
