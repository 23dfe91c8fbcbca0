using System.Collections;
using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// A table with secrets, which scripts read, edit and splat. Where it is displayed no secret is shown: the enumerator that
/// display uses masks, every other access is that of a hashtable.
/// </summary>
/// <param name="shown">The names whose values are no secret.</param>
internal class MaskedTable(IReadOnlySet<string> shown) : Hashtable(StringComparer.OrdinalIgnoreCase), IEnumerable
{
    private const string Mask = "***";

    /// <summary>What display enumerates.</summary>
    IEnumerator IEnumerable.GetEnumerator()
    {
        foreach (DictionaryEntry entry in (IDictionary)this)
        {
            yield return new DictionaryEntry(entry.Key, Display(entry));
        }
    }

    private object? Display(DictionaryEntry entry) => Secrets.Unwrap(entry.Value) switch
    {
        null or "" => entry.Value,
        IDictionary table => table.Keys.Cast<object>().ToDictionary(key => key, key => Display(new DictionaryEntry(key, table[key]))),
        // An address may hold a password.
        string text when text.Contains("://", StringComparison.Ordinal) && text.Contains('@') => Mask,
        _ => shown.Contains(entry.Key.ToString()!) ? entry.Value : Mask,
    };
}
