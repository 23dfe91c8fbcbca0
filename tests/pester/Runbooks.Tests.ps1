# The examples for unattended jobs: each is run as its platform runs it, against the local server.
param([string] $Module, [string] $TestServer)

BeforeDiscovery {
    # Every file, and what it is tested as. A script runs with the variables, commands and arguments of its platform.
    $runbooks = @(
        @{ Name = 'Azure Automation'; Files = 'azure-automation/Get-Report.ps1'
            Variables = { @{ AUTOMATION_ASSET_ACCOUNTID = '0a1b'; ASSET_PASSWORD = $secret } }
            Commands = 'function Get-AutomationPSCredential($Name) { if ($Name -ne "api-client") { throw "There is no asset $Name." }; [pscredential]::new("demo-client", (ConvertTo-SecureString $env:ASSET_PASSWORD -AsPlainText)) }'
            Arguments = { '-TokenEndpoint', $tokenEndpoint, '-Api', $api } }
        @{ Name = 'GitHub Actions'; Files = 'github-actions/report.yml'; IsFederated = $true; Masks = $true
            Script = { Get-Step 'github-actions/report.yml' report Report }
            # Actions puts this line before each script.
            Commands = '$ErrorActionPreference = "stop"'
            Variables = { @{ GITHUB_ACTIONS = 'true'; CI = 'true'; TOKEN_ENDPOINT = $tokenEndpoint; CLIENT_ID = 'demo-client'; API = $api
                    ASSERTION_AUDIENCE = 'https://as.example/?a=b&c'; ACTIONS_ID_TOKEN_REQUEST_URL = "$idTokenEndpoint`?api-version=2.0"; ACTIONS_ID_TOKEN_REQUEST_TOKEN = 'runner-token' } } }
        @{ Name = 'GitLab CI'; Files = 'gitlab-ci/.gitlab-ci.yml', 'gitlab-ci/report.ps1'; IsFederated = $true
            Variables = { @{ GITLAB_CI = 'true'; CI = 'true'; TOKEN_ENDPOINT = $tokenEndpoint; CLIENT_ID = 'demo-client'; API = $api; TOKENKIT_ID_TOKEN = $secret } } }
        @{ Name = 'Jenkins'; Files = 'jenkins/Jenkinsfile'
            Script = { [regex]::Match((Get-Content $folder/jenkins/Jenkinsfile -Raw), "(?s)pwsh '''(.*?)'''").Groups[1].Value }
            Variables = { @{ JENKINS_URL = 'https://ci.example/'; TOKEN_ENDPOINT = $tokenEndpoint; API = $api; CLIENT_ID = 'demo-client'; CLIENT_SECRET = $secret } } }
        @{ Name = 'Docker'; Files = 'docker/Dockerfile', 'docker/Dockerfile.dockerignore', 'docker/compose.yml', 'docker/job.ps1'
            Variables = { @{ TOKEN_ENDPOINT = $tokenEndpoint; API = $api; CLIENT_ID = 'demo-client'; SECRETS_DIRECTORY = New-SecretFolder @{ client_secret = $secret } } } }
        @{ Name = 'SecretManagement'; Files = 'secret-management/Get-Report.ps1'; Reports = 2
            Variables = { @{ VAULT_PASSWORD = $secret } }
            # As the module of that name: every text of a hashtable is a SecureString.
            Commands = 'function Get-Secret($Name) { $make = { param($text) ConvertTo-SecureString $text -AsPlainText }; switch ($Name) { "api-client" { @{ client_id = & $make demo-client; client_secret = & $make $env:VAULT_PASSWORD } } "api-credential" { [pscredential]::new("demo-client", (ConvertTo-SecureString $env:VAULT_PASSWORD -AsPlainText)) } default { throw "There is no secret $Name." } } }'
            Arguments = { '-TokenEndpoint', $tokenEndpoint, '-Api', $api } }
    )
    $elsewhere = 'README.md', 'systemd/keep-lcs-token.ps1', 'systemd/keep-lcs-token.service', 'systemd/keep-lcs-token.timer', 'systemd/crontab'
}

BeforeAll {
    . $PSScriptRoot/TestHelpers.ps1
    $server = Start-Peer $TestServer
    $folder = (Resolve-Path $PSScriptRoot/../../examples/runbooks).ProviderPath
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $staged = (Get-ChildItem $Module -Recurse -Filter TokenKit.psd1).Directory
    # The module is found by its name, as where it is installed.
    $modulePath = @(Split-Path (Split-Path $staged)) + (Join-Path $PSHOME Modules) -join [System.IO.Path]::PathSeparator

    function Read-Yaml([string[]] $Name) {
        $files = $Name.ForEach{ Join-Path $folder $_ }
        $json = node (Join-Path $PSScriptRoot ../servers/yaml/read.mjs) @files
        if ($LASTEXITCODE) { throw "No YAML: $Name" }
        ($json | ConvertFrom-Json -AsHashtable).Values
    }

    # The script of a step in a workflow of GitHub.
    function Get-Step([string] $File, [string] $Job, [string] $Step) {
        $steps = @((Read-Yaml $File).jobs[$Job].steps.Where{ $_.name -eq $Step })
        $steps.Count | Should -Be 1
        $steps[0].shell | Should -BeExactly pwsh
        $steps[0].run
    }

    # Files as a platform lays secrets down, with a line end, as editors leave one.
    function New-SecretFolder([hashtable] $Secret) {
        $path = Join-Path $TestDrive ([guid]::NewGuid())
        $null = New-Item $path -ItemType Directory
        foreach ($name in $Secret.Keys) { Set-Content (Join-Path $path $name) $Secret[$name] }
        $path
    }

    # Runs a script as a file of its own; `Commands` are those that the platform gives it.
    function Invoke-Runbook([string] $Text, [hashtable] $Variable = @{}, [string] $Commands = '', [object[]] $ArgumentList = @()) {
        $file = Join-Path $TestDrive "$([guid]::NewGuid()).ps1"
        Set-Content $file $Text
        # Named arguments do not survive in @args, so they are in the text.
        $call = "& '$file' $($ArgumentList.ForEach{ $_ -like '-*' ? $_ : "'$_'" } -join ' ')"
        $run = Invoke-Pwsh "`$env:PSModulePath = '$modulePath'; $Commands; $call" -Environment (@{ TOKENKIT_HOME = $env:TOKENKIT_HOME; TOKENKIT_NO_KEYRING = '1' } + $Variable)
        $run.Output = $run.Output -replace '\r'
        $run
    }
}

AfterAll { Stop-Peer $server }

Describe 'The folder of the runbooks' {
    It 'holds no file that is not tested here, and each is there' -ForEach @(@{ Known = @($runbooks.Files) + $elsewhere }) {
        $files = (Get-ChildItem $folder -Recurse -File -Force).ForEach{ [System.IO.Path]::GetRelativePath($folder, $_).Replace('\', '/') }
        ($files | Sort-Object) -join ' ' | Should -BeExactly (($Known | Sort-Object) -join ' ')
    }

    It 'has a README that leads to each' {
        $text = Get-Content $folder/README.md -Raw
        $links = [regex]::Matches($text, '\]\(([^)]+)\)').ForEach{ $_.Groups[1].Value }
        foreach ($link in $links) { Join-Path $folder $link | Should -Exist }
        foreach ($file in Get-ChildItem $folder -Recurse -File -Force -Exclude README.md) { $links | Should -Contain ([System.IO.Path]::GetRelativePath($folder, $file).Replace('\', '/')) }
    }
}

Describe 'The runbook for <Name>' -ForEach $runbooks {
    BeforeAll {
        $text = if ($_.Contains('Script')) { & $Script } else { Get-Content (Join-Path $folder (@($Files) -like '*.ps1')[0]) -Raw }
        $commands = $_.Contains('Commands') ? $Commands : ''
        $count = $_.Contains('Reports') ? $Reports : 1
        $federated = $_.Contains('IsFederated')
        $api = Set-Reply $server /canned/report (New-JsonReply 200 @{ rows = 42 })
        $idTokenEndpoint = "$($server.http)/canned/id-token"

        # Runs it with this secret or, where the platform vouches, this ID token.
        function Invoke-Case([string] $Secret, [string] $TokenEndpoint) {
            $secret, $tokenEndpoint = $Secret, $TokenEndpoint
            $null = Set-Reply $server /canned/id-token (New-JsonReply 200 @{ value = $Secret })
            $null = Get-SentRequest $server
            $arguments = $runbook.Contains('Arguments') ? (& $runbook.Arguments) : @()
            Invoke-Runbook $text (& $Variables) $commands $arguments
        }
        $runbook = $_
    }

    It 'gets a token and calls the API with it' {
        $endpoint = if ($federated) { Set-Reply $server "/canned/$([guid]::NewGuid())" (New-JsonReply 200 @{ access_token = 'granted-token'; token_type = 'Bearer'; expires_in = 3600 }) } else { "$($server.http)/token" }
        $run = Invoke-Case ($federated ? 'header.claims.signature' : 'demo-secret') $endpoint
        $run.Error | Should -BeNullOrEmpty
        $run.ExitCode | Should -Be 0
        [regex]::Matches($run.Output, '\b42\b').Count | Should -Be $count
        $requests = @(Get-SentRequest $server)
        $token = @($requests | Where-Object Path -EQ ([uri]$endpoint).AbsolutePath)
        $token.Count | Should -Be $count
        $token[0].Form.grant_type | Should -BeExactly client_credentials
        $token[0].Form.scope | Should -BeExactly api.read
        $token[0].Form.client_id | Should -BeExactly demo-client
        if ($federated) {
            $token[0].Form.client_assertion | Should -BeExactly header.claims.signature
            $token[0].Form.client_assertion_type | Should -BeExactly urn:ietf:params:oauth:client-assertion-type:jwt-bearer
        }
        $reports = @($requests | Where-Object Path -EQ /canned/report)
        $reports.Count | Should -Be $count
        $reports[0].Headers.authorization | Should -MatchExactly ($federated ? '^Bearer granted-token$' : '^Bearer \S{20,}$')
        # The only place for the token is the line that has it masked.
        $shown = $runbook.Contains('Masks') ? $run.Output.Replace("::add-mask::granted-token`n", '') : $run.Output
        $shown | Should -Not -Match 'granted-token|demo-secret|header\.claims'
        if ($runbook.Contains('Masks')) {
            $run.Output | Should -MatchExactly '(?m)^::add-mask::granted-token$'
            $asked = $requests | Where-Object Path -Like '/canned/id-token*'
            $asked.Headers.authorization | Should -BeExactly 'Bearer runner-token'
            $query = ConvertFrom-Form ($asked.Path -split '\?', 2)[1]
            $query.audience | Should -BeExactly 'https://as.example/?a=b&c'
            $query.'api-version' | Should -BeExactly '2.0'
        }
    }

    It 'fails where the server refuses the client, without a word of the secret' {
        $endpoint = if ($federated) { Set-Reply $server "/canned/$([guid]::NewGuid())" (New-JsonReply 401 @{ error = 'invalid_client'; error_description = 'no such subject' }) } else { "$($server.http)/token" }
        $run = Invoke-Case 'wrong.secret.hunter2' $endpoint
        $run.ExitCode | Should -Be 1
        $run.Error + $run.Output | Should -Match 'invalid_client|client'
        $run.Error + $run.Output | Should -Not -Match 'hunter2|\b42\b'
        Get-SentRequest $server | Where-Object Path -EQ /canned/report | Should -BeNullOrEmpty
    }
}

Describe 'The files around the scripts' {
    BeforeAll {
        # What would be registered and installed.
        function Get-Installation([string] $Text) {
            $commands = 'function Register-PSResourceRepository($Name, $Uri, [switch] $Trusted) { "$Name is $Uri" }; function Install-PSResource($Name, $Repository, $Version) { "$Name $Version from $Repository" }'
            (Invoke-Runbook $Text @{ PACKAGES = 'https://packages.example/v3/index.json' } $commands).Output.Trim()
        }
        $installation = "packages is https://packages.example/v3/index.json`nTokenKit $((Import-PowerShellDataFile $staged/TokenKit.psd1).ModuleVersion) from packages"
    }

    It 'of GitHub: may ask for an ID token, and installs this version from a repository of its own first' {
        $workflow = Read-Yaml github-actions/report.yml
        $workflow.permissions.'id-token' | Should -BeExactly write
        Get-Installation $workflow.jobs.report.steps[0].run | Should -BeExactly $installation
        $workflow.jobs.report.env.PACKAGES | Should -BeExactly '${{ vars.PACKAGES }}'
    }

    It 'of GitLab: asks for the ID token that the script reads, and runs the script' {
        $job = (Read-Yaml gitlab-ci/.gitlab-ci.yml).report
        $name = @($job.id_tokens.Keys)[0]
        $job.id_tokens[$name].aud | Should -Match '^https://'
        Get-Content $folder/gitlab-ci/report.ps1 -Raw | Should -MatchExactly "\`$env:$name\b"
        $job.script[-1] | Should -Match '-NonInteractive -File report\.ps1$'
        $steps = $job.script[0..($job.script.Count - 2)].ForEach{ [regex]::Match($_, "^pwsh .* -Command '(.*)'$").Groups[1].Value }
        Get-Installation ($steps -join "`n") | Should -BeExactly $installation
    }

    It 'of Jenkins: bind the variables that the script reads' {
        $text = Get-Content $folder/jenkins/Jenkinsfile -Raw
        $given = [regex]::Matches($text, "(?m)(?:Variable: '(\w+)'|^ {8}(\w+) = )").ForEach{ $_.Groups[1].Value + $_.Groups[2].Value }
        $read = [regex]::Matches($text, '\$env:(\w+)').ForEach{ $_.Groups[1].Value } | Sort-Object -Unique
        ($given | Sort-Object) -join ' ' | Should -BeExactly ($read -join ' ')
        # In Groovy a backslash would be the start of an escape.
        [regex]::Match($text, "(?s)pwsh '''(.*?)'''").Groups[1].Value | Should -Not -Match '\\'
        $text.Split('{').Count | Should -Be $text.Split('}').Count
    }

    It 'of Docker: the steps have their files, the job is no root, and its secrets are there' {
        $lines = (Get-Content $folder/docker/Dockerfile) -match '^[A-Z]+ '
        $lines[0] | Should -Match '^FROM \S+:\S+$' -Because 'an image without a tag is another one tomorrow'
        $copied = @{}
        foreach ($line in $lines -match '^COPY ') {
            $null, $from, $to = $line -split ' '
            # What the build makes, or a file of the repository.
            if ($from -ne 'out/TokenKit') { Join-Path $root $from | Should -Exist }
            $copied[$to] = $from
        }
        # Nothing else of the checkout goes to the builder.
        $seen = Get-Content $folder/docker/Dockerfile.dockerignore
        $seen[0] | Should -BeExactly '*'
        (($seen | Select-Object -Skip 1) | Sort-Object) -join ' ' | Should -BeExactly (($copied.Values.ForEach{ "!$_" } | Sort-Object) -join ' ')
        $command = ($lines -match '^CMD ')[0].Substring(4) | ConvertFrom-Json
        $copied[$command[-1]] | Should -BeExactly examples/runbooks/docker/job.ps1
        $copied['/usr/local/share/powershell/Modules/TokenKit'] | Should -BeExactly out/TokenKit
        ($lines -match '^USER ')[-1] | Should -Not -Match 'root|^USER 0'
        $compose = Read-Yaml docker/compose.yml
        $service = $compose.services.job
        Join-Path $folder docker $service.build.context $service.build.dockerfile | Should -Exist
        ($service.secrets | Sort-Object) -join ' ' | Should -BeExactly (($compose.secrets.Keys | Sort-Object) -join ' ')
        ($lines -match '^ENV TOKENKIT_STORE_KEY_FILE=')[0] | Should -Match "/run/secrets/$($service.secrets[1])$"
        Get-Content $folder/docker/job.ps1 -Raw | Should -Match 'client_secret\b'
        $service.secrets | Should -Contain client_secret
    }
}

Describe 'The job for Dynamics LCS in <Name>' -ForEach @(
    @{ Name = 'the README'; File = 'README.md'; Block = '(?s)(?<=```powershell\n)((?!```).)*-MinimumLifetime 600.*?(?=```)' }
    @{ Name = 'about_TokenKit_Runbooks'; File = 'powershell/module/en-US/about_TokenKit_Runbooks.help.txt'; Block = '( {8}.*\n)* {8}.*-MinimumLifetime 600.*\n( {8}.*\n)*' }
) {
    BeforeAll {
        $null = New-Store
        $blocks = [regex]::Matches((Get-Content (Join-Path $root $File) -Raw).Replace("`r", ''), $Block)
        $blocks.Count | Should -Be 1
        $job = $blocks[0].Value -replace '(?m)^ {8}(PS> )?'
        $api = Set-Reply $server /canned/report (New-JsonReply 200 @{ rows = 42 })
        $authority = Set-Reply $server /canned/lcs/oauth2/token (New-JsonReply 400 @{ error = 'invalid_grant' })

        function Invoke-Job([long] $ExpiresOn) {
            $values = "-ClientId app -BearerToken b3arer -RefreshToken r3fresh -ActiveTokenExpiresOn $ExpiresOn"
            $null = Get-SentRequest $server
            Invoke-Runbook "Set-D365LcsApiConfig $values`n`$uri = '$api'`n$job" -Commands "`$global:PSDefaultParameterValues['*-D365Lcs*:Authority'] = '$authority'"
        }
    }

    It 'calls the API while the token is good' {
        $run = Invoke-Job ([DateTimeOffset]::UtcNow.ToUnixTimeSeconds() + 3600)
        $run.Error | Should -BeNullOrEmpty
        $run.ExitCode | Should -Be 0
        $run.Output | Should -Match '\b42\b'
    }

    It 'ends with an error, and calls nothing, when the refresh fails' {
        $run = Invoke-Job 1700000000
        $run.ExitCode | Should -Be 1
        $run.Error | Should -Match 'invalid_grant'
        @(Get-SentRequest $server).Path | Should -BeExactly /canned/lcs/oauth2/token
    }
}

Describe 'The runbook for systemd and cron' {
    BeforeAll {
        $text = Get-Content $folder/systemd/keep-lcs-token.ps1 -Raw
        $null = New-Store
        $account = $server.entra.user
        $variables = @{
            CREDENTIALS_DIRECTORY = New-SecretFolder @{ 'lcs-password' = $account.password }
            TOKENKIT_STORE_KEY_FILE = Join-Path (New-SecretFolder @{ key = [Convert]::ToBase64String([byte[]] (1..32)) }) key
            LCS_CLIENT_ID = '9b4f4503-b970-4ade-abc6-2c086e4c4929'; LCS_USERNAME = $account.username
            LCS_API_URI = 'https://lcsapi.eu.lcs.dynamics.com'; LCS_PROJECT_ID = '123456789'
        }
        if (-not $IsWindows) { chmod 600 $variables.TOKENKIT_STORE_KEY_FILE }

        # Runs it in the place of Microsoft Entra, and returns the grants it asked for.
        function Invoke-Keeper([hashtable] $More = @{}, [string] $Authority = $server.http) {
            $null = Get-SentRequest $server
            $own = $variables.Clone()
            foreach ($name in $More.Keys) { $own[$name] = $More[$name] }
            $script:run = Invoke-Runbook $text $own "`$global:PSDefaultParameterValues['*-D365Lcs*:Authority'] = '$Authority'"
            @(Get-SentRequest $server).ForEach{ $_.Form.grant_type } -join ' '
        }
    }

    It 'fails with a wrong password, and shows it nowhere' {
        Invoke-Keeper @{ CREDENTIALS_DIRECTORY = New-SecretFolder @{ 'lcs-password' = 'hunter2' } } | Should -BeExactly password
        $run.ExitCode | Should -Be 1
        $run.Output + $run.Error | Should -Not -Match hunter2
    }

    It 'signs in the first time, does nothing while the token is good, and refreshes later' {
        # Tokens that are not good for half an hour any more.
        $null = Invoke-Control $server Put entra @{ expires_in = 1700; rotates = $true }
        Invoke-Keeper | Should -BeExactly password
        $run.Error | Should -BeNullOrEmpty
        $null = Invoke-Control $server Put entra @{ expires_in = 3600; rotates = $true }
        Invoke-Keeper | Should -BeExactly refresh_token
        $run.Error | Should -BeNullOrEmpty
        Invoke-Keeper | Should -BeNullOrEmpty
        $run.ExitCode | Should -Be 0
        $run.Output | Should -BeNullOrEmpty
    }

    It 'signs in anew when the refresh token is refused, where it has the password, and for no other failure' {
        $kept = Invoke-Runbook 'Set-D365LcsApiConfig -BearerToken old -ActiveTokenExpiresOn 1700000000 -RefreshToken revoked' $variables
        $kept.ExitCode | Should -Be 0
        $down = Set-Reply $server /canned/down/oauth2/token (New-JsonReply 503 @{ error = 'temporarily_unavailable' })
        $grants = Invoke-Keeper -Authority $down
        $grants | Should -Match '^refresh_token( refresh_token)*$'
        $run.ExitCode | Should -Be 1
        $run.Error | Should -Match 'temporarily_unavailable'
        Invoke-Keeper @{ CREDENTIALS_DIRECTORY = New-SecretFolder @{} } | Should -BeExactly refresh_token
        $run.ExitCode | Should -Be 1
        $run.Error | Should -Match 'invalid_grant'
        Invoke-Keeper | Should -BeExactly 'refresh_token password'
        $run.Error | Should -BeNullOrEmpty
        $run.ExitCode | Should -Be 0
        Invoke-Keeper | Should -BeNullOrEmpty
        $run.ExitCode | Should -Be 0
    }

    It 'has what is kept sealed with the key of the unit' {
        $files = Get-ChildItem $env:TOKENKIT_HOME -Recurse -File -Filter *.json
        $files | Should -Not -BeNullOrEmpty
        Get-Content (Join-Path $env:TOKENKIT_HOME sections d365lcs.json) -Raw | Should -Match '"algorithm":\s*"A256GCM"'
    }

    It 'gets from its unit what it reads' {
        $unit = Get-Content $folder/systemd/keep-lcs-token.service -Raw
        $unit | Should -MatchExactly '(?m)^LoadCredential=lcs-password:'
        $unit | Should -MatchExactly '(?m)^ExecStart=/usr/bin/pwsh .* -File /opt/tokenkit/keep-lcs-token\.ps1$'
        foreach ($name in [regex]::Matches($text, '\$env:(LCS_\w+)').ForEach{ $_.Groups[1].Value }) { $unit | Should -Match "\b$name\b" }
        $unit | Should -MatchExactly '(?m)^Environment=.*TOKENKIT_STORE_KEY_FILE=%d/store-key$'
        $unit | Should -MatchExactly '(?m)^LoadCredential=store-key:'
    }

    It 'has a crontab with five fields of time, and the same script' {
        $lines = (Get-Content $folder/systemd/crontab) -notmatch '^(#|\w+=)'
        $lines.Count | Should -Be 1
        $lines[0] -match '^(?<times>(\S+ ){5})(?<command>.*/opt/tokenkit/keep-lcs-token\.ps1)$' | Should -BeTrue
        $command = $Matches.command
        # Each field: *, a number, or steps of one.
        $Matches.times.Trim() -split ' ' | ForEach-Object { $_ | Should -Match '^(\*|\d+)(/\d+)?$' }
        if (-not $IsWindows) {
            # As cron runs it, with a script that shows what the file of variables gave it.
            $settings = Join-Path $TestDrive lcs.env
            Set-Content $settings 'LCS_CLIENT_ID=from-file'
            $probe = Join-Path $TestDrive probe.ps1
            Set-Content $probe '$env:LCS_CLIENT_ID'
            $line = $command.Replace('/etc/tokenkit/lcs.env', $settings).Replace('/opt/tokenkit/keep-lcs-token.ps1', $probe).Replace(' pwsh ', " '$((Get-Process -Id $PID).Path)' ")
            sh -c $line | Should -BeExactly from-file
        }
    }

    if (Get-Command systemd-analyze -CommandType Application -ErrorAction Ignore) {
        It 'has units that systemd takes' {
            $units = Join-Path $TestDrive units
            $null = New-Item $units -ItemType Directory
            Copy-Item $folder/systemd/*.timer $units
            # PowerShell where it is on this machine.
            (Get-Content $folder/systemd/keep-lcs-token.service -Raw).Replace('/usr/bin/pwsh', (Get-Process -Id $PID).Path) | Set-Content $units/keep-lcs-token.service
            $said = systemd-analyze verify $units/keep-lcs-token.service $units/keep-lcs-token.timer 2>&1 | Where-Object { "$_" -match 'keep-lcs-token' }
            $said | Should -BeNullOrEmpty
            $LASTEXITCODE | Should -Be 0
        }
    }
}
