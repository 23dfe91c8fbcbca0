using System.Management.Automation;
using System.Text.RegularExpressions;

namespace TokenKit;

/// <summary>
/// Takes only what looks like a signed JWT. PowerShell's own check of a pattern would quote the token in its error.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed partial class JwtTextAttribute : ValidateArgumentsAttribute
{
    /// <inheritdoc/>
    protected override void Validate(object arguments, EngineIntrinsics engineIntrinsics)
    {
        if (!Pattern().IsMatch(LanguagePrimitives.ConvertTo<string>(arguments)))
        {
            throw new ValidationMetadataException("It is no JWT: that has three parts with dots between them, and begins with eyJ.");
        }
    }

    /// <summary>What every JWT in compact form begins with.</summary>
    [GeneratedRegex("^e[yJ|w0]([a-zA-Z0-9_-]+[.]){2}")]
    private static partial Regex Pattern();
}
