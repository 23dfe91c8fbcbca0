using System.Management.Automation;

using TokenKit.Commands;
using TokenKit.Native;

namespace TokenKit;

/// <summary>What tokens are checked by: a key that was given, or where to ask for it. Read once for all of them.</summary>
internal sealed class VerificationKey : IDisposable
{
    private static readonly SecretInput NoSecret = new() { slot = 0, text = null };

    private readonly SecretBuffer? data;
    private readonly Func<SecretInput, JwtKeys> make;
    private bool warned;

    private VerificationKey(SecretBuffer? data, Func<SecretInput, JwtKeys> make)
    {
        this.data = data;
        this.make = make;
    }

    /// <summary>Whether nobody said by whom the tokens must be.</summary>
    internal bool IsOpen { get; private init; }

    public void Dispose() => data?.Dispose();

    /// <summary>Reads the one key that is given.</summary>
    /// <param name="cmdlet">The cmdlet whose session resolves paths.</param>
    /// <param name="secret">A shared secret.</param>
    /// <param name="certificate">A certificate, or another form of a public key.</param>
    /// <param name="jwk">A JWK or JWK Set.</param>
    /// <param name="jwksUri">The address of a JWK Set.</param>
    /// <param name="issuer">The issuer, which is asked when there is no key.</param>
    /// <param name="certificateParameter">Where the certificate comes from, for errors.</param>
    internal static VerificationKey Choose(
        TokenKitCmdlet cmdlet,
        object? secret,
        object? certificate,
        object? jwk,
        string? jwksUri,
        string? issuer,
        string certificateParameter)
    {
        var given = new List<(string Parameter, Func<VerificationKey> Make)>();
        // An empty secret is one, too: it is refused.
        if (secret is not null)
        {
            given.Add(("client_secret", () => new VerificationKey(
                Secrets.Read(secret, "client_secret"), key => JwtKeys.Secret(new SharedSecret { secret = key }))));
        }
        if (!Secrets.IsAbsent(certificate))
        {
            given.Add((certificateParameter, () => FromKey(cmdlet, certificate, certificateParameter)));
        }
        if (!Secrets.IsAbsent(jwk))
        {
            given.Add(("jwk", () => FromKey(cmdlet, jwk, "jwk")));
        }
        if (!string.IsNullOrEmpty(jwksUri))
        {
            given.Add(("jwks_uri", () => new VerificationKey(null, _ => JwtKeys.JwksUri(new KeyAddress { url = jwksUri }))));
        }
        return given switch
        {
            [var (_, make)] => make(),
            [] when !string.IsNullOrEmpty(issuer) => new VerificationKey(null, _ => JwtKeys.Issuer(new KeyAddress { url = issuer })),
            [] => new VerificationKey(null, _ => JwtKeys.TokenIssuer) { IsOpen = true },
            _ => throw Failures.Invalid($"Only one of {string.Join(", ", given.Select(key => "-" + key.Parameter))} can be given."),
        };
    }

    /// <summary>The same for one call.</summary>
    internal JwtKeys For(Call call) => make(data is null ? NoSecret : call.Put(data.Span));

    /// <summary>Warns of a weak key, once.</summary>
    internal void Warn(string? weakness, Action<string> write)
    {
        if (weakness is not null && !warned)
        {
            warned = true;
            write(weakness);
        }
    }

    private static VerificationKey FromKey(TokenKitCmdlet cmdlet, object? value, string parameter) => new(
        SigningKey.Read(cmdlet, value, parameter, isPrivate: false),
        key => JwtKeys.Key(new KeyInput { key = key, password = null }));
}
