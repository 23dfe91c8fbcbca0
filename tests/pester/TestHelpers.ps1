# Dot-sourced by each file's BeforeAll: the servers, what they saw, and errors as records.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# ---- the store: never that of the user who runs the tests, and no key in their keyring

# A store of its own, which is still to be made; returns its folder.
function New-Store {
    $env:TOKENKIT_HOME = Join-Path $TestDrive store ([guid]::NewGuid())
    $env:TOKENKIT_HOME
}

$null = New-Store
$env:TOKENKIT_NO_KEYRING = '1'
$env:TOKENKIT_STORE_KEY = $env:TOKENKIT_STORE_KEY_FILE = $null
$env:XDG_CONFIG_HOME = Join-Path $TestDrive config

# ---- servers: both end with their standard input, so none outlives the test run

# Starts a program that prints one line of JSON when it is ready, and returns that line's members.
function Start-Peer([string] $FileName, [string[]] $ArgumentList) {
    $start = [System.Diagnostics.ProcessStartInfo]@{
        FileName = $FileName; RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
    }
    foreach ($argument in $ArgumentList) { $start.ArgumentList.Add($argument) }
    $process = [System.Diagnostics.Process]::Start($start)
    # Read all the time: a full pipe would stop the program.
    $log = $process.StandardError.ReadToEndAsync()
    $line = $process.StandardOutput.ReadLineAsync()
    if (-not $line.Wait(60000) -or -not $line.Result) {
        $process.Kill()
        throw "$FileName did not get ready: $($log.Result)"
    }
    $peer = $line.Result | ConvertFrom-Json
    $peer | Add-Member NoteProperty Process $process -PassThru
}

function Stop-Peer($Peer) {
    $Peer.Process.StandardInput.Close()
    if (-not $Peer.Process.WaitForExit(10000)) { $Peer.Process.Kill() }
}

# Starts oidc-provider; its keys and certificates are in the test's own folder.
function Start-Provider {
    Start-Peer node (Join-Path $PSScriptRoot ../servers/oidc-provider/server.mjs), --dir, (Join-Path $TestDrive provider)
}

# Talks to the control endpoints of tokenkit-testserver.
function Invoke-Control($Server, [string] $Method, [string] $Path, $Body) {
    $json = if ($null -ne $Body) { ConvertTo-Json $Body -Depth 9 -Compress }
    Invoke-RestMethod "$($Server.http)/control/$Path" -Method $Method -Body $json -ContentType application/json -NoProxy
}

# Fixes what `Path` answers, one reply after the other; the last one stays. Returns the path's URL.
function Set-Reply($Server, [string] $Path, [hashtable[]] $Reply) {
    $null = Invoke-Control $Server Put canned @{ path = $Path; replies = @($Reply) }
    "$($Server.http)$Path"
}

# A reply with this object as JSON.
function New-JsonReply([int] $Status, $Body, [object[]] $Header = @()) {
    @{ status = $Status; headers = @(, @('Content-Type', 'application/json')) + $Header; body = ConvertTo-Json $Body -Depth 9 -Compress }
}

# The requests since the last call, in order.
function Get-SentRequest($Server) {
    foreach ($request in (Invoke-Control $Server Get requests).requests) {
        $headers = @{}
        foreach ($header in $request.headers) { $headers[$header[0]] = $header[1] }
        [pscustomobject]@{
            Method = $request.method; Path = $request.path; Scheme = $request.scheme; HttpVersion = $request.http_version
            Headers = $headers; Body = $request.body; Form = ConvertFrom-Form $request.body
            ViaProxy = $request.via_proxy; ProxyAuthorization = $request.proxy_authorization
        }
    }
}

function Get-OpenRequest($Server) { (Invoke-Control $Server Get open).open }

# Waits until the condition holds; false when it did not in time.
function Wait-Until([scriptblock] $Condition, [int] $Milliseconds = 10000) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    while ($watch.ElapsedMilliseconds -lt $Milliseconds) {
        if (& $Condition) { return $true }
        Start-Sleep -Milliseconds 5
    }
    $false
}

# ---- encodings, written without TokenKit

function ConvertFrom-Form([string] $Body) {
    $form = [ordered]@{}
    foreach ($pair in $Body -split '&' | Where-Object { $_ }) {
        $name, $value = ($pair -split '=', 2).ForEach{ [System.Net.WebUtility]::UrlDecode($_) }
        $form[$name] = if ($form.Contains($name)) { @($form[$name]) + $value } else { $value }
    }
    $form
}

function ConvertFrom-Base64Url([string] $Text) {
    $base64 = $Text.Replace('-', '+').Replace('_', '/')
    , [Convert]::FromBase64String($base64.PadRight([Math]::Ceiling($base64.Length / 4) * 4, '='))
}

function ConvertTo-Base64Url($Value) {
    $bytes = $Value -is [byte[]] ? $Value : [System.Text.Encoding]::UTF8.GetBytes($Value)
    [Convert]::ToBase64String($bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_')
}

# Header, claims and signature of a JWT, unchecked.
function Read-Jwt([string] $Token) {
    $header, $claims, $signature = $Token -split '\.'
    [pscustomobject]@{
        Header = [System.Text.Encoding]::UTF8.GetString((ConvertFrom-Base64Url $header)) | ConvertFrom-Json
        Claims = [System.Text.Encoding]::UTF8.GetString((ConvertFrom-Base64Url $claims)) | ConvertFrom-Json
        Signature = ConvertFrom-Base64Url $signature
        Signed = [System.Text.Encoding]::ASCII.GetBytes("$header.$claims")
    }
}

# A JWT signed with RS256 by an RSA object or HS256 by a text.
function New-Jwt([hashtable] $Claims, $Key) {
    $header = @{ alg = $Key -is [string] ? 'HS256' : 'RS256'; typ = 'JWT' }
    $signed = ($header, $Claims | ForEach-Object { ConvertTo-Base64Url (ConvertTo-Json $_ -Compress) }) -join '.'
    $bytes = [System.Text.Encoding]::ASCII.GetBytes($signed)
    [byte[]] $signature = if ($Key -is [string]) {
        [System.Security.Cryptography.HMACSHA256]::HashData([System.Text.Encoding]::UTF8.GetBytes($Key), $bytes)
    } else {
        $Key.SignData($bytes, 'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
    }
    "$signed.$(ConvertTo-Base64Url $signature)"
}

# Claims of a JWT bearer assertion for `Audience`, good for five minutes.
function New-AssertionClaim([string] $Issuer, [string] $Subject, [string] $Audience) {
    $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
    @{ iss = $Issuer; sub = $Subject; aud = $Audience; iat = $now; exp = $now + 300; jti = [guid]::NewGuid().ToString() }
}

# code_verifier and S256 code_challenge (RFC 7636).
function New-Pkce {
    $verifier = ConvertTo-Base64Url ([System.Security.Cryptography.RandomNumberGenerator]::GetBytes(32))
    $digest = [System.Security.Cryptography.SHA256]::HashData([System.Text.Encoding]::ASCII.GetBytes($verifier))
    @{ Verifier = $verifier; Challenge = ConvertTo-Base64Url $digest }
}

# A self-signed certificate for an RSA key, good today.
function New-Certificate($Rsa) {
    $padding = [System.Security.Cryptography.RSASignaturePadding]::Pkcs1
    $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new('CN=app', $Rsa, 'SHA256', $padding)
    $request.CreateSelfSigned((Get-Date).AddDays(-1), (Get-Date).AddDays(1))
}

# ---- errors

# Runs the command, which must fail, and returns the ErrorRecord.
function Get-Failure([scriptblock] $Command) {
    try { $output = & $Command } catch { return $_ }
    throw "No error was thrown; output: $($output | Out-String)"
}

# The part of FullyQualifiedErrorId that the cmdlet chose.
function Get-ErrorId($ErrorRecord) { ($ErrorRecord.FullyQualifiedErrorId -split ',')[0] }

# ---- other processes and runspaces

# Starts a script text in a new pwsh, which reads its standard input only if the script does.
function Start-Pwsh([string] $Script, [string[]] $ArgumentList = @(), [hashtable] $Environment = @{}, [string[]] $Launcher = @()) {
    $file = Join-Path $TestDrive "$([guid]::NewGuid()).ps1"
    Set-Content $file $Script
    $command = @($Launcher) + @((Get-Process -Id $PID).Path, '-NoProfile', '-NonInteractive', '-File', $file) + $ArgumentList
    $start = [System.Diagnostics.ProcessStartInfo]@{
        FileName = $command[0]; RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
    }
    foreach ($argument in $command | Select-Object -Skip 1) { $start.ArgumentList.Add($argument) }
    $start.Environment['NO_COLOR'] = '1'
    foreach ($name in $Environment.Keys) { $start.Environment[$name] = $Environment[$name] }
    $process = [System.Diagnostics.Process]::Start($start)
    [pscustomobject]@{ Process = $process; Output = $process.StandardOutput.ReadToEndAsync(); Error = $process.StandardError.ReadToEndAsync() }
}

# Waits for such a process and returns its exit code, standard output and standard error.
function Wait-Pwsh($Running, [int] $Milliseconds = 60000) {
    if (-not $Running.Process.WaitForExit($Milliseconds)) {
        $Running.Process.Kill($true)
        throw "The script did not end: $($Running.Output.Result) $($Running.Error.Result)"
    }
    [pscustomobject]@{ ExitCode = $Running.Process.ExitCode; Output = $Running.Output.Result; Error = $Running.Error.Result }
}

# Runs a script text in a new pwsh and returns its exit code, standard output and standard error.
function Invoke-Pwsh([string] $Script, [string[]] $ArgumentList = @(), [hashtable] $Environment = @{}, [string[]] $Launcher = @(), [int] $Milliseconds = 60000) {
    $running = Start-Pwsh $Script $ArgumentList $Environment $Launcher
    $running.Process.StandardInput.Close()
    Wait-Pwsh $running $Milliseconds
}

# A pipeline in a new runspace without user interface, so that a missing mandatory parameter is an error and
# no question. The module is loaded; `Argument` becomes $args.
function New-Pipeline([string] $Module, [string] $Script, [object[]] $Argument = @()) {
    $state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    $state.ImportPSModule($Module)
    $pipeline = [powershell]::Create($state)
    $null = $pipeline.AddScript($Script)
    foreach ($value in $Argument) { $null = $pipeline.AddArgument($value) }
    $pipeline
}

# Runs such a pipeline to its end: its output, what it threw, and every stream.
function Invoke-Pipeline([string] $Module, [string] $Script, [object[]] $Argument = @()) {
    $pipeline = New-Pipeline $Module $Script $Argument
    try {
        $thrown = $null
        $output = try { $pipeline.Invoke() } catch { $thrown = $_.Exception.InnerException.ErrorRecord }
        # Copies: a pipeline takes its errors along when it is disposed of.
        $streams = @{}
        foreach ($name in 'Error', 'Warning', 'Verbose', 'Debug', 'Information', 'Progress') { $streams[$name] = @($pipeline.Streams.$name) }
        [pscustomobject]@{ Output = @($output); Thrown = $thrown; Streams = $streams }
    } finally {
        $pipeline.Dispose()
    }
}
