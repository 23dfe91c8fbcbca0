# Dot-sourced after TestHelpers.ps1 by the tests of sign-ins: a host with a person in front of it, and browsers.

# Where the tests run, nobody may be expected: what says so is taken away, and given back by Restore-Attendance.
$unattendedVariables = 'CI', 'TF_BUILD', 'GITHUB_ACTIONS', 'GITLAB_CI', 'JENKINS_URL', 'TEAMCITY_VERSION', 'BUILDKITE',
    'CODEBUILD_BUILD_ID', 'AUTOMATION_ASSET_ACCOUNTID', 'FUNCTIONS_WORKER_RUNTIME', 'AWS_LAMBDA_FUNCTION_NAME'

function Suspend-Attendance {
    $kept = @{}
    foreach ($name in $unattendedVariables + 'BROWSER') {
        $kept[$name] = [Environment]::GetEnvironmentVariable($name)
        [Environment]::SetEnvironmentVariable($name, $null)
    }
    $kept
}

function Restore-Attendance([hashtable] $Kept) {
    foreach ($name in $Kept.Keys) { [Environment]::SetEnvironmentVariable($name, $Kept[$name]) }
}

# The command of a browser that signs alice in; see user-agent.mjs for its arguments.
function Get-UserAgent([string[]] $ArgumentList) {
    $script = Join-Path $PSScriptRoot user-agent.mjs
    (@('node', $script) + $ArgumentList).ForEach{ "'$_'" } -join ' '
}

# A PSHost whose user is the test: what it is shown is in Shown, and what it is asked waits for Say.
if (-not ('TokenKit.Tests.PersonHost' -as [type])) {
    Add-Type -TypeDefinition @'
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

namespace TokenKit.Tests
{
    public sealed class PersonHost : PSHost
    {
        private readonly PersonUI ui = new PersonUI();
        public ConcurrentQueue<string> Shown { get { return ui.Shown; } }
        public ConcurrentQueue<ProgressRecord> Progress { get { return ui.Progress; } }
        public void Say(string line) { ui.Answers.Add(line); }
        public string Screen { get { return string.Concat(Shown); } }
        public override CultureInfo CurrentCulture { get { return CultureInfo.InvariantCulture; } }
        public override CultureInfo CurrentUICulture { get { return CultureInfo.InvariantCulture; } }
        public override Guid InstanceId { get; } = Guid.NewGuid();
        public override string Name { get { return "Person"; } }
        public override PSHostUserInterface UI { get { return ui; } }
        public override Version Version { get { return new Version(1, 0); } }
        public override void EnterNestedPrompt() { throw new NotSupportedException(); }
        public override void ExitNestedPrompt() { throw new NotSupportedException(); }
        public override void NotifyBeginApplication() { }
        public override void NotifyEndApplication() { }
        public override void SetShouldExit(int exitCode) { }
    }

    internal sealed class PersonUI : PSHostUserInterface
    {
        internal readonly ConcurrentQueue<string> Shown = new ConcurrentQueue<string>();
        internal readonly ConcurrentQueue<ProgressRecord> Progress = new ConcurrentQueue<ProgressRecord>();
        internal readonly BlockingCollection<string> Answers = new BlockingCollection<string>();
        public override PSHostRawUserInterface RawUI { get { return null; } }
        public override string ReadLine() { throw new NotSupportedException(); }
        public override SecureString ReadLineAsSecureString()
        {
            var text = new SecureString();
            foreach (char character in Answers.Take()) { text.AppendChar(character); }
            return text;
        }
        public override void Write(string value) { Shown.Enqueue(value); }
        public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) { Shown.Enqueue(value); }
        public override void WriteLine(string value) { Shown.Enqueue(value + "\n"); }
        public override void WriteDebugLine(string message) { Shown.Enqueue("DEBUG: " + message + "\n"); }
        public override void WriteErrorLine(string value) { Shown.Enqueue("ERROR: " + value + "\n"); }
        public override void WriteVerboseLine(string message) { Shown.Enqueue("VERBOSE: " + message + "\n"); }
        public override void WriteWarningLine(string message) { Shown.Enqueue("WARNING: " + message + "\n"); }
        public override void WriteProgress(long sourceId, ProgressRecord record) { Progress.Enqueue(record); }
        public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions) { throw new NotSupportedException(); }
        public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
        {
            if (choices == null) { throw new ArgumentNullException("choices"); }
            return defaultChoice;
        }
        public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) { throw new NotSupportedException(); }
        public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName, PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options) { throw new NotSupportedException(); }
    }
}
'@
}

# A pipeline like that of New-Pipeline, in front of `Person`.
function New-AttendedPipeline([string] $Module, $Person, [string] $Script, [object[]] $Argument = @()) {
    $state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    $state.ImportPSModule($Module)
    $runspace = [runspacefactory]::CreateRunspace($Person, $state)
    $runspace.Open()
    $pipeline = [powershell]::Create()
    $pipeline.Runspace = $runspace
    $null = $pipeline.AddScript($Script)
    foreach ($value in $Argument) { $null = $pipeline.AddArgument($value) }
    $pipeline
}

function Remove-AttendedPipeline($Pipeline) {
    $Pipeline.Stop()
    $Pipeline.Runspace.Dispose()
    $Pipeline.Dispose()
}

# The times that the progress bar has shown so far, in seconds.
function Get-ShownSecond($Person) { @(@($Person.Progress).ForEach{ $_.SecondsRemaining } | Where-Object { $_ -gt 0 } | Select-Object -Unique) }

# The address that the person was shown to open.
function Get-ShownAddress($Person) {
    $null = Wait-Until { $Person.Screen -match '(?m)^https?://\S+\?\S*\bstate=\S+\s' }
    [regex]::Match($Person.Screen, '(?m)^https?://\S+\?\S+').Value
}

# The parameters of an address.
function Get-Query([string] $Address) { ConvertFrom-Form ([uri]$Address).Query.TrimStart('?') }
