using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Makes Cloud Governance forget the tokens that it keeps for a credential.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "DeleteTokenCache", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Invoke-DeleteTokenCache.md")]
[OutputType(typeof(System.Collections.Hashtable))]
public sealed class InvokeDeleteTokenCache : GovernanceCmdlet
{
    /// <summary>The credential: what New-ApiCredential returns, a hashtable with the same keys, or a PSCredential.</summary>
    // The alias keeps an abbreviation unambiguous that -AllowUnencryptedAuthentication would take away.
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("A")]
    public PSObject? ApiCredential { get; set; }

    /// <inheritdoc/>
    private protected override bool IsDestructive => true;

    /// <inheritdoc/>
    private protected override void Process() =>
        Ask("deletion of the token cache", null, call => GovernanceCall.DeleteCache(Credential(call, ApiCredential)));
}
