# Get-TokenKitStore: path, backend, key and sections, without making anything.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $key = [Convert]::ToBase64String([byte[]](1..32))
}

Describe 'Get-TokenKitStore' {
    BeforeEach { $folder = New-Store }
    AfterEach { $env:TOKENKIT_STORE_KEY = $env:TOKENKIT_STORE_KEY_FILE = $null }

    It 'says what would be, and makes nothing' {
        $store = Get-TokenKitStore
        $store.Path | Should -BeExactly $folder
        $store.Exists | Should -BeFalse
        $store.Backend | Should -BeExactly file
        $store.Sealed | Should -BeFalse
        @($store.Sections).Count | Should -Be 0
        $folder | Should -Not -Exist
    }

    It 'says what there is' {
        Set-D365LcsApiConfig -ProjectId 1
        $store = Get-TokenKitStore
        $store.Exists, $store.Readable, $store.MovingTo | Should -Be $true, $true, $null
        $store.Sections.Name | Should -Contain d365lcs
        $section = $store.Sections | Where-Object Name -EQ d365lcs
        $section.Size | Should -BeGreaterThan 0
        $section.Modified | Should -BeGreaterThan (Get-Date).AddMinutes(-5)
        $text = $store | Out-String
        foreach ($expected in [regex]::Escape($folder), 'Backend +: file', 'Sealed +: False', 'Sections +: .*d365lcs') { $text | Should -Match $expected }
        $text | Should -Not -Match 'KeyId|Note|MovingTo|Damaged'
    }

    It 'takes a key from <_> at each call' -ForEach 'TOKENKIT_STORE_KEY', 'TOKENKIT_STORE_KEY_FILE' {
        $file = Join-Path $TestDrive key
        Set-Content $file $key
        if (-not $IsWindows) { chmod 600 $file }
        Set-Item "env:$_" ($_ -eq 'TOKENKIT_STORE_KEY' ? $key : $file)
        (Get-TokenKitStore).Backend | Should -BeExactly key
        (Get-TokenKitStore).Sealed | Should -BeTrue
        Set-D365LcsApiConfig -BearerToken c4nary
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly c4nary
        Get-ChildItem $folder -Recurse -File -Force | ForEach-Object { Get-Content $_ -Raw } | Should -Not -Match 'c4nary'
        $id = (Get-TokenKitStore).KeyId
        $id | Should -Not -BeNullOrEmpty

        Remove-Item "env:$_"
        $store = Get-TokenKitStore
        $store.Readable | Should -BeFalse
        $store.Sealed | Should -BeTrue
        $store.KeyId | Should -BeExactly $id
        $store.Note | Should -Match $id
        (Get-Failure { Get-D365LcsApiConfig }).ErrorDetails.RecommendedAction | Should -Match TOKENKIT_STORE_KEY
        Get-ErrorId (Get-Failure { Get-D365LcsApiConfig }) | Should -BeExactly store_key_missing

        $env:TOKENKIT_STORE_KEY = [Convert]::ToBase64String([byte[]](2..33))
        Get-ErrorId (Get-Failure { Get-D365LcsApiConfig }) | Should -BeExactly store_key_wrong
        (Get-Failure { Get-D365LcsApiConfig } | Format-List * -Force | Out-String) | Should -Not -Match ([regex]::Escape($env:TOKENKIT_STORE_KEY))
    }

    It 'says that a key is not used when the store was made without one, as each command that writes does' {
        $null = New-Store
        Set-D365LcsApiConfig -ProjectId 1
        $env:TOKENKIT_STORE_KEY = [Convert]::ToBase64String([byte[]](2..33))
        $status = Get-TokenKitStore
        $status.Sealed | Should -BeFalse
        $status.Note | Should -Match 'not used'
        Set-D365LcsApiConfig -ProjectId 2 -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeExactly $status.Note
    }

    It 'refuses a key that is none, and does not quote it' {
        $env:TOKENKIT_STORE_KEY = 'c4nary'
        $failure = Get-Failure { Set-D365LcsApiConfig -ProjectId 1 }
        Get-ErrorId $failure | Should -Match '^invalid_store_key$'
        $failure | Format-List * -Force | Out-String | Should -Not -Match c4nary
        $folder | Should -Not -Exist
    }
}
