using System.Management.Automation;
using System.Security;

namespace TokenKit.Commands;

/// <summary>What the cmdlets that work with a session share: whose session, and how long.</summary>
public abstract class VenafiSessionCmdlet : VenafiCmdlet
{
    /// <summary>Time allowed for a request, repeated attempts included; that of the session when absent.</summary>
    [Parameter]
    [Duration]
    public TimeSpan Timeout { get; set; } = UsualTimeout;

    /// <summary>The time limit: as given, else as the session says, else the usual one.</summary>
    private protected override TimeSpan TimeLimit(PSObject? session) =>
        !MyInvocation.BoundParameters.ContainsKey(nameof(Timeout)) && session is not null && VcSession.Value(session, VcSession.TimeoutSec) is int and > 0
            ? TimeSpan.FromSeconds((int)VcSession.Value(session, VcSession.TimeoutSec)!)
            : Timeout;

    /// <summary>The session that <paramref name="given"/> is, or that an API key or an access token makes.</summary>
    /// <exception cref="FailureException">It is none of these.</exception>
    private protected PSObject SessionOf(object given, string? region)
    {
        if (Secrets.Unwrap(given) is not (string or SecureString or PSCredential))
        {
            return VcSession.Check(PSObject.AsPSObject(given));
        }
        SecureString text = JwtSource.Text(given, "VenafiSession");
        var key = new PSCredential("VcKey", text);
        (string kind, object credential) = Guid.TryParse(key.GetNetworkCredential().Password, out _)
            ? (VcSession.Key, (object)key)
            : (VcSession.Token, VcSession.MakeToken(null, text, null, VcSession.Local(Look(null, text).jwt_expires_at_ms)));
        // Of a key the usual region is taken, as ever; a token would be sent to where it may not belong.
        string server = kind == VcSession.Key || region is not null
            ? ServerOf(region ?? "us", null)
            : throw Failures.Invalid("The text is no API key, and of an access token it is not known where it belongs: add -VcRegion, or give a session.", "invalid_session");
        return VcSession.Make(server, 0, SkipsCertificateCheck(null), kind, credential);
    }
}
