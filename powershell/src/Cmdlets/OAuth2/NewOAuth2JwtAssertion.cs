using System.Collections;
using System.Collections.Specialized;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Makes a signed JWT by which a client is known, or acts for someone (RFC 7523).</summary>
[Cmdlet(VerbsCommon.New, "OAuth2JwtAssertion", DefaultParameterSetName = PrivateKeySet, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-OAuth2JwtAssertion.md")]
[OutputType("TokenKit.JwtAssertion")]
[OutputType(typeof(OrderedDictionary))]
#pragma warning disable CA1707, IDE1006 // The parameters have the names of the protocol, as scripts know them.
public sealed class NewOAuth2JwtAssertion : TokenKitCmdlet
{
    private const string PrivateKeySet = "private_key_jwt";
    private const string ClientSecretSet = "client_secret_jwt";
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    /// <summary>Claims that are times: a DateTime among the custom claims becomes the seconds that they hold.</summary>
    private static readonly HashSet<string> Times = ["exp", "nbf", "iat", "auth_time", "updated_at"];

    /// <summary>The claim <c>iss</c>: who makes the assertion.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    public string issuer { get; set; } = "";

    /// <summary>The claim <c>sub</c>: whom it is about.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string subject { get; set; } = "";

    /// <summary>The claim <c>aud</c>: who is to accept it.</summary>
    // The alias keeps an abbreviation unambiguous that -Algorithm would take away.
    [Parameter(Mandatory = true, Position = 2)]
    [Alias("a")]
    [ArgumentCompleter(typeof(TokenEndpointCompleter))]
    public string audience { get; set; } = "";

    /// <summary>The claim <c>jti</c>; a random one when absent.</summary>
    [Parameter(Position = 3)]
    public string? jwtId { get; set; }

    /// <summary>Further claims; they may replace the others.</summary>
    [Parameter]
    [NamedValues]
    public Hashtable? customClaims { get; set; }

    /// <summary>The private key: certificate, key object, path, thumbprint, PEM text or JWK.</summary>
    [Parameter(ParameterSetName = PrivateKeySet, Mandatory = true)]
    [Alias("ClientCertificate")]
    public object? client_certificate { get; set; }

    /// <summary>The password of an encrypted private key: a SecureString, a string or a PSCredential.</summary>
    [Parameter(ParameterSetName = PrivateKeySet)]
    public object? CertificatePassword { get; set; }

    /// <summary>The name of the private key in the header <c>kid</c>.</summary>
    [Parameter(ParameterSetName = PrivateKeySet)]
    [Alias("KeyId")]
    public object? key_id { get; set; }

    /// <summary>The client secret: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = ClientSecretSet, Mandatory = true)]
    [Alias("ClientSecret")]
    public object? client_secret { get; set; }

    /// <summary>The signature algorithm.</summary>
    [Parameter]
    [ValidateSet("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512", IgnoreCase = false)]
    public string? Algorithm { get; set; }

    /// <summary>Time until the assertion expires.</summary>
    [Parameter]
    [Duration]
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromMinutes(5);
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override string Waiting => "Signing";

    /// <inheritdoc/>
    private protected override void Process()
    {
        Send(
            call => new JwtSignRequest
            {
                authentication = Authentication(call),
                issuer = issuer,
                subject = subject,
                audience = audience,
                jwt_id = string.IsNullOrEmpty(jwtId) ? null : jwtId,
                claims = customClaims is null ? null : Json.Write(WithSeconds(customClaims)),
            },
            (operation, request) => operation.SignJwt(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "assertion",
            Shape);
    }

    private ClientAuthentication Authentication(Call call)
    {
        var options = new AssertionOptions { algorithm = Algorithm, audience = null, lifetime = (uint)Lifetime.TotalSeconds };
        if (ParameterSetName == ClientSecretSet)
        {
            return ClientAuthentication.SecretJwt(new SharedSecretAssertion
            {
                secret = call.Put(client_secret, nameof(client_secret)),
                options = options,
            });
        }
        using SigningKey key = SigningKey.Find(this, call, client_certificate, nameof(client_certificate));
        string? name = Secrets.Unwrap(key_id)?.ToString();
        return key.Authentication(this, call, CertificatePassword, string.IsNullOrEmpty(name) ? null : name, options);
    }

    private static OrderedDictionary WithSeconds(Hashtable claims)
    {
        var result = new OrderedDictionary();
        foreach (DictionaryEntry claim in claims)
        {
            bool isTime = claim.Key is string name && Times.Contains(name);
            result[claim.Key] = Secrets.Unwrap(claim.Value) switch
            {
                DateTime time when isTime => new DateTimeOffset(time).ToUnixTimeSeconds(),
                DateTimeOffset time when isTime => time.ToUnixTimeSeconds(),
                _ => claim.Value,
            };
        }
        return result;
    }

    private PSObject Shape(SignedJwt signed)
    {
        if (signed.weakness is { } weakness)
        {
            WriteWarning(weakness);
        }
        return Output.Typed(new OrderedDictionary
        {
            ["client_assertion_jwt"] = signed.token,
            ["client_assertion_type"] = AssertionType,
            ["header"] = Output.Object(signed.header),
            ["payload"] = Output.Object(signed.claims),
        }, "TokenKit.JwtAssertion");
    }
}
