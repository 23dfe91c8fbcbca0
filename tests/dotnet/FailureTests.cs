using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace TokenKit.Native.Tests;

public class FailureTests
{
    [Fact]
    public async Task Invalid_input()
    {
        var (category, detail) = await Calls.FailureOfAsync(Calls.Request("http://as.example/token"));

        Assert.Equal(("InvalidInput", "insecure_endpoint"), (category, detail.code));
        Assert.Null(detail.status);
        Assert.Null(detail.endpoint);
        Assert.NotEmpty(detail.advice);
    }

    [Fact]
    public async Task Server()
    {
        const string body = """{"error":"invalid_client","error_description":"who?","error_uri":"https://as.example/e"}""";
        using var server = new ScriptedServer(body, "401 Unauthorized");

        var (category, detail) = await Calls.FailureOfAsync(Calls.Request(server.Endpoint));

        Assert.Equal(("Server", "invalid_client"), (category, detail.code));
        Assert.Equal(("invalid_client", "who?"), (detail.oauth_error, detail.oauth_error_description));
        Assert.Equal("https://as.example/e", detail.oauth_error_uri);
        Assert.Equal((ushort)401, detail.status);
        Assert.Equal(body, detail.body);
        Assert.Equal(server.Endpoint, detail.endpoint);
        Assert.Contains(detail.headers, header => header is { name: "x-request", content: "7" });
        Assert.False(detail.retryable);
    }

    [Fact]
    public async Task Transport()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var endpoint = $"http://127.0.0.1:{((IPEndPoint)closed.LocalEndpoint).Port}/token";
        closed.Stop();

        var (category, detail) = await Calls.FailureOfAsync(Calls.Request(endpoint));

        Assert.Equal(("Transport", "connect_failed"), (category, detail.code));
        Assert.Equal(endpoint, detail.endpoint);
        Assert.True(detail.retryable);
        Assert.Null(detail.body);
    }

    [Fact]
    public async Task Timeout()
    {
        using var server = new ScriptedServer(body: null);
        var request = Calls.Request(server.Endpoint);
        request.http.timeout_ms = 100;

        var (category, detail) = await Calls.FailureOfAsync(request);

        Assert.Equal(("Transport", "timeout"), (category, detail.code));
    }

    [Fact]
    public async Task Token()
    {
        static string Part(string json) => Convert.ToBase64String(Encoding.UTF8.GetBytes(json)).TrimEnd('=');
        var idToken = $"{Part("""{"alg":"RS256"}""")}.{Part("""{"nonce":"other"}""")}.AA";
        using var server = new ScriptedServer($$"""{"access_token":"t","id_token":"{{idToken}}"}""");
        var request = Calls.Request(server.Endpoint);
        request.nonce = "mine";

        var (category, detail) = await Calls.FailureOfAsync(request);

        Assert.Equal(("Token", "nonce_mismatch"), (category, detail.code));
        Assert.DoesNotContain(idToken, detail.message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_panic_in_an_asynchronous_call_is_an_internal_failure()
    {
        var (category, detail) = await Calls.FailureOfAsync(Calls.Request("panic:"));

        Assert.Equal(("Internal", "internal_error"), (category, detail.code));
        Assert.Contains("panic.rs", detail.message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_panic_in_a_device_flow_is_an_internal_failure()
    {
        using var operation = Operation.Create(Calls.Client);
        var request = new DeviceTokenRequest { request = Calls.Request("panic:"), interval = null, expires_in = 1 };

        var (category, detail) = await Calls.FailureOfAsync(() => operation.DeviceToken(request.Wire()));

        Assert.Equal(("Internal", "internal_error"), (category, detail.code));
        Assert.Empty(await operation.AllEventsAsync());
    }

    [Fact]
    public async Task A_panic_in_a_synchronous_call_is_an_internal_failure()
    {
        var (category, detail) = await Calls.FailureOfAsync(() =>
        {
            Calls.Client.ProvokePanic();
            return Task.CompletedTask;
        });

        Assert.Equal(("Internal", "internal_error"), (category, detail.code));
        Assert.Contains("panic.rs", detail.message, StringComparison.Ordinal);
    }
}
