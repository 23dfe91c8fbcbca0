<#
.SYNOPSIS
The contenders of the bench that run in PowerShell, one process each.

.DESCRIPTION
Reads one job a line from standard input: its name, how often, and what else it needs. Answers each with a line: the
seconds that the job took, or "error: ...". What a job prepares and checks is not in its time.
#>
param(
    [Parameter(Mandatory)] [string] $Endpoint,
    # With the tokens that tokenkit-bench makes.
    [Parameter(Mandatory)] [string] $Folder,
    # The module whose Invoke-OAuth2TokenEndpoint is measured.
    [string] $Module,
    # The folder of Microsoft.IdentityModel.JsonWebTokens.dll.
    [string] $IdentityModel
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$env:TOKENKIT_HOME = Join-Path $Folder home
$env:TOKENKIT_STORE_KEY = [Convert]::ToBase64String([byte[]]::new(32))
if ($Module) { Import-Module $Module }

$request = @{ client_id = 'demo-client'; client_secret = 'demo-secret'; scope = 'api.read' }
$form = $request + @{ grant_type = 'client_credentials' }

function Assert-Count([object[]] $Result, [int] $Count) {
    if ($Result.Count -ne $Count) { throw "$($Result.Count) results instead of $Count" }
}

function Get-Token([int] $Count, [string] $Algorithm) {
    $tokens = [IO.File]::ReadAllLines((Join-Path $Folder "$Algorithm.txt"))
    foreach ($number in 0..($Count - 1)) { $tokens[$number % $tokens.Count] }
}

$jobs = @{
    # One token after the other.
    cmdlet = {
        param($Count)
        $watch = [Diagnostics.Stopwatch]::StartNew()
        for ($number = 0; $number -lt $Count; $number++) { $token = Invoke-OAuth2TokenEndpoint $Endpoint @request }
        $watch.Elapsed
        Assert-Count $token.access_token 1
    }
    rest = {
        param($Count)
        $watch = [Diagnostics.Stopwatch]::StartNew()
        for ($number = 0; $number -lt $Count; $number++) { $token = Invoke-RestMethod $Endpoint -Method Post -Body $form }
        $watch.Elapsed
        Assert-Count $token.access_token 1
    }
    # Many at a time.
    pipe = {
        param($Count, $Width)
        $clients = foreach ($number in 1..$Count) { [pscustomobject]$request }
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $tokens = $clients | Invoke-OAuth2TokenEndpoint $Endpoint -ThrottleLimit $Width
        $watch.Elapsed
        Assert-Count $tokens.access_token $Count
    }
    parallel = {
        param($Count, $Width)
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $tokens = 1..$Count | ForEach-Object -ThrottleLimit $Width -Parallel { Invoke-RestMethod $using:Endpoint -Method Post -Body $using:form }
        $watch.Elapsed
        Assert-Count $tokens.access_token $Count
    }
    # As many calls as told in as many runspaces as told.
    runspaces = {
        param($Count, $Width)
        $state = [initialsessionstate]::CreateDefault2()
        $state.ImportPSModule($Module)
        $pool = [runspacefactory]::CreateRunspacePool($Width, $Width, $state, $Host)
        $pool.Open()
        $each = [int][Math]::Ceiling($Count / $Width)
        $script = {
            param($Count, $Endpoint, $Request)
            for ($number = 0; $number -lt $Count; $number++) { $null = Invoke-OAuth2TokenEndpoint $Endpoint @Request }
        }
        $shells = foreach ($number in 1..$Width) { [powershell]::Create() }
        # The first call makes the runspace.
        foreach ($calls in 1, $each) {
            foreach ($shell in $shells) {
                $shell.RunspacePool = $pool
                $shell.Commands.Clear()
                $null = $shell.AddScript($script).AddArgument($calls).AddArgument($Endpoint).AddArgument($request)
            }
            $watch = [Diagnostics.Stopwatch]::StartNew()
            $running = @(foreach ($shell in $shells) { $shell.BeginInvoke() })
            for ($number = 0; $number -lt $Width; $number++) { $null = @($shells)[$number].EndInvoke($running[$number]) }
        }
        # For the calls that were asked for.
        $watch.Elapsed * ($Count / ($each * $Width))
        foreach ($shell in $shells) { $shell.Dispose() }
        $pool.Dispose()
    }
    verify = {
        param($Count, $Algorithm)
        $tokens = Get-Token $Count $Algorithm
        $jwk = Get-Content (Join-Path $Folder "$Algorithm.jwk") -Raw
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $results = $tokens | Test-JsonWebToken -jwk $jwk
        $watch.Elapsed
        Assert-Count $results.Where{ $_.Valid } $Count
    }
    decode = {
        param($Count)
        $tokens = Get-Token $Count ES256
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $results = $tokens | ConvertFrom-JsonWebToken
        $watch.Elapsed
        Assert-Count $results.sub $Count
    }
    # The claims as objects, too: else nothing would be read.
    'decode-identitymodel' = {
        param($Count)
        Get-ChildItem $IdentityModel -Filter Microsoft.IdentityModel.*.dll | ForEach-Object { Add-Type -Path $_.FullName }
        $tokens = Get-Token $Count ES256
        $handler = [Microsoft.IdentityModel.JsonWebTokens.JsonWebTokenHandler]::new()
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $results = $tokens | ForEach-Object {
            $claims = [ordered]@{}
            foreach ($claim in $handler.ReadJsonWebToken($_).Claims) { $claims[$claim.Type] = $claim.Value }
            [pscustomobject]$claims
        }
        $watch.Elapsed
        Assert-Count $results.sub $Count
    }
    'store-read' = {
        param($Count)
        Set-D365LcsApiConfig -ProjectId 1 -ClientId bench -LcsApiUri 'https://lcsapi.lcs.dynamics.com'
        $watch = [Diagnostics.Stopwatch]::StartNew()
        for ($number = 0; $number -lt $Count; $number++) { $config = Get-D365LcsApiConfig }
        $watch.Elapsed
        Assert-Count $config.projectid 1
    }
}

while ($null -ne ($line = [Console]::In.ReadLine())) {
    $name, $count, $rest = $line -split ' '
    $answer = try {
        $job = $jobs[$name] ?? $(throw "there is no job '$name'")
        (& $job ([int]$count) $rest).TotalSeconds.ToString('R', [cultureinfo]::InvariantCulture)
    } catch {
        "error: $($_ -replace '\s+', ' ')"
    }
    [Console]::Out.WriteLine($answer)
}
