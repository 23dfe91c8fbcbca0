using System.Collections;

namespace TokenKit;

/// <summary>The headers of a request to the LCS API: a hashtable whose text, which is its default view, masks the token.</summary>
internal sealed class LcsApiHeaders : Hashtable
{
    private const string Authorization = "Authorization";

    internal LcsApiHeaders(string authorization)
        : base(StringComparer.OrdinalIgnoreCase) => this[Authorization] = authorization;

    /// <inheritdoc/>
    public override string ToString() => TokenView.Line(Authorization, this[Authorization]);
}
