using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Makes a delegated token as the service returns it.</summary>
[Cmdlet(VerbsCommon.New, "DelegatedAccessToken", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-DelegatedAccessToken.md")]
[OutputType(GovernanceModel.DelegatedAccessToken)]
public sealed class NewDelegatedAccessToken : TokenKitCmdlet
{
    /// <summary>The access token.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [SecretText]
    public string? AccessToken { get; set; }

    /// <summary>The refresh token.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [SecretText]
    public string? RefreshToken { get; set; }

    /// <summary>How long the access token lasts, in the service's unit.</summary>
    [Parameter(Position = 2, ValueFromPipelineByPropertyName = true)]
    public long? Duration { get; set; }

    /// <inheritdoc/>
    private protected override void Process() =>
        WriteObject(GovernanceModel.Make(GovernanceModel.DelegatedAccessToken, AccessToken ?? "", RefreshToken ?? "", Duration));
}
