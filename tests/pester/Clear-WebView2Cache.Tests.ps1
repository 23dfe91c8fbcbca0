# What Clear-WebView2Cache removes, and what it leaves alone. The folder is looked for where TMPDIR or TEMP says,
# so each test has a temporary folder of its own.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $variable = $IsWindows ? 'TEMP', 'TMP' : @('TMPDIR')
    $kept = @{}
    $variable.ForEach{ $kept[$_] = [Environment]::GetEnvironmentVariable($_) }
}

AfterAll { $variable.ForEach{ [Environment]::SetEnvironmentVariable($_, $kept[$_]) } }

Describe 'Clear-WebView2Cache' {
    BeforeEach {
        $temp = (New-Item (Join-Path $TestDrive ([guid]::NewGuid())) -ItemType Directory).FullName
        $variable.ForEach{ [Environment]::SetEnvironmentVariable($_, $temp) }
        $cache = Join-Path $temp PSAuthClientWebview2Cache
        $neighbour = New-Item (Join-Path $temp PSAuthClientWebview2CacheOfMine) -ItemType Directory
    }

    It 'removes an old cache with all in it, without output, and nothing else' {
        $null = New-Item "$cache/EBWebView/Default/Cookies" -Force
        Clear-WebView2Cache -Confirm:$false *>&1 | Should -BeNullOrEmpty
        $cache | Should -Not -Exist
        $neighbour.FullName | Should -Exist
    }

    It 'says with -Verbose that there is nothing to clear, and asks nothing' {
        $run = Invoke-Pipeline $Module 'Clear-WebView2Cache -Verbose'
        $run.Thrown | Should -Be $null
        $run.Output | Should -BeNullOrEmpty
        $run.Streams.Verbose | Should -Match 'nothing to clear'
        Clear-WebView2Cache *>&1 | Should -BeNullOrEmpty
    }

    It 'asks before it removes' {
        $null = New-Item $cache -ItemType Directory
        (Get-Command Clear-WebView2Cache).ImplementingType.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false).ConfirmImpact | Should -Be High
        # Without a user interface the question is an error.
        (Invoke-Pipeline $Module 'Clear-WebView2Cache').Streams.Error | Should -Match 'Remove the browser cache'
        $cache | Should -Exist
    }

    It 'removes nothing with -WhatIf' {
        $null = New-Item $cache -ItemType Directory
        Clear-WebView2Cache -WhatIf
        $cache | Should -Exist
    }

    It 'removes a link in place of the folder, and not what it points to' {
        $treasure = New-Item (Join-Path $temp treasure/file) -Force
        $null = New-Item $cache -ItemType ($IsWindows ? 'Junction' : 'SymbolicLink') -Value $treasure.DirectoryName
        Clear-WebView2Cache -Confirm:$false
        $cache | Should -Not -Exist
        $treasure.FullName | Should -Exist
    }

    It 'does not follow a link inside the folder' {
        $treasure = New-Item (Join-Path $temp treasure/file) -Force
        $null = New-Item $cache -ItemType Directory
        $null = New-Item "$cache/link" -ItemType ($IsWindows ? 'Junction' : 'SymbolicLink') -Value $treasure.DirectoryName
        Clear-WebView2Cache -Confirm:$false
        $cache | Should -Not -Exist
        $treasure.FullName | Should -Exist
    }

    # The permissions of a folder do not bind an administrator, and Windows has others.
    if (-not $IsWindows -and (id -u) -ne '0') {
        It 'writes an error when the folder cannot be removed' {
            $null = New-Item "$cache/inside/file" -Force
            chmod a-w "$cache/inside"
            try {
                Clear-WebView2Cache -Confirm:$false -ErrorAction SilentlyContinue -ErrorVariable failures
                Get-ErrorId $failures[0] | Should -BeExactly cache_not_removed
                $failures[0].CategoryInfo.Category | Should -Be WriteError
                $failures[0].TargetObject | Should -BeExactly $cache
            } finally {
                chmod u+w "$cache/inside"
            }
        }
    }
}
