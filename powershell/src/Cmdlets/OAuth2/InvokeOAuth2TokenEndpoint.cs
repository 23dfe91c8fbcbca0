using System.Collections;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Requests tokens from an OAuth 2.0 token endpoint (RFC 6749 section 3.2).</summary>
[Cmdlet(VerbsLifecycle.Invoke, "OAuth2TokenEndpoint", DefaultParameterSetName = CodeSet, SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Invoke-OAuth2TokenEndpoint.md")]
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
    private const string ClientAssertionSet = "client_assertion";

#pragma warning disable CA1707 // The parameters have the names of the protocol, as scripts know them.
    /// <summary>The token endpoint.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("TokenEndpoint", "token_endpoint")]
    [ArgumentCompleter(typeof(TokenEndpointCompleter))]
    [VaultText]
    public string uri { get; set; } = "";

    /// <summary>The client.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("ClientId")]
    [VaultText]
    public string? client_id { get; set; }

    /// <summary>The redirect URI that the authorization request had.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Alias("RedirectUri")]
    public string? redirect_uri { get; set; }

    /// <summary>The permissions asked for, separated by spaces.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientAssertionSet, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(ScopeCompleter))]
    [VaultText]
    public string? scope { get; set; }

    /// <summary>The authorization code.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [SecretText]
    public string? code { get; set; }

    /// <summary>The PKCE verifier (RFC 7636).</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Alias("CodeVerifier")]
    [SecretText]
    public string? code_verifier { get; set; }

    /// <summary>The device code (RFC 8628).</summary>
    [Parameter(ParameterSetName = DeviceCodeSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("DeviceCode")]
    [SecretText]
    public string? device_code { get; set; }

    /// <summary>The assertion to exchange: a JWT (RFC 7523 section 2.1).</summary>
    [Parameter(ParameterSetName = JwtBearerSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [SecretText]
    public string? jwtAssertion { get; set; }

    /// <summary>The refresh token: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = RefreshSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("RefreshToken")]
    public object? refresh_token { get; set; }

    /// <summary>The client secret: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = CodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = DeviceCodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    [Alias("ClientSecret")]
    public object? client_secret { get; set; }

    /// <summary>A JWT that proves who the client is, made elsewhere (RFC 7523 section 2.2): a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = ClientAssertionSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    public object? ClientAssertion { get; set; }

    /// <summary>How the client secret is used.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = DeviceCodeSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientSecretSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = JwtBearerSet, ValueFromPipelineByPropertyName = true)]
    [ValidateSet("client_secret_basic", "client_secret_post", "client_secret_jwt")]
    [Alias("ClientAuthMethod")]
    public object client_auth_method { get; set; } = "client_secret_post";

    /// <summary>The client's private key: certificate, key object, path, thumbprint, or PEM or JWK text.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("ClientCertificate")]
    public object? client_certificate { get; set; }

    /// <summary>The password of an encrypted private key: a SecureString, a string or a PSCredential.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    public object? CertificatePassword { get; set; }

    /// <summary>The name of the private key in the header <c>kid</c>.</summary>
    [Parameter(ParameterSetName = RefreshSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ClientCertificateSet, ValueFromPipelineByPropertyName = true)]
    [Alias("KeyId")]
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

    /// <summary>The issuer: an ID token is then validated fully.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(IssuerCompleter))]
    public string? issuer { get; set; }

    /// <summary>Asks until the user of the device code has finished.</summary>
    [Parameter(ParameterSetName = DeviceCodeSet)]
    public SwitchParameter Wait { get; set; }

    /// <summary>Further headers.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [NamedValues]
    public Hashtable? customHeaders { get; set; }

    /// <summary>Further form fields.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [NamedValues]
    public IDictionary? AdditionalParameters { get; set; }
#pragma warning restore CA1707

    private ClientCredentials Credentials => new()
    {
        Secret = client_secret,
        Method = client_auth_method,
        Certificate = client_certificate,
        CertificatePassword = CertificatePassword,
        KeyId = key_id,
        Algorithm = AssertionAlgorithm,
        Audience = AssertionAudience,
        Lifetime = AssertionLifetime,
    };

    /// <summary>The client; a credential as secret names it, too.</summary>
    private string? ClientId =>
        string.IsNullOrEmpty(client_id) && Secrets.Unwrap(client_secret) is PSCredential credential ? credential.UserName : client_id;

    /// <inheritdoc/>
    private protected override string? Endpoint => WithoutQuery(uri);

    /// <inheritdoc/>
    private protected override void Request() => Submit(Call.Start(TokenAsync, ShowsDetails), Output.TokenResponse, ThrottleLimit);

    private Task<TokenResponse> TokenAsync(Call call)
    {
        ClientCredentials credentials = Credentials;
        bool hasAssertion = !Secrets.IsAbsent(ClientAssertion);
        (string grantName, Grant grant) = SelectGrant(call, credentials.HasSecret || credentials.HasCertificate || hasAssertion);
        (string methodName, ClientAuthentication authentication) = hasAssertion
            ? ("client assertion", ClientAuthentication.Assertion(new ReadyAssertion { assertion = call.Put(ClientAssertion, nameof(ClientAssertion)) }))
            : credentials.Authenticate(this, call);
        var request = new TokenRequest
        {
            endpoint = uri,
            client_id = ClientId,
            grant = grant,
            authentication = authentication,
            redirect_uri = redirect_uri,
            scope = scope,
            nonce = nonce,
            issuer = string.IsNullOrEmpty(issuer) ? null : issuer,
            parameters = NamedValues.Fields(call, AdditionalParameters, nameof(AdditionalParameters)),
            headers = NamedValues.Headers(call, customHeaders, nameof(customHeaders)),
            allow_insecure_http = AllowUnencryptedAuthentication,
            http = HttpOptions(call),
        };
        Action<Event> observe = happened => Observe(happened, $"{grantName}, {methodName}");
        // A device code from the pipeline is the reply of the device authorization endpoint.
        bool isPolling = !string.IsNullOrEmpty(device_code) && (Wait || Piped(nameof(device_code), "DeviceCode") is not null);
        return isPolling
            ? DevicePolling.For(this, Piped("interval"), Piped("expires_in")).TokenAsync(call, request, observe, Cancellation)
            : call.TokenAsync(request, observe, Cancellation);
    }

    private (string Name, Grant Grant) SelectGrant(Call call, bool isConfidential)
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
            [] when isConfidential => ("client_credentials", Grant.ClientCredentials),
            [] => throw Failures.Invalid(
                "There is nothing to exchange for a token (RFC 6749 section 4): give -code, -refresh_token, -device_code or -jwtAssertion, or -client_secret, -client_certificate or -ClientAssertion for the client's own authority."),
            _ => throw Failures.Invalid($"Only one of {string.Join(", ", given.Select(grant => "-" + grant.Parameter))} can be exchanged at a time."),
        };
    }
}
