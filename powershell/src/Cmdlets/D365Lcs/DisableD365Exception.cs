using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Lets the LCS cmdlets warn again, as they do by default.</summary>
[Cmdlet(VerbsLifecycle.Disable, "D365Exception", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Disable-D365Exception.md")]
#pragma warning disable CA1711 // Named after the cmdlet, as all are.
public sealed class DisableD365Exception : PSCmdlet
#pragma warning restore CA1711
{
    /// <inheritdoc/>
    protected override void EndProcessing() => D365Exceptions.Enabled = false;
}
