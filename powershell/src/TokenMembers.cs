using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Security;

namespace TokenKit;

/// <summary>
/// What tokens of the module can be asked for, beside what the server sent: the code methods in TokenKit.Types.ps1xml
/// are these. Nothing here is a visible property, so it is in no JSON, CSV or <c>Select-Object *</c>.
/// </summary>
public static class TokenMembers
{
    /// <summary>The end of the year 9999, which a <see cref="DateTime"/> can hold.</summary>
    internal const long LastSecond = 253402300799;

    private const string Bearer = "Bearer";

    /// <summary>Where tokens, configurations and sessions have their access token, as text or credential.</summary>
    private static readonly string[] AccessTokens = ["access_token", "bearertoken", "AccessToken"];

    /// <summary>Where the time of expiry is.</summary>
    private static readonly string[] Expiries = ["expiry_datetime", "expires_on", "activetokenexpireson", "Expires"];

    /// <summary>The name of the object's type: a token in a text by mistake is named, not shown.</summary>
    /// <param name="item">An object of the module.</param>
    public static string TypeName(PSObject item)
    {
        ArgumentNullException.ThrowIfNull(item);
        return item.TypeNames[0];
    }

    /// <summary>The header that authorizes a request, for <c>Invoke-RestMethod -Headers</c> (RFC 6750 section 2.1).</summary>
    /// <param name="token">A token, or a session or answer that holds one.</param>
    /// <exception cref="InvalidOperationException">It holds none, or one that a header alone is not enough for.</exception>
    public static object ToHeaders(PSObject token)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (VcSession.Value(token, VcSession.Key) is { } key)
        {
            return RequestHeaders.ApiKey(Secrets.Reveal(key, VcSession.Key));
        }
        // Entra ID says bearer.
        if (Find(token, ["token_type"]) is string type && type.Length > 0 && !type.Equals(Bearer, StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidOperationException($"A token of the type {type} needs more than a header: only bearer tokens have ToHeaders().");
        }
        return RequestHeaders.Bearer(Secrets.Reveal(AccessToken(token), "AccessToken"));
    }

    /// <summary>The access token, for <c>Invoke-RestMethod -Authentication Bearer -Token</c>.</summary>
    /// <param name="token">As for <see cref="ToHeaders"/>.</param>
    /// <exception cref="InvalidOperationException">It holds none.</exception>
    public static SecureString ToSecureString(PSObject token)
    {
        ArgumentNullException.ThrowIfNull(token);
        using SecretBuffer text = Secrets.Read(AccessToken(token), "AccessToken");
        return text.ToSecureString();
    }

    /// <summary>How long the token is still good, less than nothing when it has expired; <c>null</c> when it does not tell.</summary>
    /// <param name="token">As for <see cref="ToHeaders"/>.</param>
    public static TimeSpan? TimeLeft(PSObject token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return Expires(token)?.ToUniversalTime() - DateTime.UtcNow;
    }

    /// <summary>Whether the token has expired; one that does not tell has not.</summary>
    /// <param name="token">As for <see cref="ToHeaders"/>.</param>
    public static bool IsExpired(PSObject token) => TimeLeft(token) <= TimeSpan.Zero;

    /// <summary>When the token expires, in local time.</summary>
    internal static DateTime? Expires(PSObject token) => Time(Find(token, Expiries));

    /// <summary>The local time that a property holds: itself, or seconds since 1970 as number or text.</summary>
    internal static DateTime? Time(object? value) => value switch
    {
        DateTime time => time.Kind == DateTimeKind.Utc ? time.ToLocalTime() : time,
        _ => LanguagePrimitives.TryConvertTo(value, CultureInfo.InvariantCulture, out long seconds) && seconds is > 0 and <= LastSecond
            ? DateTimeOffset.FromUnixTimeSeconds(seconds).LocalDateTime
            : null,
    };

    private static object AccessToken(PSObject token) => Find(token, AccessTokens) is { } text && !Secrets.IsAbsent(text)
        ? text
        : throw new InvalidOperationException("There is no access token.");

    /// <summary>The first of the members that is there, in the object itself or in the token that it holds.</summary>
    private static object? Find(PSObject item, string[] names) =>
        names.Select(name => Member(item, name)).FirstOrDefault(found => found is not null)
        ?? (Inner(item) is { } inner ? Find(inner, names) : null);

    /// <summary>The token in a session of Venafi's service or in an answer of Cloud Governance.</summary>
    private static PSObject? Inner(PSObject item) => new[] { item.Properties["Token"], item.Properties["Value"] }
        .OfType<PSNoteProperty>()
        .Select(property => property.Value is PSCustomObject or PSObject { BaseObject: PSCustomObject } ? PSObject.AsPSObject(property.Value) : null)
        .FirstOrDefault(inner => inner is not null);

    private static object? Member(PSObject item, string name) => Secrets.Unwrap(
        item.BaseObject is IDictionary entries ? entries[name] : item.Properties[name]?.Value);
}
