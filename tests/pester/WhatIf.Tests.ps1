# -WhatIf and -Confirm: what would be sent is shown, masked, and nothing happens.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # One for each command that sends something or keeps something; what it would do, in its own words.
    $cases = @(
        @{ Command = 'Invoke-OAuth2TokenEndpoint'; Shows = 'POST http\S+/token\b', 'grant_type=client_credentials', 'client_secret=\*\*\*'
            Script = 'token "$($s.http)/token" -client_id demo-client -client_secret c4nary-s3cret {0}' }
        @{ Command = 'Invoke-OAuth2TokenEndpoint'; Shows = 'POST http\S+/token\b', 'grant_type=refresh_token', 'refresh_token=\*\*\*', 'Authorization: \*\*\*'
            Script = 'token "$($s.http)/token" -client_id demo-client -client_secret c4nary -client_auth_method client_secret_basic -refresh_token c4nary {0}' }
        @{ Command = 'Invoke-OAuth2TokenEndpoint'; Shows = 'POST http\S+/token\b', 'device_code=\*\*\*'
            Script = '@{{ device_code = "c4nary"; interval = 5; expires_in = 600 }} | token "$($s.http)/token" -client_id public-client {0}' }
        @{ Command = 'Invoke-OAuth2AuthorizationEndpoint'; Shows = 'GET http\S+/authorize\?', 'client_id=native'
            Script = 'authorize "$($s.http)/authorize" -client_id native {0}' }
        @{ Command = 'Invoke-OAuth2DeviceAuthorizationEndpoint'; Shows = 'POST http\S+/device\b', 'client_id=public-client'
            Script = 'deviceauth "$($s.http)/device" -client_id public-client -Wait -token_uri "$($s.http)/token" {0}' }
        @{ Command = 'Get-D365LcsApiToken'; Shows = 'POST http\S+/oauth2/token', 'username=\*\*\*', 'password=\*\*\*'
            Script = 'Get-D365LcsApiToken -ClientId app -Username me@example.com -Password c4nary -LcsApiUri https://lcsapi.lcs.dynamics.com -Authority $s.http {0}' }
        @{ Command = 'Invoke-D365LcsApiRefreshToken'; Shows = 'POST http\S+/oauth2/token', 'refresh_token=\*\*\*'
            Script = 'Invoke-D365LcsApiRefreshToken -ClientId app -RefreshToken c4nary -Authority $s.http {0}' }
        @{ Command = 'New-VcToken'; Shows = 'POST http\S+/token', 'client_assertion=\*\*\*'
            Script = 'New-VcToken -Endpoint $s.venafi.endpoint -Jwt $jwt {0}' }
        @{ Command = 'New-VenafiSession'; Shows = 'POST http\S+/token', 'client_assertion=\*\*\*'
            Script = 'New-VenafiSession -VcEndpoint $s.venafi.endpoint -Jwt $jwt {0}' }
        @{ Command = 'New-VenafiSession'; Shows = , 'the Venafi session'
            Script = 'New-VenafiSession -VcKey 7d4a2f1e-3c5b-4a8d-9e6f-0b1c2d3e4f5a -VcRegion us {0}' }
        @{ Command = 'Get-DelegateAccessToken'; Shows = 'POST http\S+', 'ClientSecret=\*\*\*'
            Script = 'Set-GovernanceConfiguration -BaseUrl $s.governance.base_url; Get-DelegateAccessToken (New-ApiCredential c4nary me@example.com) {0}' }
        @{ Command = 'Invoke-RefreshUserAccessToken'; Shows = , 'http\S+'
            Script = 'Set-GovernanceConfiguration -BaseUrl $s.governance.base_url; Invoke-RefreshUserAccessToken c4nary {0}' }
        @{ Command = 'Invoke-DeleteTokenCache'; Shows = , 'http\S+'
            Script = 'Set-GovernanceConfiguration -BaseUrl $s.governance.base_url; Invoke-DeleteTokenCache (New-ApiCredential c4nary me@example.com) {0}' }
        @{ Command = 'Set-GovernanceConfiguration'; Shows = , 'configuration of Cloud Governance'; Script = 'Set-GovernanceConfiguration -Password c4nary {0}' }
        @{ Command = 'Set-GovernanceConfigurationApiKey'; Shows = , 'key clientSecret'; Script = 'Set-GovernanceConfigurationApiKey clientSecret c4nary {0}' }
        @{ Command = 'Set-GovernanceConfigurationApiKeyPrefix'; Shows = , 'prefix of the key clientSecret'; Script = 'Set-GovernanceConfigurationApiKeyPrefix clientSecret c4nary {0}' }
        @{ Command = 'Set-GovernanceConfigurationDefaultHeader'; Shows = , 'header Cookie'; Script = 'Set-GovernanceConfigurationDefaultHeader Cookie c4nary {0}' }
        @{ Command = 'Set-D365LcsApiConfig'; Shows = 'refreshtoken', 'LCS API configuration'; Script = 'Set-D365LcsApiConfig -RefreshToken c4nary {0}' }
        @{ Command = 'Clear-D365LcsApiConfig'; Shows = , 'LCS API configuration'; Script = 'Clear-D365LcsApiConfig {0}' }
        @{ Command = 'Import-D365LcsApiConfig'; Shows = , 'Import clientid'; Script = 'Import-D365LcsApiConfig $file {0}' }
        @{ Command = 'Move-TokenKitStore'; Shows = , 'Encrypt with the new key'; Script = 'Move-TokenKitStore key -Key $key {0}' }
        @{ Command = 'Clear-WebView2Cache'; Shows = , 'PSAuthClientWebview2Cache'; Script = '$null = New-Item "$([IO.Path]::GetTempPath())/PSAuthClientWebview2Cache" -ItemType Directory -Force; Clear-WebView2Cache {0}' }
    )
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    . $PSScriptRoot/VenafiHelpers.ps1
    Import-Module $Module
    $server = Start-Peer $TestServer
    $jwt = New-VenafiJwt $server
    $file = Join-Path $TestDrive psf_config.json
    Set-Content $file '[{"FullName":"d365fo.tools.lcs.clientid","Version":1,"Type":3,"Style":"default","Value":"app"}]'
    $prelude = 'param($Module, $serverText, $jwt, $file) Import-Module $Module; $s = $serverText | ConvertFrom-Json; $key = [Convert]::ToBase64String([byte[]](1..32)); $env:TMPDIR = $env:TEMP = $env:TMP = $env:TOKENKIT_HOME;'
    $argument = $Module, ($server | Select-Object http, venafi, governance | ConvertTo-Json -Compress), $jwt, $file

    # What a person sees, and whether the server saw something and the store was made.
    function Invoke-Rehearsal([string] $Script, [hashtable] $Environment = @{}) {
        $store = New-Store
        $null = Get-SentRequest $server
        $run = Invoke-Pwsh "$prelude $Script" $argument (@{ TOKENKIT_HOME = $store } + $Environment)
        [pscustomobject]@{
            Text = $run.Output + $run.Error
            Sent = @(Get-SentRequest $server).Where{ $_.Method -ne 'GET' }
            Kept = @(Get-ChildItem $store -Recurse -File -ErrorAction Ignore).Where{ $_.Name -like '*.json*' -or $_.Name -like '*.sealed' }
        }
    }
}

AfterAll { Stop-Peer $server }

Describe '-WhatIf' {
    It 'of <Command> shows <Shows> and does nothing' -ForEach $cases {
        $run = Invoke-Rehearsal ($Script -f '-WhatIf')
        $run.Text | Should -MatchExactly '(?m)^What if: '
        foreach ($pattern in $Shows) { $run.Text | Should -Match $pattern }
        $run.Text | Should -Not -Match 'c4nary|7d4a2f1e'
        $run.Text | Should -Not -Match ([regex]::Escape($jwt))
        $run.Text | Should -Not -Match 'not_sent|rehears|not to be sent'
        $run.Sent | Should -BeNullOrEmpty
        $run.Kept | Should -BeNullOrEmpty
    }

    It 'is there for each command that writes or sends' {
        $quiet = @(
            # They ask, look, or make something for the caller only.
            'Convert-UnixTime', 'ConvertFrom-JsonToApiCredential', 'ConvertFrom-JsonToDelegatedAccessToken', 'ConvertFrom-JsonToDelegatedAccessTokenApiResult'
            'ConvertFrom-JsonWebToken', 'ConvertTo-Jwk', 'Get-D365LcsApiConfig', 'Get-GovernanceConfiguration', 'Get-GovernanceHostSetting', 'Get-GovernanceHostSettingUrl'
            'Get-OAuth2UserInfo', 'Get-OidcDiscoveryMetadata', 'Get-TokenKitStore', 'Get-VenafiSession', 'New-ApiCredential', 'New-DelegatedAccessToken'
            'New-DelegatedAccessTokenApiResult', 'New-OAuth2JwtAssertion', 'New-OAuth2KeyPair', 'New-PkceChallenge', 'Test-D365LcsApiToken', 'Test-JsonWebToken'
            'Test-JsonWebTokenSignature', 'Test-VcToken'
            # A switch of the session.
            'Disable-D365Exception', 'Enable-D365Exception'
        )
        $asking = (Get-Command -Module TokenKit -CommandType Cmdlet).Where{ $_.Parameters.ContainsKey('WhatIf') }.Name
        ($asking + $quiet | Sort-Object) -join ' ' | Should -BeExactly (((Get-Module TokenKit).ExportedCmdlets.Keys | Sort-Object) -join ' ')
        $file = Get-Content $PSCommandPath -Raw
        foreach ($command in $asking) { $file | Should -Match "Command = '$command'" }
    }

    It 'that a script was started with does not keep it from its token' {
        $run = Invoke-Rehearsal 'function Deploy { [CmdletBinding(SupportsShouldProcess)] param() (token "$($s.http)/token" -client_id demo-client -client_secret demo-secret).token_type }; Deploy -WhatIf'
        $run.Text.Trim() | Should -BeExactly Bearer
        $run.Sent.Count | Should -Be 1
    }

    It 'that a script was started with keeps it from deleting' {
        $run = Invoke-Rehearsal 'Set-GovernanceConfiguration -BaseUrl $s.governance.base_url; function Deploy { [CmdletBinding(SupportsShouldProcess)] param() Invoke-DeleteTokenCache (New-ApiCredential c4nary me) }; Deploy -WhatIf'
        $run.Text | Should -MatchExactly '(?m)^What if: '
        $run.Sent | Should -BeNullOrEmpty
    }

    It 'shows each of piped clients' {
        $run = Invoke-Rehearsal '@{ ClientId = "one" }, @{ ClientId = "two" } | token "$($s.http)/token" -ClientSecret c4nary -WhatIf'
        [regex]::Matches($run.Text, 'What if: POST').Count | Should -Be 2
        $run.Text | Should -Match 'client_id=one(?s:.*)client_id=two'
        $run.Sent | Should -BeNullOrEmpty
    }

    It 'reports what is wrong with the request' {
        $run = Invoke-Rehearsal 'token "$($s.http)/token" -client_id demo-client -WhatIf'
        $run.Text | Should -Match 'nothing to exchange'
        $run.Text | Should -Not -Match 'What if'
    }

    It 'is no word that a server can say to be passed over' {
        $uri = Set-Reply $server /sly (New-JsonReply 400 @{ error = 'not_sent' })
        Get-ErrorId (Get-Failure { token $uri -client_id a -code b }) | Should -BeExactly not_sent
    }

    It ':$false sends' {
        (Invoke-Rehearsal '(token "$($s.http)/token" -client_id demo-client -client_secret demo-secret -WhatIf:$false).token_type').Sent.Count | Should -Be 1
    }
}

Describe '-Confirm' {
    BeforeAll {
        # A host that answers each question with its first answer or its third: yes or no.
        Add-Type -TypeDefinition @'
using System; using System.Collections.Generic; using System.Collections.ObjectModel; using System.Globalization;
using System.Management.Automation; using System.Management.Automation.Host; using System.Security;
namespace TokenKit.Tests {
    public sealed class AskedHost : PSHost {
        private readonly AskedUI ui;
        public AskedHost(int answer) { ui = new AskedUI(answer); }
        public List<string> Questions { get { return ui.Questions; } }
        public override CultureInfo CurrentCulture { get { return CultureInfo.InvariantCulture; } }
        public override CultureInfo CurrentUICulture { get { return CultureInfo.InvariantCulture; } }
        public override Guid InstanceId { get; } = Guid.NewGuid();
        public override string Name { get { return "Asked"; } }
        public override PSHostUserInterface UI { get { return ui; } }
        public override Version Version { get { return new Version(1, 0); } }
        public override void EnterNestedPrompt() { } public override void ExitNestedPrompt() { }
        public override void NotifyBeginApplication() { } public override void NotifyEndApplication() { }
        public override void SetShouldExit(int exitCode) { }
    }
    internal sealed class AskedUI : PSHostUserInterface {
        private readonly int answer; internal readonly List<string> Questions = new List<string>();
        internal AskedUI(int answer) { this.answer = answer; }
        public override PSHostRawUserInterface RawUI { get { return null; } }
        public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int standard) { Questions.Add(caption + "\n" + message); return answer; }
        public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions) { throw new NotSupportedException(); }
        public override PSCredential PromptForCredential(string c, string m, string u, string t) { throw new NotSupportedException(); }
        public override PSCredential PromptForCredential(string c, string m, string u, string t, PSCredentialTypes a, PSCredentialUIOptions o) { throw new NotSupportedException(); }
        public override string ReadLine() { throw new NotSupportedException(); } public override SecureString ReadLineAsSecureString() { throw new NotSupportedException(); }
        public override void Write(string value) { } public override void Write(ConsoleColor f, ConsoleColor b, string value) { }
        public override void WriteDebugLine(string m) { } public override void WriteErrorLine(string v) { } public override void WriteLine(string v) { }
        public override void WriteProgress(long s, ProgressRecord r) { } public override void WriteVerboseLine(string m) { } public override void WriteWarningLine(string m) { }
    }
}
'@
        function Invoke-Asked([int] $Answer, [string] $Script) {
            $person = [TokenKit.Tests.AskedHost]::new($Answer)
            $runspace = [runspacefactory]::CreateRunspace($person)
            $runspace.Open()
            $pipeline = [powershell]::Create($runspace)
            try {
                $null = $pipeline.AddScript($Script).AddArgument($Module).AddArgument($server.http)
                $output = $pipeline.Invoke()
                [pscustomobject]@{ Output = @($output); Questions = @($person.Questions); Errors = @($pipeline.Streams.Error) }
            } finally {
                $pipeline.Dispose(); $runspace.Dispose()
            }
        }
        $script = 'param($Module, $http) Import-Module $Module; token "$http/token" -client_id demo-client -client_secret demo-secret {0}'
    }

    It 'shows the request, asks once, and <Name>' -ForEach @(
        @{ Name = 'sends after yes'; Answer = 0; Count = 1 }
        @{ Name = 'does not send after no'; Answer = 2; Count = 0 }
    ) {
        $null = Get-SentRequest $server
        $run = Invoke-Asked $Answer ($script -f '-Confirm')
        $run.Questions.Count | Should -Be 1
        $run.Questions[0] | Should -Match 'POST http(?s:.*)client_secret=\*\*\*(?s:.*)Send this request\?'
        $run.Questions[0] | Should -Not -Match 'demo-secret'
        $run.Output.Count | Should -Be $Count
        @(Get-SentRequest $server).Count | Should -Be $Count
        $run.Errors | Should -BeNullOrEmpty
    }

    It 'is not asked for by a preference below High' {
        $run = Invoke-Asked 2 ('{0}; $ConfirmPreference = "Low"; token "$http/token" -client_id demo-client -client_secret demo-secret' -f 'param($Module, $http) Import-Module $Module')
        $run.Questions | Should -BeNullOrEmpty
        $run.Output.Count | Should -Be 1
    }
}
