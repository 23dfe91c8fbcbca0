using System.Management.Automation;
using System.Security;

namespace TokenKit;

/// <summary>
/// Reads a text that is no secret from a SecureString, too: a vault of SecretManagement keeps every text of a hashtable as one.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class VaultTextAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object? inputData) =>
        Secrets.Unwrap(inputData) is SecureString text ? Secrets.Reveal(text, "") : inputData!;
}
