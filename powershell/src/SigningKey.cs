using System.Collections;
using System.Management.Automation;
using System.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

using TokenKit.Commands;
using TokenKit.Native;

namespace TokenKit;

/// <summary>
/// A private key as people hand it over. One that can be read signs in the native library, any other where it is.
/// </summary>
internal sealed class SigningKey : IDisposable
{
    /// <summary>No key file comes near this size, in bytes.</summary>
    private const int MaxFile = 1024 * 1024;

    /// <summary>The key itself as PEM, DER, PKCS#12 or JWK, when it can be read.</summary>
    private readonly SecretBuffer? data;

    /// <summary>What signs otherwise.</summary>
    private readonly AsymmetricAlgorithm? external;

    private readonly X509Certificate2? certificate;

    private SigningKey(SecretBuffer data) => this.data = data;

    private SigningKey(AsymmetricAlgorithm key, X509Certificate2? certificate)
    {
        this.certificate = certificate;
        // The native library does not sign with a key as weak as that, but .NET does.
        data = IsWeak(key) ? null : Export(key, certificate);
        external = data is null ? key : null;
    }

    public void Dispose() => data?.Dispose();

    /// <summary>Finds the key that <paramref name="value"/> is or names.</summary>
    /// <param name="cmdlet">The cmdlet whose session resolves paths.</param>
    /// <param name="call">The call that the key is for.</param>
    /// <param name="value">Certificate, key object, PEM text, JWK, path, or thumbprint.</param>
    /// <param name="parameter">Where the value comes from, for errors.</param>
    /// <exception cref="FailureException">There is no private key.</exception>
    internal static SigningKey Find(TokenKitCmdlet cmdlet, Call call, object? value, string parameter) => Open(parameter, () =>
    {
        object source = Resolve(cmdlet, value)
            ?? throw Refused(parameter, "a certificate with its private key, an RSA or ECDsa key, a path, a thumbprint, or a key as PEM or JWK text", value);
        return source switch
        {
            SecretBuffer content => new SigningKey(content),
            X509Certificate2 certificate => FromCertificate(call, IsGiven(source, value) ? certificate : call.Own(certificate)),
            _ => new SigningKey((AsymmetricAlgorithm)source, null),
        };
    });

    /// <summary>The bytes of the key that <paramref name="value"/> is or names, for the native library to read.</summary>
    /// <param name="cmdlet">The cmdlet whose session resolves paths.</param>
    /// <param name="value">As for <see cref="Find"/>; the public key alone will do when no private one is wanted.</param>
    /// <param name="parameter">Where the value comes from, for errors.</param>
    /// <param name="isPrivate">Whether the private key is wanted.</param>
    /// <exception cref="FailureException">There is no such key.</exception>
    internal static SecretBuffer Read(TokenKitCmdlet cmdlet, object? value, string parameter, bool isPrivate) => Open(parameter, () =>
    {
        object source = Resolve(cmdlet, value)
            ?? throw Refused(parameter, "a JWK or JWK Set, a certificate, an RSA or ECDsa key, PEM text, a path or a thumbprint", value);
        switch (source)
        {
            case SecretBuffer content:
                return content;
            case X509Certificate2 certificate:
                using (IsGiven(source, value) ? null : certificate)
                {
                    return Read(certificate, isPrivate);
                }
            default:
                var key = (AsymmetricAlgorithm)source;
                return isPrivate
                    ? Export(key, null) ?? throw NoPrivateKey(parameter)
                    : SecretBuffer.FromPem(("PUBLIC KEY", key.ExportSubjectPublicKeyInfo()));
        }
    });

    /// <summary>How <paramref name="call"/> authenticates with this key.</summary>
    internal ClientAuthentication Authentication(TokenKitCmdlet cmdlet, Call call, object? password, string? keyId, AssertionOptions options)
    {
        if (data is not null)
        {
            return ClientAuthentication.PrivateKeyJwt(new PrivateKeyAssertion
            {
                key = call.Put(data.Span),
                password = Secrets.IsAbsent(password) ? null : call.Put(password, "CertificatePassword"),
                key_id = keyId,
                options = options,
            });
        }
        AsymmetricAlgorithm key = external!;
        if (IsWeak(key))
        {
            cmdlet.WriteWarning($"The RSA key has {key.KeySize} bits; RFC 7518 section 3.3 asks for 2048 or more.");
        }
        // The methods of a class written in PowerShell run in its runspace, which waits for this call.
        bool isScript = key.GetType().Assembly.IsDynamic;
        call.SetSigner((algorithm, message) =>
            isScript ? cmdlet.OnPipelineThread(() => Sign(key, algorithm, message)) : Sign(key, algorithm, message));
        return ClientAuthentication.ExternalKeyJwt(new ExternalKeyAssertion
        {
            key_type = TypeOf(key),
            key_id = keyId,
            certificate = certificate is null ? [] : [.. certificate.RawData],
            options = options,
        });
    }

    /// <summary>Opens a key that may be there and yet not be usable: disposed of, or of somebody else.</summary>
    private static T Open<T>(string parameter, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (Exception e) when (e is CryptographicException or ObjectDisposedException)
        {
            throw Failures.KeyNotFound(new CryptographicException($"-{parameter}: the key cannot be opened: {e.Message}", e));
        }
    }

    /// <summary>The certificate, the key, or the content that <paramref name="value"/> is or names; <c>null</c> for something else.</summary>
    private static object? Resolve(TokenKitCmdlet cmdlet, object? value) => Secrets.Unwrap(value) switch
    {
        X509Certificate2 or RSA or ECDsa => Secrets.Unwrap(value),
        SecureString text => SecretBuffer.FromSecureString(text),
        string text when IsKey(text) => SecretBuffer.FromText(text),
        string text when IsThumbprint(text) => FromStore(text),
        string path => Locate(cmdlet, path),
        FileInfo file => Locate(cmdlet, file.FullName),
        IDictionary or PSCustomObject => SecretBuffer.FromText(Json.Write(value)),
        _ => null,
    };

    /// <summary>Whether the caller handed this object over, and keeps it, rather than a name of it.</summary>
    private static bool IsGiven(object source, object? value) => ReferenceEquals(source, Secrets.Unwrap(value));

    private static FailureException Refused(string parameter, string expected, object? value) => Failures.Invalid(
        $"-{parameter} takes {expected}, not {(Secrets.Unwrap(value) is { } other ? $"a {other.GetType()}" : "nothing")}.");

    private static bool IsWeak(AsymmetricAlgorithm key) => key is RSA { KeySize: > 0 and < 2048 };

    private static bool IsKey(string text) =>
        text.Contains("-----BEGIN ", StringComparison.Ordinal) || text.AsSpan().TrimStart().StartsWith("{");

    private static bool IsThumbprint(string text) => text.Length == 40 && text.All(char.IsAsciiHexDigit);

    private static SigningKey FromCertificate(Call call, X509Certificate2 certificate)
    {
        if (!certificate.HasPrivateKey)
        {
            throw Failures.Invalid($"The certificate {certificate.Thumbprint} has no private key.", "invalid_key");
        }
        AsymmetricAlgorithm? key = PrivateKey(certificate);
        return key is not null
            ? new SigningKey(call.Own(key), certificate)
            : throw Failures.Invalid($"The private key of the certificate {certificate.Thumbprint} is neither RSA nor EC.", "unsupported_key");
    }

    private static SecretBuffer Read(X509Certificate2 certificate, bool isPrivate)
    {
        if (!isPrivate)
        {
            return SecretBuffer.FromPem(("CERTIFICATE", certificate.RawData));
        }
        using AsymmetricAlgorithm? key = PrivateKey(certificate);
        return (key is null ? null : Export(key, certificate)) ?? throw NoPrivateKey(certificate.Thumbprint);
    }

    private static AsymmetricAlgorithm? PrivateKey(X509Certificate2 certificate) =>
        (AsymmetricAlgorithm?)certificate.GetRSAPrivateKey() ?? certificate.GetECDsaPrivateKey();

    private static FailureException NoPrivateKey(string name) =>
        Failures.Invalid($"The private key of {name} cannot be exported, or there is none.", "unsupported_key");

    private static X509Certificate2 FromStore(string thumbprint)
    {
        foreach (StoreLocation location in new[] { StoreLocation.CurrentUser, StoreLocation.LocalMachine })
        {
            using var store = new X509Store(StoreName.My, location);
            try
            {
                store.Open(OpenFlags.ReadOnly | OpenFlags.OpenExistingOnly);
            }
            catch (CryptographicException)
            {
                // Only Windows has this store for the machine, and not every user has one.
                continue;
            }
            X509Certificate2Collection found = store.Certificates.Find(X509FindType.FindByThumbprint, thumbprint, validOnly: false);
            if (found.Count > 0)
            {
                return found[0];
            }
        }
        throw Failures.KeyNotFound(new ItemNotFoundException(
            $"No certificate in CurrentUser\\My or LocalMachine\\My has the thumbprint {thumbprint}."));
    }

    /// <summary>The content of the file, or the certificate, that a path of any provider names.</summary>
    private static IDisposable Locate(TokenKitCmdlet cmdlet, string path)
    {
        try
        {
            string file = cmdlet.SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
            if (provider.Name == "FileSystem")
            {
                return SecretBuffer.FromFile(file, MaxFile);
            }
            IEnumerable<object> items = cmdlet.InvokeProvider.Item.Get([path], force: false, literalPath: true).Select(item => item.BaseObject);
            return items.OfType<X509Certificate2>().FirstOrDefault()
                ?? throw new ItemNotFoundException($"The path {path} names neither a file nor a certificate.");
        }
        catch (Exception e) when (e is SessionStateException or ProviderInvocationException || Secrets.IsUnreadable(e))
        {
            throw Failures.KeyNotFound(Secrets.MayBeSecret(path) ? new ItemNotFoundException(Secrets.NoPath) : e);
        }
    }

    /// <summary>The key as PKCS#8, with its certificate as PEM; <c>null</c> when it cannot leave its place.</summary>
    private static SecretBuffer? Export(AsymmetricAlgorithm key, X509Certificate2? certificate)
    {
        SecretBuffer pkcs8;
        try
        {
            pkcs8 = SecretBuffer.FromWriter(4096, key.TryExportPkcs8PrivateKey);
        }
        catch (Exception)
        {
            // However a key says that it cannot be exported: if it can sign, that is all that is needed.
            return null;
        }
        if (certificate is null)
        {
            return pkcs8;
        }
        using (pkcs8)
        {
            return SecretBuffer.FromPem(("PRIVATE KEY", pkcs8.Memory), ("CERTIFICATE", certificate.RawData));
        }
    }

    private static byte[] Sign(AsymmetricAlgorithm key, string algorithm, byte[] message)
    {
        (HashAlgorithmName name, byte[] hash) = algorithm[2..] switch
        {
            "256" => (HashAlgorithmName.SHA256, SHA256.HashData(message)),
            "384" => (HashAlgorithmName.SHA384, SHA384.HashData(message)),
            "512" => (HashAlgorithmName.SHA512, SHA512.HashData(message)),
            _ => throw new NotSupportedException($"{algorithm} is not offered for keys outside TokenKit."),
        };
        return key switch
        {
            RSA rsa => rsa.SignHash(hash, name, algorithm[0] == 'P' ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1),
            // r and s side by side, as RFC 7518 section 3.4 wants them.
            ECDsa ec => ec.SignHash(hash),
            _ => throw new NotSupportedException($"A key of the type {key.GetType()} cannot sign."),
        };
    }

    /// <summary>Other curves have keys of this size, too; a key that does not tell its curve is taken for the usual one.</summary>
    private static bool IsP256(ECDsa key)
    {
        try
        {
            string? oid = key.ExportParameters(includePrivateParameters: false).Curve.Oid?.Value;
            return oid is null || oid == ECCurve.NamedCurves.nistP256.Oid.Value;
        }
        catch (Exception)
        {
            return true;
        }
    }

    private static KeyType TypeOf(AsymmetricAlgorithm key) => (key, key.KeySize) switch
    {
        (RSA, _) => KeyType.Rsa,
        (ECDsa ec, 256) when !IsP256(ec) => throw Failures.Invalid("There is no JOSE algorithm for an EC key on this curve.", "unsupported_key"),
        (_, 256) => KeyType.P256,
        (_, 384) => KeyType.P384,
        (_, 521) => KeyType.P521,
        (_, var bits) => throw Failures.Invalid($"There is no JOSE algorithm for an EC key of {bits} bits.", "unsupported_key"),
    };
}
