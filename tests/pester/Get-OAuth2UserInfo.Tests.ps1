# Get-OAuth2UserInfo: what it takes, whom it believes.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $provider = Start-Provider
    $http = $provider.http

    # An endpoint that says this.
    function New-UserInfo($Claims) { Set-Reply $server /canned/userinfo (New-JsonReply 200 $Claims) }

    # A token of oidc-provider for alice, by the code that its test route makes.
    function New-Token([string] $ClientId, [string] $Scope) {
        $body = @{ client_id = $ClientId; redirect_uri = 'http://127.0.0.1/'; scope = $Scope } | ConvertTo-Json
        $code = (Invoke-RestMethod "$($http.test)/code" -Method Post -Body $body -ContentType application/json -NoProxy).code
        token $http.token_endpoint -client_id $ClientId -code $code -redirect_uri http://127.0.0.1/
    }
}

AfterAll {
    Stop-Peer $server
    Stop-Peer $provider
}

Describe 'The access token' {
    BeforeEach {
        $uri = New-UserInfo @{ sub = 'alice'; name = 'Alice' }
        $null = Get-SentRequest $server
    }

    It 'may be <Name>, and travels in the header' -ForEach @(
        @{ Name = 'a string'; Ask = { Get-OAuth2UserInfo $uri t0ken } }
        @{ Name = 'a string from the pipeline'; Ask = { 't0ken' | Get-OAuth2UserInfo $uri } }
        @{ Name = 'a SecureString'; Ask = { Get-OAuth2UserInfo $uri -access_token (ConvertTo-SecureString t0ken -AsPlainText) } }
        @{ Name = 'a PSCredential'; Ask = { Get-OAuth2UserInfo $uri ([pscredential]::new('x', (ConvertTo-SecureString t0ken -AsPlainText))) } }
        @{ Name = 'in an object'; Ask = { [pscustomobject]@{ access_token = 't0ken' } | Get-OAuth2UserInfo $uri } }
        @{ Name = 'in a hashtable'; Ask = { @{ access_token = 't0ken' } | Get-OAuth2UserInfo $uri } }
        @{ Name = 'in a parameter as object'; Ask = { Get-OAuth2UserInfo $uri ([pscustomobject]@{ access_token = 't0ken' }) } }
    ) {
        $claims = & $Ask
        $claims.sub, $claims.name | Should -BeExactly 'alice', 'Alice'
        $sent = Get-SentRequest $server
        $sent.Method | Should -BeExactly GET
        $sent.Headers['authorization'] | Should -BeExactly 'Bearer t0ken'
    }

    It 'may be several, one answer each' {
        ('a', 'b', 'c' | Get-OAuth2UserInfo $uri).sub | Should -BeExactly 'alice', 'alice', 'alice'
        (Get-SentRequest $server).ForEach{ $_.Headers['authorization'] } | Should -BeExactly 'Bearer a', 'Bearer b', 'Bearer c'
    }

    It 'that is none is an error: <Name>' -ForEach @(
        @{ Name = 'a number'; Value = 42 }
        @{ Name = 'an object without it'; Value = [pscustomobject]@{ name = 'x' } }
    ) {
        Get-ErrorId (Get-Failure { Get-OAuth2UserInfo $uri $Value }) | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'is in no stream' {
        $run = Invoke-Pipeline $Module 'param($uri) Get-OAuth2UserInfo $uri s3cretAccessT0ken -Verbose -Debug' $uri
        $text = foreach ($name in 'Verbose', 'Debug', 'Warning', 'Information') { $run.Streams[$name] | ForEach-Object { "$_"; $_ | Format-List * -Force | Out-String } }
        $text -join ' ' | Should -Match 'GET http'
        $text -join ' ' | Should -Not -Match s3cretAccessT0ken
    }
}

Describe 'The subject' {
    It 'must be that of -sub, of -id_token, and of the ID token that comes along: <Name>' -ForEach @(
        @{ Name = '-sub'; Ask = { param($sub) Get-OAuth2UserInfo $uri t0ken -sub $sub } }
        @{ Name = '-id_token'; Ask = { param($sub) Get-OAuth2UserInfo $uri t0ken -id_token (New-Jwt @{ sub = $sub } 'key') } }
        @{ Name = 'a token response'; Ask = { param($sub) [pscustomobject]@{ access_token = 't0ken'; id_token = New-Jwt @{ sub = $sub } 'key' } | Get-OAuth2UserInfo $uri } }
        @{ Name = 'a hashtable'; Ask = { param($sub) @{ access_token = 't0ken'; id_token = New-Jwt @{ sub = $sub } 'key' } | Get-OAuth2UserInfo $uri } }
    ) {
        $uri = New-UserInfo @{ sub = 'alice' }
        (& $Ask alice).sub | Should -BeExactly alice
        foreach ($other in 'bob', 'ALICE') {
            $failure = $null
            $output = try { & $Ask $other } catch { $failure = $_ }
            $output | Should -BeNullOrEmpty
            $failure ??= $Error[0]
            Get-ErrorId $failure | Should -BeExactly subject_mismatch
            $failure.CategoryInfo.Category | Should -Be SecurityError
        }
    }

    It 'must be there' {
        $uri = New-UserInfo @{ name = 'Alice' }
        Get-ErrorId (Get-Failure { Get-OAuth2UserInfo $uri t0ken }) | Should -BeExactly malformed_userinfo
    }
}

Describe 'The endpoint' {
    It 'is found in the metadata of -issuer' {
        $token = New-Token none 'openid profile email'
        $claims = $token | Get-OAuth2UserInfo -issuer $http.issuer
        $claims.sub | Should -BeExactly $provider.account.username
        $claims.email_verified | Should -BeTrue
    }

    It 'is needed, or the issuer' {
        Get-ErrorId (Get-Failure { Get-OAuth2UserInfo -access_token t0ken }) | Should -BeExactly invalid_argument
    }

    It 'is not asked by http elsewhere than here' {
        Get-ErrorId (Get-Failure { Get-OAuth2UserInfo http://as.example/me t0ken }) | Should -BeExactly insecure_endpoint
    }

    It 'that refuses the token gives an error with the response' {
        $failure = Get-Failure { Get-OAuth2UserInfo $http.userinfo_endpoint wrong }
        Get-ErrorId $failure | Should -BeExactly invalid_token
        $failure.CategoryInfo.Category | Should -Be AuthenticationError
        $failure.Exception.Response.StatusCode | Should -Be Unauthorized
    }
}

Describe 'A signed answer' {
    It 'is verified with the keys of the issuer' {
        $token = New-Token native_signed_userinfo 'openid email'
        $claims = $token | Get-OAuth2UserInfo $http.userinfo_endpoint -issuer $http.issuer -client_id native_signed_userinfo
        $claims.sub | Should -BeExactly $provider.account.username
        Get-ErrorId (Get-Failure { Get-OAuth2UserInfo $http.userinfo_endpoint $token.access_token -issuer $http.issuer -client_id other }) | Should -Not -BeNullOrEmpty
    }

    It 'needs the issuer' {
        $token = New-Token native_signed_userinfo openid
        Get-OAuth2UserInfo $http.userinfo_endpoint $token.access_token -ErrorAction SilentlyContinue -ErrorVariable failures | Should -BeNullOrEmpty
        $failures.Count | Should -BeGreaterThan 0
    }

    It 'with a signature of somebody else is an error' {
        $rsa = [System.Security.Cryptography.RSA]::Create(2048)
        $uri = Set-Reply $server /canned/forged @{ headers = @(, @('Content-Type', 'application/jwt')); body = New-Jwt @{ sub = 'alice'; iss = $http.issuer; aud = 'app' } $rsa }
        Get-OAuth2UserInfo $uri t0ken -issuer $http.issuer -client_id app -ErrorAction SilentlyContinue -ErrorVariable failures | Should -BeNullOrEmpty
        $failures.Count | Should -BeGreaterThan 0
    }
}
