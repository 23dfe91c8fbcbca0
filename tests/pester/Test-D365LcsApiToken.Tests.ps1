# Test-D365LcsApiToken: configured, piped and given tokens; when they expire.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/LcsHelpers.ps1
    Import-Module $Module
    $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
    $good = New-Jwt @{ exp = $now + 3600; nbf = $now - 300; aud = $address; appid = $client; upn = $user; tid = 'tenant' } 'key'
    $old = New-Jwt @{ exp = $now - 60; aud = $address } 'key'
    $early = New-Jwt @{ exp = $now + 7200; nbf = $now + 3600; aud = $address } 'key'
}

Describe 'A token' {
    BeforeEach { $null = New-Store }

    It 'that is <Name>: valid <Valid>, <Reason>' -ForEach @(
        @{ Name = 'good'; Token = { $good }; Valid = $true; Reason = $null }
        @{ Name = 'over'; Token = { $old }; Valid = $false; Reason = 'expired' }
        @{ Name = 'early'; Token = { $early }; Valid = $false; Reason = 'not_yet_valid' }
        @{ Name = 'opaque'; Token = { 'opaque' }; Valid = $false; Reason = 'expiry_unknown' }
        @{ Name = 'empty'; Token = { '' }; Valid = $false; Reason = 'missing' }
    ) {
        $state = Test-D365LcsApiToken -BearerToken (& $Token)
        $state.Valid | Should -Be $Valid
        $state.Reason | Should -BeExactly $Reason
        Test-D365LcsApiToken (& $Token) -Quiet | Should -Be $Valid
        Test-D365LcsApiToken (& $Token) -Quiet | Should -BeOfType bool
    }

    It 'tells when it expires and what it says about itself' {
        $state = Test-D365LcsApiToken -BearerToken $good
        $state.ExpiresOn | Should -Be ([DateTimeOffset]::FromUnixTimeSeconds($now + 3600).LocalDateTime)
        $state.TimeLeft.TotalSeconds | Should -BeGreaterThan 3000
        $state.TimeLeft.TotalSeconds | Should -BeLessOrEqual 3600
        "$($state.Audience) $($state.ClientId) $($state.Username) $($state.TenantId)" | Should -BeExactly "$address $client $user tenant"
        $state.IsConfigured | Should -BeFalse
        ($state | Format-List * | Out-String) + ($state | Out-String) | Should -Not -Match ($good -split '\.')[2]
    }

    It 'may come as <_>' -ForEach 'SecureString', 'PSCredential', 'text with Bearer before it' {
        $secure = ConvertTo-SecureString $good -AsPlainText
        $value = switch ($_) { SecureString { $secure } PSCredential { [pscredential]::new('x', $secure) } default { "Bearer $good" } }
        (Test-D365LcsApiToken -Token $value).Valid | Should -BeTrue
    }

    It 'must be valid for -MinimumLifetime' {
        (Test-D365LcsApiToken $good -MinimumLifetime 3000).Valid | Should -BeTrue
        $state = Test-D365LcsApiToken $good -MinimumLifetime ([timespan]::FromHours(2))
        $state.Valid | Should -BeFalse
        $state.Reason | Should -BeExactly expires_soon
    }

    It 'that does not say when it expires, by what the reply said: <Left> seconds left' -ForEach @(@{ Left = 600; Valid = $true }, @{ Left = -600; Valid = $false }) {
        ([pscustomobject]@{ access_token = 'opaque'; expires_on = "$($now + $Left)" } | Test-D365LcsApiToken).Valid | Should -Be $Valid
        ([pscustomobject]@{ bearertoken = 'opaque'; activetokenexpireson = $now + $Left } | Test-D365LcsApiToken).Valid | Should -Be $Valid
    }

    It 'of several that are piped is looked at for itself' {
        $states = [pscustomobject]@{ access_token = $good }, [pscustomobject]@{ access_token = 'opaque'; expires_on = "$($now + 600)" }, [pscustomobject]@{ access_token = 'opaque' }, [pscustomobject]@{ access_token = $old } | Test-D365LcsApiToken
        $states.Valid -join ' ' | Should -BeExactly 'True True False False'
    }
}

Describe 'The configured token' {
    BeforeEach { $null = New-Store }

    It 'is looked at when none is given' {
        Set-D365LcsApiConfig -BearerToken $good -RefreshToken r
        $state = Test-D365LcsApiToken
        $state.Valid, $state.IsConfigured, $state.CanRefresh | Should -Be $true, $true, $true
        Set-D365LcsApiConfig -BearerToken opaque -ActiveTokenExpiresOn ($now + 60)
        (Test-D365LcsApiToken).TimeLeft.TotalSeconds | Should -BeLessOrEqual 60
        Test-D365LcsApiToken -Quiet | Should -BeTrue
    }

    It 'that is missing is not valid, and no error' {
        $state = Test-D365LcsApiToken
        $state.Valid | Should -BeFalse
        $state.Reason | Should -BeExactly missing
        Test-D365LcsApiToken -Quiet | Should -BeFalse
    }

    It 'may be piped' {
        Set-D365LcsApiConfig -BearerToken $old
        (Get-D365LcsApiConfig | Test-D365LcsApiToken).Reason | Should -BeExactly expired
    }
}
