namespace TokenKit;

/// <summary>How an access token of Venafi's service stands.</summary>
public sealed class VcTokenState
{
    /// <summary>Whether the token is good; <c>null</c> when it does not tell and the server was not asked.</summary>
    public bool? Valid { get; init; }

    /// <summary>When it expires, in local time; <c>null</c> when that is not known.</summary>
    public DateTime? Expires { get; init; }

    /// <summary>How long it is still good; less than nothing when it has expired.</summary>
    public TimeSpan? Remaining => Expires?.ToUniversalTime() - DateTime.UtcNow;

    /// <summary>Whether there is a JWT that gets another one.</summary>
    public bool Renewable { get; init; }

    /// <summary>When that JWT expires, in local time.</summary>
    public DateTime? JwtExpires { get; init; }

    /// <summary>The same in words.</summary>
    public string Message { get; init; } = "";
}
