using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace TokenKit;

/// <summary>Offers values by tab completion, without using the network; others may be given, too.</summary>
public abstract class Completer : IArgumentCompleter
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
            return Offers(fakeBoundParameters, word)
                .Where(offer => offer.Text.StartsWith(word, StringComparison.OrdinalIgnoreCase)
                    || (word.Length > 0 && offer.Note.StartsWith(word, StringComparison.OrdinalIgnoreCase)))
                .DistinctBy(offer => offer.Text)
                .Select(offer => new CompletionResult(Quoted(offer.Text), offer.Text, CompletionResultType.ParameterValue, offer.Note))
                .ToArray();
        }
        catch (FailureException)
        {
            // Completion is no place for errors.
            return [];
        }
    }

    /// <summary>The values, each with a note that explains it and that it can be found by, too.</summary>
    /// <param name="bound">The parameters that are there already, as far as they can be known.</param>
    /// <param name="word">What is typed so far.</param>
    private protected abstract IEnumerable<(string Text, string Note)> Offers(IDictionary bound, string word);

    private static string Quoted(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or ':' or '/') ? text : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
