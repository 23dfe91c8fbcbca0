# How output looks at a terminal of 80 columns, and what tokens can be asked for.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    Import-Module $Module
    # Dictionaries have no columns.
    $dictionaries = 'TokenKit.AuthorizationResponse', 'TokenKit.JwtAssertion', 'TokenKit.PkceChallenge'
    $plain = 'System.Void', 'System.Boolean', 'System.String', 'System.Int64', 'System.DateTime', 'System.Security.SecureString', 'System.Collections.Hashtable',
        'System.Collections.Hashtable[]', 'System.Collections.Specialized.OrderedDictionary'
    $types = foreach ($name in (Get-Command -Module TokenKit -CommandType Cmdlet).OutputType.Name + 'TokenKit.StoreSectionView' | Sort-Object -Unique) {
        if ($name -notin $plain) { @{ Type = $name; HasTable = $name -notin $dictionaries } }
    }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/VenafiHelpers.ps1
    . $PSScriptRoot/JoseHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $canary = 'c4nary-' + 'x' * 60 + '-c4nary'

    function New-Sample([string] $Type, [hashtable] $Property) { [pscustomobject](@{ PSTypeName = $Type } + $Property) }
    function New-Credential([string] $Text) { [pscredential]::new('x', (ConvertTo-SecureString $Text -AsPlainText)) }

    $pair = New-OAuth2KeyPair ES256 -Subject demo
    $jwt = (New-OAuth2JwtAssertion app alice https://server.example -client_certificate $pair.Certificate).client_assertion_jwt
    Set-D365LcsApiConfig -ProjectId 123456789 -ClientId 9b4f4503-b970-4ade-abc6-2c086e4c4929 -BearerToken $canary -RefreshToken $canary `
        -ActiveTokenExpiresOn ([DateTimeOffset]::Now.AddHours(1).ToUnixTimeSeconds()) -LcsApiUri https://lcsapi.eu.lcs.dynamics.com
    $vcToken = New-Sample TokenKit.VcToken @{
        Endpoint = 'https://api.venafi.cloud/v1/oauth2/v2.0/2222c771-61f3-11ec-8a47-490a1e43c222/token'; AccessToken = New-Credential $canary
        JWT = New-Credential $canary; Expires = (Get-Date).AddHours(1)
    }
    $long = 'word ' * 60

    # What each type holds in the worst case.
    $samples = @{
        'TokenKit.TokenResponse' = { New-Sample $Type @{ access_token = $canary; refresh_token = $canary; id_token = $canary; token_type = 'Bearer'; scope = $long; expires_in = 3599; expiry_datetime = (Get-Date).AddHours(1) } }
        'TokenKit.DeviceAuthorization' = { New-Sample $Type @{ device_code = $canary; user_code = 'ABCD-EFGH'; verification_uri = 'https://login.example.com/device'; verification_uri_complete = "https://login.example.com/device?user_code=ABCD-EFGH"; expires_in = 900; interval = 5; message = $long } }
        'TokenKit.AuthorizationResponse' = {
            $answer = @{ code = $canary; code_verifier = $canary; access_token = $canary; client_id = 'app'; redirect_uri = 'http://127.0.0.1:1/' }
            $answer = [psobject]$answer; $answer.psobject.TypeNames.Insert(0, $Type); $answer
        }
        'TokenKit.JwtAssertion' = { New-OAuth2JwtAssertion app alice https://server.example -client_certificate $pair.Certificate }
        'TokenKit.PkceChallenge' = { New-PkceChallenge }
        'TokenKit.JsonWebToken' = { ConvertFrom-JsonWebToken $jwt }
        'TokenKit.JwtValidation' = { Test-JsonWebToken $jwt -jwk $pair.PublicJwk -issuer other }
        'TokenKit.KeyPair' = { New-OAuth2KeyPair ES256 -Subject demo -AsPlainText }
        'TokenKit.Jwk' = { ConvertTo-Jwk $pair.Certificate -IncludePrivate -AsPlainText }
        'TokenKit.OidcMetadata' = {
            $null = Set-Reply $server /views/.well-known/openid-configuration (New-JsonReply 200 @{ issuer = "$($server.http)/views"; token_endpoint = "$($server.http)/views/token"; scopes_supported = $long.Trim() -split ' '; introspection_endpoint_auth_methods_supported = 'a', 'b'; mtls = @{ a = 1 } })
            Get-OidcDiscoveryMetadata "$($server.http)/views"
        }
        'TokenKit.UserInfo' = { New-Sample $Type @{ sub = 'alice'; name = 'Alice'; email = 'alice@example.com'; address = [pscustomobject]@{ country = 'x' }; about = $long } }
        'TokenKit.LcsApiConfig' = { Get-D365LcsApiConfig }
        'TokenKit.LcsApiTokenState' = { Test-D365LcsApiToken }
        'TokenKit.LcsApiSetting' = { New-Sample $Type @{ Name = 'activetokenexpireson'; Value = 'abcdef...cdef'; Changed = $true } }
        'TokenKit.StoreView' = { Get-TokenKitStore }
        'TokenKit.StoreSectionView' = { (Get-TokenKitStore).Sections[0] }
        'TokenKit.VenafiSession' = { New-Sample $Type @{ Platform = 'VC'; Server = 'https://api.venafi.cloud'; TimeoutSec = 0; Token = $vcToken; JwtSource = { $canary }; User = [pscustomobject]@{ username = 'someone.with.a.name@example.com' } } }
        'TokenKit.VcToken' = { $vcToken }
        'TokenKit.VcTokenState' = { $session = New-VenafiSession -VcEndpoint $server.venafi.endpoint -Jwt (New-VenafiJwt $server) -PassThru; Test-VcToken -VenafiSession $session }
        'TokenKit.ApiCredential' = { New-ApiCredential $canary someone@example.com }
        'TokenKit.DelegatedAccessToken' = { New-DelegatedAccessToken $canary $canary 3600 }
        'TokenKit.DelegatedAccessTokenApiResult' = { New-DelegatedAccessTokenApiResult (New-DelegatedAccessToken $canary $canary 3600) $false $long }
    }

    # The lines of a terminal of 80 columns, each as wide as it is shown.
    function Get-Line($Text) { ($Text -replace "`e\[[\d;]*m") -split '\r?\n' }
}

AfterAll { Stop-Peer $server }

Describe 'The output type <Type>' -ForEach $types {
    BeforeAll {
        $samples.ContainsKey($Type) | Should -BeTrue -Because 'each output type has a sample here'
        $sample = & $samples[$Type]
    }

    It 'is what the sample is' { $sample.psobject.TypeNames[0] | Should -BeExactly $Type }

    It 'has a list, and a table unless it is a dictionary' {
        $controls = (Get-FormatData -TypeName $Type -PowerShellVersion 7.4).FormatViewDefinition.Control.ForEach{ $_.GetType().Name }
        $controls | Where-Object { $_ -in 'ListControl', 'CustomControl' } | Should -Not -BeNullOrEmpty
        if ($HasTable) { $controls | Should -Contain TableControl }
    }

    It 'fits 80 columns and shows no secret as <View>' -ForEach @(
        @{ View = 'default'; Show = { $args[0] | Out-String -Width 80 } }
        @{ View = 'list'; Show = { $args[0] | Format-List | Out-String -Width 80 } }
        @{ View = 'table'; Show = { $args[0] | Format-Table | Out-String -Width 80 } }
        @{ View = 'several'; Show = { , $args[0] * 2 | Out-String -Width 80 } }
        @{ View = 'the one after another'; Show = { [pscustomobject]@{ a = 1 }, $args[0] | Out-String -Width 80 } }
    ) {
        $text = & $Show $sample
        $text.Trim() | Should -Not -BeNullOrEmpty
        $lines = Get-Line $text
        ($lines | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual 80
        $text | Should -Not -Match '-c4nary|x{20}'
        # What is secret of those that are made here.
        foreach ($name in 'signature', 'PrivateKeyPem', 'd', 'code_verifier', 'client_assertion_jwt') {
            $secret = $sample -is [System.Collections.IDictionary] ? $sample[$name] : $sample.psobject.Properties[$name]?.Value
            # A list of a token that was read is wanted as a whole.
            if ($secret -and -not ($name -eq 'signature' -and $View -eq 'list')) { $text -replace '\s' | Should -Not -Match ([regex]::Escape($secret -replace '\s')) }
        }
        if ($View -eq 'table' -and $HasTable) {
            $headers = (Get-FormatData -TypeName $Type -PowerShellVersion 7.4).FormatViewDefinition.Control.Where{ $_ -is [System.Management.Automation.TableControl] }[0].Headers.Label
            $columns = (Get-FormatData -TypeName $Type -PowerShellVersion 7.4).FormatViewDefinition.Control.Where{ $_ -is [System.Management.Automation.TableControl] }[0].Rows[0].Columns.DisplayEntry.Value
            $shown = ($lines.Where({ $_.Trim() }, 'First')[0].Trim() -split '\s+')
            $shown.Count | Should -Be ([Math]::Max($headers.Count, $columns.Count)) -Because "no column is left out: $shown"
        }
    }
}

Describe 'Each command' {
    It 'writes what it says that it writes: <Script>' -ForEach @(
        @{ Command = 'Invoke-OAuth2TokenEndpoint'; Script = { token "$($server.http)/echo-token" -client_id app -code c0de } }
        @{ Command = 'Get-OidcDiscoveryMetadata'; Script = { & $samples['TokenKit.OidcMetadata'] } }
        @{ Command = 'ConvertFrom-JsonWebToken'; Script = { ConvertFrom-JsonWebToken $jwt } }
        @{ Command = 'ConvertTo-Jwk'; Script = { ConvertTo-Jwk $pair.Certificate } }
        @{ Command = 'New-OAuth2KeyPair'; Script = { $pair } }
        @{ Command = 'New-OAuth2JwtAssertion'; Script = { & $samples['TokenKit.JwtAssertion'] } }
        @{ Command = 'New-PkceChallenge'; Script = { New-PkceChallenge } }
        @{ Command = 'Invoke-OAuth2DeviceAuthorizationEndpoint'; Script = { deviceauth (Set-Reply $server /views/device (New-JsonReply 200 @{ device_code = 'd'; user_code = 'u'; verification_uri = 'https://x.example'; expires_in = 9 })) -client_id c -WarningAction Ignore } }
        @{ Command = 'Get-OAuth2UserInfo'; Script = { Get-OAuth2UserInfo (Set-Reply $server /views/me (New-JsonReply 200 @{ sub = 'alice' })) token } }
        @{ Command = 'Get-DelegateAccessToken'; Script = { Set-GovernanceConfiguration -BaseUrl $server.governance.base_url; Get-DelegateAccessToken (New-ApiCredential MyClientSecret MyUserPrincipalName) } }
        @{ Command = 'New-VcToken'; Script = { New-VcToken -Endpoint $server.venafi.endpoint -Jwt (New-VenafiJwt $server) } }
        @{ Command = 'New-VenafiSession'; Script = { New-VenafiSession -VcEndpoint $server.venafi.endpoint -Jwt (New-VenafiJwt $server) -PassThru } }
        @{ Command = 'Get-D365LcsApiConfig'; Script = { Get-D365LcsApiConfig } }
        @{ Command = 'Get-D365LcsApiToken'; Script = { Get-D365LcsApiToken -ClientId app -Username me -Password p -LcsApiUri https://lcsapi.lcs.dynamics.com -Authority (Set-Reply $server /canned/views/oauth2/token (New-JsonReply 200 @{ access_token = 'a' })) } }
    ) {
        $output = & $Script
        $output.psobject.TypeNames[0] | Should -BeIn (Get-Command $Command).OutputType.Name
        (Get-FormatData -TypeName $output.psobject.TypeNames[0] -PowerShellVersion 7.4) | Should -Not -BeNullOrEmpty
    }
}

Describe 'A time of expiry' {
    It '<Seconds> s from now is shown as <Shown>' -ForEach @(
        @{ Seconds = 45.5; Shown = 'in 45 s \(\S+' }
        @{ Seconds = 3599.5; Shown = 'in 59 min \(\S+' }
        @{ Seconds = 3661; Shown = 'in 1 h 1 min \(\S+' }
        @{ Seconds = 100000; Shown = 'in 1 day \(\S+\)' }
        @{ Seconds = 400000; Shown = 'in 4 days \(\S+\)' }
        @{ Seconds = -90; Shown = '1 min ago \(\S+' }
    ) {
        $time = (Get-Date).AddSeconds($Seconds)
        $token = New-Sample TokenKit.TokenResponse @{ access_token = $canary; expiry_datetime = $time }
        $text = $token | Out-String
        $text | Should -MatchExactly "expiry_datetime +: $Shown"
        $text | Should -Match ([regex]::Escape($time.ToString([Math]::Abs($Seconds) -lt 86400 ? 'T' : 'd')))
        ($token | Format-Table | Out-String -Width 80) | Should -MatchExactly $Shown
    }

    if (-not $IsWindows) {
        It 'is not an hour off in <Season>: clocks change <Change> min from now, it is <Left> min from now' -ForEach @(
            @{ Season = 'autumn'; Change = -20; Left = -30; Shown = '^(29|30) min ago' }
            @{ Season = 'autumn'; Change = 20; Left = 30; Shown = '^in (29|30) min' }
            @{ Season = 'spring'; Change = 20; Left = 30; Shown = '^in (29|30) min' }
        ) {
            # A time zone (RFC 8536) of one hour, and two in summer.
            function Get-BigEndian([long] $Number, [int] $Size) { $bytes = [BitConverter]::GetBytes($Number)[0..($Size - 1)]; [array]::Reverse($bytes); $bytes }
            $at = [DateTimeOffset]::UtcNow.AddMinutes($Change).ToUnixTimeSeconds()
            $zone = foreach ($size in 4, 8) {
                [System.Text.Encoding]::ASCII.GetBytes('TZif2') + [byte[]]::new(15)
                0, 0, 0, 3, 2, 8 | ForEach-Object { Get-BigEndian $_ 4 }
                ($at - 360 * 86400), ($at - 180 * 86400), $at | ForEach-Object { Get-BigEndian $_ $size }
                $Season -eq 'autumn' ? (0, 1, 0) : (1, 0, 1)
                (Get-BigEndian 3600 4) + 0, 0
                (Get-BigEndian 7200 4) + 1, 4
                [System.Text.Encoding]::ASCII.GetBytes("STD`0DST`0")
            }
            $zone += [System.Text.Encoding]::ASCII.GetBytes($Season -eq 'autumn' ? "`nSTD-1`n" : "`nDST-2`n")
            $file = Join-Path $TestDrive "$([guid]::NewGuid())"
            [System.IO.File]::WriteAllBytes($file, $zone)
            $expires = [DateTimeOffset]::UtcNow.AddMinutes($Left)
            $run = Invoke-Pwsh @'
param($module, $seconds, $jwt)
Import-Module $module
$expires = [DateTimeOffset]::FromUnixTimeSeconds($seconds).LocalDateTime
$token = [pscustomobject]@{ PSTypeName = 'TokenKit.TokenResponse'; access_token = 'a'; expiry_datetime = $expires }
ConvertTo-Json @($token.TimeLeft().TotalMinutes, $token.IsExpired(), (Test-VcToken -AccessToken $jwt).Remaining.TotalMinutes, [TokenKit.TokenView]::Expiry($expires, $null))
'@ $Module, $expires.ToUnixTimeSeconds(), (New-Jwt @{ exp = $expires.ToUnixTimeSeconds() } key) @{ TZ = $file }
            $run.Error | Should -BeNullOrEmpty
            $seen = $run.Output | ConvertFrom-Json
            $seen[0], $seen[2] | ForEach-Object { $_ | Should -BeGreaterThan ($Left - 2); $_ | Should -BeLessOrEqual $Left }
            $seen[1] | Should -Be ($Left -lt 0)
            $seen[3] | Should -Match $Shown
        }
    }

    It 'of seconds is told beside them' {
        (Get-D365LcsApiConfig | Out-String) | Should -MatchExactly 'activetokenexpireson : \d{10}, in 59 min \('
        (New-Sample TokenKit.TokenResponse @{ expires_on = '1795277508' } | Out-String) | Should -MatchExactly 'expires_on +: 1795277508, \S+'
    }
}

Describe 'Colours' {
    BeforeAll {
        $script = 'param($module, $rendering) Import-Module $module; if ($rendering) { $PSStyle.OutputRendering = $rendering }
            [pscustomobject]@{ PSTypeName = "TokenKit.TokenResponse"; token_type = "Bearer"; expiry_datetime = (Get-Date).AddMinutes(-1) }
            [pscustomobject]@{ PSTypeName = "TokenKit.TokenResponse"; token_type = "Bearer"; expiry_datetime = (Get-Date).AddMinutes(2) }
            [pscustomobject]@{ PSTypeName = "TokenKit.TokenResponse"; token_type = "Bearer"; expiry_datetime = (Get-Date).AddMinutes(20) }'
    }

    It 'are those of $PSStyle where they are wanted: red when it is over, yellow when it soon will be' {
        $text = (Invoke-Pwsh $script $Module, Ansi @{ NO_COLOR = ''; TERM = 'xterm' }).Output
        $text | Should -Match ([regex]::Escape($PSStyle.Formatting.Error) + '1 min ago')
        $text | Should -Match ([regex]::Escape($PSStyle.Formatting.Warning) + 'in 1 min')
        $text | Should -Match (': ' + [regex]::Escape($PSStyle.Reset) + 'in 19 min')
        $text | Should -Match ([regex]::Escape($PSStyle.Formatting.FormatAccent) + 'token_type')
    }

    It 'are none with <Name>' -ForEach @(
        @{ Name = 'NO_COLOR'; Rendering = ''; Environment = @{ NO_COLOR = '1' } }
        @{ Name = 'OutputRendering PlainText'; Rendering = 'PlainText'; Environment = @{ NO_COLOR = '' } }
    ) {
        $text = (Invoke-Pwsh $script $Module, $Rendering $Environment).Output
        $text | Should -Match 'token_type'
        $text | Should -Not -Match "`e"
    }
}

Describe 'What a server says' {
    It 'does not steer the terminal' {
        $evil = "a`e[2Jb`nc`u{7}"
        foreach ($type in 'TokenKit.TokenResponse', 'TokenKit.UserInfo') {
            $text = New-Sample $type @{ scope = $evil; token_type = $evil; access_token = $evil + 'x' * 40; "n`e[2Jame" = 1 } | Out-String
            $text -replace '[\r\n]' | Should -Not -Match '\p{Cc}'
            $text | Should -Match 'scope +: a\S+\[2Jb c'
        }
        $uri = Set-Reply $server /evil (New-JsonReply 400 @{ error = 'invalid_grant'; error_description = $evil })
        $failure = $null
        @{ client_id = 'a'; code = 'b' } | token $uri -ErrorVariable failure -ErrorAction SilentlyContinue
        $text = [TokenKit.FailureView]::Text($failure[0], $null, $Host)
        $text | Should -Match 'invalid_grant:\s+a'
        $text -replace '[\r\n]' | Should -Not -Match '\p{Cc}'
    }
}

Describe 'A token' {
    BeforeAll {
        $null = Set-Reply $server /api (New-JsonReply 200 @{ ok = $true })
        $makers = @{
            response = { New-Sample TokenKit.TokenResponse @{ access_token = $canary; token_type = 'bearer'; expiry_datetime = (Get-Date).AddHours(1) } }
            'LCS response' = { New-Sample TokenKit.TokenResponse @{ access_token = $canary; expires_on = "$([DateTimeOffset]::Now.AddHours(1).ToUnixTimeSeconds())" } }
            'LCS configuration' = { Get-D365LcsApiConfig }
            'LCS dictionary' = { Get-D365LcsApiConfig -OutputAsHashtable }
            'Venafi token' = { $vcToken }
            'Governance token' = { New-DelegatedAccessToken $canary }
            'Governance result' = { New-DelegatedAccessTokenApiResult (New-DelegatedAccessToken $canary) $true }
        }
    }

    It 'gives the header and the SecureString that Invoke-RestMethod takes: <_>' -ForEach 'response', 'LCS response', 'LCS configuration', 'LCS dictionary', 'Venafi token', 'Governance token', 'Governance result' {
        $token = & $makers[$_]
        $headers = $token.ToHeaders()
        $headers | Should -BeOfType hashtable
        $headers.Authorization | Should -BeExactly "Bearer $canary"
        ($headers | Out-String) + "$headers" | Should -Not -Match '-c4nary|x{20}'
        $null = Get-SentRequest $server
        (Invoke-RestMethod "$($server.http)/api" -Headers $headers -NoProxy).ok | Should -BeTrue
        $token.ToSecureString() | Should -BeOfType securestring
        (Invoke-RestMethod "$($server.http)/api" -Authentication Bearer -Token $token.ToSecureString() -AllowUnencryptedAuthentication -NoProxy).ok | Should -BeTrue
        foreach ($request in Get-SentRequest $server) { $request.Headers.authorization | Should -BeExactly "Bearer $canary" }
    }

    It 'of a Venafi session gives the header of its token, or of its key' {
        $Type = 'TokenKit.VenafiSession'
        $session = & $samples[$Type]
        $session.ToHeaders().Authorization | Should -BeExactly "Bearer $canary"
        $session.TimeLeft().TotalMinutes | Should -BeGreaterThan 50
        $session.Token.psobject.TypeNames[0] | Should -BeExactly TokenKit.VcToken
        $session | Add-Member NoteProperty Key (New-Credential k3y)
        $session.ToHeaders().'tppl-api-key' | Should -BeExactly k3y
    }

    It 'says how long it is good: <_>' -ForEach 'response', 'LCS response', 'LCS configuration', 'LCS dictionary', 'Venafi token' {
        $token = & $makers[$_]
        $token.TimeLeft().TotalMinutes | Should -BeGreaterThan 55
        $token.TimeLeft().TotalMinutes | Should -BeLessOrEqual 60
        $token.IsExpired() | Should -BeFalse
    }

    It 'that is over says so, and one that does not tell is not over' {
        $over = New-Sample TokenKit.TokenResponse @{ access_token = 'a'; expiry_datetime = (Get-Date).AddSeconds(-5) }
        $over.IsExpired() | Should -BeTrue
        $over.TimeLeft().TotalSeconds | Should -BeLessThan 0
        $open = New-Sample TokenKit.TokenResponse @{ access_token = 'a' }
        $open.TimeLeft() | Should -BeNullOrEmpty
        $open.IsExpired() | Should -BeFalse
    }

    It 'without an access token, or of another type than Bearer, gives no header: <Message>' -ForEach @(
        @{ Property = @{ token_type = 'Bearer' }; Message = 'There is no access token' }
        @{ Property = @{ access_token = 'c4nary-c4nary'; token_type = 'DPoP' }; Message = 'of the type DPoP' }
    ) {
        $failure = Get-Failure { (New-Sample TokenKit.TokenResponse $Property).ToHeaders() }
        "$failure" | Should -Match $Message
        "$failure" | Should -Not -Match 'c4nary'
    }

    It 'has no more members than the server sent, wherever it goes' {
        $token = token "$($server.http)/echo-token" -client_id app -code c0de
        $names = 'access_token token_type expires_in received expiry_datetime'
        $token.psobject.Properties.Name -join ' ' | Should -BeExactly $names
        ($token | ConvertTo-Json -Depth 9 | ConvertFrom-Json).psobject.Properties.Name -join ' ' | Should -BeExactly $names
        ($token | Select-Object *).psobject.Properties.Name -join ' ' | Should -BeExactly $names
        ($token | ConvertTo-Csv)[0] | Should -BeExactly (($names -split ' ').ForEach{ "`"$_`"" } -join ',')
        @(($token | Format-List * | Out-String) -split '\n' -match '^\w+ +: ').Count | Should -Be 5
        $file = Join-Path $TestDrive token.xml
        $token | Export-Clixml $file
        Get-Content $file -Raw | Should -Not -Match '<SS|ToHeaders|ToSecureString'
        ($token | Get-Member -MemberType Properties).Count | Should -Be 5
        (($token | Get-Member -MemberType CodeMethod).Name) -join ' ' | Should -BeExactly 'IsExpired TimeLeft ToHeaders ToSecureString ToString'
    }
}
