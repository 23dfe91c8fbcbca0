using System.Management.Automation;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Makes a key pair for signatures, as a client with private_key_jwt needs it.</summary>
[Cmdlet(VerbsCommon.New, "OAuth2KeyPair", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-OAuth2KeyPair.md")]
[OutputType(KeyPairType)]
public sealed class NewOAuth2KeyPair : TokenKitCmdlet
{
    private const string KeyPairType = "TokenKit.KeyPair";

    /// <summary>The signature algorithm that the key is for.</summary>
    [Parameter(Position = 0)]
    [ValidateSet("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", IgnoreCase = false)]
    public string Algorithm { get; set; } = "RS256";

    /// <summary>The size of an RSA key in bits.</summary>
    [Parameter]
    [ValidateSet("2048", "3072", "4096")]
    public int KeySize { get; set; } = 2048;

    /// <summary>The name of the key; its thumbprint (RFC 7638) when absent.</summary>
    [Parameter]
    public string? KeyId { get; set; }

    /// <summary>The common name of a self-signed certificate; none is made when absent.</summary>
    [Parameter]
    public string? Subject { get; set; }

    /// <summary>For how many days the certificate is valid.</summary>
    [Parameter]
    [ValidateRange(1, 36500)]
    public int ValidDays { get; set; } = 365;

    /// <summary>Returns the private key as text that everyone can read.</summary>
    [Parameter]
    public SwitchParameter AsPlainText { get; set; }

    /// <inheritdoc/>
    private protected override string Waiting => "Making the key";

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (MyInvocation.BoundParameters.ContainsKey(nameof(KeySize)) && Algorithm.StartsWith('E'))
        {
            throw Failures.Invalid($"-KeySize is for RSA keys; the curve of {Algorithm} has its size.");
        }
        Send(
            _ => new KeyPairRequest
            {
                key_type = Algorithm switch
                {
                    "ES256" => KeyType.P256,
                    "ES384" => KeyType.P384,
                    "ES512" => KeyType.P521,
                    "EdDSA" => KeyType.Ed25519,
                    _ => KeyType.Rsa,
                },
                rsa_bits = (uint)KeySize,
                key_id = string.IsNullOrEmpty(KeyId) ? null : KeyId,
                common_name = string.IsNullOrEmpty(Subject) ? null : Subject,
                certificate_days = (uint)ValidDays,
            },
            (operation, request) => operation.MakeKeyPair(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "key pair",
            Shape);
    }

    private PSObject Shape(KeyPair pair)
    {
        using SecretBuffer pem = SecretBuffer.Take(pair.private_pem);
        using SecretBuffer jwk = SecretBuffer.Take(pair.private_jwk);
        return Output.Make(
            KeyPairType,
            ("KeyId", pair.key_id),
            ("Algorithm", Algorithm),
            ("PublicJwk", Output.Object(pair.public_jwk)),
            ("PrivateKeyPem", Secret(pem)),
            ("PrivateJwk", Secret(jwk)),
            ("Certificate", pair.certificate.Count == 0 ? null : Certificate([.. pair.certificate], pem)));
    }

    private object Secret(SecretBuffer text) => AsPlainText ? Encoding.UTF8.GetString(text.Span) : text.ToSecureString();

    /// <summary>The certificate with its private key, where .NET knows the kind of key.</summary>
    private X509Certificate2 Certificate(byte[] der, SecretBuffer pem)
    {
#pragma warning disable SYSLIB0057 // Its successor is not part of .NET 8.
        var certificate = new X509Certificate2(der);
#pragma warning restore SYSLIB0057
        if (Algorithm == "EdDSA")
        {
            return certificate;
        }
        using (certificate)
        {
            char[] text = Encoding.UTF8.GetChars(pem.Span.ToArray());
            try
            {
                return X509Certificate2.CreateFromPem(certificate.ExportCertificatePem(), text);
            }
            finally
            {
                Array.Clear(text);
            }
        }
    }
}
