# ConvertFrom-JsonToDelegatedAccessTokenApiResult: what it reads, and what it refuses.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'JSON' {
    It 'is read by position, by name and from the pipeline' {
        $json = '{"Value":{"AccessToken":"a"},"IsSuccess":true,"ErrorMsg":null}'
        foreach ($object in (ConvertFrom-JsonToDelegatedAccessTokenApiResult $json), (ConvertFrom-JsonToDelegatedAccessTokenApiResult -Json $json), ($json | ConvertFrom-JsonToDelegatedAccessTokenApiResult)) {
            $object.psobject.Properties.Name -join ' ' | Should -BeExactly 'Value IsSuccess ErrorMsg'
            $object | ConvertTo-Json -Compress | ConvertFrom-JsonToDelegatedAccessTokenApiResult | ConvertTo-Json -Compress | Should -BeExactly ($object | ConvertTo-Json -Compress)
            $object.psobject.TypeNames[0] | Should -BeExactly TokenKit.DelegatedAccessTokenApiResult
        }
    }

    It 'may lack members, which are empty then' {
        (ConvertFrom-JsonToDelegatedAccessTokenApiResult '{"IsSuccess":true}').Value | Should -BeNullOrEmpty
        (ConvertFrom-JsonToDelegatedAccessTokenApiResult '{}').psobject.Properties.Name -join ' ' | Should -BeExactly 'Value IsSuccess ErrorMsg'
    }

    It 'with another member is an error' {
        Get-ErrorId (Get-Failure { ConvertFrom-JsonToDelegatedAccessTokenApiResult '{"Value":{"Secret":"x"},"IsSuccess":true}' }) | Should -BeExactly unknown_member
    }

    It 'that is no object is an error, which does not quote it: <_>' -ForEach '', 'c4nary', '"c4nary"', '["c4nary"]', '{"a":"c4nary"' {
        $text = $_
        $failure = Get-Failure { ConvertFrom-JsonToDelegatedAccessTokenApiResult $text }
        Get-ErrorId $failure | Should -BeExactly not_json_object
        $failure | Format-List * -Force | Out-String | Should -Not -Match c4nary
    }
}
