using System.Collections;
using System.Collections.Concurrent;
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

    private static readonly ConcurrentDictionary<Type, PipedParameter[]> Parameters = new();

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
        bool any = false;
        Action undo = () => { };
        foreach ((PropertyInfo parameter, string[] names, Attribute[] attributes) in Parameters.GetOrAdd(cmdlet.GetType(), FindParameters))
        {
            if (Property(names) is not { } property)
            {
                continue;
            }
            any = true;
            if (bound.ContainsKey(parameter.Name) || property.Value is not { } value)
            {
                continue;
            }
            object? before = parameter.GetValue(cmdlet);
            undo += () => parameter.SetValue(cmdlet, before);
            try
            {
                // A variable applies the same attributes in the same way as the binding of parameters.
                var variable = new PSVariable(parameter.Name, value, ScopedItemOptions.None, [.. attributes]);
                parameter.SetValue(cmdlet, LanguagePrimitives.ConvertTo(variable.Value, parameter.PropertyType, CultureInfo.InvariantCulture));
            }
            catch (Exception e) when (e is MetadataException or PSInvalidCastException)
            {
                undo();
                throw Failures.Invalid($"The value of '{property.Name}' in the piped object cannot be used: {(e.InnerException ?? e).Message}", cause: e);
            }
        }
        return any ? undo : throw Failures.Invalid("The piped object has no property that is a parameter of this command.");
    }

    /// <summary>The value of the member with one of these names, if there is one.</summary>
    internal object? Find(params string[] names) => Property(names)?.Value;

    /// <summary>The first of these properties that has a value, or else that is there.</summary>
    private PSPropertyInfo? Property(string[] names)
    {
        IEnumerable<PSPropertyInfo> there = names.Select(name => item.Properties[name]).OfType<PSPropertyInfo>();
        return there.FirstOrDefault(property => property.Value is not null) ?? there.FirstOrDefault();
    }

    private static PipedParameter[] FindParameters(Type cmdlet) => cmdlet.GetProperties()
        .Select(property => (Property: property, Attributes: property.GetCustomAttributes().ToArray()))
        .Where(parameter => parameter.Attributes.OfType<ParameterAttribute>().Any(attribute => attribute.ValueFromPipelineByPropertyName))
        .Select(parameter => new PipedParameter(
            parameter.Property,
            [parameter.Property.Name, .. parameter.Attributes.OfType<AliasAttribute>().SelectMany(alias => alias.AliasNames)],
            parameter.Attributes))
        .ToArray();

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

    private sealed record PipedParameter(PropertyInfo Property, string[] Names, Attribute[] Attributes);

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
