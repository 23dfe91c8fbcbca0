# Which input of Convert-UnixTime is a time and which a number of seconds.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $numbers = @(
        @{ Kind = 'Int32'; Number = 1700000000 }
        @{ Kind = 'Int64'; Number = 1700000000L }
        @{ Kind = 'UInt32'; Number = [uint32]1700000000 }
        @{ Kind = 'Double'; Number = 1700000000.9 }
        @{ Kind = 'Decimal'; Number = 1700000000d }
        @{ Kind = 'BigInteger'; Number = [bigint]1700000000 }
        @{ Kind = 'String'; Number = '1700000000' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $time = [DateTimeOffset]::FromUnixTimeSeconds(1700000000)
}

Describe 'A number' {
    It 'of type <Kind> means seconds, wherever it stands' -ForEach $numbers {
        foreach ($result in (Convert-UnixTime $Number), (Convert-UnixTime -epoch $Number), ($Number | Convert-UnixTime), (Get-UnixTime $Number)) {
            $result | Should -BeOfType datetime
            $result | Should -Be $time.LocalDateTime
            $result.Kind | Should -Be Local
        }
    }

    It 'may be before 1970' { Convert-UnixTime -1 | Should -Be ([DateTimeOffset]::FromUnixTimeSeconds(-1).LocalDateTime) }

    It 'may be zero' { Convert-UnixTime 0 | Should -Be ([DateTime]::UnixEpoch.ToLocalTime()) }

    It 'that is no date is an error' {
        Get-ErrorId (Get-Failure { Convert-UnixTime ([long]::MaxValue) -ErrorAction Stop }) | Should -BeExactly epoch_out_of_range
    }

    It 'comes from a token' {
        $jwt = New-Jwt @{ exp = 1700000000 } 'secret' | ConvertFrom-JsonWebToken
        Convert-UnixTime -epoch $jwt.exp | Should -Be $time.LocalDateTime
    }
}

Describe 'A time' {
    It 'becomes seconds, whatever its kind and place' {
        foreach ($result in (Convert-UnixTime $time.UtcDateTime), (Convert-UnixTime $time.LocalDateTime), (Convert-UnixTime -date $time.LocalDateTime), ($time.UtcDateTime | Convert-UnixTime), (Convert-UnixTime '2023-11-14T22:13:20Z')) {
            $result | Should -BeOfType long
            $result | Should -Be 1700000000
        }
    }

    It 'is now when there is none' {
        $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        Convert-UnixTime | Should -BeIn ($now..($now + 5))
    }

    It 'has a result for each of a pipeline' {
        $time.UtcDateTime, 5, $time.LocalDateTime, 7L | Convert-UnixTime | ForEach-Object { $_.GetType().Name } | Should -Be Int64, DateTime, Int64, DateTime
    }
}
