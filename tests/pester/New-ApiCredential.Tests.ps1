# New-ApiCredential: what it makes of what it gets.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
}

Describe 'A credential' {
    It 'has exactly two texts, empty when nothing is given' {
        $credential = New-ApiCredential
        $credential | Should -BeOfType PSCustomObject
        $credential.psobject.Properties.Name -join ' ' | Should -BeExactly 'ClientSecret UserPrincipalName'
        $credential.ClientSecret, $credential.UserPrincipalName | Should -BeExactly '', ''
        (New-ApiCredential s u).ClientSecret | Should -BeOfType string
    }

    It 'is made by name, by position and of piped objects, one for each' {
        (New-ApiCredential -ClientSecret s -UserPrincipalName u).UserPrincipalName | Should -BeExactly u
        (New-ApiCredential s u).ClientSecret | Should -BeExactly s
        Set-Content "$TestDrive/users.csv" "ClientSecret,UserPrincipalName`na,1`nb,2`nc,3"
        $credentials = Import-Csv "$TestDrive/users.csv" | New-ApiCredential
        $credentials.ClientSecret -join ' ' | Should -BeExactly 'a b c'
        $credentials.UserPrincipalName -join ' ' | Should -BeExactly '1 2 3'
    }

    It 'keeps a SecureString as it is, and takes name and secret of a PSCredential' {
        $secure = ConvertTo-SecureString s3cret -AsPlainText
        (New-ApiCredential $secure u).ClientSecret | Should -Be $secure
        $credential = New-ApiCredential ([pscredential]::new('me', $secure))
        $credential.UserPrincipalName | Should -BeExactly me
        $credential.ClientSecret | Should -BeOfType securestring
        (New-ApiCredential ([pscredential]::new('me', $secure)) other).UserPrincipalName | Should -BeExactly other
    }

    It 'does not show its secret' {
        $credential = New-ApiCredential s3cret u
        $credential, [pscustomobject]@{ a = 1 }, $credential | Out-String | Should -Not -Match s3cret
        "$credential" | Should -BeExactly TokenKit.ApiCredential
        $credential.ClientSecret | Should -BeExactly s3cret
    }
}
