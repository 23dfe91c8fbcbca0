using System.Management.Automation;
using System.Security.Cryptography.X509Certificates;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Checks the signature of a JSON Web Token, and nothing else (RFC 7515 section 5.2).</summary>
[Cmdlet(VerbsDiagnostic.Test, "JsonWebTokenSignature", DefaultParameterSetName = CertificateSet, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Test-JsonWebTokenSignature.md")]
[OutputType(typeof(bool))]
#pragma warning disable CA1707, IDE1006 // The parameters have the names of the protocol, as scripts know them.
public sealed class TestJsonWebTokenSignature : PipedTextCmdlet
{
    private const string CertificateSet = "certificate";
    private const string ClientSecretSet = "client_secret";

    private VerificationKey? key;

    /// <summary>The token.</summary>
    // The aliases keep abbreviations unambiguous that -jwk and -CertificateAuthority would take away.
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [JwtText]
    [Alias("j", "jw")]
    [SecretText]
    public object jwtInput { get; set; } = "";

    /// <summary>The certificate whose key signed.</summary>
    [Parameter(ParameterSetName = CertificateSet)]
    public X509Certificate2? SigningCertificate { get; set; }

    /// <summary>The secret that signed: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = ClientSecretSet, Mandatory = true)]
    [Alias("c", "ClientSecret")]
    public object? client_secret { get; set; }

    /// <summary>The key as JWK or JWK Set: JSON text, object, dictionary or file.</summary>
    [Parameter(ParameterSetName = CertificateSet)]
    public object? jwk { get; set; }

    /// <summary>The address of the issuer's keys.</summary>
    [Parameter(ParameterSetName = CertificateSet)]
    [Alias("JwksUri")]
    [ArgumentCompleter(typeof(JwksUriCompleter))]
    public string? jwks_uri { get; set; }

    /// <summary>The issuer whose keys count, instead of the one that the token names.</summary>
    [Parameter(ParameterSetName = CertificateSet)]
    [ArgumentCompleter(typeof(IssuerCompleter))]
    public string? issuer { get; set; }
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override void Process()
    {
        key ??= VerificationKey.Choose(this, client_secret, SigningCertificate, jwk, jwks_uri, issuer, nameof(SigningCertificate));
        Send(
            call => new JwtVerifyRequest
            {
                tokens = [Secrets.Unwrap(jwtInput)!.ToString()!],
                keys = key.For(call),
                expect = null,
                with_content = false,
                allow_insecure_http = AllowUnencryptedAuthentication,
                http = HttpOptions(call),
            },
            (operation, request) => operation.VerifyJwts(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "keys",
            Shape);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            key?.Dispose();
        }
        base.Dispose(disposing);
    }

    private object Shape(JwtVerification verification)
    {
        key!.Warn(verification.weakness, WriteWarning);
        JwtVerdict verdict = verification.verdicts[0];
        JwtReason? reason = verdict.reasons.FirstOrDefault();
        // Where the question cannot be answered, that is an error: there is no key, or no algorithm, to check with.
        bool isOpen = ParameterSetName == CertificateSet
            && reason?.code is "unsupported_algorithm" or "algorithm_not_allowed" or "unknown_kid" or "keys_unavailable";
        return isOpen ? throw Failures.Invalid(FailureView.Sentence(reason!.text), reason.code) : verdict.valid;
    }
}
