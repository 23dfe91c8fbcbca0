using System.Collections;

namespace TokenKit;

/// <summary>The header that authorizes a request: a hashtable whose text, which is its default view, masks the credential.</summary>
internal sealed class RequestHeaders : Hashtable
{
    private const string Scheme = "Bearer ";

    private readonly string name;

    private RequestHeaders(string name, string credential)
        : base(StringComparer.OrdinalIgnoreCase)
    {
        this.name = name;
        this[name] = credential;
    }

    /// <summary>With an access token (RFC 6750 section 2.1); LCS writes its tokens with the scheme.</summary>
    internal static RequestHeaders Bearer(string token) =>
        new("Authorization", token.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? token : Scheme + token);

    /// <summary>With an API key of Venafi's service.</summary>
    internal static RequestHeaders ApiKey(string key) => new("tppl-api-key", key);

    /// <inheritdoc/>
    public override string ToString() => TokenView.Line(name, this[name]);
}
