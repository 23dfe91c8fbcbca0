using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Reads a credential from JSON; other members than it has are refused.</summary>
[Cmdlet(VerbsData.ConvertFrom, "JsonToApiCredential", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/ConvertFrom-JsonToApiCredential.md")]
[OutputType(GovernanceModel.ApiCredential)]
public sealed class ConvertFromJsonToApiCredential : TokenKitCmdlet
{
    /// <summary>The JSON text.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [AllowEmptyString]
    public string? Json { get; set; }

    /// <inheritdoc/>
    private protected override void Process() => WriteObject(GovernanceModel.Read(GovernanceModel.ApiCredential, Json ?? ""));
}
