using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>What cmdlets that use the network share: how requests travel, and for how long.</summary>
public abstract class NetworkCmdlet : ConnectionCmdlet
{
    /// <summary>Time allowed for the whole call, repeated attempts included.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Duration]
    public virtual TimeSpan Timeout { get; set; } = UsualTimeout;

    /// <summary>How the requests of <paramref name="call"/> travel.</summary>
    private protected HttpOptions HttpOptions(Call call) => HttpOptions(call, Timeout);
}
