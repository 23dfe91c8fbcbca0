# What the Tab key offers, without asking anybody: and names of parameters in PowerShell case.
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/JoseHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer

    # What completes the line at its end.
    function Complete([string] $Line) { @((TabExpansion2 $Line $Line.Length).CompletionMatches) }
    function Get-Completion([string] $Line) { @(Complete $Line).CompletionText -join ' ' }
    # Of these servers, and not of those of other tests in this process.
    function Get-KnownCompletion([string] $Line) { @(Complete $Line).CompletionText -match '/(one|two)(/|$)' -join ' ' }

    # Metadata of an issuer of its own, fetched once.
    function Get-TestMetadata([string] $Name, [string[]] $Scope) {
        $issuer = "$($server.http)/$Name"
        $null = Set-Reply $server "/$Name/.well-known/openid-configuration" (New-JsonReply 200 @{
                issuer = $issuer; token_endpoint = "$issuer/token"; authorization_endpoint = "$issuer/auth"; jwks_uri = "$issuer/keys"
                device_authorization_endpoint = "$issuer/device"; userinfo_endpoint = "$issuer/me"; scopes_supported = $Scope
            })
        Get-OidcDiscoveryMetadata $issuer
    }
}

AfterAll { Stop-Peer $server }

Describe 'Completion' {
    It 'of <Line> offers <Offers>' -ForEach @(
        @{ Line = 'New-VenafiSession -VcRegion '; Offers = 'us eu au uk sg ca' }
        @{ Line = 'New-VenafiSession -VcRegion e'; Offers = 'eu' }
        @{ Line = "New-VenafiSession -VcRegion 'e"; Offers = 'eu' }
        @{ Line = 'Get-VenafiSession -VcRegion a'; Offers = 'au' }
        @{ Line = 'Get-D365LcsApiToken -LcsApiUri eu'; Offers = 'https://lcsapi.eu.lcs.dynamics.com' }
        @{ Line = 'Get-D365LcsApiToken -LcsApiUri https://lcsapi.eu'; Offers = 'https://lcsapi.eu.lcs.dynamics.com' }
        @{ Line = 'Set-D365LcsApiConfig -LcsApiUri eu'; Offers = 'https://lcsapi.eu.lcs.dynamics.com' }
        @{ Line = 'authorize x -response_type "code '; Offers = "'code id_token' 'code token' 'code id_token token'" }
        @{ Line = 'authorize x -prompt '; Offers = 'login select_account consent none' }
        @{ Line = 'authorize x -response_mode f'; Offers = 'form_post fragment' }
        @{ Line = 'token x -client_auth_method '; Offers = 'client_secret_basic client_secret_jwt client_secret_post' }
        @{ Line = 'token x -ClientAuthMethod client_secret_j'; Offers = 'client_secret_jwt' }
        @{ Line = 'token x -AssertionAlgorithm ES'; Offers = 'ES256 ES384 ES512' }
        @{ Line = 'New-OAuth2KeyPair E'; Offers = 'EdDSA ES256 ES384 ES512' }
        @{ Line = 'Clear-D365LcsApiConfig be'; Offers = 'bearertoken' }
        @{ Line = 'Move-TokenKitStore k'; Offers = 'key keyring' }
    ) {
        $found = @((Complete $Line).CompletionText)
        foreach ($offer in [regex]::Matches($Offers, "'[^']+'|\S+").Value) { $found | Should -Contain $offer }
        $found.Count | Should -Be ([regex]::Matches($Offers, "'[^']+'|\S+").Count)
    }

    It 'of -CertificateAuthority offers files' {
        $null = New-Item "$TestDrive/private-ca.pem"
        Push-Location $TestDrive
        $found = try { Get-Completion 'token x -CertificateAuthority ./pri' } finally { Pop-Location }
        $found | Should -Match 'private-ca\.pem$'
    }

    It 'explains regions by their addresses' {
        (Complete 'New-VenafiSession -VcRegion e')[0].ToolTip | Should -BeExactly https://api.eu.venafi.cloud
    }

    It 'loads nothing and asks nobody for what is not known' {
        $run = Invoke-Pwsh 'param($module) Import-Module $module; foreach ($p in "-scope op", "-issuer https", "-uri https") { $l = "token $p"; (TabExpansion2 $l $l.Length).CompletionMatches.Count }; @((Get-Process -Id $PID).Modules.FileName -match "runtimes.*tokenkit").Count' $Module
        $run.Output.Trim() -split '\s+' -join ' ' | Should -BeExactly '0 0 0 0'
    }
}

Describe 'Completion after the metadata was fetched' {
    BeforeAll {
        $one = Get-TestMetadata one openid, profile, api.read
        $two = Get-TestMetadata two openid, 'https://graph.example/.default'
        $null = Get-SentRequest $server
    }

    It 'offers its addresses: <Line>' -ForEach @(
        @{ Line = 'token h'; Member = 'token_endpoint' }
        @{ Line = 'token -TokenEndpoint h'; Member = 'token_endpoint' }
        @{ Line = 'authorize h'; Member = 'authorization_endpoint' }
        @{ Line = 'deviceauth h'; Member = 'device_authorization_endpoint' }
        @{ Line = 'deviceauth x -client_id y -token_uri h'; Member = 'token_endpoint' }
        @{ Line = 'Get-OAuth2UserInfo h'; Member = 'userinfo_endpoint' }
        @{ Line = 'Get-OidcDiscoveryMetadata h'; Member = 'issuer' }
        @{ Line = 'token x -issuer h'; Member = 'issuer' }
        @{ Line = 'Test-JsonWebToken x -jwks_uri h'; Member = 'jwks_uri' }
        @{ Line = 'Test-JsonWebTokenSignature x -issuer h'; Member = 'issuer' }
    ) {
        Get-KnownCompletion $Line | Should -BeExactly "$($two.$Member) $($one.$Member)"
    }

    It 'offers the scopes of the server that the line names, one after the other' {
        Get-Completion "token $($one.token_endpoint) -scope " | Should -BeExactly 'openid profile api.read'
        Get-Completion "token $($two.token_endpoint) -scope " | Should -BeExactly 'openid https://graph.example/.default'
        Get-Completion "authorize x -issuer $($one.issuer) -scope 'openid p" | Should -BeExactly "'openid profile'"
        # Of all of them where the line names none.
        Get-Completion 'token -scope ' | Should -Match '^openid https://graph\.example/\.default profile api\.read\b'
    }

    It 'asks nobody' {
        $null = Get-Completion "token $($one.token_endpoint) -scope "
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'keeps the newest of an issuer' {
        $null = Get-TestMetadata one new.scope
        Get-Completion "token $($one.token_endpoint) -scope " | Should -BeExactly new.scope
    }
}

Describe 'Names in PowerShell case' {
    It 'are there for each parameter with a name of the protocol' {
        $checked = 0
        foreach ($command in Get-Command -Module TokenKit -CommandType Cmdlet) {
            foreach ($name in $command.Parameters.Keys.Where{ $_.Contains('_') }) {
                $pascal = ($name -split '_').ForEach{ $_.Substring(0, 1).ToUpperInvariant() + $_.Substring(1) } -join ''
                $command.Parameters[$name].Aliases | Should -Contain $pascal -Because "$command -$name"
                $command.ResolveParameter($pascal).Name | Should -BeExactly $name
                $checked++
            }
        }
        $checked | Should -BeGreaterThan 25
    }

    It 'bind on the line and from the pipeline: <Name>' -ForEach @(
        @{ Name = 'on the line'; Script = { token -TokenEndpoint $echo -ClientId app -ClientSecret s3cret -ClientAuthMethod client_secret_post -RefreshToken r3fresh } }
        @{ Name = 'an object'; Script = { [pscustomobject]@{ TokenEndpoint = $echo; ClientId = 'app'; ClientSecret = 's3cret'; RefreshToken = 'r3fresh' } | token } }
        @{ Name = 'a hashtable'; Script = { @{ ClientId = 'app'; ClientSecret = 's3cret'; RefreshToken = 'r3fresh' } | token $echo } }
        @{ Name = 'CSV'; Script = { "TokenEndpoint,ClientId,ClientSecret,RefreshToken`n$echo,app,s3cret,r3fresh" | ConvertFrom-Csv | token } }
        @{ Name = 'abbreviated'; Script = { token $echo -ClientI app -ClientS s3cret -RefreshT r3fresh } }
    ) {
        $echo = "$($server.http)/echo-token"
        $form = (& $Script).received.form
        $form.client_id | Should -BeExactly app
        $form.client_secret | Should -BeExactly s3cret
        $form.refresh_token | Should -BeExactly r3fresh
    }

    It 'bind the metadata of a server: its token endpoint and issuer' {
        $null = Set-Reply $server /one/token (New-JsonReply 200 @{ access_token = 'a'; token_type = 'Bearer' })
        $null = Set-Reply $server /one/keys (New-JsonReply 200 @{ keys = @() })
        $null = Get-SentRequest $server
        (Get-TestMetadata one openid | token -ClientId app -ClientSecret s3cret).access_token | Should -BeExactly a
        (Get-SentRequest $server).Path | Should -Contain /one/token
    }

    It 'the protocol''s name counts when an object has both' {
        $form = ([pscustomobject]@{ ClientId = 'wrong'; client_id = 'right' } | token "$($server.http)/echo-token" -ClientSecret s).received.form
        $form.client_id | Should -BeExactly right
    }
}

Describe 'Secrets' {
    It 'of any parameter may be <Kind>' -ForEach @(
        @{ Kind = 'a string'; Make = { $args[0] } }
        @{ Kind = 'a SecureString'; Make = { ConvertTo-SecureString $args[0] -AsPlainText } }
        @{ Kind = 'a PSCredential'; Make = { [pscredential]::new('x', (ConvertTo-SecureString $args[0] -AsPlainText)) } }
    ) {
        $echo = "$($server.http)/echo-token"
        (token $echo -client_id app -code (& $Make c0de) -code_verifier (& $Make ('v' * 43))).received.form.code | Should -BeExactly c0de
        (token $echo -client_id app -device_code (& $Make d3vice)).received.form.device_code | Should -BeExactly d3vice
        (token $echo -client_id app -client_secret (& $Make s3cret)).received.form.client_secret | Should -BeExactly s3cret
        ([pscustomobject]@{ device_code = & $Make d3vice; x = 1 } | token $echo -client_id app).received.form.device_code | Should -BeExactly d3vice
        Set-D365LcsApiConfig -BearerToken (& $Make b3arer) -RefreshToken (& $Make r3fresh) -Temporary
        (Get-D365LcsApiConfig).bearertoken | Should -BeExactly b3arer
        (Get-D365LcsApiConfig).refreshtoken | Should -BeExactly r3fresh
        Clear-D365LcsApiConfig -Temporary
        (New-DelegatedAccessToken (& $Make acc3ss)).AccessToken | Should -BeExactly acc3ss
    }

    It 'of other kinds are refused in a sentence, and not quoted: <Parameter> <Kind>' -ForEach @(
        foreach ($parameter in 'client_secret', 'refresh_token', 'code', 'device_code') {
            @{ Parameter = $parameter; Kind = 'a hashtable'; Value = @{ c4nary = 'c4nary' } }
            @{ Parameter = $parameter; Kind = 'a list'; Value = @([pscustomobject]@{ c4nary = 1 }, [pscustomobject]@{ c4nary = 1 }) }
            @{ Parameter = $parameter; Kind = 'an object'; Value = [pscustomobject]@{ c4nary = 'c4nary' } }
        }
    ) {
        $bound = @{ $Parameter = $Value }
        $failure = Get-Failure { token "$($server.http)/echo-token" -client_id app @bound }
        "$failure" | Should -Match "$Parameter.*secret is a string, a SecureString or a PSCredential.*, not $Kind\."
        "$failure" | Should -Not -Match 'c4nary|System\.'
    }
}
