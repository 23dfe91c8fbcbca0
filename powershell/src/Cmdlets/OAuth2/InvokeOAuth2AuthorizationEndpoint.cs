using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Signs a user in with the system's browser at an OAuth 2.0 authorization endpoint (RFC 6749 section 3.1, RFC 8252).</summary>
[Cmdlet(VerbsLifecycle.Invoke, "OAuth2AuthorizationEndpoint", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Invoke-OAuth2AuthorizationEndpoint.md")]
[Alias("Invoke-AuthorizationEndpoint", "authorize")]
[OutputType(ResponseType)]
[OutputType(typeof(Hashtable))]
#pragma warning disable CA1707, IDE1006 // The parameters have the names of the protocol, as scripts know them.
public sealed class InvokeOAuth2AuthorizationEndpoint : NetworkCmdlet
{
    /// <summary>What of the answer is no secret.</summary>
    private static readonly HashSet<string> Shown = new(StringComparer.OrdinalIgnoreCase)
    {
        "client_id", "redirect_uri", "issuer", "scope", "token_type", "expires_in", "expiry_datetime",
    };

    /// <summary>Time that requests for metadata and keys may take at most.</summary>
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(60);

    /// <summary>The type name of the answer; its default view masks code, verifier and tokens.</summary>
    private const string ResponseType = "TokenKit.AuthorizationResponse";

    /// <summary>How often a pasted text may be something else before the cmdlet gives up.</summary>
    private const int Attempts = 3;

    /// <summary>Starts with the time that a person takes to sign in.</summary>
    public InvokeOAuth2AuthorizationEndpoint() => Timeout = TimeSpan.FromMinutes(5);

    /// <summary>The authorization endpoint.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [Alias("AuthorizationEndpoint")]
    [ArgumentCompleter(typeof(AuthorizationEndpointCompleter))]
    public string uri { get; set; } = "";

    /// <summary>The client.</summary>
    [Parameter(Mandatory = true)]
    [Alias("ClientId")]
    public string client_id { get; set; } = "";

    /// <summary>Where the browser brings the answer.</summary>
    [Parameter]
    [Alias("RedirectUri")]
    public string? redirect_uri { get; set; }

    /// <summary>The permissions asked for, separated by spaces.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(ScopeCompleter))]
    public string? scope { get; set; }

    /// <summary>What is asked for: <c>code</c>, <c>token</c>, <c>id_token</c> or a combination.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(ResponseTypeCompleter))]
    [Alias("ResponseType")]
    public string response_type { get; set; } = "code";

    /// <summary>Whether the code is bound to this request by PKCE (RFC 7636).</summary>
    [Parameter]
    public bool usePkce { get; set; } = true;

    /// <summary>How the answer comes.</summary>
    [Parameter]
    [ValidateSet("query", "fragment", "form_post")]
    [Alias("ResponseMode")]
    public string? response_mode { get; set; }

    /// <summary>Further parameters of the request.</summary>
    [Parameter]
    [NamedValues]
    public Hashtable? customParameters { get; set; }

    /// <summary>Without effect: the browser has its own.</summary>
    [Parameter]
    public string? userAgent { get; set; }

    /// <summary>Who is going to sign in, as the server knows the name.</summary>
    [Parameter]
    [Alias("LoginHint")]
    public string? login_hint { get; set; }

    /// <summary>What the server shall ask the user.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(PromptCompleter))]
    public string? prompt { get; set; }

    /// <summary>The issuer: the answer must be its own, and an ID token is validated fully.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(IssuerCompleter))]
    public string? issuer { get; set; }

    /// <summary>Starts no browser and does not listen: the user opens the address and pastes the one that comes of it.</summary>
    [Parameter]
    public SwitchParameter NoBrowser { get; set; }

    /// <summary>The browser to start.</summary>
    [Parameter]
    public string? BrowserCommand { get; set; }

    /// <summary>Goes on although nobody seems to be there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override string? Endpoint => WithoutQuery(uri);

    private string? Mode => Optional(response_mode)?.ToLowerInvariant();

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (!Force && !IsWhatIf && Session.WhyUnattended(Host) is { } reason)
        {
            throw Failures.Unattended(reason, "The authorization endpoint");
        }
        if (!string.IsNullOrEmpty(userAgent))
        {
            WriteWarning("-userAgent has no effect: the sign-in happens in the system's browser, which sends its own.");
        }
        var call = new Call();
        AuthorizationResponse response;
        try
        {
            PreparedAuthorization prepared = Prepare(call);
            prepared.warnings.ForEach(WriteWarning);
            string what = $"GET {prepared.masked_url} in the browser";
            WriteVerbose(what);
            if (IsAsked && !ShouldProcess(what, $"{what}\n\nSign in?", "sign-in"))
            {
                return;
            }
            response = Await(prepared.listening ? ListenAsync(call, prepared) : AskAsync(call, prepared));
        }
        finally
        {
            // Lets go of the port, too.
            call.Dispose();
        }
        WriteObject(Output.Typed(Shape(response), ResponseType), enumerateCollection: false);
    }

    private PreparedAuthorization Prepare(Call call)
    {
        HttpOptions http = HttpOptions(call);
        http.timeout_ms = Math.Min(http.timeout_ms!.Value, (ulong)RequestTimeout.TotalMilliseconds);
        List<Parameter> parameters = NamedValues.Fields(call, customParameters, nameof(customParameters));
        parameters.AddRange(NamedValues.Fields(
            call, new Hashtable { [nameof(login_hint)] = Optional(login_hint), [nameof(prompt)] = Optional(prompt) }, ""));
        var request = new AuthorizationRequest
        {
            endpoint = uri,
            client_id = client_id,
            redirect_uri = Optional(redirect_uri),
            response_type = response_type,
            response_mode = Mode,
            scope = Optional(scope),
            without_pkce = !usePkce,
            parameters = parameters,
            issuer = Optional(issuer),
            listen = !NoBrowser,
            allow_insecure_http = AllowUnencryptedAuthentication,
            http = http,
        };
        return call.Run(operation => operation.PrepareAuthorization(request.Wire()), wire => wire.Unwire());
    }

    /// <summary>Shows the browser and waits until it brings the answer to the redirect URI.</summary>
    private Task<AuthorizationResponse> ListenAsync(Call call, PreparedAuthorization prepared)
    {
        var options = new SignInOptions { browser = Browser.Options(BrowserCommand), timeout_ms = (ulong)Math.Max(1, Timeout.TotalMilliseconds) };
        return call.RunAsync(
            operation => operation.Authorize(options.Wire(), Cancellation),
            wire => wire.Unwire(),
            happened =>
            {
                Observe(happened, "sign-in");
                if (happened.kind.IsBrowserNotStarted)
                {
                    Queue(() => Tell($"{happened.text}.\nOpen this address in a browser of this machine to sign in. For the browser of another one, stop and use -NoBrowser.\n\n{prepared.url}\n"));
                }
                else if (happened.kind.IsAnswerRefused)
                {
                    Queue(() => WriteWarning(happened.text));
                }
            },
            Cancellation);
    }

    /// <summary>Has the user open the address, and bring the one that the browser ends at.</summary>
    private Task<AuthorizationResponse> AskAsync(Call call, PreparedAuthorization prepared)
    {
        if (prepared.not_listening is { } reason)
        {
            WriteVerbose(reason);
        }
        bool isOpen = !NoBrowser && Open(prepared.url);
        Tell($"{(isOpen ? "Sign in at the page that the browser shows, or at this address" : "Open this address in a browser and sign in")}:\n\n{prepared.url}\n\n"
            + "The browser then goes to a page that may not exist. Copy the whole address of that page and paste it here.");
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                using SecretBuffer answer = ReadAnswer();
                call.AcceptAnswer(answer.Span.Trim((byte)' '));
                break;
            }
            catch (FailureException e) when (attempt < Attempts && e.Code is "invalid_argument" or "malformed_answer" or "state_mismatch")
            {
                WriteWarning($"{e.Message} Try again.");
            }
        }
        return call.RunAsync(
            operation => operation.CompleteAuthorization(Cancellation),
            wire => wire.Unwire(),
            happened => Observe(happened, "sign-in"),
            Cancellation);
    }

    private SecretBuffer ReadAnswer()
    {
        try
        {
            // As a secret: it holds the code, and pwsh's own way to read a plain line floods a Unix terminal when the
            // line is longer than the terminal is wide.
            Host.UI.Write("Address (shown as stars): ");
            using SecureString answer = Host.UI.ReadLineAsSecureString();
            return SecretBuffer.FromSecureString(answer);
        }
        catch (Exception e) when (e is HostException or PSInvalidOperationException or PSNotImplementedException)
        {
            throw Failures.Unattended("this host cannot read the address of the answer", "The authorization endpoint");
        }
    }

    private bool Open(string url)
    {
        OpenResult result = Await(Browser.OpenAsync(url, BrowserCommand, happened => Observe(happened, "browser"), Cancellation));
        WriteVerbose(result.text);
        return result.started;
    }

    private static string? Optional(string? text) => string.IsNullOrEmpty(text) ? null : text;

    /// <summary>The answer as a hashtable that splats into Invoke-OAuth2TokenEndpoint.</summary>
    private MaskedTable Shape(AuthorizationResponse response)
    {
        var result = new MaskedTable(Shown);
        // The plain answer holds what the token endpoint takes and nothing else, whatever the server adds to it.
        bool isPlain = response.response_type == "code" && Mode is null or "query";
        foreach (ResponseParameter parameter in response.parameters.Where(parameter => !isPlain || parameter.name == "code"))
        {
            result[parameter.name] = parameter.content;
        }
        if (response.expires_in is { } seconds)
        {
            result["expires_in"] = (int)Math.Min(seconds, int.MaxValue);
        }
        if (response.expires_at_ms is { } milliseconds)
        {
            result["expiry_datetime"] = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).LocalDateTime;
        }
        Add("nonce", response.nonce);
        if (result.ContainsKey("code"))
        {
            Add("client_id", response.client_id);
            Add("redirect_uri", response.redirect_uri);
            Add("code_verifier", response.code_verifier);
            Add("issuer", Optional(issuer));
        }
        return result;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                result[name] = value;
            }
        }
    }
}
