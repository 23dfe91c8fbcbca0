using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>
/// What cmdlets share that take texts, many perhaps, from the pipeline. A text has no properties that say how requests
/// travel, and to look for them PowerShell takes longer than for all else that it does with a text.
/// </summary>
public abstract class PipedTextCmdlet : NetworkCmdlet
{
    /// <inheritdoc/>
    [Parameter]
    [ProxyAddress]
    public override Uri? Proxy { get => base.Proxy; set => base.Proxy = value; }

    /// <inheritdoc/>
    [Parameter]
    [Credential]
    public override PSCredential? ProxyCredential { get => base.ProxyCredential; set => base.ProxyCredential = value; }

    /// <inheritdoc/>
    [Parameter]
    public override string? CertificateAuthority { get => base.CertificateAuthority; set => base.CertificateAuthority = value; }

    /// <inheritdoc/>
    [Parameter]
    [ValidateRange(0, 100)]
    public override int MaximumRetryCount { get => base.MaximumRetryCount; set => base.MaximumRetryCount = value; }

    /// <inheritdoc/>
    [Parameter]
    public override SwitchParameter AllowUnencryptedAuthentication
    {
        get => base.AllowUnencryptedAuthentication;
        set => base.AllowUnencryptedAuthentication = value;
    }

    /// <inheritdoc/>
    [Parameter]
    [Duration]
    public override TimeSpan Timeout { get => base.Timeout; set => base.Timeout = value; }
}
