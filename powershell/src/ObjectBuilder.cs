using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// Makes an object member by member. Of several members with one name the last counts, as everywhere in JSON; to
/// PowerShell upper and lower case are the same. It knows no empty name.
/// </summary>
/// <remarks>Asking the object itself what it has already takes longer than all the rest.</remarks>
internal sealed class ObjectBuilder
{
    private readonly Dictionary<string, PSNoteProperty> members = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The object.</summary>
    internal PSObject Result { get; } = new();

    /// <summary>The value of a member, or <c>null</c>.</summary>
    internal object? this[string name] => members.GetValueOrDefault(name)?.Value;

    /// <summary>Whether there is such a member.</summary>
    internal bool Has(string name) => members.ContainsKey(name);

    /// <summary>Adds a member, or gives it another value.</summary>
    internal void Set(string name, object? value)
    {
        if (name.Length == 0)
        {
            return;
        }
        if (members.TryGetValue(name, out PSNoteProperty? known))
        {
            known.Value = value;
            return;
        }
        var member = new PSNoteProperty(name, value);
        members.Add(name, member);
        Result.Properties.Add(member, preValidated: true);
    }
}
