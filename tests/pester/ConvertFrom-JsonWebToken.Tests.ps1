# How ConvertFrom-JsonWebToken shows a token.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    $refused = @(
        @{ Text = 'opaque'; ErrorId = 'ParameterArgumentValidationError' }
        @{ Text = 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.AA'; ErrorId = 'ParameterArgumentValidationError' }
        @{ Text = ' eyJhbGciOiJIUzI1NiJ9.e30.AA'; ErrorId = 'ParameterArgumentValidationError' }
        @{ Text = 'EYJhbGciOiJIUzI1NiJ9.e30.AA'; ErrorId = 'ParameterArgumentValidationError' }
        @{ Text = 'eyJhbGciOiJIUzI1NiJ9.e30'; ErrorId = 'ParameterArgumentValidationError' }
        @{ Text = 'eyJhbGciOiJIUzI1NiJ9..AA'; ErrorId = 'ParameterArgumentValidationError' }
        @{ Text = 'eyJhbGciOiJkaXIifQ.e30.AA.AA.AA'; ErrorId = 'encrypted_token' }
        @{ Text = 'eyJhbGciOiJIUzI1NiJ9.e30.AA.AA'; ErrorId = 'malformed_token' }
        @{ Text = 'eyJhbGciOiJIUzI1NiJ9.AAAA.AA'; ErrorId = 'malformed_token' }
        @{ Text = 'eyJhbGciOiJIUzI1NiJ9.WzFd.AA'; ErrorId = 'malformed_token' }
        @{ Text = 'eyJhbGciOiJIUzI1NiJ9.e30.AB'; ErrorId = 'malformed_token' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/JoseHelpers.ps1
    Import-Module $Module
}

Describe 'A token' {
    It 'has the header first, then the claims in their order, the signature last' {
        $token = Join-Jwt '{"alg":"HS256","kid":"k"}' '{"iss":"i","zeta":1,"alpha":[1,"x"],"deep":{"a":{"b":null}}}' c2ln
        $jwt = ConvertFrom-JsonWebToken $token
        $jwt.psobject.Properties.Name -join ' ' | Should -BeExactly 'header iss zeta alpha deep signature'
        $jwt.header.kid | Should -BeExactly k
        $jwt.signature | Should -BeExactly c2ln
        $jwt.alpha[1] | Should -BeExactly x
        $jwt.deep.a.psobject.Properties.Name | Should -Be b
    }

    It 'keeps integers as Int64 and texts that look like dates as texts' {
        $jwt = ConvertFrom-JsonWebToken (Join-Jwt '{"alg":"HS256"}' '{"n":9007199254740993,"small":1,"date":"2024-02-01T12:00:00Z","half":0.5}')
        $jwt.n | Should -Be 9007199254740993
        $jwt.small | Should -BeOfType long
        $jwt.date | Should -BeOfType string
        $jwt.date | Should -BeExactly 2024-02-01T12:00:00Z
        $jwt.half | Should -Be 0.5
    }

    It 'has its times also as local DateTime, before the signature' {
        $jwt = ConvertFrom-JsonWebToken (Join-Jwt '{"alg":"HS256"}' '{"exp":1700000000,"iat":1700000000.5,"nbf":"soon","auth_time":1}')
        $jwt.psobject.Properties.Name -join ' ' | Should -BeExactly 'header exp iat nbf auth_time exp_datetime iat_datetime auth_time_datetime signature'
        $jwt.exp | Should -BeOfType long
        $jwt.exp_datetime | Should -Be ([DateTimeOffset]::FromUnixTimeSeconds(1700000000).LocalDateTime)
        $jwt.exp_datetime.Kind | Should -Be Local
        $jwt.iat_datetime.Millisecond | Should -Be 500
    }

    It 'of claims named like its parts keeps both' {
        $jwt = ConvertFrom-JsonWebToken (Join-Jwt '{"alg":"HS256"}' '{"header":"h","Signature":"s","sub":"a"}' c2ln)
        $jwt.psobject.Properties.Name -join ' ' | Should -BeExactly 'header claim_header claim_Signature sub signature'
        $jwt.header.alg, $jwt.claim_header, $jwt.claim_Signature, $jwt.signature | Should -Be HS256, h, s, c2ln
    }

    It 'is read as UTF-8' {
        (ConvertFrom-JsonWebToken (Join-Jwt '{"alg":"HS256"}' '{"name":"Zoë 😀"}')).name | Should -BeExactly 'Zoë 😀'
    }

    It 'may be unsigned, expired or of an unknown algorithm: it is only shown' {
        (ConvertFrom-JsonWebToken (Join-Jwt '{"alg":"none"}' '{"sub":"a"}')).signature | Should -BeExactly ''
        (ConvertFrom-JsonWebToken (Join-Jwt '{"alg":"XX1"}' '{"exp":1}' AA)).header.alg | Should -BeExactly XX1
    }

    It 'comes from the pipeline, each with its result' {
        $tokens = 1..3 | ForEach-Object { Join-Jwt '{"alg":"HS256"}' "{`"n`":$_}" AA }
        ($tokens | ConvertFrom-JsonWebToken).n | Should -Be 1, 2, 3
    }
}

Describe 'What is no readable JWT' {
    It '<Text>: <ErrorId>' -ForEach $refused {
        Get-ErrorId (Get-Failure { ConvertFrom-JsonWebToken $Text }) | Should -BeExactly $ErrorId
    }

    It 'does not keep the others of a pipeline from being read' {
        $good = Join-Jwt '{"alg":"HS256"}' '{"n":1}' AA
        $jwts = $good, 'opaque', 'eyJhbGciOiJkaXIifQ.e30.AA.AA.AA', $good | ConvertFrom-JsonWebToken -ErrorAction SilentlyContinue -ErrorVariable errors
        $jwts.n | Should -Be 1, 1
        $errors.Count | Should -Be 2
    }

    It 'says of an encrypted token that it cannot be read' {
        (Get-Failure { ConvertFrom-JsonWebToken eyJhbGciOiJkaXIifQ.e30.AA.AA.AA }).Exception.Message | Should -Match 'encrypted \(JWE\)'
    }
}
