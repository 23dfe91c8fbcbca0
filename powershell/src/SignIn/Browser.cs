using System.Collections;

using TokenKit.Native;

namespace TokenKit;

/// <summary>The browser in which a user signs in.</summary>
internal static class Browser
{
    /// <summary>How it is started; without a command the environment and the system say which one.</summary>
    internal static BrowserOptions Options(string? command) => new()
    {
        disabled = false,
        command = string.IsNullOrWhiteSpace(command) ? null : command,
        // On Unix $env: changes the variables of .NET but not those that native code sees. The key of the store is no
        // browser's business.
        environment = (from DictionaryEntry variable in Environment.GetEnvironmentVariables()
                       where !((string)variable.Key).StartsWith(StoreEnvironment.Prefix, StringComparison.OrdinalIgnoreCase)
                       select new Variable { name = (string)variable.Key, content = (string?)variable.Value ?? "" }).ToList(),
    };

    /// <summary>Opens an address.</summary>
    internal static Task<OpenResult> OpenAsync(string url, string? command, Action<Event> observe, CancellationToken stopping)
    {
        var request = new OpenRequest { url = url, browser = Options(command) };
        return new Call().RunAsync(operation => operation.OpenBrowser(request.Wire(), stopping), wire => wire.Unwire(), observe, stopping);
    }
}
