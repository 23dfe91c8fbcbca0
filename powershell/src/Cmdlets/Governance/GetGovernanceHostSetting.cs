using System.Collections;
using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Returns the addresses that the service is known by: one, a template.</summary>
[Cmdlet(VerbsCommon.Get, "GovernanceHostSetting", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-GovernanceHostSetting.md")]
[OutputType(typeof(Hashtable[]))]
public sealed class GetGovernanceHostSetting : TokenKitCmdlet
{
    internal const string Variable = "Cloud_Governance_Modern_API_Endpoint";

    /// <inheritdoc/>
    private protected override void Process() => WriteObject(
        new[] { new Hashtable(StringComparer.OrdinalIgnoreCase) { ["Url"] = $"{{{Variable}}}", ["Description"] = "No description provided" } },
        enumerateCollection: false);
}
