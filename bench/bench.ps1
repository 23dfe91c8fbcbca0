<#
.SYNOPSIS
Measures TokenKit beside other ways to do the same, in one run on one machine.

.DESCRIPTION
Every contender is a process of its own. They take turns, several rounds, each round beginning with another one, so that
what else the machine does hits all of them. A figure is the median of the rounds; a ratio is the median of the ratios
within the rounds. docs/speed.md has more.

Prints the table, and writes it with all samples to latest.json, as latest.md, and as a plot to latest.svg.

.EXAMPLE
./build.sh bench

.EXAMPLE
./build.ps1 Bench -Update
Puts table and plot into README.md, too.
#>
[CmdletBinding()]
param(
    # The staged module folder.
    [Parameter(Mandatory)] [string] $Module,
    # The folder with tokenkit-testserver and tokenkit-bench.
    [Parameter(Mandatory)] [string] $Programs,
    # TokenKit.Bench.dll.
    [Parameter(Mandatory)] [string] $DotNet,
    # Little of everything, to see that the bench works. Its figures mean nothing.
    [switch] $Smoke,
    # Where the results go.
    [string] $Destination = (Join-Path $PSScriptRoot results),
    # Where table and plot are put into README.md.
    [string] $Update
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
. (Join-Path $PSScriptRoot harness.ps1)
. (Join-Path $PSScriptRoot plot.ps1)

$Module = (Get-ChildItem (Resolve-Path $Module).ProviderPath -Recurse -Filter TokenKit.psd1)[0].FullName
$native = @(Get-ChildItem (Split-Path $Module) -Recurse -File | Where-Object Name -CIn libtokenkit.so, libtokenkit.dylib, tokenkit.dll)
$executable = if ($IsWindows) { '.exe' }
$pwsh = (Get-Process -Id $PID).Path
$rounds = if ($Smoke) { 1 } else { 9 }
$warmUp = if ($Smoke) { 1 } else { 5 }
# How much there is to do, in a real run and in a smoke run.
function Select-Size([int] $Full, [int] $Little) { if ($Smoke) { $Little } else { $Full } }

$folder = Join-Path ([IO.Path]::GetTempPath()) "tokenkit-bench-$PID"
$null = New-Item $folder -ItemType Directory
$load = @(Get-Load)
$watch = [Diagnostics.Stopwatch]::StartNew()
try {
    $server = Open-Worker (Join-Path $Programs "tokenkit-testserver$executable")
    $addresses = $server.StandardOutput.ReadLine() | ConvertFrom-Json
    $endpoint = $addresses.http + '/token'
    # The server remembers requests for tests.
    function Clear-Server { $null = Invoke-RestMethod ($endpoint -replace '/token$', '/control/reset') -Method Post }

    function Open-PowerShell([string] $Module) {
        $arguments = '-NoProfile', '-NonInteractive', '-File', (Join-Path $PSScriptRoot worker.ps1), $endpoint, $folder
        if ($Module) { $arguments += '-Module', $Module }
        Open-Worker $pwsh ($arguments + '-IdentityModel' + (Split-Path $DotNet))
    }
    $rust = Open-Worker (Join-Path $Programs "tokenkit-bench$executable") $endpoint, $folder
    $binding = Open-Worker dotnet $DotNet, $endpoint, $folder, $native[0].FullName
    $cmdlet = Open-PowerShell $Module
    $rest = Open-PowerShell
    $others = @(Get-Module -ListAvailable | Where-Object { $_.Name -ne 'TokenKit' -and $_.ExportedCommands.ContainsKey('Invoke-OAuth2TokenEndpoint') })
    $script = if ($others) { Open-PowerShell $others[0].Path }
    $scriptName = if ($others) { "$($others[0].Name) $($others[0].Version)" }

    Write-Section 'Warm call: one token after the other'
    $count = Select-Size 1000 10
    $contenders = [ordered]@{
        server = { Invoke-Job $rust "server $count" $count }
        reqwest = { Invoke-Job $rust "reqwest $count" $count }
        core = { Invoke-Job $rust "core $count" $count }
        binding = { Invoke-Job $binding "binding $count" $count }
        cmdlet = { Invoke-Job $cmdlet "cmdlet $count" $count }
        rest = { Invoke-Job $rest "rest $count" $count }
    }
    if ($script) { $contenders.script = { Invoke-Job $script "cmdlet $count" $count } }
    $warm = Measure-Round $contenders (Select-Size 15 1) -WarmUp $warmUp
    Add-Row 'warm call' $warm.cmdlet 'server alone (bytes on a socket)' $warm.server -Unit ms -Difference
    Add-Row 'warm call' $warm.cmdlet 'raw reqwest' $warm.reqwest -Unit ms -Difference -AtMost 0.12
    Add-Row 'warm call' $warm.cmdlet 'core crate' $warm.core -Unit ms -Difference
    Add-Row 'warm call' $warm.cmdlet '.NET binding' $warm.binding -Unit ms -Difference
    Add-Row 'warm call' $warm.cmdlet 'Invoke-RestMethod' $warm.rest -Unit ms -AtLeast 3
    if ($script) {
        Add-Row 'warm call' $warm.cmdlet $scriptName $warm.script -Unit ms -AtLeast 7
    } else {
        Add-Absent 'warm call' $warm.cmdlet 'a script module with Invoke-OAuth2TokenEndpoint' -Unit ms -AtLeast 7
    }

    Write-Section 'Bulk: many clients through the pipeline'
    $count = Select-Size 2000 16
    $width = Select-Size 64 4
    $clients = '{0:n0} clients, {1} at a time' -f $count, $width
    $memory = Open-PowerShell $Module
    $null = Invoke-Job $memory 'cmdlet 1' 1
    $one = Get-PeakMemory $memory
    $null = Invoke-Job $memory "pipe $count $width" $count
    $many = Get-PeakMemory $memory
    Close-Worker $memory
    $contenders = [ordered]@{
        reqwest = { Invoke-Job $rust "reqwest-many $count $width" $count }
        core = { Invoke-Job $rust "core-many $count $width" $count }
        pipe = { Invoke-Job $cmdlet "pipe $count $width" $count }
    }
    $bulk = Measure-Round $contenders (Select-Size 15 1) -WarmUp $warmUp
    Add-Row $clients $bulk.pipe 'raw reqwest' $bulk.reqwest -Unit /s -AtLeast 0.85
    Add-Row $clients $bulk.pipe 'core crate' $bulk.core -Unit /s
    $contenders = [ordered]@{
        parallel = { Invoke-Job $rest "parallel $count $width" $count }
        pipe = { Invoke-Job $cmdlet "pipe $count $width" $count }
    }
    $against = Measure-Round $contenders (Select-Size 3 1)
    Add-Row $clients $against.pipe 'ForEach-Object -Parallel, Invoke-RestMethod' $against.parallel -Unit /s -AtLeast 40
    Add-Row 'their memory' (ConvertTo-Sample $many) 'of one call' (ConvertTo-Sample $one) -Unit MB -Quotient -AtMost 2

    Write-Section 'JSON Web Tokens'
    $null = Invoke-Job $rust "make-tokens $(Select-Size 1000 20)" 1
    $cores = [Environment]::ProcessorCount
    $count = Select-Size 20000 100
    $verifications = @{}
    foreach ($algorithm in 'RS256', 'ES256', 'EdDSA') {
        $contenders = [ordered]@{
            # One core's time, shared by all cores.
            signature = { Invoke-Job $rust "signature $count $algorithm" ($count * $cores) }
            crate = { Invoke-Job $rust "verify $count $algorithm" ($count * $cores) }
            cmdlet = { Invoke-Job $cmdlet "verify $count $algorithm" $count }
        }
        # It knows no EdDSA.
        if ($algorithm -ne 'EdDSA') { $contenders.identitymodel = { Invoke-Job $binding "verify $count $algorithm" $count } }
        $verify = Measure-Round $contenders $rounds -WarmUp $warmUp
        Add-Row "verify $algorithm" $verify.cmdlet "core crate, $cores cores" $verify.crate -Unit /s -AtLeast 0.8
        Add-Row "verify $algorithm" $verify.cmdlet "signature alone (aws-lc), $cores cores" $verify.signature -Unit /s
        if ($algorithm -ne 'EdDSA') {
            Add-Row "verify $algorithm" $verify.cmdlet "IdentityModel in .NET, $cores cores" $verify.identitymodel -Unit /s -AtLeast 1
        }
        $verifications[$algorithm] = $verify
    }
    $contenders = [ordered]@{
        crate = { Invoke-Job $rust "decode $($count * 5)" ($count * 5) }
        binding = { Invoke-Job $binding "decode $($count * 5)" ($count * 5) }
        cmdlet = { Invoke-Job $cmdlet "decode $count" $count }
        identitymodel = { Invoke-Job $rest "decode-identitymodel $count" $count }
    }
    $decode = Measure-Round $contenders $rounds -WarmUp $warmUp
    Add-Figure 'decode in the core' $decode.crate -Unit /s -AtLeast 300000
    Add-Row 'decode in the core' $decode.crate 'IdentityModel in .NET' $decode.binding -Unit /s
    Add-Row 'decode in PowerShell' $decode.cmdlet 'IdentityModel in PowerShell' $decode.identitymodel -Unit /s -AtLeast 1

    Write-Section 'Store'
    $count = Select-Size 200 5
    $null = Invoke-Job $rust 'write 1' 1
    $contenders = [ordered]@{
        read = { Invoke-Job $rust "read $count" $count }
        write = { Invoke-Job $rust "write $($count / 5)" ($count / 5) }
        fsync = { Invoke-Job $rust "fsync $($count / 5)" ($count / 5) }
        cmdlet = { Invoke-Job $cmdlet "store-read $count" $count }
    }
    $store = Measure-Round $contenders $rounds -WarmUp $warmUp
    Add-Figure 'store: read' $store.read -Unit ms -AtMost 0.2
    Add-Figure 'store: Get-D365LcsApiConfig' $store.cmdlet -Unit ms
    Add-Row 'store: locked write' $store.write 'the same file, synced, without store' $store.fsync -Unit ms -Quotient -AtMost 2

    Write-Section 'Growth'
    $blocks = Select-Size 100 4
    $count = Select-Size 1000 5
    $memory = Open-PowerShell $Module
    $null = Invoke-Job $memory "cmdlet $count" $count
    $calls = foreach ($block in 1..$blocks) {
        Clear-Server
        Invoke-Job $memory "cmdlet $count" $count
    }
    Close-Worker $memory
    $tenth = [Math]::Max(1, [int]($blocks / 10))
    $range = { param($First) 'calls {0:n0} to {1:n0}' -f ($First * $count + 1), (($First + $tenth) * $count) }
    # The first block is the warm-up.
    Add-Row (& $range ($blocks - $tenth + 1)) (ConvertTo-Sample $calls[-$tenth..-1]) (& $range 1) (ConvertTo-Sample $calls[0..($tenth - 1)]) -Unit ms -Quotient -AtMost 1.25
    $sections = Select-Size 10000 20
    $count = Select-Size 200 5
    $null = Invoke-Job $rust "fill $sections" 1
    $contenders = [ordered]@{
        read = { Invoke-Job $rust "read $count" $count }
        write = { Invoke-Job $rust "write $($count / 5)" ($count / 5) }
    }
    $full = Measure-Round $contenders $rounds
    Add-Row "store: read, $('{0:n0}' -f $sections) sections" $full.read 'of 1 section' $store.read -Unit ms -Quotient -AtMost 1.25
    Add-Row "store: locked write, $('{0:n0}' -f $sections) sections" $full.write 'of 1 section' $store.write -Unit ms -Quotient -AtMost 1.25
    # In each runspace PowerShell compiles the first calls anew: with few of them, that would be measured.
    $count = Select-Size 12800 16
    $contenders = [ordered]@{}
    $most = Select-Size 64 4
    foreach ($width in 1, $cores, $most | Select-Object -Unique) {
        $contenders["$width"] = [scriptblock]::Create("Invoke-Job `$cmdlet 'runspaces $count $width' $count")
    }
    $runspaces = Measure-Round $contenders (Select-Size 5 1)
    Add-Row "$cores runspaces" $runspaces["$cores"] '1 runspace' $runspaces['1'] -Unit /s -AtLeast 0.8
    Add-Row "$most runspaces" $runspaces["$most"] "$cores runspaces" $runspaces["$cores"] -Unit /s -AtLeast 0.8
    $rust, $binding, $cmdlet, $rest, $script | Where-Object { $_ } | ForEach-Object { Close-Worker $_ }

    Write-Section 'Start'
    $empty = Join-Path $folder Empty
    $null = New-Item $empty -ItemType Directory
    Add-Type -OutputAssembly (Join-Path $empty Empty.dll) -TypeDefinition @'
using System.Management.Automation;
[Cmdlet("Get", "Nothing")]
public sealed class GetNothing : PSCmdlet { }
'@
    New-ModuleManifest (Join-Path $empty Empty.psd1) -RootModule Empty.dll -CmdletsToExport Get-Nothing
    $import = { param($Path) "`$watch = [Diagnostics.Stopwatch]::StartNew(); Import-Module '$Path'; `$watch.Elapsed.TotalSeconds.ToString('R', [cultureinfo]::InvariantCulture)" }
    $secret = "-client_id demo-client -client_secret demo-secret -scope api.read"
    $form = "@{ grant_type = 'client_credentials'; client_id = 'demo-client'; client_secret = 'demo-secret'; scope = 'api.read' }"
    $trust = "-CertificateAuthority '$($addresses.certificate_authority)'"
    $contenders = [ordered]@{
        emptyModule = { Invoke-Program $pwsh (& $import (Join-Path $empty Empty.psd1)) -Answer }
        module = { Invoke-Program $pwsh (& $import $Module) -Answer }
        start = { Invoke-Program $pwsh '$null' }
        rest = { Invoke-Program $pwsh "`$null = Invoke-RestMethod '$endpoint' -Method Post -Body $form" }
        restTls = { Invoke-Program $pwsh "`$null = Invoke-RestMethod '$($addresses.https)/token' -Method Post -SkipCertificateCheck -Body $form" }
        cmdlet = { Invoke-Program $pwsh "Import-Module '$Module'; `$null = Invoke-OAuth2TokenEndpoint '$endpoint' $secret" }
        cmdletTls = { Invoke-Program $pwsh "Import-Module '$Module'; `$null = Invoke-OAuth2TokenEndpoint '$($addresses.https)/token' $secret $trust" }
    }
    $start = Measure-Round $contenders (Select-Size 15 1)
    Add-Row 'Import-Module' $start.module 'an empty binary module' $start.emptyModule -Unit ms -Difference -AtMost 10
    foreach ($scheme in 'https', 'http') {
        $kind = if ($scheme -eq 'https') { 'Tls' }
        $ours, $theirs = $start["cmdlet$kind"], $start["rest$kind"]
        Add-Row "first token over $scheme" $ours 'Invoke-RestMethod' $theirs -Unit ms -AtLeast 1
        Add-Row "first token over $scheme, without the start" (Compare-Sample $ours $start.start) 'Invoke-RestMethod' (Compare-Sample $theirs $start.start) -Unit ms -AtLeast 3
    }

    $package = (Get-ChildItem (Split-Path $Module) -Recurse -File | Measure-Object Length -Sum).Sum
    Add-Figure 'native library' (ConvertTo-Sample $native[0].Length) -Unit MB -AtMost 6
    Add-Figure 'module' (ConvertTo-Sample $package) -Unit MB -AtMost 8
} finally {
    Close-Worker
    Remove-Item $folder -Recurse -Force
}

$results = [ordered]@{
    date = [datetime]::UtcNow.ToString('s') + 'Z'
    smoke = [bool]$Smoke
    machine = Get-Machine
    load = $load + @(Get-Load)
    seconds = [int]$watch.Elapsed.TotalSeconds
    script_module = $scriptName
    rows = @(Get-Row)
}
$null = New-Item $Destination -ItemType Directory -Force
$table = Format-Row $results.rows
ConvertTo-Json $results -Depth 5 | Set-Content (Join-Path $Destination latest.json)
$note = "$($results.machine), $($results.date)$(if ($Smoke) { ', smoke run' }), load $($results.load -join ' to '), $($results.seconds) s"
$table + '' + $note | Set-Content (Join-Path $Destination latest.md)
Write-Plot (Join-Path $Destination latest.svg) $note @(
    @{ Title = 'One token after the other, ms per call (less is better)'; Bars = [ordered]@{
        'raw reqwest' = Get-Center $warm.reqwest 1000
        'TokenKit' = Get-Center $warm.cmdlet 1000
        'Invoke-RestMethod' = Get-Center $warm.rest 1000
    } + $(if ($script) { @{ $scriptName = Get-Center $warm.script 1000 } } else { @{} }) }
    @{ Title = "Many tokens ($clients), tokens per second (more is better)"; Bars = [ordered]@{
        'raw reqwest' = 1 / (Get-Center $bulk.reqwest)
        'TokenKit' = 1 / (Get-Center $bulk.pipe)
        'ForEach-Object -Parallel' = 1 / (Get-Center $against.parallel)
    } }
    @{ Title = 'JWTs verified (ES256), tokens per second (more is better)'; Bars = [ordered]@{
        'core crate' = 1 / (Get-Center $verifications['ES256'].crate)
        'TokenKit' = 1 / (Get-Center $verifications['ES256'].cmdlet)
        'IdentityModel, .NET' = 1 / (Get-Center $verifications['ES256'].identitymodel)
    } }
    @{ Title = 'First token over https in a new process, without its start, ms (less is better)'; Bars = [ordered]@{
        'TokenKit' = Get-Center (Compare-Sample $start.cmdletTls $start.start) 1000
        'Invoke-RestMethod' = Get-Center (Compare-Sample $start.restTls $start.start) 1000
    } }
)
$table | Write-Host
Write-Host "`n$note"
Write-Host "Results: $Destination"

if ($Update) {
    $image = New-Item (Join-Path $Update docs/images) -ItemType Directory -Force
    Copy-Item (Join-Path $Destination latest.svg) (Join-Path $image speed.svg)
    $readme = Join-Path $Update README.md
    $text = Get-Content $readme -Raw
    $between = '(?s)(?<=<!-- bench: begin -->\r?\n).*?(?=<!-- bench: end -->)'
    if ($text -notmatch $between) { throw 'README.md has no place for the table.' }
    $content = (@('![The main figures as bars](docs/images/speed.svg)', '') + $table + '' + "Measured on $note." + '') -join "`n"
    Set-Content $readme ($text -replace $between, $content.Replace('$', '$$')) -NoNewline
    Write-Host "Updated: $readme"
}
