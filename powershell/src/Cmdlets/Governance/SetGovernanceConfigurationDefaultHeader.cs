using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Sets one header of every request; the others stay.</summary>
[Cmdlet(VerbsCommon.Set, "GovernanceConfigurationDefaultHeader", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Set-GovernanceConfigurationDefaultHeader.md")]
public sealed class SetGovernanceConfigurationDefaultHeader : TokenKitCmdlet
{
    /// <summary>The name of the header.</summary>
    [Parameter(Position = 0)]
    public string? Key { get; set; }

    /// <summary>Its value: a string, a SecureString or a PSCredential.</summary>
    [Parameter(Position = 1)]
    [AllowEmptyString]
    public object? Value { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (string.IsNullOrEmpty(Key))
        {
            throw Failures.Invalid("-Key is empty: name the header.");
        }
        if (IsAsked && !ShouldProcess("the configuration of Cloud Governance", $"Set the header {Key}"))
        {
            return;
        }
        GovernanceConfiguration.Of(this).Table(GovernanceConfiguration.DefaultHeaders)[Key] = Value;
    }
}
