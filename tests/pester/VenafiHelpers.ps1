# Dot-sourced after TestHelpers.ps1 by the tests of Venafi's service.

# A JWT that the server's service account accepts, good for ten minutes unless told otherwise.
function New-VenafiJwt($Server, [hashtable] $Claim = @{}) { (Invoke-Control $Server Post venafi/jwt $Claim).jwt }

# What the server's access tokens are like from now on: lifetime in seconds, jwt, and expires_in as number, text or absent.
function Set-VenafiToken($Server, [hashtable] $Token = @{}) { $null = Invoke-Control $Server Post venafi $Token }

function Read-Credential($Credential) { $Credential.GetNetworkCredential().Password }

# A stand-in for Microsoft.PowerShell.SecretManagement with one vault, in a folder for PSModulePath. What it keeps is in
# $global:FakeVault, by name.
function New-FakeVault([string] $Vault = 'VenafiPS') {
    $folder = Join-Path $TestDrive ([guid]::NewGuid())
    $null = New-Item (Join-Path $folder Microsoft.PowerShell.SecretManagement) -ItemType Directory
    $global:FakeVault = @{}
    Set-Content (Join-Path $folder Microsoft.PowerShell.SecretManagement Microsoft.PowerShell.SecretManagement.psm1) @"
function Get-SecretVault { [CmdletBinding()] param([string] `$Name) if (`$Name -eq '$Vault') { [pscustomobject]@{ Name = `$Name } } else { Write-Error "Vault `$Name does not exist." } }
function Set-Secret { [CmdletBinding()] param([string] `$Name, [object] `$Secret, [string] `$Vault, [hashtable] `$Metadata)
    if (`$Secret -is [pscustomobject]) { throw 'A vault does not keep such objects.' }
    `$global:FakeVault[`$Name] = @{ Secret = `$Secret; Metadata = `$Metadata } }
function Get-Secret { [CmdletBinding()] param([string] `$Name, [string] `$Vault)
    if (-not `$global:FakeVault.Contains(`$Name)) { Write-Error "The secret `$Name was not found."; return }
    `$global:FakeVault[`$Name].Secret }
function Get-SecretInfo { [CmdletBinding()] param([string] `$Name, [string] `$Vault)
    `$entries = [System.Collections.Generic.Dictionary[string, object]]::new()
    foreach (`$key in `$global:FakeVault[`$Name].Metadata.Keys) { `$entries[`$key] = `$global:FakeVault[`$Name].Metadata[`$key] }
    [pscustomobject]@{ Name = `$Name; Metadata = [System.Collections.ObjectModel.ReadOnlyDictionary[string, object]]::new(`$entries) } }
Export-ModuleMember -Function *
"@
    $folder
}
