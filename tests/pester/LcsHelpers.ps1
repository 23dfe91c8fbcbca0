# Dot-sourced after TestHelpers.ps1 by the tests of the LCS cmdlets: replies as those of the Entra token endpoint, and
# values for the configuration.

$client = '9b4f4503-b970-4ade-abc6-2c086e4c4929'
$user = 'serviceaccount@domain.com'
$password = 'TopSecretPassword'
$address = 'https://lcsapi.lcs.dynamics.com'

# What a token command needs beside -Password.
$who = @{ ClientId = $client; Username = $user; LcsApiUri = $address }

# A reply of version 1: every value is a text, and the members have this order.
function New-V1Token([string] $Name = 'token', [int] $Lifetime = 3599) {
    $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
    [ordered]@{
        token_type = 'Bearer'; scope = 'user_impersonation'; expires_in = "$Lifetime"; ext_expires_in = "$Lifetime"
        expires_on = "$($now + $Lifetime)"; not_before = "$($now - 300)"; resource = $address
        access_token = "access-$Name"; refresh_token = "refresh-$Name"; id_token = "id-$Name"
    }
}

# Lets an authority answer with this object; returns its address for -Authority. `Status` other than 200 is an error.
function Set-Authority($Server, $Body, [int] $Status = 200, [object[]] $Header = @()) {
    Set-Reply $Server "/canned/$([guid]::NewGuid())/oauth2/token" (New-JsonReply $Status $Body $Header)
}

# How Entra refuses.
function New-AadError([string] $Code = 'invalid_grant', [string] $Description = 'AADSTS50126: Error validating credentials due to invalid username or password.') {
    [ordered]@{ error = $Code; error_description = $Description; error_codes = @(50126); timestamp = '2026-11-21 14:00:00Z'; trace_id = 'trace'; correlation_id = 'correlation' }
}

# Runs the command and returns its output, its warnings, what -ErrorVariable got and what is new in $Error.
function Watch-Command([scriptblock] $Command, [hashtable] $With = @{}) {
    $before = $global:Error.Count
    $thrown = $output = $warnings = $errors = $null
    try { $output = & $Command @With -WarningVariable warnings -ErrorVariable errors 3>$null } catch { $thrown = $_ }
    [pscustomobject]@{
        Output = $output; Warnings = @($warnings); Errors = @($errors); Thrown = $thrown; Added = $global:Error.Count - $before
    }
}
