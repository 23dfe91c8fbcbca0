using System.Diagnostics;
using Xunit;

namespace TokenKit.Native.Tests;

/// <summary>Alone, since what others do on the machine counts as delay.</summary>
[CollectionDefinition(nameof(CancellationTests), DisableParallelization = true)]
[Collection(nameof(CancellationTests))]
public sealed class CancellationTests(TestServer testServer) : IClassFixture<TestServer>
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(250);

    [Fact]
    public async Task Cancelling_ends_the_call_and_its_connection()
    {
        using var server = new ScriptedServer(body: null);
        using var operation = Operation.Create(Calls.Client);
        using var cancellation = new CancellationTokenSource();
        var call = operation.TokenAsync(Calls.Request(server.Endpoint), cancellation.Token);
        await server.Received;

        var clock = Stopwatch.StartNew();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, Limit);
        await server.Disconnected.WaitAsync(Limit);

        Assert.Single(await operation.AllEventsAsync(), item => item.kind.IsSending);
    }

    [Fact]
    public async Task The_authorization_server_sees_the_client_hang_up()
    {
        using var operation = Operation.Create(Calls.Client);
        using var cancellation = new CancellationTokenSource();
        var call = operation.TokenAsync(Calls.Request(testServer.Url("/slow?ms=60000")), cancellation.Token);
        while (await testServer.OpenAsync() == 0)
        {
            await Task.Delay(5);
        }

        var clock = Stopwatch.StartNew();
        await cancellation.CancelAsync();
        while (await testServer.OpenAsync() > 0)
        {
            Assert.InRange(clock.Elapsed, TimeSpan.Zero, Limit);
            await Task.Delay(5);
        }
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task A_call_that_was_cancelled_before_ends_at_once()
    {
        using var server = new ScriptedServer(body: null);
        using var operation = Operation.Create(Calls.Client);
        var cancelled = new CancellationToken(canceled: true);

        var call = operation.TokenAsync(Calls.Request(server.Endpoint), cancelled);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task Waiting_for_events_can_be_cancelled_alone()
    {
        using var server = new ScriptedServer(body: null);
        using var operation = Operation.Create(Calls.Client);
        using var cancellation = new CancellationTokenSource();
        var call = operation.TokenAsync(Calls.Request(server.Endpoint), cancellation.Token);
        using (await operation.NextEvents())
        {
        }

        var waiting = operation.NextEvents(new CancellationToken(canceled: true));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.False(call.IsCompleted);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Empty(await operation.AllEventsAsync());
    }

    [Fact]
    public async Task One_of_many_calls_can_be_cancelled()
    {
        using var silent = new ScriptedServer(body: null);
        using var answering = new ScriptedServer("""{"access_token":"t"}""");
        using var cancellation = new CancellationTokenSource();
        using var first = Operation.Create(Calls.Client);
        using var second = Operation.Create(Calls.Client);
        var cancelled = first.TokenAsync(Calls.Request(silent.Endpoint), cancellation.Token);
        await silent.Received;

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.Equal(200, (await second.TokenAsync(Calls.Request(answering.Endpoint))).status);
    }
}
