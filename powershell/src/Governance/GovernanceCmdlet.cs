using System.Collections;
using System.Management.Automation;
using System.Net;
using System.Security;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>What the requests to Cloud Governance share: the configuration of the module, and the shape of answers.</summary>
public abstract class GovernanceCmdlet : NetworkCmdlet
{
    /// <summary>Returns a hashtable with the answer, its status and its headers.</summary>
    [Parameter]
    public SwitchParameter WithHttpInfo { get; set; }

    /// <summary>Sends none of the keys of the configuration.</summary>
    [Parameter]
    public SwitchParameter NoApiKey { get; set; }

    /// <summary>What of the answer with status and headers is no secret.</summary>
    private static readonly HashSet<string> Shown = new(["StatusCode", "ReceivedAt"], StringComparer.OrdinalIgnoreCase);

    private GovernanceConfiguration Configuration => GovernanceConfiguration.Of(this);

    /// <summary>Makes a call and writes its answer.</summary>
    /// <param name="summary">What is asked, for people.</param>
    /// <param name="returnType">The media type of the answer.</param>
    /// <param name="content">Makes the content; its secrets are put into the call.</param>
    private protected void Ask(string summary, string? returnType, Func<Call, GovernanceCall> content)
    {
        GovernanceConfiguration configuration = Configuration;
        Action request = () => Send(
            call => new GovernanceRequest
            {
                call = content(call),
                base_url = Secrets.Unwrap(configuration[GovernanceConfiguration.BaseUrl])?.ToString(),
                client_secret = Key(call, GovernanceConfiguration.ClientSecret),
                user_principal_name = Key(call, GovernanceConfiguration.UserPrincipalName),
                access_token = null,
                default_headers = NamedValues.Headers(call, configuration.Table(GovernanceConfiguration.DefaultHeaders), GovernanceConfiguration.DefaultHeaders),
                return_type = returnType,
                allow_insecure_http = AllowUnencryptedAuthentication,
                http = HttpOptions(call, Timeout, LanguagePrimitives.IsTrue(configuration[GovernanceConfiguration.SkipCertificateCheck])),
            },
            (operation, request) => operation.Governance(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            summary,
            Shape);
        Approve(request);
        request();
    }

    /// <summary>A credential: an object or a hashtable with its members, or a PSCredential.</summary>
    /// <exception cref="FailureException">It is neither.</exception>
    private protected static GovernanceCredential Credential(Call call, PSObject? credential)
    {
        // PowerShell binds a piped object as a whole before it looks at its properties.
        if (credential?.Properties["ApiCredential"]?.Value is { } inner)
        {
            credential = PSObject.AsPSObject(inner);
        }
        IEnumerable<(string Name, object? Value)> members = credential?.BaseObject switch
        {
            PSCredential login => [("ClientSecret", login.Password), ("UserPrincipalName", login.UserName)],
            IDictionary table => table.Keys.Cast<object>().Select(key => (key.ToString()!, table[key])),
            null or string or SecureString or ValueType or IEnumerable => throw Failures.Invalid(
                "-ApiCredential is missing or no credential: give what New-ApiCredential returns, or @{ ClientSecret = …; UserPrincipalName = … }."),
            _ => credential.Properties.Where(property => property.IsGettable).Select(property => (property.Name, (object?)property.Value)),
        };
        return new GovernanceCredential { properties = members.Select(member => Property(call, member.Name, Secrets.Unwrap(member.Value))).ToList() };
    }

    /// <summary>The proxy of the configuration, unless -Proxy gives one.</summary>
    private protected override Native.Proxy ProxyFor(Call call)
    {
        object? configured = Secrets.Unwrap(Configuration[GovernanceConfiguration.Proxy]);
        if (Proxy is not null || configured is null or "")
        {
            return base.ProxyFor(call);
        }
        if (configured is not IWebProxy proxy)
        {
            return Native.Proxy.Explicit(new ExplicitProxy { url = configured is Uri uri ? uri.OriginalString : configured.ToString()!, credentials = null });
        }
        if (!Uri.TryCreate(Secrets.Unwrap(Configuration[GovernanceConfiguration.BaseUrl])?.ToString(), UriKind.Absolute, out Uri? service)
            || proxy.IsBypassed(service)
            || proxy.GetProxy(service) is not { } address)
        {
            // None.
            return Native.Proxy.Environment(new EnvironmentProxy { http = null, https = null, no_proxy = null });
        }
        return Native.Proxy.Explicit(new ExplicitProxy
        {
            url = address.OriginalString,
            credentials = proxy.Credentials?.GetCredential(address, "Basic") is { UserName.Length: > 0 } login
                ? new ProxyCredentials { username = login.UserName, password = call.Put(login.Password) }
                : null,
        });
    }

    /// <summary>As in the module that these cmdlets are compatible with, <c>-ErrorAction Continue</c> goes on.</summary>
    private protected override bool IsTerminating(object? preference) => preference is null;

    private static GovernanceProperty Property(Call call, string name, object? value)
    {
        bool isText = value is string or SecureString or PSCredential;
        return new GovernanceProperty { name = name, content = isText ? call.Put(value, name) : call.Put(Json.Write(value)), is_json = !isText };
    }

    private GovernanceKey? Key(Call call, string name)
    {
        object? key = Configuration.Table(GovernanceConfiguration.ApiKey)[name];
        return NoApiKey || Secrets.IsAbsent(key) ? null : new GovernanceKey { key = call.Put(key, name), prefix = null };
    }

    private object Shape(GovernanceAnswer answer)
    {
        object? response = answer.body is not { } body ? null : !answer.is_json ? body : Output.Value(body) switch
        {
            PSObject result => GovernanceModel.Tag(result, answer.error_message),
            var other => other,
        };
        if (answer.is_success == false)
        {
            WriteWarning($"Cloud Governance did not do it: {answer.error_message ?? "it does not say why"}");
        }
        if (!WithHttpInfo)
        {
            return response ?? Array.Empty<object>();
        }
        return new MaskedTable(Shown)
        {
            ["Response"] = response,
            ["StatusCode"] = (int)answer.status,
            ["Headers"] = answer.headers
                .GroupBy(header => header.name, header => header.content, StringComparer.OrdinalIgnoreCase)
                .ToDictionary(header => header.Key, header => (IEnumerable<string>)header.ToArray(), StringComparer.OrdinalIgnoreCase),
            ["ReceivedAt"] = DateTime.Now,
        };
    }
}
