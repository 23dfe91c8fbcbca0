using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>What cmdlets that use the network share but for the time limit: how requests travel.</summary>
public abstract class ConnectionCmdlet : TokenKitCmdlet
{
    /// <summary>The time limit of a call that nobody chose another one for.</summary>
    private protected static readonly TimeSpan UsualTimeout = TimeSpan.FromSeconds(60);

    private bool isWarned;

    /// <summary>What the environment says of proxies; read once for all objects of a pipeline.</summary>
    private (string? Http, string? Https, string? Exceptions)? environment;

    /// <summary>The proxy to use.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ProxyAddress]
    public virtual Uri? Proxy { get; set; }

    /// <summary>User name and password for the proxy.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Credential]
    public virtual PSCredential? ProxyCredential { get; set; }

    /// <summary>A file with certificates that are trusted beside the system's.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public virtual string? CertificateAuthority { get; set; }

    /// <summary>How often a request that failed for a passing reason is repeated.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(0, 100)]
    public virtual int MaximumRetryCount { get; set; } = 3;

    /// <summary>Accepts http for a host that is not loopback.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public virtual SwitchParameter AllowUnencryptedAuthentication { get; set; }

    /// <inheritdoc/>
    private protected override string Waiting => "Waiting for the answer";

    /// <summary>How the requests of <paramref name="call"/> travel.</summary>
    /// <param name="call">The call.</param>
    /// <param name="timeout">Time allowed for all of it, repeated attempts included.</param>
    /// <param name="skipCertificateCheck">Whether a server is believed without a valid certificate.</param>
    private protected HttpOptions HttpOptions(Call call, TimeSpan timeout, bool skipCertificateCheck = false)
    {
        if (skipCertificateCheck && !isWarned)
        {
            isWarned = true;
            WriteWarning("The certificate of the server is not checked: whoever is on the way can read what is sent.");
        }
        return new()
        {
            connect_timeout_ms = null,
            timeout_ms = (ulong)Math.Max(1, timeout.TotalMilliseconds),
            proxy = ProxyFor(call),
            certificate_authority = CertificateAuthorityFile(),
            skip_certificate_check = skipCertificateCheck,
            max_retries = (uint)MaximumRetryCount,
            rehearse = IsRehearsing,
        };
    }

    /// <summary>An address as errors may show it.</summary>
    private protected static string? WithoutQuery(string? address) => Uri.TryCreate(address, UriKind.Absolute, out Uri? parsed)
        ? parsed.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
        : null;

    private string? CertificateAuthorityFile() =>
        string.IsNullOrEmpty(CertificateAuthority) ? null : Secrets.FilePath(this, CertificateAuthority, "invalid_certificate_authority");

    /// <summary>The proxy for the requests of <paramref name="call"/>.</summary>
    private protected virtual Native.Proxy ProxyFor(Call call)
    {
        if (Proxy is not null)
        {
            return Native.Proxy.Explicit(new ExplicitProxy
            {
                url = Proxy.OriginalString,
                credentials = ProxyCredential is null ? null : new ProxyCredentials
                {
                    username = ProxyCredential.UserName,
                    password = call.Put(ProxyCredential, nameof(ProxyCredential)),
                },
            });
        }
        if (ProxyCredential is not null)
        {
            throw Failures.Invalid("-ProxyCredential needs -Proxy.");
        }
        // On Unix $env: changes the variables of .NET but not those that native code sees.
        (string? http, string? https, string? exceptions) = environment ??= ReadEnvironment();
        if (http is null && https is null && !OperatingSystem.IsLinux())
        {
            return Native.Proxy.System;
        }
        return Native.Proxy.Environment(new EnvironmentProxy
        {
            http = http is null ? null : call.Put(http),
            https = https is null ? null : call.Put(https),
            no_proxy = exceptions,
        });
    }

    private static (string? Http, string? Https, string? Exceptions) ReadEnvironment()
    {
        string? all = Variable("all_proxy");
        return (Variable("http_proxy") ?? all, Variable("https_proxy") ?? all, Variable("no_proxy"));
    }

    private static string? Variable(string name) =>
        new[] { name, name.ToUpperInvariant() }.Select(Environment.GetEnvironmentVariable).FirstOrDefault(value => !string.IsNullOrEmpty(value));
}
