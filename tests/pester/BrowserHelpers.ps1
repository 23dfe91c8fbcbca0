# Dot-sourced after TestHelpers.ps1: the person at the browser and at the terminal, and cmdlets that wait for them.

# ---- the person: tests/servers/user

function Start-Browser { Start-Peer node (Join-Path $PSScriptRoot ../servers/user/browser.mjs) }

# An interactive PowerShell with the module, on a terminal of 80 columns; `Script` runs before the first prompt.
function Start-Terminal([string] $Module, [string] $Script = '') {
    # The number of the prompt tells when a command has ended.
    $prepare = "function prompt { ""[`$(`$MyInvocation.HistoryId)]> "" }; Import-Module '$Module'; $Script"
    Start-Peer node (Join-Path $PSScriptRoot ../servers/user/terminal.mjs), --columns, 80, --rows, 50, '--',
        (Get-Process -Id $PID).Path, -NoProfile, -NoLogo, -NoExit, -Command, $prepare
}

# Has the person do something; a thing that did not happen is an error.
function Invoke-Person($Peer, [string] $Route, [hashtable] $Body = @{}) {
    $reply = Invoke-WebRequest "$($Peer.control)/$Route" -Method Post -Body (ConvertTo-Json $Body) -NoProxy -SkipHttpErrorCheck
    # Without the dates that PowerShell would see in texts.
    $json = $reply.Content | ConvertFrom-Json -DateKind String
    if ($reply.StatusCode -ne 200) { throw $json.error }
    $json
}

# ---- sign-ins that run while the test does something else

# The parameters of the first table with those of the second in their place.
function Join-Parameter([hashtable] $First, [hashtable] $Second) {
    $all = $First.Clone()
    foreach ($name in $Second.Keys) { $all[$name] = $Second[$name] }
    $all
}

# Starts the authorization cmdlet in a runspace of its own and waits until it has opened the browser.
function Start-SignIn([string] $Module, $Browser, [hashtable] $Parameter) {
    # A runspace of a test has no user interface, so the cmdlet takes it for a session without a user: -Force.
    $bound = Join-Parameter @{ BrowserCommand = $Browser.command; Force = $true; Timeout = 60 } $Parameter
    $pipeline = New-Pipeline $Module 'param($bound) Invoke-OAuth2AuthorizationEndpoint @bound' $bound
    $running = $pipeline.BeginInvoke()
    try {
        $url = [uri](Invoke-Person $Browser opened).url
    } catch {
        throw "The browser was not opened ($_): $($pipeline.InvocationStateInfo.Reason) $($pipeline.Streams.Error) $($pipeline.Streams.Warning)"
    }
    $query = ConvertFrom-Form $url.Query.TrimStart('?')
    [pscustomobject]@{ Pipeline = $pipeline; Running = $running; Url = $url.OriginalString; Query = $query; RedirectUri = [uri]$query.redirect_uri }
}

# Waits for the cmdlet's end: its output, what it threw, and every stream.
function Complete-SignIn($SignIn) {
    $pipeline = $SignIn.Pipeline
    try {
        if (-not $SignIn.Running.AsyncWaitHandle.WaitOne(60000)) { throw 'The sign-in does not end.' }
        $thrown = $null
        $output = try { @($pipeline.EndInvoke($SignIn.Running)) } catch { $thrown = $_.Exception.InnerException.ErrorRecord }
        $streams = @{}
        foreach ($name in 'Error', 'Warning', 'Verbose', 'Information', 'Progress') { $streams[$name] = @($pipeline.Streams.$name) }
        [pscustomobject]@{ Output = @($output); Thrown = $thrown; Streams = $streams }
    } finally {
        $pipeline.Dispose()
    }
}

# ---- the listener, without a browser

# Opens a connection to where the sign-in listens.
function Connect-Listener($SignIn) {
    $client = [System.Net.Sockets.TcpClient]::new($SignIn.RedirectUri.Host, $SignIn.RedirectUri.Port)
    $client.NoDelay = $true
    $client.ReceiveTimeout = 10000
    $client
}

# Sends text as it is and returns what comes until the other side closes.
function Send-Raw($SignIn, [string] $Text) {
    $client = Connect-Listener $SignIn
    try {
        $stream = $client.GetStream()
        $stream.Write([System.Text.Encoding]::ASCII.GetBytes($Text))
        [System.IO.StreamReader]::new($stream).ReadToEnd()
    } finally {
        $client.Dispose()
    }
}

# A request for the redirect URI with these parameters, as text; what is given by name replaces what is right.
function New-Answer($SignIn, [System.Collections.IDictionary] $Parameter, [string] $Path = $SignIn.RedirectUri.AbsolutePath,
    [string] $HostHeader = $SignIn.RedirectUri.Authority) {
    $query = $Parameter.GetEnumerator().ForEach{ "$($_.Key)=$([uri]::EscapeDataString($_.Value))" } -join '&'
    "GET $Path`?$query HTTP/1.1`r`nHost: $HostHeader`r`nConnection: close`r`n`r`n"
}

# Whether something listens there.
function Test-Listening([uri] $Uri) {
    $client = [System.Net.Sockets.TcpClient]::new()
    try {
        $client.Connect($Uri.Host, $Uri.Port)
        $true
    } catch [System.Net.Sockets.SocketException] {
        $false
    } finally {
        $client.Dispose()
    }
}
