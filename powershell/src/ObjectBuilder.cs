using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// Makes an object member by member. Of several members with one name the last counts, as everywhere in JSON; to
/// PowerShell upper and lower case are the same. It knows no empty name.
/// </summary>
/// <remarks>Asking the object itself what it has already takes longer than all the rest.</remarks>
internal sealed class ObjectBuilder
{
    private readonly Dictionary<string, object?> members = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The object.</summary>
    internal PSObject Result { get; } = new();

    /// <summary>The value of a member, or <c>null</c>.</summary>
    internal object? this[string name] => members.GetValueOrDefault(name);

    /// <summary>Whether there is such a member.</summary>
    internal bool Has(string name) => members.ContainsKey(name);

    /// <summary>Adds a member, or gives it another value.</summary>
    internal void Set(string name, object? value)
    {
        if (name.Length == 0)
        {
            return;
        }
        if (members.ContainsKey(name))
        {
            Result.Properties[name].Value = value;
        }
        else
        {
            Result.Properties.Add(new PSNoteProperty(name, value), preValidated: true);
        }
        members[name] = value;
    }
}
