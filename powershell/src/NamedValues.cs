using System.Collections;
using System.Globalization;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit;

/// <summary>Form fields, query parameters and headers as people hand them over.</summary>
internal static class NamedValues
{
    /// <summary>A field for each value; the native library refuses a repeated name where the RFCs do.</summary>
    internal static List<Parameter> Fields(Call call, IDictionary? values, string parameter) =>
        values is null ? [] :
        // By name: what a MaskedTable enumerates is for display.
        (from object name in values.Keys
         from value in Several(values[name])
         select Field(call, name, value, parameter)).ToList();

    /// <summary>A header for each name; several values are one list (RFC 9110 section 5.3).</summary>
    internal static List<Parameter> Headers(Call call, IDictionary? values, string parameter) =>
        values is null ? [] :
        (from object name in values.Keys
         let several = Several(values[name]).ToList()
         where several.Count > 0
         let value = several.Count == 1 ? several[0] : string.Join(", ", several.Select(one => Text(one) ?? Secrets.Reveal(one, parameter)))
         select Field(call, name, value, parameter)).ToList();

    private static IEnumerable<object> Several(object? value) => Secrets.Unwrap(value) switch
    {
        null => [],
        IEnumerable several and not (string or IDictionary) => several.Cast<object?>().Select(Secrets.Unwrap).OfType<object>(),
        var one => [one],
    };

    private static Parameter Field(Call call, object name, object value, string parameter) => new()
    {
        name = LanguagePrimitives.ConvertTo<string>(name),
        content = Text(value) is { } text ? call.Put(text) : call.Put(value, parameter),
    };

    /// <summary>A value as text, or <c>null</c> when it is no plain value.</summary>
    private static string? Text(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        Uri address => address.OriginalString,
        IConvertible or IFormattable => Convert.ToString(value, CultureInfo.InvariantCulture),
        _ => null,
    };
}
