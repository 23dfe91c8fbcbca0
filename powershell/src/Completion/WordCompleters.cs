using System.Collections;

using TokenKit.Native;

namespace TokenKit;

/// <summary>Offers the same words always.</summary>
/// <param name="words">The words.</param>
internal abstract class WordCompleter(params string[] words) : Completer
{
    /// <inheritdoc/>
    private protected override IEnumerable<(string Text, string Note)> Offers(IDictionary bound, string word) => words.Select(text => (text, text));
}

/// <summary>What a server can be told to ask the user (OpenID Connect Core section 3.1.2.1).</summary>
internal sealed class PromptCompleter() : WordCompleter("login", "select_account", "consent", "none");

/// <summary>What an authorization endpoint can be asked for.</summary>
internal sealed class ResponseTypeCompleter() : WordCompleter(
    "code", "code id_token", "code token", "code id_token token", "id_token", "id_token token", "token");

/// <summary>Offers the names of the regions of Venafi's service, with their addresses.</summary>
internal sealed class RegionCompleter : Completer
{
    /// <inheritdoc/>
    private protected override IEnumerable<(string Text, string Note)> Offers(IDictionary bound, string word)
    {
        using var call = new Call();
        return call.Run(operation => operation.VenafiRegions(), wire => wire.Unwire()).Select(region => (region.name, region.server));
    }
}

/// <summary>Offers the addresses of the LCS API; a region is easier to remember than its address.</summary>
internal sealed class LcsAddressCompleter : Completer
{
    /// <inheritdoc/>
    private protected override IEnumerable<(string Text, string Note)> Offers(IDictionary bound, string word)
    {
        using var call = new Call();
        return call.Run(operation => operation.LcsAddresses(), wire => wire.Unwire()).Select(address => (address.url, address.region));
    }
}
