using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Gets an access token of a delegated user of Cloud Governance.</summary>
[Cmdlet(VerbsCommon.Get, "DelegateAccessToken", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-DelegateAccessToken.md")]
[OutputType(GovernanceModel.DelegatedAccessTokenApiResult)]
[OutputType(typeof(System.Collections.Hashtable))]
public sealed class GetDelegateAccessToken : GovernanceCmdlet
{
    /// <summary>The credential: what New-ApiCredential returns, a hashtable with the same keys, or a PSCredential.</summary>
    // The alias keeps an abbreviation unambiguous that -AllowUnencryptedAuthentication would take away.
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("A")]
    public PSObject? ApiCredential { get; set; }

    /// <summary>The media type of the answer.</summary>
    [Parameter]
    [ValidateSet("text/plain", "application/json")]
    public string? ReturnType { get; set; }

    /// <inheritdoc/>
    private protected override void Process() =>
        Ask("delegated token", ReturnType, call => GovernanceCall.Delegate(Credential(call, ApiCredential)));
}
