using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Reads a delegated token from JSON; other members than it has are refused.</summary>
[Cmdlet(VerbsData.ConvertFrom, "JsonToDelegatedAccessToken", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/ConvertFrom-JsonToDelegatedAccessToken.md")]
[OutputType(GovernanceModel.DelegatedAccessToken)]
public sealed class ConvertFromJsonToDelegatedAccessToken : TokenKitCmdlet
{
    /// <summary>The JSON text.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [AllowEmptyString]
    public string? Json { get; set; }

    /// <inheritdoc/>
    private protected override void Process() => WriteObject(GovernanceModel.Read(GovernanceModel.DelegatedAccessToken, Json ?? ""));
}
