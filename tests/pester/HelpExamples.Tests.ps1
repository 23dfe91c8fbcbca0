# The examples of the pages in powershell/docs, run as they stand there: what they show has the shape of what the page says.
# After a change of a view, ./build.ps1 Help writes the new output.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    . $root/powershell/pages.ps1
    . $PSScriptRoot/ExampleHelpers.ps1
    $pages = foreach ($file in Get-ChildItem $root/powershell/docs -Filter *.md) {
        $page = Read-Page $file.FullName
        $numbers = @(1..$page.Samples.Count).Where{ -not $unplayable.ContainsKey("$($page.Name) $_") }
        @{ Name = $page.Name; Page = $page; Numbers = $numbers.ForEach{ @{ Number = $_ } } }
    }
}

BeforeAll {
    foreach ($file in 'TestHelpers', 'LcsHelpers', 'JoseHelpers', 'VenafiHelpers', 'SignInHelpers', 'ExampleHelpers') { . "$PSScriptRoot/$file.ps1" }
    . $PSScriptRoot/../../powershell/pages.ps1
    Import-Module $Module
    $stage = Start-Stage $Module $TestServer
}

AfterAll { Stop-Stage $stage }

Describe 'The page of <Name>' -ForEach $pages {
    It 'has an example <Number> that shows what it says' -ForEach $Numbers {
        $output = Invoke-Sample $stage $Page $Number
        Get-Shape $output | Should -BeExactly (Get-Shape $Page.Samples[$Number - 1].Output) -Because "it shows:`n$output"
    }
}

Describe 'The list of examples that cannot be run' {
    It 'has only examples that exist' {
        foreach ($name in $unplayable.Keys) {
            $page, $number = $name -split ' '
            (Read-Page "$PSScriptRoot/../../powershell/docs/$page.md").Samples.Count | Should -BeGreaterOrEqual ([int]$number)
        }
    }
}
