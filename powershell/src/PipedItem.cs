using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Globalization;
using System.Management.Automation;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace TokenKit;

/// <summary>
/// One object of the pipeline whose properties, or keys when it is a dictionary, are parameters.
/// </summary>
/// <remarks>
/// PowerShell binds piped properties itself, but no keys, and as long as the default parameter set fits no
/// properties of the others. So the keys of a dictionary are lent to it as properties until <see cref="Dispose"/>,
/// and the cmdlet binds what is left with <see cref="BindRest"/>.
/// </remarks>
public sealed class PipedItem : IDisposable
{
    // A dictionary can be in several pipelines at once, in runspaces of their own.
    private static readonly ConditionalWeakTable<IDictionary, Loan> Loans = [];

    private static readonly ConcurrentDictionary<Type, FrozenDictionary<string, PipedName>> Parameters = new();

    private readonly PSObject item;
    private readonly IDictionary? dictionary;

    internal PipedItem(object value)
    {
        item = PSObject.AsPSObject(value);
        dictionary = item.BaseObject as IDictionary;
        if (dictionary is not null)
        {
            Lend(dictionary);
        }
    }

    /// <summary>Takes the lent properties away.</summary>
    public void Dispose()
    {
        if (dictionary is not null)
        {
            TakeBack(dictionary);
        }
    }

    /// <summary>Whether it has a value, which is not empty, under one of these names.</summary>
    internal bool Has(IEnumerable<string> names) => names.Any(name => !Secrets.IsAbsent(item.Properties[name]?.Value));

    /// <summary>
    /// Sets the parameters of <paramref name="cmdlet"/> that the object has a value for and PowerShell left out.
    /// Their transformations and validations apply.
    /// </summary>
    /// <returns>What undoes it.</returns>
    /// <exception cref="FailureException">A value does not fit, or there is none for any parameter.</exception>
    internal Action BindRest(PSCmdlet cmdlet)
    {
        Dictionary<string, object> bound = cmdlet.MyInvocation.BoundParameters;
        Dictionary<PropertyInfo, (PSPropertyInfo Property, object? Value, PipedName Name)> found = [];
        FrozenDictionary<string, PipedName> names = Parameters.GetOrAdd(cmdlet.GetType(), FindParameters);
        // The object has fewer properties than the cmdlet has parameters with all their names.
        foreach (PSPropertyInfo property in item.Properties)
        {
            if (!names.TryGetValue(property.Name, out PipedName? name))
            {
                continue;
            }
            object? value = bound.ContainsKey(name.Parameter.Name) ? null : property.Value;
            // Of several the first in the order of the names, but one that has a value.
            if (!found.TryGetValue(name.Parameter, out var other) || (other.Value is null, other.Name.Rank).CompareTo((value is null, name.Rank)) > 0)
            {
                found[name.Parameter] = (property, value, name);
            }
        }
        Action undo = () => { };
        foreach ((PropertyInfo parameter, (PSPropertyInfo property, object? value, PipedName name)) in found)
        {
            if (value is null)
            {
                continue;
            }
            object? before = parameter.GetValue(cmdlet);
            undo += () => parameter.SetValue(cmdlet, before);
            try
            {
                // A variable applies the same attributes in the same way as the binding of parameters.
                var variable = new PSVariable(parameter.Name, value, ScopedItemOptions.None, [.. name.Attributes]);
                parameter.SetValue(cmdlet, LanguagePrimitives.ConvertTo(variable.Value, parameter.PropertyType, CultureInfo.InvariantCulture));
            }
            catch (Exception e) when (e is MetadataException or PSInvalidCastException)
            {
                undo();
                throw Failures.Invalid($"The value of '{property.Name}' in the piped object cannot be used: {(e.InnerException ?? e).Message}", cause: e);
            }
        }
        return found.Count > 0 ? undo : throw Failures.Invalid("The piped object has no property that is a parameter of this command.");
    }

    /// <summary>The value of the member with one of these names, if there is one.</summary>
    internal object? Find(params string[] names) => Property(names)?.Value;

    /// <summary>The first of these properties that has a value, or else that is there.</summary>
    private PSPropertyInfo? Property(string[] names)
    {
        IEnumerable<PSPropertyInfo> there = names.Select(name => item.Properties[name]).OfType<PSPropertyInfo>();
        return there.FirstOrDefault(property => property.Value is not null) ?? there.FirstOrDefault();
    }

    private static FrozenDictionary<string, PipedName> FindParameters(Type cmdlet) =>
        (from property in cmdlet.GetProperties()
         let attributes = property.GetCustomAttributes().ToArray()
         where attributes.OfType<ParameterAttribute>().Any(attribute => attribute.ValueFromPipelineByPropertyName)
         let names = attributes.OfType<AliasAttribute>().SelectMany(alias => alias.AliasNames).Prepend(property.Name)
         from name in names.Select((text, rank) => (Text: text, Piped: new PipedName(property, attributes, rank)))
         select name).ToFrozenDictionary(name => name.Text, name => name.Piped, StringComparer.OrdinalIgnoreCase);

    private void Lend(IDictionary keys)
    {
        lock (Loans)
        {
            Loan loan = Loans.GetOrCreateValue(keys);
            if (loan.Users++ > 0)
            {
                return;
            }
            foreach (DictionaryEntry entry in keys)
            {
                if (entry.Key is string { Length: > 0 } name && item.Properties[name] is null)
                {
                    item.Properties.Add(new PSNoteProperty(name, entry.Value));
                    loan.Names.Add(name);
                }
            }
        }
    }

    private void TakeBack(IDictionary keys)
    {
        lock (Loans)
        {
            if (Loans.TryGetValue(keys, out Loan? loan) && --loan.Users == 0)
            {
                loan.Names.ForEach(item.Properties.Remove);
                Loans.Remove(keys);
            }
        }
    }

    /// <summary>A name of a parameter: its own, or an alias.</summary>
    private sealed record PipedName(PropertyInfo Parameter, Attribute[] Attributes, int Rank);

    /// <summary>What a dictionary has as properties, and for how many items at the same time.</summary>
    private sealed class Loan
    {
        internal int Users { get; set; }

        internal List<string> Names { get; } = [];
    }
}

/// <summary>Makes a <see cref="PipedItem"/> of what comes through the pipeline.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PipedItemAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object? inputData) =>
        inputData is null ? null! : new PipedItem(inputData);
}
