using TokenKit.Native;

namespace TokenKit;

/// <summary>What can be said of a token for the LCS API. Its signature is for the API to check.</summary>
public sealed class LcsApiTokenState
{
    internal LcsApiTokenState(LcsTokenState state)
    {
        Valid = state.valid;
        Reason = state.reason;
        ExpiresOn = state.expires_on is { } seconds and >= 0 and <= TokenMembers.LastSecond ? DateTimeOffset.FromUnixTimeSeconds(seconds).LocalDateTime : null;
        TimeLeft = state.remaining is { } remaining and <= TokenMembers.LastSecond ? TimeSpan.FromSeconds(remaining) : null;
        Audience = state.audience;
        ClientId = state.client_id;
        Username = state.username;
        TenantId = state.tenant_id;
        IsConfigured = state.stored;
        CanRefresh = state.refreshable;
    }

    /// <summary>Whether it can be used.</summary>
    public bool Valid { get; }

    /// <summary>Why not, in one word, or <c>null</c>.</summary>
    public string? Reason { get; }

    /// <summary>When it expires, in local time.</summary>
    public DateTime? ExpiresOn { get; }

    /// <summary>The time until then; negative when it is over.</summary>
    public TimeSpan? TimeLeft { get; }

    /// <summary>The API that it is for, as it says.</summary>
    public string? Audience { get; }

    /// <summary>The client that it was issued to, as it says.</summary>
    public string? ClientId { get; }

    /// <summary>The user, as it says.</summary>
    public string? Username { get; }

    /// <summary>The tenant, as it says.</summary>
    public string? TenantId { get; }

    /// <summary>Whether it is the configured token.</summary>
    public bool IsConfigured { get; }

    /// <summary>Whether a refresh token is configured, too.</summary>
    public bool CanRefresh { get; }
}
