using System.Management.Automation;
using System.Security;

namespace TokenKit;

/// <summary>
/// Reads a password from a text or a credential, too. PowerShell's own conversion knows neither, and would quote in its
/// error what it cannot convert.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PasswordAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object? inputData) => Secrets.Unwrap(inputData) switch
    {
        SecureString { Length: > 0 } password => password,
        PSCredential { Password: { Length: > 0 } password } => password,
        string { Length: > 0 } text => Secure(text),
        null or SecureString or PSCredential or string => throw new ArgumentTransformationMetadataException("The password is empty."),
        _ => throw new ArgumentTransformationMetadataException($"{Secrets.Accepted}, not {Secrets.Kind(inputData)}."),
    };

    private static unsafe SecureString Secure(string text)
    {
        fixed (char* start = text)
        {
            var password = new SecureString(start, text.Length);
            password.MakeReadOnly();
            return password;
        }
    }
}
