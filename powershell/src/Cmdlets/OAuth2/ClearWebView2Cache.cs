using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Removes what the embedded browser of PSAuthClient left behind. TokenKit itself leaves nothing.</summary>
[Cmdlet(VerbsCommon.Clear, "WebView2Cache", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Clear-WebView2Cache.md")]
[OutputType(typeof(void))]
public sealed class ClearWebView2Cache : PSCmdlet
{
    private const string FolderName = "PSAuthClientWebview2Cache";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var folder = new DirectoryInfo(Path.Combine(Path.GetTempPath(), FolderName));
        if (!folder.Exists)
        {
            WriteVerbose($"There is nothing to clear: TokenKit signs in with the system's browser, and there is no {folder.FullName}.");
            return;
        }
        if (!ShouldProcess(folder.FullName, "Remove the browser cache of PSAuthClient"))
        {
            return;
        }
        try
        {
            // Of a link, here or inside, the link goes and not what it points to.
            folder.Delete(recursive: folder.LinkTarget is null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            WriteError(new ErrorRecord(e, "cache_not_removed", ErrorCategory.WriteError, folder.FullName)
            {
                ErrorDetails = new ErrorDetails(e.Message) { RecommendedAction = "Close the programs that use the folder, or remove it as its owner." },
            });
        }
    }
}
