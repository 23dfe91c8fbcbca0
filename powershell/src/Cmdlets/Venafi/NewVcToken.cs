using System.Management.Automation;
using System.Security;

namespace TokenKit.Commands;

/// <summary>Gets an access token of a service account of Venafi's service (TLSPC) for a JWT (RFC 7523).</summary>
[Cmdlet(VerbsCommon.New, "VcToken", DefaultParameterSetName = ScriptSessionSet, SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-VcToken.md")]
[OutputType(VcSession.TokenType)]
public sealed class NewVcToken : VenafiSessionCmdlet
{
    private const string ScriptSessionSet = "ScriptSession";
    private const string EndpointSet = "Endpoint";
    private const string SessionSet = "Session";

    /// <summary>The token endpoint of the service account.</summary>
    [Parameter(ParameterSetName = EndpointSet, Mandatory = true)]
    public new string Endpoint { get; set; } = "";

    /// <summary>The JWT of the workload: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = EndpointSet, Mandatory = true)]
    [Parameter(ParameterSetName = SessionSet)]
    [Parameter(ParameterSetName = ScriptSessionSet)]
    public object? Jwt { get; set; }

    /// <summary>The session whose endpoint and JWT are used.</summary>
    [Parameter(ParameterSetName = SessionSet, Mandatory = true)]
    public PSObject? VenafiSession { get; set; }

    /// <summary>Gives the session the new token, too.</summary>
    [Parameter(ParameterSetName = SessionSet)]
    public SwitchParameter UpdateSession { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        PSObject? session = ParameterSetName switch
        {
            EndpointSet => null,
            SessionSet => SessionOf(VenafiSession!, null),
            _ => CurrentSession(),
        };
        string endpoint = session is null ? Endpoint : EndpointOf(session);
        SecureString jwt = session is null || !Secrets.IsAbsent(Jwt) ? JwtSource.Text(Jwt, nameof(Jwt)) : JwtOf(session) ?? throw NoJwt();
        PSObject token = RequestToken(endpoint, jwt, session);
        if (ParameterSetName == ScriptSessionSet || UpdateSession)
        {
            VcSession.Set(session!, VcSession.Token, token);
        }
        if (ParameterSetName != ScriptSessionSet)
        {
            WriteObject(token);
        }
    }
}
