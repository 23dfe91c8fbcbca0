using System.Collections;

namespace TokenKit;

/// <summary>The header that authorizes a request: a hashtable whose text, which is its default view, masks the credential.</summary>
internal sealed class RequestHeaders : Hashtable
{
    private readonly string name;

    internal RequestHeaders(string name, string credential)
        : base(StringComparer.OrdinalIgnoreCase)
    {
        this.name = name;
        this[name] = credential;
    }

    /// <inheritdoc/>
    public override string ToString() => TokenView.Line(name, this[name]);
}
