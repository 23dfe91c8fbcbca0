# Dot-sourced after TestHelpers.ps1 by the tests of Cloud Governance.

# Configures the commands for the server, as a script does, and forgets what was before.
function Set-Governance($Server) {
    $configuration = Get-GovernanceConfiguration
    $configuration.Clear()
    $configuration = Get-GovernanceConfiguration
    $configuration['BaseUrl'] = $Server.governance.base_url
    $configuration['ApiKey']['clientSecret'] = 'eyJ...'
    $configuration['ApiKey']['userPrincipalName'] = 'someone@example.com'
}

# A credential that the server knows.
function New-TestCredential { New-ApiCredential -ClientSecret MyClientSecret -UserPrincipalName MyUserPrincipalName }

# Fixes the next answer to a path below BaseUrl.
function Set-GovernanceReply($Server, [string] $Path, [hashtable] $Reply) {
    $null = Set-Reply $Server "/governance$Path" ($Reply + @{ times = 1 })
}

# What the service answers: JSON with these members.
function New-GovernanceReply([int] $Status, $Body, [string] $ContentType = 'application/json; charset=utf-8') {
    @{ status = $Status; headers = @(, @('Content-Type', $ContentType)); body = ConvertTo-Json $Body -Compress }
}
