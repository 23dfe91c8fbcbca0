using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

using TokenKit.Native;

namespace TokenKit;

/// <summary>Completes the names of the regions of Venafi's service, with their addresses as explanation.</summary>
public sealed class RegionCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        List<VenafiRegion> regions;
        try
        {
            using var call = new Call();
            regions = call.Run(operation => operation.VenafiRegions(), wire => wire.Unwire());
        }
        catch (FailureException)
        {
            // Completion is no place for errors.
            return [];
        }
        string word = (wordToComplete ?? "").Trim('\'', '"');
        return regions
            .Where(region => region.name.StartsWith(word, StringComparison.OrdinalIgnoreCase))
            .Select(region => new CompletionResult(region.name, region.name, CompletionResultType.ParameterValue, region.server));
    }
}
