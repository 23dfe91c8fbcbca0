<#
.SYNOPSIS
A runbook of Azure Automation (PowerShell 7.4) that calls an API with the credential asset "api-client".

.DESCRIPTION
The asset is made under Shared Resources > Credentials: the user name is the client id, the password the client secret.
TokenKit is added to the runtime environment as a package, from the archive TokenKit-<version>.zip or from a gallery.
#>
param(
    [Parameter(Mandatory)] [string] $TokenEndpoint,
    [Parameter(Mandatory)] [string] $Api
)
# A failure ends the job as failed.
$ErrorActionPreference = 'Stop'

$client = Get-AutomationPSCredential -Name api-client
# The user name of the credential is the client id.
$token = Invoke-OAuth2TokenEndpoint $TokenEndpoint -client_secret $client -scope api.read
Invoke-RestMethod $Api -Headers @{ Authorization = "Bearer $($token.access_token)" }
