using System.Management.Automation;
using System.Security;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Tells whether an access token of Venafi's service is good, and until when.</summary>
[Cmdlet(VerbsDiagnostic.Test, "VcToken", DefaultParameterSetName = SessionSet, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Test-VcToken.md")]
[OutputType(typeof(VcTokenState), typeof(bool))]
public sealed class TestVcToken : VenafiSessionCmdlet
{
    private const string SessionSet = "Session";
    private const string TokenSet = "Token";
    private const string AccessTokenSet = "AccessToken";

    /// <summary>The session; that of the module when absent.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    [ValidateNotNullOrEmpty]
    public PSObject? VenafiSession { get; set; }

    /// <summary>What New-VcToken returned.</summary>
    [Parameter(ParameterSetName = TokenSet, Mandatory = true, ValueFromPipeline = true)]
    public PSObject? Token { get; set; }

    /// <summary>The access token alone: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = AccessTokenSet, Mandatory = true)]
    public object? AccessToken { get; set; }

    /// <summary>The region whose server is asked.</summary>
    [Parameter(ParameterSetName = AccessTokenSet)]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string VcRegion { get; set; } = "us";

    /// <summary>Asks the server, which knows best.</summary>
    [Parameter]
    public SwitchParameter Online { get; set; }

    /// <summary>Returns only whether the token is good.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        PSObject session = ParameterSetName switch
        {
            AccessTokenSet => SessionOfText(),
            TokenSet => SessionOfToken(Token!),
            _ => VenafiSession is null ? CurrentSession() : SessionOf(VenafiSession, null),
        };
        PSObject? token = VcSession.TokenOf(session);
        SecureString? jwt = null;
        try
        {
            jwt = JwtOf(session);
        }
        catch (FailureException failure)
        {
            WriteVerbose(failure.Message);
        }
        VenafiSessionState state = Look(token, jwt);
        (bool? valid, string message) = state.renewal.IsOverdue ? (false, "The access token has expired.")
            : state.renewal.IsUnknown ? ((bool?)null, "It is not known when the credential expires.")
            : (true, "The access token is good.");
        if (Online && valid != false)
        {
            (valid, message) = RequestUser(session).problem switch
            {
                null => (true, "The server accepts the credential."),
                { status: 401 or 403 } problem => (false, $"The server does not accept the credential: {problem.message}"),
                var problem => (valid, $"The server could not be asked: {problem.message}"),
            };
        }
        WriteObject(Quiet ? valid == true : new VcTokenState
        {
            Valid = valid,
            Expires = token is null ? null : VcSession.Local(VcSession.ExpiresAt(token)),
            Renewable = jwt is not null && state.jwt_problem is null,
            JwtExpires = VcSession.Local(state.jwt_expires_at_ms),
            Message = message,
        });
    }

    private PSObject SessionOfText()
    {
        SecureString text = JwtSource.Text(AccessToken, nameof(AccessToken));
        return SessionWith(ServerOf(VcRegion, null), VcSession.MakeToken(null, text, null, VcSession.Local(Look(null, text).jwt_expires_at_ms)));
    }

    private PSObject SessionOfToken(PSObject token) =>
        VcSession.Value(token, VcSession.Endpoint) is string { Length: > 0 } endpoint
            ? SessionWith(ServerOf(null, endpoint), token)
            : throw Failures.Invalid("-Token takes what New-VcToken returned.", "invalid_session");

    private static PSObject SessionWith(string server, PSObject token) =>
        VcSession.Make(server, 0, SkipsCertificateCheck(null), VcSession.Token, token);
}
