# Writes a plot as SVG: panels of horizontal bars, TokenKit's in colour.
function Write-Plot([string] $Path, [string] $Note, [object[]] $Panel) {
    $invariant = [cultureinfo]::InvariantCulture
    $escape = { param($Text) [Security.SecurityElement]::Escape($Text) }
    $left, $width, $bar = 190, 420, 22
    $y = 10
    $parts = foreach ($item in $Panel) {
        $y += 28
        '<text x="12" y="{0}" class="title">{1}</text>' -f ($y - 6), (& $escape $item.Title)
        $most = ($item.Bars.Values | Measure-Object -Maximum).Maximum
        foreach ($name in $item.Bars.Keys) {
            $value = $item.Bars[$name]
            $length = [Math]::Max(1, $width * $value / $most)
            $format = if ($value -ge 100) { 'n0' } elseif ($value -ge 10) { 'n1' } else { 'n2' }
            $colour = $name -eq 'TokenKit' ? '#2f6fde' : '#9aa5b1'
            [string]::Format($invariant, '<text x="{0}" y="{1}" class="name">{2}</text>', $left - 8, $y + 15, (& $escape $name))
            [string]::Format($invariant, '<rect x="{0}" y="{1}" width="{2:0.#}" height="{3}" rx="2" fill="{4}"/>', $left, $y + 2, $length, $bar - 5, $colour)
            [string]::Format($invariant, '<text x="{0:0.#}" y="{1}">{2}</text>', $left + $length + 6, $y + 15, $value.ToString($format, $invariant))
            $y += $bar
        }
        $y += 8
    }
    $height = $y + 28
    $style = 'text{font:12px system-ui,sans-serif;fill:#1f2933}.title{font-weight:600;font-size:13px}.name{text-anchor:end}.note{font-size:9px;fill:#52606d}'
    @(
        "<svg xmlns=`"http://www.w3.org/2000/svg`" viewBox=`"0 0 700 $height`" width=`"700`" height=`"$height`">"
        "<style>$style</style><rect width=`"700`" height=`"$height`" fill=`"#fff`"/>"
        $parts
        "<text x=`"12`" y=`"$($height - 10)`" class=`"note`">$(& $escape $Note)</text>"
        '</svg>'
    ) | Set-Content $Path
}
