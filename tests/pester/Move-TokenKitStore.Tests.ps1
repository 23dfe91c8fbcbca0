# Move-TokenKitStore: another key, none, and back; nothing is lost.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $first = [Convert]::ToBase64String([byte[]](1..32))
    $second = [Convert]::ToBase64String([byte[]](2..33))
    function Test-Plain { [bool](Get-ChildItem $folder -Recurse -File -Force | ForEach-Object { Get-Content $_ -Raw } | Where-Object { $_ -match 'c4nary' }) }
}

Describe 'Move-TokenKitStore' {
    BeforeEach {
        $folder = New-Store
        Set-D365LcsApiConfig -ProjectId 7 -BearerToken c4nary
    }
    AfterEach { $env:TOKENKIT_STORE_KEY = $env:TOKENKIT_STORE_KEY_FILE = $null }

    It 'to a key seals, to another key seals anew, to file unseals: given as <_>' -ForEach 'string', 'SecureString', 'PSCredential', 'file' {
        $as = $_
        function Get-Key([string] $Text) {
            switch ($as) {
                string { @{ Key = $Text } }
                SecureString { @{ Key = ConvertTo-SecureString $Text -AsPlainText } }
                PSCredential { @{ Key = [pscredential]::new('x', (ConvertTo-SecureString $Text -AsPlainText)) } }
                file {
                    $path = Join-Path $TestDrive ([guid]::NewGuid())
                    Set-Content $path $Text
                    if (-not $IsWindows) { chmod 600 $path }
                    @{ KeyFile = $path }
                }
            }
        }
        Test-Plain | Should -BeTrue
        $with = Get-Key $first
        $store = Move-TokenKitStore key @with
        $store.Backend, $store.Sealed | Should -Be 'key', $true
        Test-Plain | Should -BeFalse
        Get-ErrorId (Get-Failure { Get-D365LcsApiConfig }) | Should -BeExactly store_key_missing

        $env:TOKENKIT_STORE_KEY = $first
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly c4nary
        $with = Get-Key $second
        $again = Move-TokenKitStore key @with
        $again.KeyId | Should -Not -BeExactly $store.KeyId
        Get-ErrorId (Get-Failure { Get-D365LcsApiConfig }) | Should -BeExactly store_key_wrong

        $env:TOKENKIT_STORE_KEY = $second
        (Get-D365LcsApiConfig).projectid | Should -Be 7
        (Move-TokenKitStore file).Sealed | Should -BeFalse
        $env:TOKENKIT_STORE_KEY = $null
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly c4nary
        Test-Plain | Should -BeTrue
    }

    It '-WhatIf changes nothing' {
        Move-TokenKitStore key -Key $first -WhatIf
        (Get-TokenKitStore).Sealed | Should -BeFalse
    }

    It 'refuses <Name>: <ErrorId>, and changes nothing' -ForEach @(
        @{ Name = 'no key'; With = @{ Backend = 'key' }; ErrorId = 'invalid_argument' }
        @{ Name = 'two keys'; With = @{ Backend = 'key'; Key = 'x'; KeyFile = 'y' }; ErrorId = 'invalid_argument' }
        @{ Name = 'a key for none'; With = @{ Backend = 'file'; Key = 'x' }; ErrorId = 'invalid_argument' }
        @{ Name = 'a short key'; With = @{ Backend = 'key'; Key = 'c2hvcnQ=' }; ErrorId = 'invalid_store_key' }
        @{ Name = 'another place'; With = @{ Backend = 'cloud' }; ErrorId = 'ParameterArgumentValidationError' }
    ) {
        Get-ErrorId (Get-Failure { Move-TokenKitStore @With }) | Should -Match "^($ErrorId)$"
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly c4nary
        (Get-TokenKitStore).Sealed | Should -BeFalse
    }

    It 'shows no key in any stream' {
        $run = Invoke-Pipeline $Module 'param($key) Move-TokenKitStore key -Key $key -Verbose -Debug | Out-String' $first
        ($run.Output + $run.Streams.Values | ForEach-Object { $_ | Out-String }) -join '' | Should -Not -Match ([regex]::Escape($first))
    }
}
