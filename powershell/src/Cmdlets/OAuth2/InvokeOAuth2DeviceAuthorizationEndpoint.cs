using System.Collections;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Starts the sign-in of a user on another device (RFC 8628 section 3.1), and waits for it if asked to.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "OAuth2DeviceAuthorizationEndpoint", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Invoke-OAuth2DeviceAuthorizationEndpoint.md")]
[Alias("Invoke-DeviceAuthorizationEndpoint", "deviceauth")]
[OutputType(Output.DeviceAuthorizationType, Output.TokenResponseType)]
#pragma warning disable CA1707, IDE1006 // The parameters have the names of the protocol, as scripts know them.
public sealed class InvokeOAuth2DeviceAuthorizationEndpoint : NetworkCmdlet
{
    /// <summary>The device authorization endpoint.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ArgumentCompleter(typeof(DeviceEndpointCompleter))]
    public string uri { get; set; } = "";

    /// <summary>The client.</summary>
    // The aliases keep abbreviations unambiguous that the other parameters would take away.
    [Parameter(Mandatory = true)]
    [Alias("c", "cl", "cli", "clie", "clien", "client", "client_", "ClientId")]
    public string client_id { get; set; } = "";

    /// <summary>The permissions asked for, separated by spaces.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(ScopeCompleter))]
    public string? scope { get; set; }

    /// <summary>The client secret: a string, a SecureString or a PSCredential.</summary>
    [Parameter]
    [Alias("ClientSecret")]
    public object? client_secret { get; set; }

    /// <summary>How the client secret is used.</summary>
    [Parameter]
    [ValidateSet("client_secret_basic", "client_secret_post", "client_secret_jwt")]
    [Alias("ClientAuthMethod")]
    public object client_auth_method { get; set; } = "client_secret_post";

    /// <summary>The client's private key: certificate, key object, path, thumbprint, or PEM or JWK text.</summary>
    [Parameter]
    [Alias("ClientCertificate")]
    public object? client_certificate { get; set; }

    /// <summary>The password of an encrypted private key: a SecureString, a string or a PSCredential.</summary>
    [Parameter]
    public object? CertificatePassword { get; set; }

    /// <summary>The name of the private key in the header <c>kid</c>.</summary>
    [Parameter]
    [Alias("KeyId")]
    public string? key_id { get; set; }

    /// <summary>The signature algorithm of the client assertion.</summary>
    [Parameter]
    [ValidateSet("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512", IgnoreCase = false)]
    public string? AssertionAlgorithm { get; set; }

    /// <summary>The audience of the client assertion.</summary>
    [Parameter]
    public string? AssertionAudience { get; set; }

    /// <summary>Time until the client assertion expires.</summary>
    [Parameter]
    [Duration]
    public TimeSpan AssertionLifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Further headers.</summary>
    [Parameter]
    [NamedValues]
    public Hashtable? customHeaders { get; set; }

    /// <summary>Further form fields.</summary>
    [Parameter]
    [NamedValues]
    public IDictionary? AdditionalParameters { get; set; }

    /// <summary>Draws the address as QR code.</summary>
    [Parameter]
    public SwitchParameter Qr { get; set; }

    /// <summary>Opens the address in a browser here.</summary>
    [Parameter]
    public SwitchParameter OpenBrowser { get; set; }

    /// <summary>The browser to start.</summary>
    [Parameter]
    public string? BrowserCommand { get; set; }

    /// <summary>Puts the code that the user types in onto the clipboard.</summary>
    [Parameter]
    public SwitchParameter CopyCode { get; set; }

    /// <summary>Waits until the user has finished, and returns the token.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>The token endpoint, for <see cref="Wait"/>.</summary>
    [Parameter]
    [Alias("TokenUri")]
    [ArgumentCompleter(typeof(TokenEndpointCompleter))]
    public string? token_uri { get; set; }

    /// <summary>The issuer: its token endpoint is used where none is given, and an ID token is validated fully.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(IssuerCompleter))]
    public string? issuer { get; set; }

    /// <summary>Waits although nobody seems to be there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }
#pragma warning restore CA1707, IDE1006

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

    /// <inheritdoc/>
    private protected override string? Endpoint => WithoutQuery(uri);

    /// <inheritdoc/>
    private protected override void Process()
    {
        string? tokenEndpoint = Wait ? TokenEndpoint() : null;
        Approve(() => Await(Call.Start(AuthorizeAsync)));
        DeviceAuthorizationResponse reply = Await(Call.Start(AuthorizeAsync));
        WriteWarning(reply.message);
        string address = reply.verification_uri_complete ?? reply.verification_uri;
        if (Qr)
        {
            Draw(address);
        }
        if (CopyCode)
        {
            Copy(reply.user_code);
        }
        if (OpenBrowser)
        {
            Open(address);
        }
        if (tokenEndpoint is null)
        {
            WriteObject(Output.DeviceAuthorization(reply));
            return;
        }
        Submit(Call.Start(call => TokenAsync(call, tokenEndpoint, reply)), Output.TokenResponse);
    }

    /// <summary>Where to wait for the token. Found before a code is asked for: without it the code would be of no use.</summary>
    private string TokenEndpoint()
    {
        if (!Force && !IsWhatIf && Session.WhyUnattended(Host) is { } reason)
        {
            throw Failures.Unattended(reason, "-Wait");
        }
        if (!string.IsNullOrEmpty(token_uri))
        {
            return token_uri;
        }
        if (string.IsNullOrEmpty(issuer))
        {
            throw Failures.Invalid("-Wait needs the token endpoint: give -token_uri, or -issuer to find it in the metadata.");
        }
        MetadataResponse metadata = Await(Start(
            call => new MetadataRequest { issuer = issuer, allow_insecure_http = AllowUnencryptedAuthentication, http = HttpOptions(call) },
            (operation, request) => operation.Metadata(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "metadata"));
        return KnownServers.Remember(Output.Object(metadata.body)).Properties["token_endpoint"]?.Value as string
            ?? throw Failures.Invalid($"The metadata of {issuer} names no token endpoint: give -token_uri.");
    }

    private Task<DeviceAuthorizationResponse> AuthorizeAsync(Call call)
    {
        (string method, ClientAuthentication authentication) = Credentials.Authenticate(this, call);
        var request = new DeviceAuthorizationRequest
        {
            endpoint = uri,
            client_id = client_id,
            scope = scope,
            authentication = authentication,
            parameters = NamedValues.Fields(call, AdditionalParameters, nameof(AdditionalParameters)),
            headers = NamedValues.Headers(call, customHeaders, nameof(customHeaders)),
            allow_insecure_http = AllowUnencryptedAuthentication,
            http = HttpOptions(call),
        };
        return call.RunAsync(
            operation => operation.DeviceAuthorization(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            happened => Observe(happened, $"device authorization, {method}"),
            Cancellation);
    }

    private Task<TokenResponse> TokenAsync(Call call, string endpoint, DeviceAuthorizationResponse reply)
    {
        (string method, ClientAuthentication authentication) = Credentials.Authenticate(this, call);
        var request = new TokenRequest
        {
            endpoint = endpoint,
            client_id = client_id,
            grant = Grant.DeviceCode(new DeviceCodeGrant { device_code = call.Put(reply.device_code) }),
            authentication = authentication,
            redirect_uri = null,
            scope = null,
            nonce = null,
            issuer = string.IsNullOrEmpty(issuer) ? null : issuer,
            parameters = [],
            headers = NamedValues.Headers(call, customHeaders, nameof(customHeaders)),
            allow_insecure_http = AllowUnencryptedAuthentication,
            http = HttpOptions(call),
        };
        return DevicePolling.For(this, reply.interval, reply.expires_in)
            .TokenAsync(call, request, happened => Observe(happened, $"device_code, {method}"), Cancellation);
    }

    private void Draw(string address)
    {
        using var call = new Call();
        var request = new QrRequest { text = address };
        QrCode code = call.Run(operation => operation.DrawQr(request.Wire()), wire => wire.Unwire());
        if (Terminal.Width(Host) is { } width && width < code.width)
        {
            WriteWarning($"The QR code needs {code.width} columns, and the terminal has {width}: make it wider.");
            return;
        }
        Tell($"\n{string.Join('\n', code.lines.Select(line => Terminal.OnBlack(Host, line)))}\n");
    }

    private void Copy(string code)
    {
        // A terminal at the other end of SSH has the clipboard, and takes it by an escape sequence.
        bool isRemote = IsSet("SSH_TTY");
        // Set-Clipboard itself says nothing when it has nowhere to put it.
        bool isMissing = OperatingSystem.IsLinux() && !isRemote
            && (!IsSet("DISPLAY") || InvokeCommand.GetCommand("xclip", CommandTypes.Application) is null);
        try
        {
            if (isMissing)
            {
                throw new RuntimeException("Linux needs a screen and the program xclip for it.");
            }
            InvokeCommand.InvokeScript(
                "param($code, $isRemote) Microsoft.PowerShell.Management\\Set-Clipboard $code -AsOSC52:$isRemote -ErrorAction Stop", code, isRemote);
            WriteVerbose("The code is on the clipboard.");
        }
        catch (RuntimeException e)
        {
            WriteWarning($"The code could not be put onto the clipboard: {e.Message}");
        }

        static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
    }

    private void Open(string address)
    {
        OpenResult result = Await(Browser.OpenAsync(address, BrowserCommand, happened => Observe(happened, "browser"), Cancellation));
        if (result.started)
        {
            WriteVerbose(result.text);
        }
        else
        {
            WriteWarning(result.text);
        }
    }
}
