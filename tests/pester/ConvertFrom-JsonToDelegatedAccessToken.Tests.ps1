# ConvertFrom-JsonToDelegatedAccessToken: what it reads, and what it refuses.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'JSON' {
    It 'is read by position, by name and from the pipeline' {
        $json = '{"AccessToken":"a","RefreshToken":"r","Duration":3600}'
        foreach ($object in (ConvertFrom-JsonToDelegatedAccessToken $json), (ConvertFrom-JsonToDelegatedAccessToken -Json $json), ($json | ConvertFrom-JsonToDelegatedAccessToken)) {
            $object.psobject.Properties.Name -join ' ' | Should -BeExactly 'AccessToken RefreshToken Duration'
            $object | ConvertTo-Json -Compress | ConvertFrom-JsonToDelegatedAccessToken | ConvertTo-Json -Compress | Should -BeExactly ($object | ConvertTo-Json -Compress)
            $object.psobject.TypeNames[0] | Should -BeExactly TokenKit.DelegatedAccessToken
        }
    }

    It 'may lack members, which are empty then' {
        (ConvertFrom-JsonToDelegatedAccessToken '{"AccessToken":"a"}').Duration | Should -BeNullOrEmpty
        (ConvertFrom-JsonToDelegatedAccessToken '{}').psobject.Properties.Name -join ' ' | Should -BeExactly 'AccessToken RefreshToken Duration'
    }

    It 'with another member is an error' {
        Get-ErrorId (Get-Failure { ConvertFrom-JsonToDelegatedAccessToken '{"AccessToken":"a","Expires":1}' }) | Should -BeExactly unknown_member
    }

    It 'that is no object is an error, which does not quote it: <_>' -ForEach '', 'c4nary', '"c4nary"', '["c4nary"]', '{"a":"c4nary"' {
        $text = $_
        $failure = Get-Failure { ConvertFrom-JsonToDelegatedAccessToken $text }
        Get-ErrorId $failure | Should -BeExactly not_json_object
        $failure | Format-List * -Force | Out-String | Should -Not -Match c4nary
    }
}
