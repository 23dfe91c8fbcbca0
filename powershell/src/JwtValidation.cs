using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit;

/// <summary>What a check of a JSON Web Token found.</summary>
public sealed class JwtValidation
{
    private readonly Lazy<PSObject?> header;
    private readonly Lazy<PSObject?> claims;

    internal JwtValidation(JwtVerdict verdict)
    {
        Valid = verdict.valid;
        Reasons = verdict.reasons.Select(reason => reason.code).ToArray();
        Message = verdict.valid ? "The token is valid." : string.Join(' ', verdict.reasons.Select(reason => FailureView.Sentence(reason.text)));
        header = new(() => verdict.header is null ? null : Output.Object(verdict.header));
        claims = new(() => verdict.claims is null ? null : Output.Object(verdict.claims));
    }

    /// <summary>Whether nothing speaks against the token.</summary>
    public bool Valid { get; }

    /// <summary>What speaks against it, as stable codes.</summary>
#pragma warning disable CA1819 // An array is what scripts expect.
    public string[] Reasons { get; }
#pragma warning restore CA1819

    /// <summary>The same in words.</summary>
    public string Message { get; }

    /// <summary>The header, when it can be read. Nothing in it counts unless the token is valid.</summary>
    public PSObject? Header => header.Value;

    /// <summary>The claims, when they can be read. Nothing in them counts unless the token is valid.</summary>
    public PSObject? Claims => claims.Value;
}
