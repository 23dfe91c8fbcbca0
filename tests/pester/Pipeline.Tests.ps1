# Objects and hashtables that are piped in: binding, order, concurrency, and failures of single ones.
using namespace System.Security.Cryptography
param([string] $Module, [string] $TestServer)

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $echo = "$($server.http)/echo-token"
    $token_endpoint = "$($server.http)/token"
}

AfterAll { Stop-Peer $server }

Describe 'Piped <Kind>' -ForEach @(
    @{ Kind = 'objects'; Convert = { [pscustomobject]$args[0] } }
    @{ Kind = 'hashtables'; Convert = { $args[0] } }
    @{ Kind = 'ordered dictionaries'; Convert = { param($item) $ordered = [ordered]@{}; foreach ($name in $item.Keys) { $ordered[$name] = $item[$name] }; $ordered } }
) {
    BeforeEach { $null = Get-SentRequest $server }

    It 'bind their members to parameters, one response each, in order' {
        $clients = foreach ($id in 'demo-client', 'rotating-client') {
            & $Convert @{ uri = $token_endpoint; client_id = $id; client_secret = $server.clients.$id.client_secret; scope = "scope-of-$id" }
        }
        $responses = $clients | token
        $responses.scope -join ' ' | Should -BeExactly 'scope-of-demo-client scope-of-rotating-client'
        (Get-SentRequest $server).Form.client_id -join ' ' | Should -BeExactly 'demo-client rotating-client'
    }

    It 'bind to every parameter set' {
        $items = @(
            @{ client_id = 'a'; code = 'c0de'; code_verifier = 'v'; redirect_uri = 'http://127.0.0.1/' }
            @{ client_id = 'b'; client_secret = 's3cret'; client_auth_method = 'client_secret_basic' }
            @{ client_id = 'c'; client_certificate = [RSA]::Create(2048); key_id = 'k1'; AssertionAlgorithm = 'PS256' }
            @{ client_id = 'd'; refresh_token = 'r3fresh'; client_secret = 's3cret' }
            @{ client_id = 'e'; device_code = 'd3vice' }
            @{ client_id = 'f'; jwtAssertion = 'e30.e30.AA'; scope = 's' }
            @{ client_id = 'g'; client_secret = 's3cret'; customHeaders = @{ 'X-A' = '1' }; AdditionalParameters = @{ resource = 'urn:x' } }
        )
        $responses = $items.ForEach{ & $Convert $_ } | token $echo
        $responses.Count | Should -Be 7
        $form = $responses.received.form
        $form.grant_type -join ' ' | Should -BeExactly ('authorization_code client_credentials client_credentials refresh_token ' +
            'urn:ietf:params:oauth:grant-type:device_code urn:ietf:params:oauth:grant-type:jwt-bearer client_credentials')
        $form[0].code_verifier, $form[0].redirect_uri | Should -BeExactly 'v', 'http://127.0.0.1/'
        $responses[1].received.headers.authorization | Should -BeExactly 'Basic YjpzM2NyZXQ='
        $header = (Read-Jwt $form[2].client_assertion[0]).Header
        $header.alg, $header.kid | Should -BeExactly 'PS256', 'k1'
        $form[3].client_secret | Should -BeExactly s3cret
        $responses[6].received.headers.'x-a' | Should -BeExactly 1
        $form[6].resource | Should -BeExactly urn:x
    }

    It 'keep nothing of the one before' {
        $items = @(
            @{ client_id = 'a'; client_secret = 's3cret'; scope = 's'; client_auth_method = 'client_secret_basic' }
            @{ client_id = 'b'; code = 'c0de' }
            @{ client_id = 'c'; client_secret = 'other' }
        )
        $forms = ($items.ForEach{ & $Convert $_ } | token $echo).received.form
        ($forms[0].psobject.Properties.Name | Sort-Object) -join ' ' | Should -BeExactly 'grant_type scope'
        ($forms[1].psobject.Properties.Name | Sort-Object) -join ' ' | Should -BeExactly 'client_id code grant_type'
        ($forms[2].psobject.Properties.Name | Sort-Object) -join ' ' | Should -BeExactly 'client_id client_secret grant_type'
        $forms[2].client_secret | Should -BeExactly other
    }

    It 'leave parameters of the command line as they are' {
        $items = @{ client_id = 'a'; scope = 'theirs' }, @{ client_id = 'b'; scope = 'theirs' }
        $forms = ($items.ForEach{ & $Convert $_ } | token $echo -code c0de -scope ours).received.form
        $forms.client_id -join ' ' | Should -BeExactly 'a b'
        $forms.scope -join ' ' | Should -BeExactly 'ours ours'
    }

    It 'carry secrets of every kind' {
        $secure = ConvertTo-SecureString s3cure -AsPlainText
        $items = @{ client_id = 'a'; client_secret = 'plain' }, @{ client_id = 'b'; client_secret = $secure }, @{ client_secret = [pscredential]::new('c', $secure) }
        $forms = ($items.ForEach{ & $Convert $_ } | token $echo).received.form
        $forms.client_id -join ' ' | Should -BeExactly 'a b c'
        $forms.client_secret -join ' ' | Should -BeExactly 'plain s3cure s3cure'
    }

    It 'are not changed' {
        $item = & $Convert @{ client_id = 'a'; code = 'c0de' }
        $before = $item.psobject.Properties.Name -join ' '
        $null = $item | token $echo
        $item.psobject.Properties.Name -join ' ' | Should -BeExactly $before
    }

    It 'that have no member for any parameter are an error' {
        $item = & $Convert @{ unknown = 1 }
        Get-ErrorId (Get-Failure { $item | token $echo -code c0de -ErrorAction Stop }) | Should -BeExactly invalid_argument
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'with a value of a wrong kind are an error' {
        $item = & $Convert @{ client_id = 'a'; client_secret = 's3cret'; client_auth_method = 'none' }
        $output = $item | token $echo -ErrorAction SilentlyContinue -ErrorVariable failures
        $output | Should -BeNullOrEmpty
        $failures.Count | Should -BeGreaterThan 0
        Get-SentRequest $server | Should -BeNullOrEmpty
    }
}

Describe 'A failure among piped objects' {
    It 'does not stop the others, and says which one it was (-ThrottleLimit <_>)' -ForEach 1, 4 {
        $clients = @(
            @{ client_id = 'demo-client'; client_secret = 'demo-secret' }
            @{ client_id = 'demo-client'; client_secret = 'wrong' }
            @{ client_id = 'demo-client' }
            @{ client_id = 'rotating-client'; client_secret = 'rotating-secret' }
        )
        $responses = $clients | token $token_endpoint -ThrottleLimit $_ -ErrorAction SilentlyContinue -ErrorVariable failures
        @($responses).Count | Should -Be 2
        $failures.ForEach{ Get-ErrorId $_ } -join ' ' | Should -BeExactly 'invalid_client invalid_argument'
    }

    It 'does not stop them either when a key cannot be opened (-ThrottleLimit <_>)' -ForEach 1, 4 {
        $certificates = 1..2 | ForEach-Object { (New-OAuth2KeyPair RS256 -Subject x).Certificate }
        $certificates[1].Dispose()
        $secret = ConvertTo-SecureString s3cret -AsPlainText
        $secret.Dispose()
        $items = @(
            @{ client_id = 'a'; client_certificate = $certificates[0] }
            @{ client_id = 'b'; client_certificate = $certificates[1] }
            @{ client_id = 'c'; client_secret = $secret }
            @{ client_id = 'd'; client_certificate = $secret }
            @{ client_id = 'e'; client_certificate = $certificates[0] }
        )
        $run = Invoke-Pipeline $Module 'param($items, $uri, $limit) $items | token $uri -ThrottleLimit $limit 2>&1' $items, $echo, $_
        $run.Thrown | Should -Be $null
        $run.Output.Count | Should -Be 5
        $run.Output[0, 4].received.form.client_id -join ' ' | Should -BeExactly 'a e'
        $run.Output[1..3].ForEach{ Get-ErrorId $_ } -join ' ' | Should -BeExactly 'invalid_key invalid_argument invalid_key'
    }

    It 'is written in the place of its output' {
        $clients = @(
            @{ client_id = 'demo-client'; client_secret = 'demo-secret'; scope = '1' }
            @{ client_id = 'demo-client'; client_secret = 'wrong' }
            @{ client_id = 'demo-client'; client_secret = 'demo-secret'; scope = '3' }
        )
        $run = Invoke-Pipeline $Module 'param($clients, $uri) $clients | token $uri -ThrottleLimit 3 2>&1' $clients, $token_endpoint
        $run.Thrown | Should -Be $null
        $run.Output.Count | Should -Be 3
        $run.Output[0].scope, $run.Output[2].scope | Should -BeExactly '1', '3'
        Get-ErrorId $run.Output[1] | Should -BeExactly invalid_client
    }

    It 'stops all with -ErrorAction Stop' {
        $clients = @{ client_id = 'demo-client'; client_secret = 'wrong' }, @{ client_id = 'demo-client'; client_secret = 'demo-secret' }
        $seen = [System.Collections.Generic.List[object]]::new()
        Get-ErrorId (Get-Failure { $clients | token $token_endpoint -ErrorAction Stop | ForEach-Object { $seen.Add($_) } }) | Should -BeExactly invalid_client
        $seen.Count | Should -Be 0
    }
}

Describe '-ThrottleLimit' {
    It 'keeps the order of the input though later answers come first' {
        $delays = 600, 10, 300, 10, 100, 10
        $paths = foreach ($index in 0..5) {
            Set-Reply $server "/canned/order$index" ((New-JsonReply 200 @{ access_token = "token$index" }) + @{ delay_ms = $delays[$index] })
        }
        $responses = $paths.ForEach{ @{ uri = $_; code = 'c0de' } } | token -ThrottleLimit 6
        $responses.access_token -join ' ' | Should -BeExactly 'token0 token1 token2 token3 token4 token5'
    }

    It 'lets <_> requests run at the same time, and no more' -ForEach 1, 3, 8 {
        $limit = $_
        $items = foreach ($index in 1..(2 * $limit)) { @{ uri = "$($server.http)/slow?ms=600"; code = "c0de$index" } }
        $pipeline = New-Pipeline $Module 'param($items, $limit) $items | token -ThrottleLimit $limit' $items, $limit
        try {
            $running = $pipeline.BeginInvoke()
            $most = 0
            while (-not $running.IsCompleted) {
                $most = [Math]::Max($most, (Get-OpenRequest $server))
                Start-Sleep -Milliseconds 10
            }
            $pipeline.EndInvoke($running).Count | Should -Be (2 * $limit)
            $most | Should -Be $limit
        } finally {
            $pipeline.Dispose()
        }
    }

    It 'takes less time than one after the other' {
        $items = foreach ($index in 1..10) { @{ uri = "$($server.http)/slow?ms=500"; code = "c0de$index" } }
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        @($items | token -ThrottleLimit 10).Count | Should -Be 10
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 3
    }

    It 'passes each response on as soon as those before it are there' {
        $first = Set-Reply $server /canned/first (New-JsonReply 200 @{ access_token = 'first' })
        $items = @{ uri = $first; code = 'c0de' }, @{ uri = "$($server.http)/slow?ms=60000"; code = 'c0de' }
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        ($items | token -ThrottleLimit 2 | Select-Object -First 1).access_token | Should -BeExactly first
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 20
        Wait-Until { (Get-OpenRequest $server) -eq 0 } | Should -BeTrue
    }

    It 'gives each request its own key, also one that signs outside' {
        $keys = foreach ($index in 0..3) { [RSA]::Create(2048) }
        $items = foreach ($index in 0..3) { @{ uri = $echo; client_id = "app$index"; client_certificate = $keys[$index] } }
        $assertions = ($items | token -ThrottleLimit 4).received.form.client_assertion.ForEach{ Read-Jwt $_ }
        foreach ($index in 0..3) {
            $assertions[$index].Claims.iss | Should -BeExactly "app$index"
            $keys[$index].VerifyData($assertions[$index].Signed, $assertions[$index].Signature, 'SHA256', [RSASignaturePadding]::Pkcs1) | Should -BeTrue
        }
    }

    It 'is between 1 and 256: <_>' -ForEach 0, 257 {
        $limit = $_
        Get-ErrorId (Get-Failure { token $echo -code c0de -ThrottleLimit $limit }) | Should -BeExactly ParameterArgumentValidationError
    }
}

Describe 'An empty pipeline' {
    It 'of nothing gives nothing' {
        $null = Get-SentRequest $server
        @() | token $echo -code c0de | Should -BeNullOrEmpty
        Get-SentRequest $server | Should -BeNullOrEmpty
    }

    It 'with $null is an error' {
        $output = $null | token $echo -code c0de -ErrorAction SilentlyContinue -ErrorVariable failures
        $output | Should -BeNullOrEmpty
        $failures.Count | Should -Be 1
    }
}
