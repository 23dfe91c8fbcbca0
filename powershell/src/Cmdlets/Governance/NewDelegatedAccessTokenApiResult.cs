using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Makes a result as the token commands of Cloud Governance return it.</summary>
[Cmdlet(VerbsCommon.New, "DelegatedAccessTokenApiResult", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-DelegatedAccessTokenApiResult.md")]
[OutputType(GovernanceModel.DelegatedAccessTokenApiResult)]
public sealed class NewDelegatedAccessTokenApiResult : TokenKitCmdlet
{
    /// <summary>The token.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    public PSObject? Value { get; set; }

    /// <summary>Whether the service did what it was asked.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    public bool? IsSuccess { get; set; }

    /// <summary>Why it did not.</summary>
    [Parameter(Position = 2, ValueFromPipelineByPropertyName = true)]
    public string? ErrorMsg { get; set; }

    /// <inheritdoc/>
    private protected override void Process() =>
        WriteObject(GovernanceModel.Make(GovernanceModel.DelegatedAccessTokenApiResult, Value, IsSuccess, ErrorMsg ?? ""));
}
