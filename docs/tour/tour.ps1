<#
.SYNOPSIS
Makes the picture of a terminal in the README: types into a real PowerShell on a pseudo terminal, against a local server.

.DESCRIPTION
./build.ps1 Tour runs it. Needs Node.js, and script of util-linux or macOS.
#>
param(
    # The staged module folder.
    [Parameter(Mandatory)] [string] $Module,
    # The tokenkit-testserver executable.
    [Parameter(Mandatory)] [string] $TestServer,
    # The picture to write.
    [string] $Destination = (Join-Path $PSScriptRoot tour.svg)
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$root = Split-Path (Split-Path $PSScriptRoot)
$Module = (Resolve-Path $Module).ProviderPath

# Starts a program that ends with its standard input; returns it and its ready line.
function Start-Program([string] $FileName, [string[]] $ArgumentList) {
    $start = [System.Diagnostics.ProcessStartInfo]@{ FileName = $FileName; RedirectStandardInput = $true; RedirectStandardOutput = $true }
    foreach ($argument in $ArgumentList) { $start.ArgumentList.Add($argument) }
    # A person sits in front of it, wherever this runs.
    foreach ($name in 'CI', 'TF_BUILD', 'GITHUB_ACTIONS', 'GITLAB_CI', 'JENKINS_URL', 'TEAMCITY_VERSION', 'BUILDKITE', 'CODEBUILD_BUILD_ID',
        'AUTOMATION_ASSET_ACCOUNTID', 'FUNCTIONS_WORKER_RUNTIME', 'AWS_LAMBDA_FUNCTION_NAME') { $null = $start.Environment.Remove($name) }
    $process = [System.Diagnostics.Process]::Start($start)
    [pscustomobject]@{ Process = $process; Ready = $process.StandardOutput.ReadLine() | ConvertFrom-Json }
}

function Stop-Program($Program) {
    $Program.Process.StandardInput.Close()
    if (-not $Program.Process.WaitForExit(10000)) { $Program.Process.Kill() }
}

function Invoke-Terminal([string] $Route, [hashtable] $Body = @{}) {
    Invoke-RestMethod "$($terminal.Ready.control)/$Route" -Method Post -Body (ConvertTo-Json $Body) -NoProxy
}

function Wait-Screen([string] $Pattern) { (Invoke-Terminal wait @{ pattern = $Pattern; milliseconds = 60000 }).lines }

# A prompt and nothing behind it.
$ready = '^PS>(?![\s\S])'

# Types a command and presses Enter; `Until` is on the screen when it is done.
function Send-Command([string] $Text, [string] $Until = $ready) {
    Invoke-Terminal type @{ text = $Text }
    $null = Wait-Screen ([regex]::Escape($Text) + '(?![\s\S])')
    Invoke-Terminal type @{ text = "`r" }
    Wait-Screen $Until
}

$server = Start-Program $TestServer @()
try {
    $address = $server.Ready.http
    # No suggestions and no history of the user who runs this, and their prompt neither.
    $prepare = "Set-PSReadLineOption -PredictionSource None -HistorySaveStyle SaveNothing; function prompt { 'PS> ' }; Import-Module '$Module'; `$as = '$address'; Clear-Host"
    $terminal = Start-Program node (Join-Path $root tests/servers/user/terminal.mjs), --columns, 100, --rows, 45, '--',
        (Get-Process -Id $PID).Path, -NoProfile, -NoLogo, -NoExit, -Command, $prepare
    try {
        $null = Wait-Screen $ready
        $null = Send-Command "`$secret = Read-Host 'Client secret' -AsSecureString" '^Client secret:'
        Invoke-Terminal type @{ text = "demo-secret`r" }
        $null = Wait-Screen $ready
        $null = Send-Command '$token = token $as/token -client_id demo-client -client_secret $secret -scope api.read -Verbose'
        $null = Send-Command '$token'

        $lines = Send-Command '$code = deviceauth $as/device_authorization -client_id public-client -scope openid'
        # The person at the other device.
        $userCode = [regex]::Match($lines -join "`n", '\b[A-Z]{4}-[A-Z]{4}\b').Value
        $null = Invoke-RestMethod "$address/control/device" -Method Post -NoProxy -ContentType application/json -Body (@{ user_code = $userCode; action = 'approve' } | ConvertTo-Json)
        $null = Send-Command '$user = $code | token $as/token -client_id public-client'
        $null = Send-Command '$user'

        $null = Send-Command 'token $as/token -client_id demo-client -client_secret mistyped'
        $svg = (Invoke-Terminal svg @{ title = 'A PowerShell session: a token for an application, a sign-in on another device, and an error' }).svg
    } finally {
        Stop-Program $terminal
    }
} finally {
    Stop-Program $server
}
[System.IO.File]::WriteAllText($ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Destination), $svg)
Write-Host "Picture: $Destination"
