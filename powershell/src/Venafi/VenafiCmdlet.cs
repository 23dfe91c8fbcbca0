using System.Management.Automation;
using System.Security;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>What the cmdlets of Venafi's service share: its requests, and a session's token renewed.</summary>
public abstract class VenafiCmdlet : ConnectionCmdlet
{
    /// <summary>Switches the check of certificates off in the module that these cmdlets are compatible with.</summary>
    private const string SkipVariable = "VENAFIPS_SKIP_CERT_CHECK";

    /// <summary>Time allowed for a request, repeated attempts included.</summary>
    private protected abstract TimeSpan TimeLimit(PSObject? session);

    /// <summary>Whether servers are believed without a valid certificate, by a session or the environment.</summary>
    private protected static bool SkipsCertificateCheck(PSObject? session) =>
        Environment.GetEnvironmentVariable(SkipVariable) == "1"
        || (session is not null && LanguagePrimitives.IsTrue(VcSession.Value(session, "SkipCertificateCheck")));

    /// <summary>Requests an access token for a session, if there is one, as <c>New-VcToken</c> returns it.</summary>
    /// <exception cref="FailureException">There is none.</exception>
    private protected PSObject RequestToken(string endpoint, SecureString jwt, PSObject? session)
    {
        Func<VenafiToken> request = () => Await(Start(
            call => new VenafiTokenRequest
            {
                endpoint = endpoint,
                jwt = call.Put(jwt, "Jwt"),
                allow_insecure_http = AllowUnencryptedAuthentication,
                http = HttpOptions(call, TimeLimit(session), SkipsCertificateCheck(session)),
            },
            (operation, request) => operation.VenafiToken(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "client_credentials, JWT"));
        Approve(() => request());
        return VcSession.MakeToken(request(), jwt);
    }

    /// <summary>Asks for the user behind a session's credential; what the server does wrong is part of the answer.</summary>
    private protected VenafiUser RequestUser(PSObject session) => Await(Start(
        call => new VenafiUserRequest
        {
            server = VcSession.Value(session, VcSession.Server) as string ?? "",
            credential = VcSession.Value(session, VcSession.Key) is { } key
                ? VenafiCredential.ApiKey(new SharedSecret { secret = call.Put(key, VcSession.Key) })
                : VenafiCredential.AccessToken(new SharedSecret { secret = call.Put(AccessTokenOf(session), VcSession.AccessToken) }),
            allow_insecure_http = AllowUnencryptedAuthentication,
            http = HttpOptions(call, TimeLimit(session), SkipsCertificateCheck(session)),
        },
        (operation, request) => operation.VenafiUser(request.Wire(), Cancellation),
        wire => wire.Unwire(),
        "user"));

    /// <summary>The access token of a session.</summary>
    /// <exception cref="FailureException">It has none, and no key.</exception>
    private protected static object AccessTokenOf(PSObject session) =>
        VcSession.TokenOf(session) is { } token && VcSession.Value(token, VcSession.AccessToken) is { } accessToken
            ? accessToken
            : throw Failures.Invalid("The session has neither a key nor an access token: make one with New-VenafiSession.", "invalid_session");

    /// <summary>Where a region or an endpoint is.</summary>
    /// <exception cref="FailureException">There is no such region, or the endpoint cannot be used.</exception>
    private protected string ServerOf(string? region, string? endpoint)
    {
        using var call = new Call();
        var request = new VenafiServerRequest { region = region, endpoint = endpoint, allow_insecure_http = AllowUnencryptedAuthentication };
        return call.Run(operation => operation.VenafiServer(request.Wire()), wire => wire.Unwire()).server;
    }

    /// <summary>The session of the module.</summary>
    /// <exception cref="FailureException">There is none.</exception>
    private protected PSObject CurrentSession() => ModuleState.Variable(this, ModuleState.VenafiSession).Value is { } session
        ? VcSession.Check(PSObject.AsPSObject(session))
        : throw Failures.Invalid("There is no session: make one with New-VenafiSession, or give one with -VenafiSession.", "no_session");

    /// <summary>The token endpoint of a session.</summary>
    /// <exception cref="FailureException">It has none.</exception>
    private protected static string EndpointOf(PSObject session) =>
        VcSession.TokenOf(session) is { } token && VcSession.Value(token, VcSession.Endpoint) is string { Length: > 0 } endpoint
            ? endpoint
            : throw Failures.Invalid("The session has no token endpoint: one with an API key needs no token, another is made with New-VenafiSession -VcEndpoint -Jwt.", "invalid_session");

    /// <summary>The JWT of a session: read anew where it has a source, else the one that its token came by.</summary>
    private protected SecureString? JwtOf(PSObject session) =>
        VcSession.Value(session, VcSession.JwtSource) is { } source ? JwtSource.Read(this, source)
        : VcSession.TokenOf(session) is { } token && VcSession.Value(token, VcSession.Jwt) is { } jwt ? JwtSource.Text(jwt, "VenafiSession")
        : null;

    /// <summary>Looks at a token and a JWT with the clock of the native library.</summary>
    private protected static VenafiSessionState Look(PSObject? token, SecureString? jwt)
    {
        using var call = new Call();
        var request = new VenafiSessionRequest
        {
            expires_at_ms = token is null ? null : VcSession.ExpiresAt(token),
            jwt = jwt is null ? null : call.Put(jwt, "Jwt"),
            margin_ms = null,
            now_ms = null,
        };
        return call.Run(operation => operation.VenafiSession(request.Wire()), wire => wire.Unwire());
    }

    /// <summary>
    /// Gives a session a new token when its own is about to expire and its JWT is still good. As long as the token is
    /// good, a failure is none.
    /// </summary>
    /// <exception cref="FailureException">The token has expired, and there is no new one.</exception>
    private protected void Renew(PSObject session)
    {
        if (VcSession.Value(session, VcSession.Key) is not null || VcSession.TokenOf(session) is not { } token)
        {
            return;
        }
        RenewalState renewal = Look(token, null).renewal;
        if (!renewal.IsDue && !renewal.IsOverdue)
        {
            return;
        }
        try
        {
            string? endpoint = VcSession.Value(token, VcSession.Endpoint) as string;
            if (string.IsNullOrEmpty(endpoint) || JwtOf(session) is not { } jwt)
            {
                throw Failures.Invalid(
                    $"The access token expires at {VcSession.Value(token, VcSession.Expires)} and there is no JWT to renew it: get another with New-VcToken -Endpoint -Jwt, or make a new session.",
                    "expired_session");
            }
            VcSession.Set(session, VcSession.Token, RequestToken(endpoint, jwt, session));
        }
        catch (FailureException failure) when (renewal.IsDue)
        {
            WriteVerbose($"The access token is still good, and could not be renewed: {failure.Message}");
        }
    }

    /// <summary>A token is wanted, and the session has no JWT to get it by.</summary>
    private protected static FailureException NoJwt() => Failures.Invalid("The session has no JWT to get a token by: give one with New-VcToken -Jwt.", "invalid_session");
}
