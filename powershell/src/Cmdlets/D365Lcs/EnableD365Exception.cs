using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Lets the LCS cmdlets throw, for the rest of the session.</summary>
[Cmdlet(VerbsLifecycle.Enable, "D365Exception", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Enable-D365Exception.md")]
#pragma warning disable CA1711 // Named after the cmdlet, as all are.
public sealed class EnableD365Exception : PSCmdlet
#pragma warning restore CA1711
{
    /// <inheritdoc/>
    protected override void EndProcessing() => D365Exceptions.Enabled = true;
}
