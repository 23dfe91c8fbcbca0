# ConvertFrom-JsonToApiCredential: what it reads, and what it refuses.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'JSON' {
    It 'is read by position, by name and from the pipeline' {
        $json = '{"ClientSecret":"s","UserPrincipalName":"u"}'
        foreach ($object in (ConvertFrom-JsonToApiCredential $json), (ConvertFrom-JsonToApiCredential -Json $json), ($json | ConvertFrom-JsonToApiCredential)) {
            $object.psobject.Properties.Name -join ' ' | Should -BeExactly 'ClientSecret UserPrincipalName'
            $object | ConvertTo-Json -Compress | ConvertFrom-JsonToApiCredential | ConvertTo-Json -Compress | Should -BeExactly ($object | ConvertTo-Json -Compress)
            $object.psobject.TypeNames[0] | Should -BeExactly TokenKit.ApiCredential
        }
    }

    It 'may lack members, which are empty then' {
        (ConvertFrom-JsonToApiCredential '{"ClientSecret":"s"}').UserPrincipalName | Should -BeNullOrEmpty
        (ConvertFrom-JsonToApiCredential '{}').psobject.Properties.Name -join ' ' | Should -BeExactly 'ClientSecret UserPrincipalName'
    }

    It 'with another member is an error' {
        Get-ErrorId (Get-Failure { ConvertFrom-JsonToApiCredential '{"clientsecret":"s"}' }) | Should -BeExactly unknown_member
    }

    It 'that is no object is an error, which does not quote it: <_>' -ForEach '', 'c4nary', '"c4nary"', '["c4nary"]', '{"a":"c4nary"' {
        $text = $_
        $failure = Get-Failure { ConvertFrom-JsonToApiCredential $text }
        Get-ErrorId $failure | Should -BeExactly not_json_object
        $failure | Format-List * -Force | Out-String | Should -Not -Match c4nary
    }
}
