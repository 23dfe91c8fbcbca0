using System.Text;
using Xunit;

namespace TokenKit.Native.Tests;

/// <summary>Short forms of what every test does.</summary>
internal static class Calls
{
    /// <summary>The client of this process.</summary>
    public static readonly TokenClient Client = TokenClient.Create();

    public static SecretInput Text(string text) => new() { slot = 0, text = text };

    public static SecretInput Secret(this Operation operation, string secret)
    {
        using var lease = SliceByte.From(Encoding.UTF8.GetBytes(secret));
        return new SecretInput { slot = operation.PutSecret(lease.Slice), text = null };
    }

    public static TokenRequest Request(string endpoint) => new()
    {
        endpoint = endpoint,
        client_id = "app",
        grant = Grant.ClientCredentials,
        authentication = ClientAuthentication.None,
        redirect_uri = null,
        scope = null,
        nonce = null,
        issuer = null,
        parameters = [],
        headers = [],
        allow_insecure_http = false,
        http = Http,
    };

    public static HttpOptions Http => new()
    {
        connect_timeout_ms = null,
        timeout_ms = 30_000,
        proxy = Proxy.System,
        certificate_authority = null,
        skip_certificate_check = false,
        max_retries = 0,
        rehearse = false,
    };

    public static AssertionOptions NoOptions => new() { algorithm = null, audience = null, lifetime = null };

    public static async Task<TokenResponse> TokenAsync(
        this Operation operation, TokenRequest request, CancellationToken cancellation = default)
    {
        using var answer = await operation.Token(request.Wire(), cancellation);
        return answer.Unwire();
    }

    public static async Task<List<Event>> AllEventsAsync(this Operation operation)
    {
        var all = new List<Event>();
        while (true)
        {
            using var wire = await operation.NextEvents();
            var events = wire.Unwire();
            if (events.Count == 0)
            {
                return all;
            }
            all.AddRange(events);
        }
    }

    /// <summary>Runs what must fail, and returns the category with all that is known.</summary>
    public static async Task<(string Category, FailureDetail Detail)> FailureOfAsync(Func<Task> call)
    {
        using var failure = (await Assert.ThrowsAsync<EnumException<Failure>>(call)).Value;
        return failure switch
        {
            { IsInvalidInput: true } => (nameof(Failure.InvalidInput), failure.AsInvalidInput().Unwire()),
            { IsServer: true } => (nameof(Failure.Server), failure.AsServer().Unwire()),
            { IsTransport: true } => (nameof(Failure.Transport), failure.AsTransport().Unwire()),
            { IsToken: true } => (nameof(Failure.Token), failure.AsToken().Unwire()),
            { IsStore: true } => (nameof(Failure.Store), failure.AsStore().Unwire()),
            _ => (nameof(Failure.Internal), failure.AsInternal().Unwire()),
        };
    }

    public static Task<(string Category, FailureDetail Detail)> FailureOfAsync(TokenRequest request) =>
        FailureOfAsync(async () =>
        {
            using var operation = Operation.Create(Client);
            await operation.TokenAsync(request);
        });
}
