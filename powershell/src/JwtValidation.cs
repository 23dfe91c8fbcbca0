using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit;

/// <summary>What a check of a JSON Web Token found.</summary>
public sealed class JwtValidation
{
    private readonly string token;
    private (PSObject? Header, PSObject? Claims)? content;

    internal JwtValidation(JwtVerdict verdict, string token)
    {
        this.token = token;
        Valid = verdict.valid;
        Reasons = verdict.valid ? [] : verdict.reasons.Select(reason => reason.code).ToArray();
        Message = verdict.valid ? "The token is valid." : string.Join(' ', verdict.reasons.Select(reason => FailureView.Sentence(reason.text)));
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
    public PSObject? Header => Content.Header;

    /// <summary>The claims, when they can be read. Nothing in them counts unless the token is valid.</summary>
    public PSObject? Claims => Content.Claims;

    // Most tokens are only checked: what they say is read when somebody asks.
    private (PSObject? Header, PSObject? Claims) Content => content ??= Read();

    private (PSObject? Header, PSObject? Claims) Read()
    {
        try
        {
            using var call = new Call();
            DecodedJwt read = call.Decode(token);
            return (Output.Object(read.header), Output.Object(read.claims));
        }
        catch (FailureException)
        {
            return (null, null);
        }
    }
}
