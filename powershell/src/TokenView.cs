using System.Collections;
using System.Collections.Frozen;
using System.Globalization;
using System.Management.Automation;
using System.Numerics;

namespace TokenKit;

/// <summary>How a token response, or what is kept of it, is shown: texts that are not known to be public are masked.</summary>
public static class TokenView
{
    private const int Shortest = 32;
    private const string Mask = "***";

    /// <summary>Members whose text is no secret.</summary>
    private static readonly FrozenSet<string> PublicNames = new[]
    {
        "token_type", "scope", "expires_in", "ext_expires_in", "expires_on", "not_before", "not-before-policy",
        "refresh_expires_in", "refresh_token_expires_in", "id_token_expires_in", "issued_token_type", "resource",
        "audience", "instance_url", "issued_at",
        // The configuration for LCS.
        "activetokenexpireson", "clientid", "lcsapiuri", "projectid",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The properties of <paramref name="token"/>, or its entries when it is a dictionary, one a line, as <c>Format-List</c>
    /// shows them.
    /// </summary>
    /// <param name="token">The token response.</param>
    /// <param name="accent">The escape sequence before names.</param>
    /// <param name="reset">The escape sequence after them.</param>
    public static string[] Lines(PSObject token, string accent, string reset)
    {
        ArgumentNullException.ThrowIfNull(token);
        (string Name, object? Value)[] members = token.BaseObject is IDictionary entries
            ? entries.Cast<DictionaryEntry>().Select(entry => (entry.Key.ToString() ?? "", entry.Value)).ToArray()
            : token.Properties.Select(property => (property.Name, (object?)property.Value)).ToArray();
        int width = members.Select(member => member.Name.Length).DefaultIfEmpty().Max();
        return members.Select(member => $"{accent}{member.Name.PadRight(width)} : {reset}{Show(member.Name, member.Value)}").ToArray();
    }

    /// <summary>The value of the property <paramref name="name"/>, masked unless it is public.</summary>
    public static string Show(PSObject token, string name) => Show(name, token?.Properties[name]?.Value);

    /// <summary>A name and its value, masked unless it is public, as <c>Format-List</c> shows them.</summary>
    internal static string Line(string name, object? value) => $"{name} : {Show(name, value)}";

    private static string Show(string name, object? value)
    {
        object? plain = Secrets.Unwrap(value);
        return plain switch
        {
            null => "",
            string text when !PublicNames.Contains(name) => Masked(text),
            string text => text,
            int or long or double or BigInteger or DateTime => ((IFormattable)plain).ToString(null, CultureInfo.CurrentCulture),
            bool flag => flag.ToString(),
            object[] items when PublicNames.Contains(name) && items.All(item => item is string) => string.Join(' ', items),
            _ => Mask,
        };
    }

    /// <summary>Enough of a long text to tell two apart.</summary>
    private static string Masked(string text) =>
        text.Length >= Shortest ? $"{text.AsSpan(0, 6)}...{text.AsSpan(text.Length - 4)}" : text.Length == 0 ? "" : Mask;
}
