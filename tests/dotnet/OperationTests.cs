using Xunit;

namespace TokenKit.Native.Tests;

public class OperationTests
{
    private const string Token = """{"access_token":"t"}""";

    [Fact]
    public void A_thread_may_wait_that_its_synchronization_context_needs()
    {
        using var server = new ScriptedServer(Token);
        string? body = null;
        var window = new Thread(() =>
        {
            SynchronizationContext.SetSynchronizationContext(new BusyWindow());
            using var operation = Operation.Create(Calls.Client);
            using var answer = operation.Token(Calls.Request(server.Endpoint).Wire()).GetAwaiter().GetResult();
            body = answer.Unwire().body;
        })
        { IsBackground = true };
        window.Start();
        Assert.True(window.Join(TimeSpan.FromSeconds(30)));
        Assert.Equal(Token, body);
    }

    [Fact]
    public async Task A_slot_that_nobody_filled_is_refused()
    {
        using var operation = Operation.Create(Calls.Client);
        var request = Calls.Request("https://as.example/token");
        request.grant = Grant.RefreshToken(new RefreshTokenGrant { refresh_token = new SecretInput { slot = 9, text = null } });

        var (category, detail) = await Calls.FailureOfAsync(() => operation.TokenAsync(request));

        Assert.Equal(("InvalidInput", "invalid_argument"), (category, detail.code));
        Assert.Contains("Slot 9", detail.message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Slots_belong_to_their_operation()
    {
        using var owner = Operation.Create(Calls.Client);
        using var other = Operation.Create(Calls.Client);
        var request = Calls.Request("https://as.example/token");
        request.grant = Grant.RefreshToken(new RefreshTokenGrant { refresh_token = owner.Secret("mine") });

        var (category, _) = await Calls.FailureOfAsync(() => other.TokenAsync(request));

        Assert.Equal("InvalidInput", category);
    }

    [Fact]
    public async Task Empty_and_binary_secrets_are_taken()
    {
        using var server = new ScriptedServer(Token);
        using var operation = Operation.Create(Calls.Client);
        using var empty = SliceByte.From([]);
        using var binary = SliceByte.From([0xff, 0x00, 0x41]);
        Assert.Equal(1ul, operation.PutSecret(empty.Slice));
        var request = Calls.Request(server.Endpoint);
        var secret = new SecretInput { slot = operation.PutSecret(binary.Slice), text = null };
        request.grant = Grant.RefreshToken(new RefreshTokenGrant { refresh_token = secret });

        await operation.TokenAsync(request);

        Assert.Contains("refresh_token=%FF%00A", await server.Received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_operation_makes_one_call()
    {
        using var server = new ScriptedServer(Token);
        using var operation = Operation.Create(Calls.Client);
        await operation.TokenAsync(Calls.Request(server.Endpoint));

        var (category, detail) = await Calls.FailureOfAsync(() => operation.TokenAsync(Calls.Request(server.Endpoint)));

        Assert.Equal("InvalidInput", category);
        Assert.Contains("one call", detail.message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_outlive_the_operation_and_client_they_came_from()
    {
        using var server = new ScriptedServer(Token);
        var client = TokenClient.Create();
        var calls = new List<Task<TokenResponse>>();
        for (var i = 0; i < 20; i++)
        {
            using var operation = Operation.Create(client);
            calls.Add(operation.TokenAsync(Calls.Request(server.Endpoint)));
        }
        client.Dispose();

        foreach (var response in await Task.WhenAll(calls))
        {
            Assert.Equal(Token, response.body);
        }
    }

    [Fact]
    public void Use_after_dispose_is_refused()
    {
        var client = TokenClient.Create();
        var operation = Operation.Create(client);
        operation.Dispose();
        operation.Dispose();
        client.Dispose();

        Assert.Throws<ObjectDisposedException>(() => operation.Secret("x"));
        Assert.Throws<ObjectDisposedException>(() => { operation.NextEvents().GetAwaiter().GetResult(); });
        Assert.Throws<ObjectDisposedException>(() => Operation.Create(client));
    }

    [Fact]
    public async Task Many_calls_run_at_once()
    {
        using var server = new ScriptedServer(Token);

        async Task<string> CallAsync(int number)
        {
            using var operation = Operation.Create(Calls.Client);
            var request = Calls.Request(server.Endpoint);
            request.grant = Grant.RefreshToken(new RefreshTokenGrant { refresh_token = operation.Secret($"r{number}") });
            var call = operation.TokenAsync(request);
            Assert.Equal(2, (await operation.AllEventsAsync()).Count);
            return (await call).body;
        }

        var bodies = await Task.WhenAll(Enumerable.Range(0, 64).Select(number => Task.Run(() => CallAsync(number))));

        Assert.All(bodies, body => Assert.Equal(Token, body));
    }

    /// <summary>Takes messages, and never gets to them.</summary>
    private sealed class BusyWindow : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }
    }
}
