using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Reads a result of a token command from JSON; other members than it has are refused.</summary>
[Cmdlet(VerbsData.ConvertFrom, "JsonToDelegatedAccessTokenApiResult", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/ConvertFrom-JsonToDelegatedAccessTokenApiResult.md")]
[OutputType(GovernanceModel.DelegatedAccessTokenApiResult)]
public sealed class ConvertFromJsonToDelegatedAccessTokenApiResult : TokenKitCmdlet
{
    /// <summary>The JSON text.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [AllowEmptyString]
    public string? Json { get; set; }

    /// <inheritdoc/>
    private protected override void Process() => WriteObject(GovernanceModel.Read(GovernanceModel.DelegatedAccessTokenApiResult, Json ?? ""));
}
