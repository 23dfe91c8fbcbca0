using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

using TokenKit.Native;

namespace TokenKit;

/// <summary>Completes the addresses of the LCS API; another address can be typed all the same.</summary>
public sealed class LcsAddressCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string word = (wordToComplete ?? "").Trim('\'', '"');
        try
        {
            using var call = new Call();
            // A region is easier to remember than its address.
            return call.Run(operation => operation.LcsAddresses(), wire => wire.Unwire())
                .Where(address => address.url.Contains(word, StringComparison.OrdinalIgnoreCase)
                    || address.region.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                .Select(address => new CompletionResult($"'{address.url}'", address.url, CompletionResultType.ParameterValue, address.region))
                .ToArray();
        }
        catch (FailureException)
        {
            // A completion that cannot be had is none.
            return [];
        }
    }
}
