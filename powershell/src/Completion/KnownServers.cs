using System.Collections;
using System.Management.Automation;

namespace TokenKit;

/// <summary>The metadata of authorization servers that was asked for in this process, the newest first.</summary>
internal static class KnownServers
{
    /// <summary>More than anybody works with at a time.</summary>
    private const int Most = 16;

    private static readonly object Gate = new();
    private static PSObject[] known = [];

    /// <summary>Keeps the metadata for completion.</summary>
    internal static PSObject Remember(PSObject metadata)
    {
        lock (Gate)
        {
            object? issuer = Text(metadata, "issuer");
            known = [metadata, .. known.Where(other => !Equals(Text(other, "issuer"), issuer)).Take(Most - 1)];
        }
        return metadata;
    }

    /// <summary>Those that one of the parameters names by an address, or else all.</summary>
    internal static IReadOnlyList<PSObject> For(IDictionary bound)
    {
        PSObject[] all = known;
        string[] given = [.. bound.Values.Cast<object?>().Select(value => Secrets.Unwrap(value)?.ToString()).OfType<string>().Where(text => text.Contains("://", StringComparison.Ordinal))];
        PSObject[] named = [.. all.Where(server => server.Properties.Any(property => property.Value is string text && given.Contains(text)))];
        return named.Length > 0 ? named : all;
    }

    /// <summary>The texts under a name of the metadata: one, or those of a list.</summary>
    internal static IEnumerable<string> Texts(PSObject server, string name) => server.Properties[name]?.Value switch
    {
        string text => [text],
        object[] texts => texts.OfType<string>(),
        _ => [],
    };

    internal static string Text(PSObject server, string name) => Texts(server, name).FirstOrDefault() ?? "";
}

/// <summary>Offers what the metadata of servers says that was asked for before.</summary>
/// <param name="name">The member of the metadata.</param>
internal abstract class ServerCompleter(string name) : Completer
{
    /// <inheritdoc/>
    private protected override IEnumerable<(string Text, string Note)> Offers(IDictionary bound, string word) =>
        from server in KnownServers.For(bound)
        from text in KnownServers.Texts(server, name)
        select (text, KnownServers.Text(server, "issuer"));
}

/// <summary>Issuers.</summary>
internal sealed class IssuerCompleter() : ServerCompleter("issuer");

/// <summary>Token endpoints.</summary>
internal sealed class TokenEndpointCompleter() : ServerCompleter("token_endpoint");

/// <summary>Authorization endpoints.</summary>
internal sealed class AuthorizationEndpointCompleter() : ServerCompleter("authorization_endpoint");

/// <summary>Device authorization endpoints.</summary>
internal sealed class DeviceEndpointCompleter() : ServerCompleter("device_authorization_endpoint");

/// <summary>Userinfo endpoints.</summary>
internal sealed class UserInfoEndpointCompleter() : ServerCompleter("userinfo_endpoint");

/// <summary>Addresses of keys.</summary>
internal sealed class JwksUriCompleter() : ServerCompleter("jwks_uri");

/// <summary>Scopes that a server offers, one after the other.</summary>
internal sealed class ScopeCompleter : Completer
{
    /// <inheritdoc/>
    private protected override IEnumerable<(string Text, string Note)> Offers(IDictionary bound, string word)
    {
        int last = word.LastIndexOf(' ') + 1;
        string[] before = word[..last].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return from server in KnownServers.For(bound)
               from scope in KnownServers.Texts(server, "scopes_supported").Except(before)
               select (word[..last] + scope, KnownServers.Text(server, "issuer"));
    }
}
