using System.Management.Automation;
using System.Management.Automation.Host;

namespace TokenKit;

/// <summary>
/// How an error of the module is shown: a sentence, and what to do. PowerShell itself would show the server's JSON, which
/// scripts find in ErrorDetails, and the line of the script.
/// </summary>
public static class FailureView
{
    /// <summary>The type name that error records of the module have.</summary>
    internal const string TypeName = "TokenKit.Failure";

    private const string Indent = "  ";

    /// <summary>Ends a message as a sentence, and begins it as one unless it begins with an address or a parameter.</summary>
    internal static string Sentence(string message)
    {
        string text = TokenView.Printable(message).Trim();
        int word = text.IndexOf(' ');
        bool isPlain = word > 0 && text.AsSpan(0, word).IndexOfAnyExceptInRange('a', 'z') < 0;
        string start = isPlain ? $"{char.ToUpperInvariant(text[0])}{text.AsSpan(1)}" : text;
        return start.EndsWith('.') || start.EndsWith('?') || start.EndsWith('!') ? start : $"{start}.";
    }

    /// <summary>The text of an error.</summary>
    /// <param name="error">The error record.</param>
    /// <param name="style">The variable <c>$PSStyle</c>.</param>
    /// <param name="host">The variable <c>$Host</c>.</param>
    public static string Text(PSObject error, PSObject? style, PSHost host)
    {
        ArgumentNullException.ThrowIfNull(error);
        var record = (ErrorRecord)error.BaseObject;
        string command = record.InvocationInfo?.MyCommand?.Name ?? record.CategoryInfo.Activity;
        List<string> lines = [$"{command}: {Sentence(record.Exception.Message)}"];
        if (record.ErrorDetails?.RecommendedAction is { Length: > 0 } advice and not Failures.Correct)
        {
            lines.Add(Indent + advice);
        }
        if (record.InvocationInfo?.ScriptName is { Length: > 0 } script)
        {
            lines.Add($"{Indent}at {script}:{record.InvocationInfo.ScriptLineNumber}");
        }
        string text = string.Join('\n', lines.SelectMany(line => Terminal.Wrap(host, line, Indent, Indent.Length)));
        return $"{TokenView.Style(style, "Error")}{text}{style?.Properties["Reset"]?.Value}";
    }
}
