using System.Management.Automation;
using System.Text;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Reads a signed JSON Web Token (RFC 7519) without checking it.</summary>
[Cmdlet(VerbsData.ConvertFrom, "JsonWebToken", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/ConvertFrom-JsonWebToken.md")]
[OutputType(Output.JwtType)]
#pragma warning disable CA1707, IDE1006 // The parameter has the name that scripts know.
public sealed class ConvertFromJsonWebToken : TokenKitCmdlet
{
    /// <summary>Claims that are times, in seconds since 1970.</summary>
    private static readonly string[] Times = ["exp", "nbf", "iat", "auth_time", "updated_at"];

    /// <summary>The names of what is not a claim.</summary>
    private static readonly string[] Parts = ["header", "signature"];

    /// <summary>The token.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [JwtText]
    [SecretText]
    public string jwtInput { get; set; } = "";
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override void Process()
    {
        using var call = new Call();
        DecodedJwt jwt = call.Run(
            operation =>
            {
                using var token = SliceByte.From(Encoding.UTF8.GetBytes(jwtInput));
                return operation.DecodeJwt(token.Slice);
            },
            wire => wire.Unwire());
        PSObject claims = Output.Object(jwt.claims);
        var result = new PSObject();
        Output.Set(result, "header", Output.Object(jwt.header));
        foreach (PSPropertyInfo claim in claims.Properties)
        {
            bool isPart = Parts.Contains(claim.Name, StringComparer.OrdinalIgnoreCase);
            Output.Set(result, isPart ? $"claim_{claim.Name}" : claim.Name, claim.Value);
        }
        foreach (string name in Times)
        {
            if (Time(claims.Properties[name]?.Value) is { } time && claims.Properties[$"{name}_datetime"] is null)
            {
                Output.Set(result, $"{name}_datetime", time);
            }
        }
        Output.Set(result, "signature", jwt.signature);
        WriteObject(Output.Typed(result, Output.JwtType));
    }

    /// <summary>The local time of a NumericDate, which may have a fraction (RFC 7519 section 2).</summary>
    private static DateTime? Time(object? value)
    {
        double? seconds = value switch
        {
            long whole => whole,
            double real => real,
            _ => null,
        };
        // What lies outside is no date of this era.
        return seconds is > -62135596800 and < 253402300799 ? DateTime.UnixEpoch.AddSeconds(seconds.Value).ToLocalTime() : null;
    }
}
