using System.Management.Automation;
using System.Text.Json;

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

    private Call? call;

    /// <summary>The token.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [JwtText]
    [SecretText]
    public string jwtInput { get; set; } = "";
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override void Process()
    {
        // One for all tokens: reading takes less time than it does to make one.
        call ??= new Call();
        DecodedJwt jwt = call.Decode(jwtInput);
        using JsonDocument claims = Output.Parse(jwt.claims);
        var result = new ObjectBuilder();
        result.Set("header", Output.Object(jwt.header));
        foreach (JsonProperty claim in claims.RootElement.EnumerateObject())
        {
            bool isPart = Parts.Contains(claim.Name, StringComparer.OrdinalIgnoreCase);
            result.Set(isPart ? $"claim_{claim.Name}" : claim.Name, Output.Value(claim.Value));
        }
        foreach (string name in Times)
        {
            if (Time(result[name]) is { } time && !result.Has($"{name}_datetime"))
            {
                result.Set($"{name}_datetime", time);
            }
        }
        result.Set("signature", jwt.signature);
        WriteObject(Output.Typed(result.Result, Output.JwtType));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            call?.Dispose();
        }
        base.Dispose(disposing);
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
        return seconds is > -62135596800 and < TokenMembers.LastSecond ? DateTime.UnixEpoch.AddSeconds(seconds.Value).ToLocalTime() : null;
    }
}
