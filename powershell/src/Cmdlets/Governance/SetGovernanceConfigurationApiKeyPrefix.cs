using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Sets the prefix of one key, which no command sends.</summary>
[Cmdlet(VerbsCommon.Set, "GovernanceConfigurationApiKeyPrefix", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Set-GovernanceConfigurationApiKeyPrefix.md")]
public sealed class SetGovernanceConfigurationApiKeyPrefix : TokenKitCmdlet
{
    /// <summary>Which one: clientSecret or userPrincipalName.</summary>
    [Parameter(Position = 0)]
    public string? Id { get; set; }

    /// <summary>The prefix.</summary>
    [Parameter(Position = 1)]
    [AllowEmptyString]
    public string? ApiKeyPrefix { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (string.IsNullOrEmpty(Id))
        {
            throw Failures.Invalid("-Id is empty: name the key, clientSecret or userPrincipalName.");
        }
        if (IsAsked && !ShouldProcess("the configuration of Cloud Governance", $"Set the prefix of the key {Id}"))
        {
            return;
        }
        GovernanceConfiguration.Of(this).Table(GovernanceConfiguration.ApiKeyPrefix)[Id] = ApiKeyPrefix;
    }
}
