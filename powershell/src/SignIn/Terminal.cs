using System.Management.Automation.Host;

namespace TokenKit;

/// <summary>What can be known of the terminal, and done to it.</summary>
internal static class Terminal
{
    /// <summary>Columns in a line, or <c>null</c> where there is no terminal.</summary>
    internal static int? Width(PSHost host)
    {
        try
        {
            return host.UI?.RawUI?.WindowSize.Width is > 0 and var width ? width : null;
        }
        catch (Exception)
        {
            // Each host without a terminal says so in its own way.
            return null;
        }
    }

    /// <summary>A line in white on black whatever the colors of the terminal are, if it can be told.</summary>
    internal static string OnBlack(PSHost host, string line) =>
        host.UI is { SupportsVirtualTerminal: true } ? $"\u001b[38;5;231;48;5;16m{line}\u001b[0m" : line;
}
