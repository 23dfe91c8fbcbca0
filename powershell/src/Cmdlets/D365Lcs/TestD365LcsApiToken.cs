using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Says whether a token for the LCS API can be used, and for how long.</summary>
[Cmdlet(VerbsDiagnostic.Test, "D365LcsApiToken", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Test-D365LcsApiToken.md")]
[OutputType(typeof(LcsApiTokenState), typeof(bool))]
public sealed class TestD365LcsApiToken : TokenKitCmdlet
{
    /// <summary>The access token: a string, a SecureString or a PSCredential; the configured one when absent.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("Token", "AccessToken", "access_token")]
    public object? BearerToken { get; set; }

    /// <summary>When it expires, where it does not say so itself: seconds since 1970.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("expires_on")]
    public long ActiveTokenExpiresOn { get; set; }

    /// <summary>For how long it must still be valid.</summary>
    [Parameter]
    [Duration]
    public TimeSpan MinimumLifetime { get; set; }

    /// <summary>Returns only whether the token is valid.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        bool given = MyInvocation.BoundParameters.ContainsKey(nameof(BearerToken)) || MyInvocation.ExpectingInput;
        Send(
            call => new LcsCheckRequest
            {
                store = StoreEnvironment.Options(call),
                token = given ? call.Put(BearerToken ?? "", nameof(BearerToken)) : null,
                expires_on = ActiveTokenExpiresOn > 0 ? ActiveTokenExpiresOn : null,
                minimum_lifetime = (uint)MinimumLifetime.TotalSeconds,
            },
            (operation, request) => operation.LcsCheck(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "token",
            state => Quiet ? state.valid : new LcsApiTokenState(state));
    }
}
