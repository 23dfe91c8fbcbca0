using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// Reads the address of a proxy. It may hold a password, which PowerShell's own conversion would quote in its error.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ProxyAddressAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        Secrets.Unwrap(inputData) is not string text ? inputData
        : Uri.TryCreate(text, UriKind.RelativeOrAbsolute, out Uri? address) ? address
        : throw new ArgumentTransformationMetadataException("The proxy address is no URL.");
}
