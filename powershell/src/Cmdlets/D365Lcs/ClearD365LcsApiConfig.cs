using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Forgets the configuration for LCS, its tokens included.</summary>
[Cmdlet(VerbsCommon.Clear, "D365LcsApiConfig", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Clear-D365LcsApiConfig.md")]
public sealed class ClearD365LcsApiConfig : TokenKitCmdlet
{
    /// <summary>The values to forget; all when absent.</summary>
    [Parameter(Position = 0)]
    [ValidateSet("activetokenexpireson", "bearertoken", "clientid", "lcsapiuri", "projectid", "refreshtoken")]
#pragma warning disable CA1819 // The parameter takes several.
    public string[]? Name { get; set; }
#pragma warning restore CA1819

    /// <summary>Forgets only what is kept for this process.</summary>
    [Parameter]
    public SwitchParameter Temporary { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        List<string> names = [.. (Name ?? []).Select(name => name.ToLowerInvariant())];
        string what = names.Count == 0 ? "all values" : string.Join(", ", names);
        if (!ShouldProcess("the LCS API configuration", $"Clear {what}{(Temporary ? " of this process" : "")}"))
        {
            return;
        }
        Send(
            call => new LcsClearRequest { store = StoreEnvironment.Options(call), names = names, temporary = Temporary },
            (operation, request) => operation.LcsClear(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "LCS configuration",
            _ => Array.Empty<object>());
    }
}
