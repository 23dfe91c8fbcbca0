<#
.SYNOPSIS
Signs a staged module with Authenticode, and adds a signed catalog of all its files. Windows only.

.EXAMPLE
./packaging/sign.ps1 -Module ./out/TokenKit/0.1.0 -Certificate ./signing.pfx
The password of the file is in the environment variable TOKENKIT_SIGNING_PASSWORD.
#>
param(
    # The folder of the staged module.
    [Parameter(Mandatory)] [string] $Module,
    # The certificate with its key, as PFX file.
    [Parameter(Mandatory)] [string] $Certificate,
    # Where the time of the signature is confirmed.
    [string] $TimestampServer = 'http://timestamp.digicert.com'
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
if (-not $IsWindows) { throw 'Authenticode signatures are made on Windows. Run this step there, or pack without -SigningCertificate.' }

$signer = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new((Resolve-Path $Certificate).ProviderPath, $env:TOKENKIT_SIGNING_PASSWORD)
function Add-Signature([string[]] $File) {
    foreach ($path in $File) {
        $signature = Set-AuthenticodeSignature $path $signer -HashAlgorithm SHA256 -IncludeChain NotRoot -TimestampServer $TimestampServer
        if ($signature.Status -ne 'Valid') { throw "$path is not signed: $($signature.StatusMessage)" }
    }
}

Add-Signature (Get-ChildItem $Module -Recurse -File | Where-Object Extension -In '.dll', '.psd1', '.psm1', '.ps1xml').FullName
# What cannot hold a signature, such as the libraries for other systems, is in the catalog: Test-FileCatalog.
$catalog = New-FileCatalog -Path $Module -CatalogFilePath (Join-Path $Module TokenKit.cat) -CatalogVersion 2
Add-Signature $catalog.FullName
