using System.Management.Automation;
using System.Security;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Gets a new access token of Cloud Governance for a refresh token.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "RefreshUserAccessToken", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Invoke-RefreshUserAccessToken.md")]
[OutputType(GovernanceModel.DelegatedAccessTokenApiResult)]
[OutputType(typeof(System.Collections.Hashtable))]
public sealed class InvokeRefreshUserAccessToken : GovernanceCmdlet
{
    /// <summary>The refresh token: a string, a SecureString or a PSCredential, or a token or result that has one.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public object? RefreshToken { get; set; }

    /// <summary>The media type of the answer.</summary>
    [Parameter]
    [ValidateSet("text/plain", "application/json")]
    public string? ReturnType { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (TokenIn(RefreshToken) is not { } token || Secrets.IsAbsent(token))
        {
            throw Failures.Invalid("-RefreshToken is missing: give the RefreshToken of an earlier result, or that result.");
        }
        Ask("refresh", ReturnType, call => GovernanceCall.Refresh(new GovernanceRefresh { refresh_token = call.Put(token, nameof(RefreshToken)) }));
    }

    /// <summary>The refresh token itself, or that of a token, of a result, or of a result with HTTP information.</summary>
    private static object? TokenIn(object? value) => Secrets.Unwrap(value) switch
    {
        null => null,
        string or SecureString or PSCredential => value,
        System.Collections.IDictionary table => table["RefreshToken"] ?? TokenIn(table["Value"] ?? table["Response"]),
        _ => Member(value, "RefreshToken") ?? TokenIn(Member(value, "Value")),
    };

    private static object? Member(object? value, string name) => PSObject.AsPSObject(value!).Properties[name]?.Value;
}
