using System.Collections;
using System.Management.Automation;
using System.Net;

namespace TokenKit.Commands;

/// <summary>Sets values of the configuration; what is not given stays as it is, what is empty is cleared.</summary>
[Cmdlet(VerbsCommon.Set, "GovernanceConfiguration", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Set-GovernanceConfiguration.md")]
[OutputType(typeof(Hashtable))]
public sealed class SetGovernanceConfiguration : TokenKitCmdlet
{
    /// <summary>Where the service is.</summary>
    [Parameter(Position = 0)]
    [AllowEmptyString]
    public string? BaseUrl { get; set; }

    /// <summary>Kept, and not sent by any command.</summary>
    [Parameter(Position = 1)]
    [AllowEmptyString]
    public string? Username { get; set; }

    /// <summary>Kept, and not sent by any command.</summary>
    [Parameter(Position = 2)]
    [AllowEmptyString]
    [SecretText]
    public string? Password { get; set; }

    /// <summary>The headers that name the client: clientSecret and userPrincipalName.</summary>
    [Parameter(Position = 3)]
    [NamedValues]
    public Hashtable? ApiKey { get; set; }

    /// <summary>Kept, and not sent by any command.</summary>
    [Parameter(Position = 4)]
    [NamedValues]
    public Hashtable? ApiKeyPrefix { get; set; }

    /// <summary>Kept, and not sent by any command.</summary>
    [Parameter(Position = 5)]
    [AllowEmptyString]
    [SecretText]
    public string? Cookie { get; set; }

    /// <summary>Kept, and not sent by any command.</summary>
    [Parameter(Position = 6)]
    [AllowEmptyString]
    [SecretText]
    public string? AccessToken { get; set; }

    /// <summary>Headers of every request; they replace others of the same name.</summary>
    [Parameter(Position = 7)]
    [NamedValues]
    public Hashtable? DefaultHeaders { get; set; }

    /// <summary>The proxy: an address or any <see cref="IWebProxy"/>.</summary>
    [Parameter(Position = 8)]
    public object? Proxy { get; set; }

    /// <summary>Accepts every certificate of the service.</summary>
    [Parameter]
    public SwitchParameter SkipCertificateCheck { get; set; }

    /// <summary>Returns the configuration.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (!string.IsNullOrEmpty(BaseUrl) && !Uri.TryCreate(BaseUrl, UriKind.Absolute, out _))
        {
            throw Failures.Invalid("-BaseUrl is no absolute URL, such as https://graph.example/api.", "invalid_endpoint");
        }
        object? proxy = Secrets.Unwrap(Proxy);
        if (proxy is not (null or IWebProxy or Uri or string))
        {
            throw Failures.Invalid($"-Proxy takes an address or an IWebProxy, not a {proxy.GetType()}.", "invalid_proxy");
        }
        if (IsAsked && !ShouldProcess("the configuration of Cloud Governance", "Set values"))
        {
            return;
        }
        GovernanceConfiguration configuration = GovernanceConfiguration.Of(this);
        Store(nameof(BaseUrl), Cleared(BaseUrl));
        Store(nameof(Username), Cleared(Username));
        Store(nameof(Password), Cleared(Password));
        Store(nameof(ApiKey), ApiKey ?? GovernanceConfiguration.NewTable());
        Store(nameof(ApiKeyPrefix), ApiKeyPrefix ?? GovernanceConfiguration.NewTable());
        Store(nameof(Cookie), Cleared(Cookie));
        Store(nameof(AccessToken), Cleared(AccessToken));
        Store(nameof(DefaultHeaders), DefaultHeaders ?? GovernanceConfiguration.NewTable());
        Store(nameof(Proxy), proxy is "" ? null : proxy);
        Store(nameof(SkipCertificateCheck), (bool)SkipCertificateCheck);
        if (PassThru)
        {
            WriteObject(configuration, enumerateCollection: false);
        }

        void Store(string name, object? value)
        {
            if (MyInvocation.BoundParameters.ContainsKey(name))
            {
                configuration[name] = value;
            }
        }
    }

    private static string? Cleared(string? text) => text is "" ? null : text;
}
