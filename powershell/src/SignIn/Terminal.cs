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

    /// <summary>Breaks a line of the terminal's width at spaces. What has none, such as an address, stays whole.</summary>
    /// <param name="host">The host.</param>
    /// <param name="line">The line.</param>
    /// <param name="indent">What the further lines begin with.</param>
    /// <param name="start">Where the first break may be.</param>
    internal static IEnumerable<string> Wrap(PSHost host, string line, string indent, int start)
    {
        int width = Width(host) ?? int.MaxValue;
        int first = start;
        while (line.Length >= width && width > first + 1 && line.LastIndexOf(' ', width - 1, width - 1 - first) is > 0 and var space)
        {
            yield return line[..space];
            line = indent + line[(space + 1)..];
            first = indent.Length;
        }
        yield return line;
    }

    /// <summary>A line in white on black whatever the colors of the terminal are, if it can be told.</summary>
    internal static string OnBlack(PSHost host, string line) =>
        host.UI is { SupportsVirtualTerminal: true } ? $"\u001b[38;5;231;48;5;16m{line}\u001b[0m" : line;
}
