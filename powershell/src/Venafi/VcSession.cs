using System.Management.Automation;
using System.Security;

using TokenKit.Native;

namespace TokenKit;

/// <summary>A session with Venafi's service as scripts know it: an object whose properties they read and set.</summary>
internal static class VcSession
{
    internal const string SessionType = "TokenKit.VenafiSession";
    internal const string TokenType = "TokenKit.VcToken";

    internal const string Token = "Token";
    internal const string Key = "Key";
    internal const string User = "User";
    internal const string Server = "Server";
    internal const string Endpoint = "Endpoint";
    internal const string AccessToken = "AccessToken";
    internal const string Jwt = "JWT";
    internal const string JwtSource = "JwtSource";
    internal const string Expires = "Expires";
    internal const string TimeoutSec = "TimeoutSec";

    private const string Platform = "VC";

    /// <summary>A session whose <paramref name="credential"/>, named <paramref name="kind"/>, is a key or a token.</summary>
    internal static PSObject Make(string server, int timeoutSec, bool skipCertificateCheck, string kind, object credential) => Output.Make(
        SessionType,
        (nameof(Platform), Platform),
        (Server, server),
        (TimeoutSec, timeoutSec),
        ("SkipCertificateCheck", skipCertificateCheck),
        (kind, credential));

    /// <summary>A token as <c>New-VcToken</c> returns it.</summary>
    internal static PSObject MakeToken(VenafiToken answer, SecureString jwt)
    {
        using SecretBuffer token = SecretBuffer.FromText(answer.access_token);
        return MakeToken(answer.endpoint, token.ToSecureString(), jwt, Local(answer.expires_at_ms));
    }

    /// <summary>A token as <c>New-VcToken</c> returns it.</summary>
    internal static PSObject MakeToken(string? endpoint, SecureString accessToken, SecureString? jwt, DateTime? expires) => Output.Make(
        TokenType,
        (Endpoint, endpoint),
        (AccessToken, new PSCredential(AccessToken, accessToken)),
        (Jwt, jwt is null ? null : new PSCredential(Jwt, jwt)),
        (Expires, expires));

    /// <summary>The local time of milliseconds since 1970; <c>null</c> for what is beyond all dates.</summary>
    internal static DateTime? Local(long? milliseconds) =>
        milliseconds is { } time and <= TokenMembers.LastSecond * 1000 ? DateTimeOffset.FromUnixTimeMilliseconds(Math.Max(time, 0)).LocalDateTime : null;

    /// <summary>Milliseconds since 1970 until a token expires, if it says so.</summary>
    internal static long? ExpiresAt(PSObject token) =>
        Value(token, Expires) is DateTime time ? new DateTimeOffset(time).ToUnixTimeMilliseconds() : null;

    /// <summary>The value of a property, or <c>null</c>.</summary>
    internal static object? Value(PSObject session, string name) => Secrets.Unwrap(session.Properties[name]?.Value);

    /// <summary>The token of a session, if it has one.</summary>
    internal static PSObject? TokenOf(PSObject session) => session.Properties[Token]?.Value is { } token ? PSObject.AsPSObject(token) : null;

    /// <summary>Sets a property, which is added at the end when it is not there.</summary>
    internal static void Set(PSObject session, string name, object? value) => Output.Set(session, name, value);

    /// <summary>Refuses what is no session with this service.</summary>
    /// <exception cref="FailureException">It is something else.</exception>
    internal static PSObject Check(PSObject session)
    {
        if (Value(session, nameof(Platform)) is not string platform)
        {
            throw Failures.Invalid("-VenafiSession is no session: give what New-VenafiSession -PassThru returned.", "invalid_session");
        }
        return platform.Equals(Platform, StringComparison.OrdinalIgnoreCase)
            ? session
            : throw Failures.Invalid($"The session is one of {platform}. These commands work with TLSPC ({Platform}): make a session with New-VenafiSession.", "invalid_session");
    }
}
