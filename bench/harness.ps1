# What bench.ps1 is made of: contenders as processes, rounds, statistics, and the rows of the table.

$workers = [Collections.Generic.List[Diagnostics.Process]]::new()
$rows = [Collections.Generic.List[object]]::new()

# A process that takes jobs.
function Open-Worker([string] $Program, [string[]] $Argument = @()) {
    $start = [Diagnostics.ProcessStartInfo]::new($Program)
    $Argument | ForEach-Object { $start.ArgumentList.Add($_) }
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
    # Another one would be asked for loopback, too.
    'http_proxy', 'https_proxy', 'all_proxy' | ForEach-Object { $null = $start.Environment.Remove($_) }
    $process = [Diagnostics.Process]::Start($start)
    $workers.Add($process)
    $process
}

# They end with their input. Without an argument: all of them.
function Close-Worker([Diagnostics.Process[]] $Process = $workers) {
    foreach ($worker in @($Process)) {
        $worker.StandardInput.Close()
        if (-not $worker.WaitForExit(10000)) { $worker.Kill() }
        $null = $workers.Remove($worker)
    }
}

# Has a job done; returns the seconds for one of `Count`.
function Invoke-Job([Diagnostics.Process] $Process, [string] $Job, [int] $Count) {
    $Process.StandardInput.WriteLine($Job)
    $Process.StandardInput.Flush()
    $answer = $Process.StandardOutput.ReadLine()
    if ($null -eq $answer -or $answer.StartsWith('error')) { throw "$Job`: $answer" }
    [double]::Parse($answer, [cultureinfo]::InvariantCulture) / $Count
}

# Runs a command in a new PowerShell. Returns the seconds from start to exit, or those that the command answers.
function Invoke-Program([string] $Program, [string] $Command, [switch] $Answer) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $output = & $Program -NoProfile -NonInteractive -Command $Command
    $seconds = $watch.Elapsed.TotalSeconds
    if ($LASTEXITCODE) { throw "$Command`: $output" }
    if ($Answer) { [double]::Parse($output, [cultureinfo]::InvariantCulture) } else { $seconds }
}

# Lets the contenders take turns; each round begins with the next one. Returns the samples of each. To warm up, each has
# some rounds before that: .NET compiles anew what runs often.
function Measure-Round([Collections.IDictionary] $Contender, [int] $Repeat, [int] $WarmUp) {
    $names = @($Contender.Keys)
    $samples = @{}
    foreach ($name in $names) {
        $samples[$name] = [Collections.Generic.List[double]]::new()
        for ($round = 0; $round -lt $WarmUp; $round++) { $null = & $Contender[$name] }
    }
    for ($round = 0; $round -lt $Repeat; $round++) {
        if (Test-Path function:Clear-Server) { Clear-Server }
        for ($turn = 0; $turn -lt $names.Count; $turn++) {
            $name = $names[($round + $turn) % $names.Count]
            $samples[$name].Add((& $Contender[$name]))
        }
    }
    $samples
}

function ConvertTo-Sample([double[]] $Value) { , [Collections.Generic.List[double]]::new($Value) }

# What comes on top of something else, round by round.
function Compare-Sample([Collections.Generic.List[double]] $Sample, [Collections.Generic.List[double]] $Base) {
    ConvertTo-Sample @(for ($round = 0; $round -lt $Sample.Count; $round++) { $Sample[$round] - $Base[$round] })
}

function Get-Median([double[]] $Value) {
    $sorted = @($Value | Sort-Object)
    $middle = [Math]::Floor($sorted.Count / 2)
    if ($sorted.Count % 2) { $sorted[$middle] } else { ($sorted[$middle - 1] + $sorted[$middle]) / 2 }
}

function Get-Center([Collections.Generic.List[double]] $Sample, [double] $Factor = 1) { (Get-Median $Sample) * $Factor }

# A sample as the table shows it: seconds as ms or as a rate, bytes as MB.
function Format-Value([double] $Value, [string] $Unit) {
    switch ($Unit) {
        'ms' { ($Value * 1000).ToString($(if ([Math]::Abs($Value) -ge 0.01) { 'n0' } else { 'n3' }), [cultureinfo]::InvariantCulture) + ' ms' }
        'MB' { ($Value / 1MB).ToString('n1', [cultureinfo]::InvariantCulture) + ' MB' }
        '/s' { (1 / $Value).ToString('n0', [cultureinfo]::InvariantCulture) + '/s' }
    }
}

function ConvertTo-Figure([Collections.Generic.List[double]] $Sample, [string] $Unit) {
    $convert = { param($Value) if ($Unit -eq 'ms') { $Value * 1000 } elseif ($Unit -eq 'MB') { $Value / 1MB } else { 1 / $Value } }
    $values = @($Sample | ForEach-Object { & $convert $_ })
    $median = Get-Median $values
    [ordered]@{
        median = $median
        min = ($values | Measure-Object -Minimum).Minimum
        max = ($values | Measure-Object -Maximum).Maximum
        mad = Get-Median @($values | ForEach-Object { [Math]::Abs($_ - $median) })
        samples = $values
        text = Format-Value (Get-Median $Sample) $Unit
    }
}

# A row that compares. Usually it tells how many times as fast TokenKit is; with -Difference what it takes on top, with
# -Quotient how many times as much it takes. Samples of the same number of rounds are compared round by round.
function Add-Row {
    param([string] $Metric, $Own, [string] $Name, $Other, [string] $Unit, [switch] $Difference, [switch] $Quotient,
        [Nullable[double]] $AtMost, [Nullable[double]] $AtLeast)
    $compare = if ($Difference) { { param($One, $Two) $One - $Two } } elseif ($Quotient) { { param($One, $Two) $One / $Two } } else { { param($One, $Two) $Two / $One } }
    $value = if ($Own.Count -eq $Other.Count) {
        Get-Median @(for ($round = 0; $round -lt $Own.Count; $round++) { & $compare $Own[$round] $Other[$round] })
    } else {
        & $compare (Get-Median $Own) (Get-Median $Other)
    }
    $text = if ($Difference) { ($value -lt 0 ? '' : '+') + (Format-Value $value $Unit) } else { $value.ToString($(if ($value -ge 10) { 'n0' } else { 'n2' }), [cultureinfo]::InvariantCulture) + '×' }
    if ($Difference) { $value *= 1000 }
    Add-Result $Metric $Own $Unit $Name $Other $value $text ($Difference ? " $Unit" : '×') $AtMost $AtLeast
}

# A row for one figure.
function Add-Figure {
    param([string] $Metric, $Own, [string] $Unit, [Nullable[double]] $AtMost, [Nullable[double]] $AtLeast)
    $value = (ConvertTo-Figure $Own $Unit).median
    Add-Result $Metric $Own $Unit $null $null $value '' ($Unit -eq '/s' ? '/s' : " $Unit") $AtMost $AtLeast
}

# A row for a contender that is not there.
function Add-Absent {
    param([string] $Metric, $Own, [string] $Name, [string] $Unit, [Nullable[double]] $AtLeast)
    Add-Result $Metric $Own $Unit "$Name (not installed)" $null $null '' '×' $null $AtLeast
}

function Add-Result($Metric, $Own, $Unit, $Name, $Other, $Value, $Ratio, $TargetUnit, $AtMost, $AtLeast) {
    $bound = $AtMost ?? $AtLeast
    $limit = if ($null -ne $bound) { $bound.ToString('#,0.##', [cultureinfo]::InvariantCulture) + $TargetUnit }
    $row = [ordered]@{
        metric = $Metric
        unit = $Unit
        tokenkit = ConvertTo-Figure $Own $Unit
        contender = $Name
        other = if ($Other) { ConvertTo-Figure $Other $Unit }
        ratio = $Ratio
        value = $Value
        target = if ($null -ne $AtMost) { "≤ $limit" } elseif ($null -ne $AtLeast) { "≥ $limit" }
        met = if ($null -eq $bound -or $null -eq $Value) { $null } elseif ($null -ne $AtMost) { $Value -le $AtMost } else { $Value -ge $AtLeast }
    }
    $rows.Add($row)
    Write-Host "  $Metric`: $($row.tokenkit.text); $Name $(if ($Other) { $row.other.text }) $Ratio $($row.target) $($row.met)"
}

function Get-Row { $rows }

function Write-Section([string] $Title) { Write-Host $Title -ForegroundColor Cyan }

# The rows as a table in Markdown, its columns aligned.
function Format-Row([object[]] $Row) {
    $lines = @(, @('metric', 'TokenKit', '±', 'contender', '', '±', 'ratio', 'target', 'met'))
    foreach ($item in $Row) {
        $spread = { param($Figure) if ($Figure -and $Figure.samples.Count -gt 1) { '{0:n0} %' -f (100 * $Figure.mad / [Math]::Abs($Figure.median)) } else { '' } }
        $met = if ($null -eq $item.met) { '' } elseif ($item.met) { 'yes' } else { 'no' }
        $other = if ($item.other) { $item.other.text } else { '' }
        $lines += , @($item.metric, $item.tokenkit.text, (& $spread $item.tokenkit), "$($item.contender)", $other, (& $spread $item.other), $item.ratio, "$($item.target)", $met)
    }
    $widths = 0..8 | ForEach-Object { $column = $_; ($lines | ForEach-Object { $_[$column].Length } | Measure-Object -Maximum).Maximum }
    $right = 1, 2, 4, 5, 6
    for ($line = 0; $line -lt $lines.Count; $line++) {
        $cells = 0..8 | ForEach-Object { if ($_ -in $right) { $lines[$line][$_].PadLeft($widths[$_]) } else { $lines[$line][$_].PadRight($widths[$_]) } }
        "| $($cells -join ' | ') |"
        if ($line -eq 0) { '|' + ((0..8 | ForEach-Object { $_ -in $right ? ('-' * ($widths[$_] + 1) + ':') : '-' * ($widths[$_] + 2) }) -join '|') + '|' }
    }
}

function Get-PeakMemory([Diagnostics.Process] $Process) {
    $Process.Refresh()
    $Process.PeakWorkingSet64
}

# Programs that want to run, on average over a minute; nothing where the system does not tell.
function Get-Load { if (Test-Path /proc/loadavg) { [double]((Get-Content /proc/loadavg) -split ' ')[0] } }

function Get-Machine {
    $processor = if ($IsLinux) { (Select-String '^model name\s*:\s*(.+)' /proc/cpuinfo | Select-Object -First 1).Matches.Groups[1].Value }
    elseif ($IsMacOS) { sysctl -n machdep.cpu.brand_string }
    else { $env:PROCESSOR_IDENTIFIER }
    "$processor, $([Environment]::ProcessorCount) cores, $([Runtime.InteropServices.RuntimeInformation]::OSDescription.Trim()), PowerShell $($PSVersionTable.PSVersion)"
}
