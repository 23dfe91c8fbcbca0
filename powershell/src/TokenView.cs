using System.Collections;
using System.Collections.Frozen;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Numerics;

namespace TokenKit;

/// <summary>
/// How tokens, and what is said of them, are shown: texts that are not known to be public are masked, and times are told
/// from now.
/// </summary>
public static class TokenView
{
    private const int Shortest = 32;
    private const string Mask = "***";

    /// <summary>What expires sooner is shown in the colour of warnings.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMinutes(5);

    /// <summary>Members whose text is no secret.</summary>
    private static readonly FrozenSet<string> PublicNames = Names(
        "token_type", "scope", "expires_in", "ext_expires_in", "expires_on", "not_before", "not-before-policy",
        "refresh_expires_in", "refresh_token_expires_in", "id_token_expires_in", "issued_token_type", "resource",
        "audience", "instance_url", "issued_at",
        // The configuration for LCS.
        "activetokenexpireson", "clientid", "lcsapiuri", "projectid",
        // The answers of a sign-in, what is sent to it, and an assertion.
        "client_id", "redirect_uri", "iss", "issuer", "error", "error_description", "error_uri", "code_challenge", "code_challenge_method",
        "client_assertion_type", "header", "payload",
        // What the user of a device flow needs.
        "user_code", "verification_uri", "verification_url", "verification_uri_complete", "message", "interval");

    /// <summary>Types of which everything is public but these members.</summary>
    private static readonly FrozenDictionary<string, FrozenSet<string>> OpenTypes = new Dictionary<string, FrozenSet<string>>
    {
        [Output.MetadataType] = Names(),
        [Output.UserInfoType] = Names(),
        [Output.JwtType] = Names("signature"),
        [Output.JwkType] = Names("d", "p", "q", "dp", "dq", "qi", "oth", "k"),
    }.ToFrozenDictionary();

    /// <summary>Members that hold a time as seconds since 1970.</summary>
    private static readonly FrozenSet<string> Seconds = Names("expires_on", "activetokenexpireson");

    /// <summary>
    /// The properties of <paramref name="item"/>, or its entries when it is a dictionary, one a line, as <c>Format-List</c>
    /// shows them.
    /// </summary>
    /// <param name="item">The token response, or another object of the module.</param>
    /// <param name="style">The variable <c>$PSStyle</c>.</param>
    /// <param name="host">The variable <c>$Host</c>.</param>
    public static string[] Lines(PSObject item, PSObject? style, PSHost host)
    {
        ArgumentNullException.ThrowIfNull(item);
        (string Name, object? Value)[] members = Members(item);
        FrozenSet<string>? secrets = OpenTypes.FirstOrDefault(type => item.TypeNames.Contains(type.Key)).Value;
        // Names longer than this leave their column, for the sake of the values.
        int width = Math.Clamp(members.Select(member => member.Name.Length).DefaultIfEmpty().Max(), "expiry_datetime".Length, "client_assertion_type".Length);
        string indent = new(' ', width + " : ".Length);
        string accent = Style(style, "FormatAccent");
        string reset = style?.Properties["Reset"]?.Value as string ?? "";
        return members.SelectMany(member =>
        {
            string name = $"{Printable(member.Name).PadRight(width)} : ";
            string value = Show(member.Name, member.Value, secrets, style);
            // Colours have no width; what has them is short.
            string[] lines = [.. value.Contains('\u001b') ? [name + value] : Terminal.Wrap(host, name + value, indent, name.Length)];
            lines[0] = $"{accent}{name}{reset}{lines[0][name.Length..]}";
            return lines;
        }).ToArray();
    }

    /// <summary>The value of the member <paramref name="name"/>, masked unless it is public.</summary>
    public static string Show(PSObject token, string name) => Show(name, Value(token, name), null, null);

    /// <summary>When a token expires, seen from now; empty when it does not tell.</summary>
    /// <param name="token">The token.</param>
    /// <param name="style">The variable <c>$PSStyle</c>.</param>
    public static string Expiry(PSObject token, PSObject? style)
    {
        ArgumentNullException.ThrowIfNull(token);
        return TokenMembers.Expires(token) is { } time ? Expiry(time, style) : "";
    }

    /// <summary>A time of expiry as it is seen from now, such as <c>in 59 min (14:30:43)</c>.</summary>
    /// <param name="time">The time.</param>
    /// <param name="style">The variable <c>$PSStyle</c>.</param>
    public static string Expiry(DateTime time, PSObject? style)
    {
        TimeSpan left = time.ToUniversalTime() - DateTime.UtcNow;
        string color = left <= TimeSpan.Zero ? Style(style, "Error") : left < Soon ? Style(style, "Warning") : "";
        return color.Length == 0 ? FromNow(time) : $"{color}{FromNow(time)}{style!.Properties["Reset"]?.Value}";
    }

    /// <summary>A name and its value, masked unless it is public, as <c>Format-List</c> shows them.</summary>
    internal static string Line(string name, object? value) => $"{name} : {Show(name, value, null, null)}";

    private static (string Name, object? Value)[] Members(PSObject item) => item.BaseObject is IDictionary entries
        ? entries.Cast<DictionaryEntry>().Select(entry => (entry.Key.ToString() ?? "", entry.Value)).ToArray()
        : item.Properties.Select(property => (property.Name, (object?)property.Value)).ToArray();

    private static object? Value(PSObject item, string name) =>
        item?.BaseObject is IDictionary entries ? entries[name] : item?.Properties[name]?.Value;

    private static string Show(string name, object? value, FrozenSet<string>? secrets, PSObject? style)
    {
        object? plain = Secrets.Unwrap(value);
        bool isPublic = secrets is null ? PublicNames.Contains(name) : !secrets.Contains(name);
        return plain switch
        {
            null => "",
            _ when Seconds.Contains(name) && TokenMembers.Time(plain) is { } time => $"{plain}, {Expiry(time, style)}",
            DateTime time when name.StartsWith("exp", StringComparison.OrdinalIgnoreCase) => Expiry(time, style),
            DateTime time => FromNow(time),
            string text => isPublic ? Printable(text) : Masked(text),
            int or long or double or BigInteger => ((IFormattable)plain).ToString(null, CultureInfo.CurrentCulture),
            bool flag => flag.ToString(),
            object[] items when isPublic && items.All(item => Secrets.Unwrap(item) is string) => Printable(string.Join(' ', items)),
            object[] or PSCustomObject or IDictionary when isPublic => Json.Write(value),
            _ => Mask,
        };
    }

    /// <summary>A text of a server on one line, without what would steer the terminal.</summary>
    internal static string Printable(string text)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Any(char.IsControl) ? string.Concat(line.Select(c => char.IsControl(c) ? '\uFFFD' : c)) : line;
    }

    /// <summary>Enough of a long text to tell two apart.</summary>
    private static string Masked(string text) =>
        text.Length >= Shortest ? Printable($"{text.AsSpan(0, 6)}...{text.AsSpan(text.Length - 4)}") : text.Length == 0 ? "" : Mask;

    private static string FromNow(DateTime time)
    {
        TimeSpan left = time.ToUniversalTime() - DateTime.UtcNow;
        TimeSpan span = left.Duration();
        string length =
            span.TotalMinutes < 1 ? $"{span.Seconds} s"
            : span.TotalHours < 1 ? $"{span.Minutes} min"
            : span.TotalDays < 1 ? $"{span.Hours} h {span.Minutes} min"
            : span.TotalDays < 2 ? "1 day"
            : $"{(int)span.TotalDays} days";
        string clock = time.ToString(span.TotalDays < 1 ? "T" : "d", CultureInfo.CurrentCulture);
        return left > TimeSpan.Zero ? $"in {length} ({clock})" : $"{length} ago ({clock})";
    }

    /// <summary>An escape sequence of <c>$PSStyle.Formatting</c>; the host leaves it out where it shows no colours.</summary>
    internal static string Style(PSObject? style, string name) =>
        style?.Properties["Formatting"]?.Value is { } formatting ? PSObject.AsPSObject(formatting).Properties[name]?.Value as string ?? "" : "";

    private static FrozenSet<string> Names(params string[] names) => names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
