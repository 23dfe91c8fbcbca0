using TokenKit.Commands;
using TokenKit.Native;

namespace TokenKit;

/// <summary>How a client proves who it is, as the parameters of a cmdlet say it (RFC 6749 section 2.3).</summary>
internal sealed record ClientCredentials
{
    /// <summary>The client secret: a string, a SecureString or a PSCredential.</summary>
    internal required object? Secret { get; init; }

    /// <summary>How the secret is used, by its name in OpenID Connect Core section 9.</summary>
    internal required object Method { get; init; }

    /// <summary>The private key in any form that <see cref="SigningKey"/> takes.</summary>
    internal required object? Certificate { get; init; }

    /// <summary>The password of an encrypted private key.</summary>
    internal required object? CertificatePassword { get; init; }

    /// <summary>The name of the private key in the header <c>kid</c>.</summary>
    internal required string? KeyId { get; init; }

    /// <summary>The signature algorithm of an assertion.</summary>
    internal required string? Algorithm { get; init; }

    /// <summary>The audience of an assertion.</summary>
    internal required string? Audience { get; init; }

    /// <summary>Time until an assertion expires.</summary>
    internal required TimeSpan Lifetime { get; init; }

    internal bool HasSecret => !Secrets.IsAbsent(Secret);

    internal bool HasCertificate => !Secrets.IsAbsent(Certificate);

    /// <summary>Puts the secrets into <paramref name="call"/>; returns the name of the method, too.</summary>
    /// <exception cref="FailureException">The parameters contradict each other, or there is no such key.</exception>
    internal (string Name, ClientAuthentication Authentication) Authenticate(TokenKitCmdlet cmdlet, Call call)
    {
        if (HasSecret && HasCertificate)
        {
            throw Failures.Invalid("-client_secret and -client_certificate are two ways to authenticate. Choose one (RFC 6749 section 2.3).");
        }
        var options = new AssertionOptions
        {
            algorithm = Algorithm,
            audience = string.IsNullOrEmpty(Audience) ? null : Audience,
            lifetime = (uint)Lifetime.TotalSeconds,
        };
        if (HasCertificate)
        {
            using SigningKey key = SigningKey.Find(cmdlet, call, Certificate, "client_certificate");
            return ("private_key_jwt", key.Authentication(cmdlet, call, CertificatePassword, string.IsNullOrEmpty(KeyId) ? null : KeyId, options));
        }
        string method = Method.ToString()!.ToLowerInvariant();
        if (!HasSecret)
        {
            // Without a secret the default means a public client; the others promise an authentication.
            return method == "client_secret_post"
                ? ("no client authentication", ClientAuthentication.None)
                : throw Failures.Invalid($"-client_auth_method {method} needs -client_secret.");
        }
        SecretInput secret = call.Put(Secret, "client_secret");
        return (method, method switch
        {
            "client_secret_basic" => ClientAuthentication.SecretBasic(new SharedSecret { secret = secret }),
            "client_secret_jwt" => ClientAuthentication.SecretJwt(new SharedSecretAssertion { secret = secret, options = options }),
            _ => ClientAuthentication.SecretPost(new SharedSecret { secret = secret }),
        });
    }
}
