using System.Management.Automation;
using System.Security;

namespace TokenKit;

/// <summary>
/// Reads a secret whose parameter is a string, as scripts know it, from a SecureString or a credential, too: PowerShell
/// itself would make the name of the type of it.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SecretTextAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object? inputData) => Secrets.Unwrap(inputData) switch
    {
        SecureString or PSCredential => Secrets.Reveal(inputData, ""),
        null or string or IConvertible => inputData!,
        _ => throw new ArgumentTransformationMetadataException($"{Secrets.Accepted}, not {Secrets.Kind(inputData)}."),
    };
}
