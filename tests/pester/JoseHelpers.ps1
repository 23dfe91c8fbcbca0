# Dot-sourced after TestHelpers.ps1 by the tests of tokens and keys.

# Runs jobs with npm jose (tests/servers/oidc-provider/jose.mjs) and returns a text for each.
function Invoke-Jose([object[]] $Job) {
    $start = [System.Diagnostics.ProcessStartInfo]@{
        FileName = 'node'; RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
    }
    $start.ArgumentList.Add((Join-Path $PSScriptRoot ../servers/oidc-provider/jose.mjs))
    $process = [System.Diagnostics.Process]::Start($start)
    $output = $process.StandardOutput.ReadToEndAsync()
    $log = $process.StandardError.ReadToEndAsync()
    $process.StandardInput.Write((ConvertTo-Json @($Job) -Depth 20 -Compress))
    $process.StandardInput.Close()
    $process.WaitForExit()
    if ($process.ExitCode) { throw "jose.mjs failed: $($log.Result)" }
    $output.Result | ConvertFrom-Json
}

# An issuer on `Server`: its metadata and its keys, these JWKs. Returns the issuer.
function New-Issuer($Server, [object[]] $Jwk, [string] $Path = '', [object[]] $Header = @()) {
    $issuer = "$($Server.http)$Path"
    $null = Set-Reply $Server "$Path/.well-known/openid-configuration" (New-JsonReply 200 @{ issuer = $issuer; jwks_uri = "$issuer/keys" })
    $null = Set-Reply $Server "$Path/keys" (New-JsonReply 200 @{ keys = @($Jwk) } $Header)
    $issuer
}

# A header, claims (texts as they are, other values as JSON) and a signature as a token.
function Join-Jwt($Header, $Claims, $Signature = '') {
    $parts = foreach ($part in $Header, $Claims) { ConvertTo-Base64Url ($part -is [string] ? $part : (ConvertTo-Json $part -Depth 9 -Compress)) }
    "$($parts -join '.').$($Signature -is [byte[]] ? (ConvertTo-Base64Url $Signature) : $Signature)"
}
