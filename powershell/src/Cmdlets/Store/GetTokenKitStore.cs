using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Says where TokenKit keeps things, and how they are protected.</summary>
[Cmdlet(VerbsCommon.Get, "TokenKitStore", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-TokenKitStore.md")]
[OutputType(typeof(StoreView))]
public sealed class GetTokenKitStore : TokenKitCmdlet
{
    /// <inheritdoc/>
    private protected override void Process() => Send(
        StoreEnvironment.Options,
        (operation, request) => operation.StoreStatus(request.Wire(), Cancellation),
        wire => wire.Unwire(),
        "store",
        status => new StoreView(status));
}
