using System.Collections;
using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Returns the live configuration of the Cloud Governance commands.</summary>
[Cmdlet(VerbsCommon.Get, "GovernanceConfiguration", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-GovernanceConfiguration.md")]
[OutputType(typeof(Hashtable))]
public sealed class GetGovernanceConfiguration : TokenKitCmdlet
{
    /// <inheritdoc/>
    private protected override void Process() => WriteObject(GovernanceConfiguration.Of(this), enumerateCollection: false);
}
