using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Sets one key of the configuration; the others stay.</summary>
[Cmdlet(VerbsCommon.Set, "GovernanceConfigurationApiKey", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Set-GovernanceConfigurationApiKey.md")]
public sealed class SetGovernanceConfigurationApiKey : TokenKitCmdlet
{
    /// <summary>Which one: clientSecret or userPrincipalName.</summary>
    [Parameter(Position = 0)]
    public string? Id { get; set; }

    /// <summary>Its value: a string, a SecureString or a PSCredential.</summary>
    [Parameter(Position = 1)]
    [AllowEmptyString]
    public object? ApiKey { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (string.IsNullOrEmpty(Id))
        {
            throw Failures.Invalid("-Id is empty: name the key, clientSecret or userPrincipalName.");
        }
        if (IsAsked && !ShouldProcess("the configuration of Cloud Governance", $"Set the key {Id}"))
        {
            return;
        }
        GovernanceConfiguration.Of(this).Table(GovernanceConfiguration.ApiKey)[Id] = ApiKey;
    }
}
