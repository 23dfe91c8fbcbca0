# Runs cases with secrets in a process of its own, whose environment and command line hold none, looks at all that PowerShell
# shows of them, and writes what it found. The first line of the standard input is the plan, in JSON:
#   Forms      what betrays a secret (Get-Form)
#   Prelude    a script for the start
#   Cases      Name, Script, Defaults, Proxy and its Password, Variables (v: the secret; Type says as what), Stop: milliseconds
#              until it is stopped, IsThorough: errors are looked at more closely, and the transcript has it,
#              Asked: the output is to hold the secret, so only the rest is searched
param([string] $Module, [string] $Helpers, [string] $Report, [string] $Transcript)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. $Helpers
$plan = [Console]::In.ReadLine() | ConvertFrom-Json -AsHashtable

$usual = @{ '*:Verbose' = $true; '*:Debug' = $true; '*:MaximumRetryCount' = 0; '*:WarningAction' = 'Continue' }
$prelude = @'
$PSStyle.OutputRendering = 'PlainText'
'@ + "`n" + $plan.Prelude

# Errors, each in every way it can be looked at.
$look = {
    param($isThorough)
    foreach ($record in $args) {
        "$record"
        $record | Format-List * -Force | Out-String
        if ($isThorough) { $record | Get-Error | Out-String }
        $record.TargetObject | Out-String
        for ($exception = $record.Exception; $exception; $exception = $exception.InnerException) { $exception.ToString() }
        if ($response = $record.Exception.psobject.Properties['Response']) {
            $response.Value.ToString()
            $response.Value.RequestMessage.ToString()
            $response.Value.Content.ReadAsStringAsync().Result
        }
    }
}

# Output, in every view that shows no property by its name: alone, after others, and as a collection.
$view = {
    $objects = $args
    , $objects | Out-String -Width 1000
    foreach ($object in $objects) {
        "$object"
        foreach ($format in 'List', 'Table', 'Wide', 'Custom') { $object | & "Format-$format" | Out-String -Width 1000 }
        # Behind others PowerShell shows it their way.
        [pscustomobject]@{ a = 1 }, $object, [pscustomobject]@{ a = 1; b = 2; c = 3; d = 4; e = 5 }, $object | Out-String -Width 1000
    }
}

# A secret as people hand it over.
function ConvertTo-Given([string] $Text, [string] $Type) {
    switch ($Type) {
        SecureString { ConvertTo-SecureString $Text -AsPlainText }
        PSCredential { [pscredential]::new('app', (ConvertTo-SecureString $Text -AsPlainText)) }
        default { $Text }
    }
}

$state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
$state.ImportPSModule($Module)
$runspace = [runspacefactory]::CreateRunspace($state)
$runspace.Open()

function Invoke-There([string] $Script, [object[]] $Argument) {
    $pipeline = [powershell]::Create($runspace)
    $null = $pipeline.AddScript($Script)
    foreach ($value in $Argument) { $null = $pipeline.AddArgument($value) }
    try { $pipeline.Invoke() } finally { $pipeline.Dispose() }
}

$null = Invoke-There $prelude
$results = foreach ($case in $plan.Cases) {
    foreach ($name in $case.Variables.Keys) { $runspace.SessionStateProxy.SetVariable($name, $case.Variables[$name]) }
    $defaults = $usual.Clone()
    foreach ($name in $case.Defaults.Keys) { $defaults[$name] = $case.Defaults[$name] }
    if ($case.Proxy) {
        $defaults['*:Proxy'] = $case.Proxy
        $defaults['*:ProxyCredential'] = ConvertTo-Given $case.Password PSCredential
    }
    $runspace.SessionStateProxy.SetVariable('PSDefaultParameterValues', $defaults)
    $given = ConvertTo-Given $case.Variables.c $case.Type
    $runspace.SessionStateProxy.SetVariable('v', $given)
    $null = Invoke-There '$Error.Clear()'
    $pipeline = [powershell]::Create($runspace)
    $null = $pipeline.AddScript($case.Script)
    $thrown = $null
    $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
    try {
        $running = $pipeline.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
        # None takes so long by itself: what hangs is seen as stopped.
        if (-not $running.AsyncWaitHandle.WaitOne($case.Stop ? $case.Stop : 15000)) { $pipeline.Stop() }
        $null = $pipeline.EndInvoke($running)
    } catch {
        $thrown = $_.Exception.InnerException
    }
    $errors = @(Invoke-There '$Error | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] }')
    if (-not $errors -and $thrown -is [System.Management.Automation.IContainsErrorRecord]) { $errors = @($thrown.ErrorRecord) }
    $texts = @(
        foreach ($name in 'Verbose', 'Debug', 'Warning', 'Information', 'Progress') {
            foreach ($record in $pipeline.Streams.$name) { "${name}: $record" }
        }
        Invoke-There $look.ToString() (@($case.IsThorough) + $errors)
        if ($thrown) { $thrown.ToString() }
        if (-not $case.Asked -and $output.Count) { Invoke-There $view.ToString() @($output) }
    ) -join "`n"
    @{
        Name = $case.Name; Found = Find-Form $plan.Forms $texts; Ids = @($errors.ForEach{ ($_.FullyQualifiedErrorId -split ',')[0] } | Select-Object -Unique)
        IsStopped = $thrown -is [System.Management.Automation.PipelineStoppedException]; Outputs = $output.Count; IsSent = $texts -match 'Verbose: (GET|POST|DELETE) http'
    }
    $pipeline.Dispose()
}
$runspace.Dispose()

# The same once more at the console, in a transcript.
$null = Start-Transcript $Transcript
Import-Module $Module
. ([scriptblock]::Create($prelude))
$PSDefaultParameterValues = $usual
foreach ($case in $plan.Cases | Where-Object { -not $_.Stop -and -not $_.Asked -and $_.IsThorough }) {
    foreach ($name in $case.Variables.Keys) { $ExecutionContext.SessionState.PSVariable.Set($name, $case.Variables[$name]) }
    $v = ConvertTo-Given $case.Variables.c $case.Type
    $ErrorActionPreference = 'Continue'
    try {
        . ([scriptblock]::Create($case.Script)) | Out-Default
    } catch {
        $_ | Out-Default
    }
    $Error | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] } | Format-List * -Force | Out-Default
    $Error.Clear()
}
$null = Stop-Transcript
ConvertTo-Json @($results) -Depth 5 | Set-Content $Report
