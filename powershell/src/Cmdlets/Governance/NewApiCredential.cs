using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Makes the credential of a delegated user for the Cloud Governance commands.</summary>
[Cmdlet(VerbsCommon.New, "ApiCredential", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-ApiCredential.md")]
[OutputType(GovernanceModel.ApiCredential)]
public sealed class NewApiCredential : TokenKitCmdlet
{
    /// <summary>The client secret: a string, a SecureString or a PSCredential.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    public object? ClientSecret { get; set; }

    /// <summary>The login name of the delegated user; a credential as secret names it, too.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    public string? UserPrincipalName { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        object? secret = Secrets.Unwrap(ClientSecret);
        var credential = secret as PSCredential;
        WriteObject(GovernanceModel.Make(
            GovernanceModel.ApiCredential,
            credential?.Password ?? secret ?? "",
            string.IsNullOrEmpty(UserPrincipalName) ? credential?.UserName ?? "" : UserPrincipalName));
    }
}
