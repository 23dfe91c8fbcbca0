<#
.SYNOPSIS
Gets tokens with clients that are kept in a vault of Microsoft.PowerShell.SecretManagement.

.DESCRIPTION
A client is kept as hashtable, whose keys are parameters of the cmdlet:

    Set-Secret api-client @{ client_id = 'demo-client'; client_secret = 'demo-secret' }

or as credential, whose user name is the client id:

    Set-Secret api-credential (Get-Credential)
#>
param(
    [Parameter(Mandatory)] [string] $TokenEndpoint,
    [Parameter(Mandatory)] [string] $Api
)
$ErrorActionPreference = 'Stop'

# A hashtable is piped in, with its SecureStrings.
$token = Get-Secret api-client | Invoke-OAuth2TokenEndpoint $TokenEndpoint -scope api.read
Invoke-RestMethod $Api -Headers @{ Authorization = "Bearer $($token.access_token)" }

# A credential is the client's id and secret.
$token = Invoke-OAuth2TokenEndpoint $TokenEndpoint -client_secret (Get-Secret api-credential) -scope api.read
Invoke-RestMethod $Api -Headers @{ Authorization = "Bearer $($token.access_token)" }
