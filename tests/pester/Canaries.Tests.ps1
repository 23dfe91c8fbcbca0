# No secret is shown: not in any stream, error, view, transcript or crash, not in the environment or the command line of a
# process, not in a file. One canary for each kind of input goes through every command that takes it, when the command
# succeeds and in every way it fails; a parameter that is not in the tables below makes a test fail.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    . $PSScriptRoot/CanaryCases.ps1
    $names = @($cases.ForEach{ $_.Use.Name } | Select-Object -Unique).ForEach{ @{ Name = $_ } }
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/CanaryHelpers.ps1
    . $PSScriptRoot/CanaryCases.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $locked = Start-Peer $TestServer
    $null = Invoke-Control $locked Post proxy @{ username = 'another'; password = 'another' }

    # ---- the canaries, by the kind of value
    $mark = New-Mark
    $ec = [System.Security.Cryptography.ECDsa]::Create([System.Security.Cryptography.ECCurve+NamedCurves]::nistP256)
    $rsa = [System.Security.Cryptography.RSA]::Create(2048)
    $parameters = $ec.ExportParameters($true)
    $forms = Get-Form $mark $parameters.D[0..13]
    $claims = ConvertTo-Base64Url (@{ sub = 'alice'; exp = [DateTimeOffset]::UtcNow.AddHours(1).ToUnixTimeSeconds() } | ConvertTo-Json -Compress)
    $values = @{
        text = New-Canary $mark secret
        # For places that take no other characters.
        plain = "$mark-plain"
        # What makes a token good is its signature.
        jwt = "$(ConvertTo-Base64Url '{"alg":"HS256"}').$claims.$(ConvertTo-Base64Url "$mark-signature-of-the-token")"
        pem = $ec.ExportPkcs8PrivateKeyPem()
        jwk = @{ kty = 'EC'; crv = 'P-256'; x = ConvertTo-Base64Url $parameters.Q.X; y = ConvertTo-Base64Url $parameters.Q.Y; d = ConvertTo-Base64Url $parameters.D } | ConvertTo-Json -Compress
        base64 = [Convert]::ToBase64String($ec.ExportPkcs8PrivateKey())
        pfx_text = [Convert]::ToBase64String((New-Certificate $rsa).Export('Pfx') + [System.Text.Encoding]::ASCII.GetBytes($mark))
        store_key = [Convert]::ToBase64String([System.Text.Encoding]::ASCII.GetBytes("$mark-".PadRight(32, 'k')))
        # What a server says that knows no secret.
        nothing = 'nothing'
    }

    # ---- files with secrets
    $keys = New-Item "$TestDrive/keys" -ItemType Directory
    $encryption = [System.Security.Cryptography.PbeParameters]::new('Aes256Cbc', 'SHA256', 1000)
    Set-Content "$keys/encrypted.pem" $ec.ExportEncryptedPkcs8PrivateKeyPem($values.text.ToCharArray(), $encryption)
    Set-Content "$keys/other.pem" $ec.ExportEncryptedPkcs8PrivateKeyPem('right'.ToCharArray(), $encryption)
    [System.IO.File]::WriteAllBytes("$keys/key.pfx", (New-Certificate $rsa).Export('Pfx', $values.text))
    ConvertTo-Json @(
        foreach ($name in 'bearertoken', 'refreshtoken') { @{ FullName = "d365fo.tools.lcs.$name"; Value = $values.text; Type = 6; Style = 'default'; Version = 1 } }
    ) | Set-Content "$keys/psf_config.json"
    Set-Content "$keys/damaged.json" "[{`"FullName`":`"$($values.text)"
    # A browser that writes down what it got, and goes back with an answer.
    foreach ($answer in 'browser', 'refusing') {
        Set-Content "$keys/$answer.mjs" @"
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
writeFileSync(String.raw``$TestDrive/seen-$answer``, JSON.stringify({ environment: process.env, arguments: process.argv.slice(2, -1) }));
process.argv.splice(2, 0, '--answer', '$($answer -eq 'browser' ? "code=$($values.plain)" : 'error=access_denied&error_description=no')');
await import(pathToFileURL(String.raw``$PSScriptRoot/user-agent.mjs``));
"@
    }

    # ---- servers: what they say of each kind of value, at the ends of addresses that commands add
    $tokens = @{
        access_token = "$mark-access"; refresh_token = "$mark-refresh-0123456789-0123456789"; id_token = "$mark-id"; token_type = 'Bearer'; expires_in = 3600
        unknown = "$mark-unknown"; nested = @{ a = "$mark-nested" }; sub = 'alice'
        device_code = "$mark-device"; user_code = 'u'; verification_uri = 'http://127.0.0.1/'; interval = 1
        IsSuccess = $true; Value = @{ AccessToken = "$mark-delegated"; RefreshToken = "$mark-delegated"; Duration = 3600 }
    }
    $replies = @{}
    function Get-Reply([string] $Kind, [string] $Suffix, [string] $Answer) {
        $name = "$Kind$Suffix$Answer"
        if ($replies.Contains($name)) { return $replies[$name] }
        $value = $values[$Kind]
        $bytes = [System.Text.Encoding]::UTF8.GetBytes($value)
        $user = [System.Text.Encoding]::UTF8.GetBytes("app:$([System.Net.WebUtility]::UrlEncode($value))")
        $base64 = [Convert]::ToBase64String($bytes)
        $spellings = @(
            $value, [uri]::EscapeDataString($value), [System.Net.WebUtility]::UrlEncode($value), [System.Net.WebUtility]::HtmlEncode($value), $base64, [uri]::EscapeDataString($base64)
            (ConvertTo-Base64Url $bytes), [Convert]::ToBase64String($user), [Convert]::ToHexString($bytes), [Convert]::ToHexString($bytes).ToLowerInvariant()
            -join ([char[]]$value).ForEach{ '\u{0:x4}' -f [int]$_ }
        )
        $header = ($spellings[1..9]) -join ' '
        $json = @{ error = 'invalid_request'; error_description = "you sent: $spellings"; error_uri = "https://as.example.test/$($spellings[1])"; other = $spellings; IsSuccess = $false; ErrorMsg = "you sent $spellings" }
        $set = @{
            ok = New-JsonReply 200 ($Answer -eq 'user' ? @{ sub = 'alice' } : $tokens)
            repeat = New-JsonReply 400 $json @(, @('X-Echo', $header))
            unauthorized = @{ status = 401; headers = @(@('WWW-Authenticate', "Bearer error=`"invalid_token`", error_description=`"$header`""), @('Set-Cookie', "a=$header")); body = "you sent $spellings" }
            broken = @{ status = 500; headers = @(, @('Content-Type', 'text/html')); body = "<p>$($spellings -join '</p><p>')</p>" }
            odd = @{ status = 200; headers = @(, @('Content-Type', 'application/json')); body = "{`"access_token`": $spellings" }
        }
        $folder = "/canned/$([guid]::NewGuid().ToString('N').Substring(0, 8))"
        foreach ($key in $set.Keys) { $null = Set-Reply $server "$folder/$key$Suffix" $set[$key] }
        $replies[$name] = "$($server.http)$folder"
        $replies[$name]
    }
    $faults = @{ closed = 'http://127.0.0.1:1/closed' }
    foreach ($fault in @{ lost = @{ reset = 'start' }; stalled = @{ stall = 'start' } }.GetEnumerator()) {
        $faults[$fault.Key] = (Invoke-Control $server Put fault @{ name = $fault.Key; fault = $fault.Value; body = '{}' }).url
    }
    $proxies = @{
        open = $server.http; locked = $locked.http; address = $server.http.Replace('//', "//user:$($values.plain)@"); unusable = "socks9://user:$($values.plain)@127.0.0.1:1"
    }

    # ---- one process for all
    $common = @{
        pfx = "$keys/key.pfx"; encrypted = "$keys/encrypted.pem"; other = "$keys/other.pem"; psf = "$keys/psf_config.json"; damaged = "$keys/damaged.json"
        stores = "$TestDrive/store"; file = "$keys/jwt"; open = $server.http; locked = $locked.http; jwt = New-Jwt @{ sub = 'alice' } key; pem = $values.pem; plain = $values.plain
        browser = "node '$keys/browser.mjs'"; refusing = "node '$keys/refusing.mjs'"
    }
    $plan = @{
        Forms = $forms
        Prelude = "Set-Item env:TOKENKIT_STORE_KEY '$($values.store_key)'"
        Cases = @(
            foreach ($case in $cases) {
                $kind = $case.Value ?? 'text'
                $way = $case.Way ?? @{ Reply = 'ok' }
                $address = $way['Fault'] ? $faults[$way.Fault] : $way['Reply'] -eq 'insecure' ? 'http://as.example.test' : "$(Get-Reply ($case.Use['IsUnsent'] ? 'nothing' : $kind) $case.Use['Suffix'] $case.Use['Answer'])/$($way['Reply'] ?? 'ok')"
                @{
                    Name = $case.Title; Script = $case.Script; Type = $case.Type; Stop = $way['Stop'] ?? 0; Asked = [bool]$case.Use['Asked']
                    Defaults = $way['Defaults'] ?? @{}; Proxy = $way['Proxy'] ? $proxies[$way.Proxy] : ''; Password = $values.text
                    IsThorough = -not $case.Way -or $case.Way.Way -in 'succeeds', 'is refused by a server that repeats it'
                    Variables = $common + @{ c = $values[$kind]; u = $address }
                }
            }
        )
    }
    $temporary = New-Item "$TestDrive/temporary" -ItemType Directory
    $report = "$TestDrive/report.json"
    $transcript = "$TestDrive/transcript.txt"
    $store = New-Store
    $running = Start-Pwsh (Get-Content $PSScriptRoot/CanaryRunner.ps1 -Raw) $Module, "$PSScriptRoot/CanaryHelpers.ps1", $report, $transcript @{
        RUST_LOG = 'trace'; RUST_BACKTRACE = '1'; TMPDIR = $temporary.FullName; TMP = $temporary.FullName; TEMP = $temporary.FullName
        TOKENKIT_HOME = $store; TOKENKIT_NO_KEYRING = '1'; CI = ''; GITHUB_ACTIONS = ''; TF_BUILD = ''
    }
    $running.Process.StandardInput.WriteLine((ConvertTo-Json $plan -Depth 9 -Compress -EscapeHandling EscapeNonAscii))
    $commandLine = if ($IsLinux) { [System.IO.File]::ReadAllText("/proc/$($running.Process.Id)/cmdline") }
    $running.Process.StandardInput.Close()
    $run = Wait-Pwsh $running 900000
    if ($run.ExitCode -or -not (Test-Path $report)) { throw "The runner failed: $($run.Output) $($run.Error)" }
    $results = @{}
    foreach ($result in Get-Content $report -Raw | ConvertFrom-Json) { $results[$result.Name] = $result }
}

AfterAll { $server, $locked | ForEach-Object { Stop-Peer $_ } }

Describe 'A secret: <Name>' -ForEach $names {
    BeforeAll { $own = $cases.Where{ $_.Use.Name -eq $Name } }

    It 'is not shown' {
        $(foreach ($case in $own) {
            $found = $results[$case.Title].Found
            if ($found) { "$($case.Title): $found" }
        }) | Should -BeNullOrEmpty
    }

    It 'is used, and its use ends as it should' {
        $(foreach ($case in $own) {
            $result = $results[$case.Title]
            $ids = @($result.Ids)
            $due = $case.Way ? $case.Way['Ids'] : $null
            $problem = if ($due) {
                if (-not $case.Use['IsQuiet'] -and $due -notin $ids) { "no $due" }
            } elseif ($case.Way -and $case.Way['Stop']) {
                if (-not $result.IsStopped) { 'not stopped' }
            } elseif ($case.Way -and $case.Way['Reply']) {
                if (-not $case.Use['IsQuiet'] -and -not $ids) { 'no error' }
            } elseif ($case.Use['Id']) {
                if (-not ($ids -like $case.Use.Id)) { "no $($case.Use.Id)" }
            } elseif ($ids) {
                'an error'
            } elseif ($case.Way -and -not $result.IsSent) {
                'nothing sent'
            }
            if ($problem) { "$($case.Title): $problem, but $($ids -join ' ')" }
        }) | Should -BeNullOrEmpty
    }
}

Describe 'The search' {
    It 'would find a secret: <_>' -ForEach 'as such', 'in upper case', 'in a URL', 'in JSON in ASCII', 'in base64 with another text', 'in base64url', 'in hex', 'a key as PEM', 'a key as JWK' {
        $bytes = [System.Text.Encoding]::UTF8.GetBytes($values.text)
        $text = switch ($_) {
            'as such' { $values.text }
            'in upper case' { $values.text.ToUpperInvariant() }
            'in a URL' { [uri]::HexEscape('c') + [System.Net.WebUtility]::UrlEncode($values.text).Substring(1) }
            'in JSON in ASCII' { -join ([char[]]$values.text).ForEach{ '\u{0:x4}' -f [int]$_ } }
            'in base64 with another text' { [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes("client:$($values.text)")) }
            'in base64url' { ConvertTo-Base64Url $values.text }
            'in hex' { [Convert]::ToHexString($bytes).ToLowerInvariant() }
            'a key as PEM' { $values.pem.Replace("`n", '') }
            'a key as JWK' { $values.jwk }
        }
        Find-Form $forms "before $text after" | Should -Not -BeNullOrEmpty
    }

    It 'has every parameter of every command that may hold a secret' {
        $given = [System.Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
        foreach ($case in $cases) {
            $script = [System.Management.Automation.Language.Parser]::ParseInput($case.Script, [ref]$null, [ref]$null)
            foreach ($call in $script.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true)) {
                $command = Get-Command $call.GetCommandName()
                if ($command.CommandType -eq 'Alias') { $command = $command.ResolvedCommand }
                $null = $given.Add($command.Name)
                foreach ($element in $call.CommandElements) {
                    if ($element -is [System.Management.Automation.Language.CommandParameterAst]) { $null = $given.Add("$($command.Name) -$($command.ResolveParameter($element.ParameterName).Name)") }
                }
                # The ways through proxies give these to all commands that have them.
                if ($case.Way -and $case.Way['Proxy']) { 'Proxy', 'ProxyCredential' | ForEach-Object { $null = $given.Add("$($command.Name) -$_") } }
            }
        }
        $common = [System.Management.Automation.Cmdlet]::CommonParameters + [System.Management.Automation.Cmdlet]::OptionalCommonParameters
        $missing = foreach ($command in Get-Command -Module TokenKit -CommandType Cmdlet) {
            if (-not $given.Contains($command.Name)) { $command.Name }
            foreach ($parameter in $command.Parameters.Keys) {
                if ($parameter -notin $common -and $parameter -cnotin $public -and "$parameter of $command" -notin $public -and -not $given.Contains("$command -$parameter")) { "$command -$parameter" }
            }
        }
        $missing | Should -BeNullOrEmpty
    }

    It 'has seen a session, loud, in its transcript' {
        $text = Get-Content $transcript -Raw
        foreach ($sign in 'VERBOSE: POST http://', 'DEBUG: client_id=app', 'FullyQualifiedErrorId', 'access_token', 'you sent') { $text | Should -Match $sign }
    }
}

Describe 'A process with secrets' {
    It 'has none in its transcript' { Find-Form $forms (Get-Content $transcript -Raw) | Should -BeNullOrEmpty }

    It 'has none on its console, whatever RUST_LOG and RUST_BACKTRACE say' { Find-Form $forms ($run.Output + $run.Error) | Should -BeNullOrEmpty }

    It 'leaves none in a file: <_>' -ForEach 'temporary files', 'the sealed store' {
        $folder = $_ -eq 'the sealed store' ? "$TestDrive/store" : $temporary
        $files = Get-ChildItem $folder -Recurse -File -Force
        if ($_ -eq 'the sealed store') { $files.Count | Should -BeGreaterThan 1 }
        $text = $files.ForEach{ $_.FullName; [System.Text.Encoding]::Latin1.GetString([System.IO.File]::ReadAllBytes($_)) } -join "`n"
        Find-Form $forms $text | Should -BeNullOrEmpty
    }

    It 'has none on its command line' {
        if ($IsLinux) { $commandLine | Should -Match ([regex]::Escape($report)) }
        Find-Form $forms "$commandLine" | Should -BeNullOrEmpty
    }

    It 'hands a browser its environment without the variables of TokenKit' {
        $seen = Get-Content "$TestDrive/seen-browser" -Raw
        ($seen | ConvertFrom-Json -AsHashtable).environment.RUST_LOG | Should -BeExactly trace
        $seen | Should -Not -Match TOKENKIT_
        Find-Form $forms $seen | Should -BeNullOrEmpty
    }

    It 'shows none when it crashes' {
        $start = Start-Pwsh @'
param($module, $uri)
Import-Module $module
$secret = ConvertTo-SecureString ([Console]::In.ReadLine()) -AsPlainText
try { token panic: -client_secret $secret -Verbose -Debug } catch { $_ | Out-String }
$pipeline = [powershell]::Create().AddScript('param($module, $uri, $secret) Import-Module $module; token $uri -client_id app -client_secret $secret').AddArgument($module).AddArgument($uri).AddArgument($secret)
$null = $pipeline.BeginInvoke()
Start-Sleep 2
[Environment]::FailFast('the end')
'@ $Module, $faults.stalled @{ RUST_LOG = 'trace'; RUST_BACKTRACE = '1'; DOTNET_DbgEnableMiniDump = '0' }
        $start.Process.StandardInput.WriteLine($values.text)
        $start.Process.StandardInput.Close()
        $crash = Wait-Pwsh $start 120000
        $crash.ExitCode | Should -Not -Be 0
        $crash.Output | Should -Match 'unexpectedly'
        $crash.Error | Should -Match 'the end'
        Find-Form $forms ($crash.Output + $crash.Error) | Should -BeNullOrEmpty
    }
}
