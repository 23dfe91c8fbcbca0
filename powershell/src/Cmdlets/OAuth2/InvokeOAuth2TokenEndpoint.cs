using System.Collections;
using System.Globalization;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Requests tokens from an OAuth 2.0 token endpoint (RFC 6749 section 3.2).</summary>
[Cmdlet(VerbsLifecycle.Invoke, "OAuth2TokenEndpoint", DefaultParameterSetName = CodeSet, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Invoke-OAuth2TokenEndpoint.md")]
[Alias("Invoke-TokenEndpoint", "token")]
[OutputType(Output.TokenResponseType)]
public sealed class InvokeOAuth2TokenEndpoint : EndpointCmdlet
{
    private const string CodeSet = "code";
    private const string RefreshSet = "refresh";
    private const string DeviceCodeSet = "device_code";
    private const string ClientSecretSet = "client_secret";
    private const string ClientCertificateSet = "client_certificate";
    private const string JwtBearerSet = "jwt_bearer";

#pragma warning disable CA1707 // The parameters have the names of the protocol, as scripts know them.
    /// <summary>The token endpoint.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    public string uri { get; set; } = "";

    /// <summary>The client.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public string? client_id { get; set; }

    /// <summary>The redirect URI that the authorization request had.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    public string? redirect_uri { get; set; }

    /// <summary>The permissions asked for, separated by spaces.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    public string? scope { get; set; }

    /// <summary>The authorization code.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    public string? code { get; set; }

    /// <summary>The PKCE verifier (RFC 7636).</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    public string? code_verifier { get; set; }

    /// <summary>The device code (RFC 8628).</summary>
    [Parameter(ParameterSetName = DeviceCodeSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    public string? device_code { get; set; }

    /// <summary>The assertion to exchange: a JWT (RFC 7523 section 2.1).</summary>
    [Parameter(ParameterSetName = JwtBearerSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    public string? jwtAssertion { get; set; }

    /// <summary>The refresh token: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = RefreshSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    public object? refresh_token { get; set; }

    /// <summary>The client secret: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = DeviceCodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    public object? client_secret { get; set; }

    /// <summary>How the client secret is used.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = DeviceCodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    [ValidateSet("client_secret_basic", "client_secret_post", "client_secret_jwt")]
    public object client_auth_method { get; set; } = "client_secret_post";

    /// <summary>The client's private key: certificate, key object, path, thumbprint, or PEM or JWK text.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    public object? client_certificate { get; set; }

    /// <summary>The password of an encrypted private key: a SecureString, a string or a PSCredential.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    public object? CertificatePassword { get; set; }

    /// <summary>The name of the private key in the header <c>kid</c>.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    public string? key_id { get; set; }

    /// <summary>The signature algorithm of the client assertion.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = DeviceCodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    [ValidateSet("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512", IgnoreCase = false)]
    public string? AssertionAlgorithm { get; set; }

    /// <summary>The audience of the client assertion.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = DeviceCodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    public string? AssertionAudience { get; set; }

    /// <summary>Time until the client assertion expires.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = DeviceCodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    [Duration]
    public TimeSpan AssertionLifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The nonce of the authorization request; held against the ID token.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    public string? nonce { get; set; }

    /// <summary>Further headers.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [NamedValues]
    public Hashtable? customHeaders { get; set; }

    /// <summary>Further form fields.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [NamedValues]
    public IDictionary? AdditionalParameters { get; set; }
#pragma warning restore CA1707

    private bool HasSecret => !Secrets.IsAbsent(client_secret);

    private bool HasCertificate => !Secrets.IsAbsent(client_certificate);

    /// <summary>The client; a credential as secret names it, too.</summary>
    private string? ClientId =>
        string.IsNullOrEmpty(client_id) && Secrets.Unwrap(client_secret) is PSCredential credential ? credential.UserName : client_id;

    /// <inheritdoc/>
    private protected override string? Endpoint => Uri.TryCreate(uri, UriKind.Absolute, out Uri? address)
        ? address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
        : null;

    /// <inheritdoc/>
    private protected override void Request()
    {
        var call = new Call();
        TokenRequest request;
        string summary;
        try
        {
            (string grantName, Grant grant) = SelectGrant(call);
            (string methodName, ClientAuthentication authentication) = Authentication(call);
            summary = $"{grantName}, {methodName}";
            request = new TokenRequest
            {
                endpoint = uri,
                client_id = ClientId,
                grant = grant,
                authentication = authentication,
                redirect_uri = redirect_uri,
                scope = scope,
                nonce = nonce,
                parameters = FormFields(call),
                headers = Headers(call),
                allow_insecure_http = AllowUnencryptedAuthentication,
                http = HttpOptions(call),
            };
        }
        catch
        {
            call.Dispose();
            throw;
        }
        Submit(call.TokenAsync(request, happened => Observe(happened, summary), Cancellation), Output.TokenResponse, ThrottleLimit);
    }

    private (string Name, Grant Grant) SelectGrant(Call call)
    {
        var given = new List<(string Name, string Parameter, Func<Grant> Make)>();
        if (!string.IsNullOrEmpty(code))
        {
            given.Add(("authorization_code", "code", () => Grant.AuthorizationCode(new AuthorizationCodeGrant
            {
                code = call.Put(code),
                code_verifier = string.IsNullOrEmpty(code_verifier) ? null : call.Put(code_verifier),
            })));
        }
        if (!Secrets.IsAbsent(refresh_token))
        {
            given.Add(("refresh_token", "refresh_token", () => Grant.RefreshToken(new RefreshTokenGrant
            {
                refresh_token = call.Put(refresh_token, nameof(refresh_token)),
            })));
        }
        if (!string.IsNullOrEmpty(device_code))
        {
            given.Add(("device_code", "device_code", () => Grant.DeviceCode(new DeviceCodeGrant { device_code = call.Put(device_code) })));
        }
        if (!string.IsNullOrEmpty(jwtAssertion))
        {
            given.Add(("jwt-bearer", "jwtAssertion", () => Grant.JwtBearer(new JwtBearerGrant { assertion = call.Put(jwtAssertion) })));
        }
        return given switch
        {
            [var (name, _, make)] => (name, make()),
            [] when HasSecret || HasCertificate => ("client_credentials", Grant.ClientCredentials),
            [] => throw Failures.Invalid(
                "There is nothing to exchange for a token (RFC 6749 section 4): give -code, -refresh_token, -device_code or -jwtAssertion, or -client_secret or -client_certificate for the client's own authority."),
            _ => throw Failures.Invalid($"Only one of {string.Join(", ", given.Select(grant => "-" + grant.Parameter))} can be exchanged at a time."),
        };
    }

    private (string Name, ClientAuthentication Authentication) Authentication(Call call)
    {
        if (HasSecret && HasCertificate)
        {
            throw Failures.Invalid("-client_secret and -client_certificate are two ways to authenticate. Choose one (RFC 6749 section 2.3).");
        }
        var options = new AssertionOptions
        {
            algorithm = AssertionAlgorithm,
            audience = string.IsNullOrEmpty(AssertionAudience) ? null : AssertionAudience,
            lifetime = (uint)AssertionLifetime.TotalSeconds,
        };
        if (HasCertificate)
        {
            using SigningKey key = SigningKey.Find(this, call, client_certificate, nameof(client_certificate));
            return ("private_key_jwt", key.Authentication(this, call, CertificatePassword, string.IsNullOrEmpty(key_id) ? null : key_id, options));
        }
        string method = client_auth_method.ToString()!.ToLowerInvariant();
        if (!HasSecret)
        {
            // Without a secret the default means a public client; the others promise an authentication.
            return method == "client_secret_post"
                ? ("no client authentication", ClientAuthentication.None)
                : throw Failures.Invalid($"-client_auth_method {method} needs -client_secret.");
        }
        SecretInput secret = call.Put(client_secret, nameof(client_secret));
        return (method, method switch
        {
            "client_secret_basic" => ClientAuthentication.SecretBasic(new SharedSecret { secret = secret }),
            "client_secret_jwt" => ClientAuthentication.SecretJwt(new SharedSecretAssertion { secret = secret, options = options }),
            _ => ClientAuthentication.SecretPost(new SharedSecret { secret = secret }),
        });
    }

    /// <summary>A form field for each value; the native library refuses a repeated name where the RFCs do.</summary>
    private List<Parameter> FormFields(Call call) =>
        (from DictionaryEntry entry in AdditionalParameters ?? new Hashtable()
         from value in Values(entry.Value)
         select Field(call, entry.Key, value, nameof(AdditionalParameters))).ToList();

    /// <summary>A header for each name; several values are one list (RFC 9110 section 5.3).</summary>
    private List<Parameter> Headers(Call call) =>
        (from DictionaryEntry entry in customHeaders ?? []
         let values = Values(entry.Value).ToList()
         where values.Count > 0
         let value = values.Count == 1 ? values[0] : string.Join(", ", values.Select(Text))
         select Field(call, entry.Key, value, nameof(customHeaders))).ToList();

    private static IEnumerable<object> Values(object? value) => Secrets.Unwrap(value) switch
    {
        null => [],
        IEnumerable several and not (string or IDictionary) => several.Cast<object?>().Select(Secrets.Unwrap).OfType<object>(),
        var one => [one],
    };

    private static Parameter Field(Call call, object name, object value, string parameter) => new()
    {
        name = LanguagePrimitives.ConvertTo<string>(name),
        content = Text(value) is { } text ? call.Put(text) : call.Put(value, parameter),
    };

    /// <summary>A value as text, or <c>null</c> when it is no plain value.</summary>
    private static string? Text(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        Uri address => address.OriginalString,
        IConvertible or IFormattable => Convert.ToString(value, CultureInfo.InvariantCulture),
        _ => null,
    };
}
