using System.Globalization;
using System.Management.Automation;

using TokenKit.Commands;
using TokenKit.Native;

namespace TokenKit;

/// <summary>Waiting for the user of a device flow (RFC 8628 section 3.5).</summary>
/// <param name="interval">Least seconds between two requests, where the server named them.</param>
/// <param name="lifetime">Seconds until the device code expires.</param>
/// <param name="limit">A shorter time that the caller allows.</param>
internal sealed class DevicePolling(uint? interval, uint lifetime, TimeSpan? limit)
{
    /// <summary>Longer than any server lets a code live that does not tell; its own answer then ends the waiting.</summary>
    private const uint LongestLifetime = 3600;

    /// <summary>What a device authorization reply says, as far as it is known, and <c>-Timeout</c> where it was given.</summary>
    internal static DevicePolling For(NetworkCmdlet cmdlet, object? interval, object? lifetime) => new(
        Seconds(interval),
        Seconds(lifetime) ?? LongestLifetime,
        cmdlet.MyInvocation.BoundParameters.ContainsKey(nameof(cmdlet.Timeout)) ? cmdlet.Timeout : null);

    /// <summary>Requests the token until there is one.</summary>
    /// <exception cref="FailureException">The user refused, or the time is over.</exception>
    internal async Task<TokenResponse> TokenAsync(Call call, TokenRequest request, Action<Event> observe, CancellationToken stopping)
    {
        bool isLimited = limit is { } time && time.TotalSeconds < lifetime;
        var polling = new DeviceTokenRequest
        {
            request = request,
            interval = interval,
            expires_in = isLimited ? (uint)Math.Ceiling(limit!.Value.TotalSeconds) : lifetime,
        };
        try
        {
            return await call.RunAsync(operation => operation.DeviceToken(polling.Wire(), stopping), wire => wire.Unwire(), observe, stopping).ConfigureAwait(false);
        }
        catch (FailureException e) when (isLimited && e.Code == "expired_token")
        {
            throw Failures.SignInTimeout(limit!.Value);
        }
    }

    private static uint? Seconds(object? value) =>
        LanguagePrimitives.TryConvertTo(value, CultureInfo.InvariantCulture, out uint seconds) && seconds > 0 ? seconds : null;
}
