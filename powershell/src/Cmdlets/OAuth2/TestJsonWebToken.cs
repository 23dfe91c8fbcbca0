using System.Diagnostics;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Checks signature and claims of JSON Web Tokens (RFC 7519, RFC 8725, OpenID Connect Core section 3.1.3.7).</summary>
[Cmdlet(VerbsDiagnostic.Test, "JsonWebToken", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Test-JsonWebToken.md")]
[OutputType(typeof(JwtValidation), typeof(bool))]
#pragma warning disable CA1707, IDE1006 // The parameters have the names of the protocol.
public sealed class TestJsonWebToken : PipedTextCmdlet
{
    /// <summary>Tokens for one native call: enough to keep all cores busy, few enough to see results soon.</summary>
    private const int BatchSize = 500;

    /// <summary>A pipeline that takes longer for a token shall see its result before it makes the next.</summary>
    private static readonly TimeSpan SlowPipeline = TimeSpan.FromMilliseconds(10);

    private readonly Stopwatch idle = Stopwatch.StartNew();
    private List<string> batch = [];
    private VerificationKey? key;
    private int done;

    /// <summary>The token.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [AllowEmptyString]
    [SecretText]
    public string jwtInput { get; set; } = "";

    /// <summary>The key as JWK or JWK Set: JSON text, object, dictionary or file.</summary>
    [Parameter]
    public object? jwk { get; set; }

    /// <summary>The key as certificate, key object, PEM text, path or thumbprint.</summary>
    [Parameter]
    public object? SigningCertificate { get; set; }

    /// <summary>The secret that signed: a string, a SecureString or a PSCredential.</summary>
    [Parameter]
    [Alias("ClientSecret")]
    public object? client_secret { get; set; }

    /// <summary>The address of the issuer's keys.</summary>
    [Parameter]
    [Alias("JwksUri")]
    [ArgumentCompleter(typeof(JwksUriCompleter))]
    public string? jwks_uri { get; set; }

    /// <summary>The issuer that <c>iss</c> must name; it is asked for its keys when none is given.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(IssuerCompleter))]
    public string? issuer { get; set; }

    /// <summary>Who the token is for: one of these must be in <c>aud</c>.</summary>
    [Parameter]
#pragma warning disable CA1819 // The parameter takes several.
    public string[]? audience { get; set; }
#pragma warning restore CA1819

    /// <summary>The nonce of the authorization request.</summary>
    [Parameter]
    public string? nonce { get; set; }

    /// <summary>The client that the token was issued to.</summary>
    [Parameter]
    [Alias("azp")]
    public string? authorizedParty { get; set; }

    /// <summary>The access token whose hash is in <c>at_hash</c>: a string, a SecureString or a PSCredential.</summary>
    [Parameter]
    [Alias("AccessToken")]
    public object? access_token { get; set; }

    /// <summary>The authorization code whose hash is in <c>c_hash</c>.</summary>
    [Parameter]
    public object? code { get; set; }

    /// <summary>How many seconds the clocks may be apart.</summary>
    [Parameter]
    [ValidateRange(0, 86400)]
    public int ClockSkew { get; set; } = 60;

    /// <summary>Returns only whether the token is valid.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override void Process()
    {
        batch.Add(jwtInput);
        if (idle.Elapsed > SlowPipeline)
        {
            Send(1);
        }
        else if (batch.Count == BatchSize)
        {
            // While one batch is checked, the next is read.
            Send(2);
        }
        idle.Restart();
    }

    /// <inheritdoc/>
    private protected override string Done(int calls) => $"{done} tokens checked";

    /// <inheritdoc/>
    private protected override void Finish()
    {
        if (batch.Count > 0)
        {
            Send(1);
        }
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

    /// <summary>Starts the check of what was read, and waits until no more than <paramref name="limit"/> - 1 run.</summary>
    private void Send(int limit)
    {
        List<string> tokens = batch;
        batch = [];
        if (key is null)
        {
            key = VerificationKey.Choose(this, client_secret, SigningCertificate, jwk, jwks_uri, issuer, nameof(SigningCertificate));
            if (key.IsOpen)
            {
                WriteWarning("Neither a key nor an issuer is given: each token is checked by the keys of the issuer that it names itself, whoever that is.");
            }
        }
        Task<JwtVerification> verification = Start(
            call => new JwtVerifyRequest
            {
                tokens = tokens,
                keys = key.For(call),
                expect = new ExpectedClaims
                {
                    issuer = string.IsNullOrEmpty(issuer) ? null : issuer,
                    audiences = [.. audience ?? []],
                    nonce = string.IsNullOrEmpty(nonce) ? null : nonce,
                    authorized_party = string.IsNullOrEmpty(authorizedParty) ? null : authorizedParty,
                    access_token = Secrets.IsAbsent(access_token) ? null : call.Put(access_token, nameof(access_token)),
                    code = Secrets.IsAbsent(code) ? null : call.Put(code, nameof(code)),
                    clock_skew = (uint)ClockSkew,
                },
                // What a token says is read when somebody asks for it.
                with_content = false,
                allow_insecure_http = AllowUnencryptedAuthentication,
                http = HttpOptions(call),
            },
            (operation, request) => operation.VerifyJwts(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "keys");
        Submit(verification, answer => Shape(tokens, answer), limit);
    }

    private object[] Shape(List<string> tokens, JwtVerification verification)
    {
        key!.Warn(verification.weakness, WriteWarning);
        done += verification.verdicts.Count;
        return verification.verdicts.Select((verdict, index) => Quiet ? (object)verdict.valid : new JwtValidation(verdict, tokens[index])).ToArray();
    }
}
