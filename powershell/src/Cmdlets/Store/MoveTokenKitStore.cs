using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Gives the store another key, or moves its key to another place.</summary>
[Cmdlet(VerbsCommon.Move, "TokenKitStore", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Move-TokenKitStore.md")]
[OutputType(typeof(StoreView))]
public sealed class MoveTokenKitStore : TokenKitCmdlet
{
    /// <summary>Where the key shall be; <c>file</c> is without any.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateSet("keyring", "key", "file")]
    public string Backend { get; set; } = "";

    /// <summary>The new key: a string, a SecureString or a PSCredential.</summary>
    [Parameter]
    public object? Key { get; set; }

    /// <summary>A file with the new key.</summary>
    [Parameter]
    public string? KeyFile { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        string backend = Backend.ToLowerInvariant();
        bool hasKey = !Secrets.IsAbsent(Key);
        bool hasFile = !string.IsNullOrEmpty(KeyFile);
        if (backend == "key" ? hasKey == hasFile : hasKey || hasFile)
        {
            throw Failures.Invalid(backend == "key" ? "-Backend key needs the new key: either -Key or -KeyFile." : $"-Backend {backend} takes neither -Key nor -KeyFile.");
        }
        if (!ShouldProcess("the TokenKit store", backend switch
        {
            "keyring" => "Encrypt with a new key in the keyring of this system",
            "key" => "Encrypt with the new key",
            _ => "Decrypt, so that the files are plain",
        }))
        {
            return;
        }
        Send(
            call => new StoreMoveRequest
            {
                store = StoreEnvironment.Options(call),
                backend = backend,
                new_key = hasKey ? call.Put(Key, nameof(Key)) : null,
                new_key_file = hasFile ? Secrets.FilePath(this, KeyFile!, "invalid_store_key") : null,
            },
            (operation, request) => operation.StoreMove(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "store",
            status => new StoreView(status));
    }
}
