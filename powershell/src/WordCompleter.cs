using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace TokenKit;

/// <summary>Offers usual values by tab completion; others may be given, too.</summary>
/// <param name="words">The values.</param>
internal abstract class WordCompleter(params string[] words) : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters) =>
        from word in words
        where word.StartsWith(wordToComplete.Trim('\'', '"'), StringComparison.OrdinalIgnoreCase)
        select new CompletionResult(word.Contains(' ', StringComparison.Ordinal) ? $"'{word}'" : word, word, CompletionResultType.ParameterValue, word);
}

/// <summary>What a server can be told to ask the user (OpenID Connect Core section 3.1.2.1).</summary>
internal sealed class PromptCompleter() : WordCompleter("login", "select_account", "consent", "none");

/// <summary>What an authorization endpoint can be asked for.</summary>
internal sealed class ResponseTypeCompleter() : WordCompleter(
    "code", "code id_token", "code token", "code id_token token", "id_token", "id_token token", "token");
