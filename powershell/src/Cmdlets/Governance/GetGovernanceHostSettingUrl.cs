using System.Collections;
using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Returns an address of the service, its variables filled in.</summary>
[Cmdlet(VerbsCommon.Get, "GovernanceHostSettingUrl", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-GovernanceHostSettingUrl.md")]
[OutputType(typeof(string))]
public sealed class GetGovernanceHostSettingUrl : TokenKitCmdlet
{
    /// <summary>Which address, counted from zero.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    public int Index { get; set; }

    /// <summary>The values of the variables, by their names.</summary>
    [Parameter(Position = 1)]
    public Hashtable? Variables { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (Index != 0)
        {
            throw Failures.Invalid($"There is no address {Index}: the only one is 0.");
        }
        if (Secrets.Unwrap(Variables?[GetGovernanceHostSetting.Variable])?.ToString() is not { Length: > 0 } endpoint)
        {
            throw Failures.Invalid($"The address is your environment's own: -Variables @{{ {GetGovernanceHostSetting.Variable} = 'https://…' }}.");
        }
        WriteObject(endpoint);
    }
}
