using System.Collections;
using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// Reads names and values from a dictionary, or from the properties of an object as <c>ConvertFrom-Json</c> makes it.
/// They may be secret, and PowerShell's own conversion would quote in its error what it cannot convert.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NamedValuesAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object? inputData) => Secrets.Unwrap(inputData) switch
    {
        null => null!,
        IDictionary values => values,
        PSCustomObject => new Hashtable(
            PSObject.AsPSObject(inputData!).Properties.ToDictionary(property => property.Name, property => property.Value), StringComparer.OrdinalIgnoreCase),
        var other => throw new ArgumentTransformationMetadataException($"Names and values come as a hashtable, not as a {other.GetType()}."),
    };
}
