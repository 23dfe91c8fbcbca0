using Xunit;

namespace TokenKit.Native.Tests;

public class RequestTests
{
    private const string Token = """{"access_token":"AT-é😀","token_type":"Bearer","expires_in":"3600"}""";

    [Fact]
    public async Task The_answer_arrives_untouched()
    {
        using var server = new ScriptedServer(Token);
        using var operation = Operation.Create(Calls.Client);
        var before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

        var response = await operation.TokenAsync(Calls.Request(server.Endpoint));

        Assert.Equal(200, response.status);
        Assert.Equal(Token, response.body);
        Assert.Equal(3600ul, response.expires_in);
        Assert.InRange(response.expires_at_ms!.Value, before + 3_600_000, before + 3_660_000);
        Assert.Contains(response.headers, header => header is { name: "x-request", content: "7" });
    }

    [Fact]
    public async Task Every_part_of_a_request_is_sent()
    {
        using var server = new ScriptedServer(Token);
        using var operation = Operation.Create(Calls.Client);
        var request = Calls.Request(server.Endpoint);
        request.client_id = "äpp";
        request.grant = Grant.AuthorizationCode(new AuthorizationCodeGrant
        {
            code = operation.Secret("c/1"),
            code_verifier = operation.Secret("v"),
        });
        request.authentication = ClientAuthentication.SecretPost(new SharedSecret { secret = operation.Secret("p@ss wörd") });
        request.redirect_uri = "http://localhost/cb";
        request.scope = "openid a";
        request.parameters = [new Parameter { name = "resource", content = Calls.Text("urn:x") }];
        request.headers = [new Parameter { name = "Origin", content = Calls.Text("https://o") }];

        await operation.TokenAsync(request);

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["grant_type"] = "authorization_code",
                ["code"] = "c/1",
                ["code_verifier"] = "v",
                ["redirect_uri"] = "http://localhost/cb",
                ["scope"] = "openid a",
                ["client_id"] = "äpp",
                ["client_secret"] = "p@ss wörd",
                ["resource"] = "urn:x",
            },
            await server.FormAsync());
        Assert.Contains("origin: https://o", await server.Received, StringComparison.OrdinalIgnoreCase);
    }

    public static TheoryData<string> Grants => ["refresh_token", "password", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"];

    [Theory]
    [MemberData(nameof(Grants))]
    public async Task Every_grant_takes_its_secret_from_a_slot(string type)
    {
        using var server = new ScriptedServer(Token);
        using var operation = Operation.Create(Calls.Client);
        var secret = operation.Secret("s3cr3t");
        var request = Calls.Request(server.Endpoint);
        (request.grant, var field) = type switch
        {
            "refresh_token" => (Grant.RefreshToken(new RefreshTokenGrant { refresh_token = secret }), "refresh_token"),
            "password" => (Grant.Password(new PasswordGrant { username = "u", password = secret }), "password"),
            "urn:ietf:params:oauth:grant-type:device_code" =>
                (Grant.DeviceCode(new DeviceCodeGrant { device_code = secret }), "device_code"),
            _ => (Grant.JwtBearer(new JwtBearerGrant { assertion = secret }), "assertion"),
        };

        await operation.TokenAsync(request);

        var form = await server.FormAsync();
        Assert.Equal(type, form["grant_type"]);
        Assert.Equal("s3cr3t", form[field]);
    }

    [Fact]
    public async Task Events_tell_what_happens_and_end_with_the_call()
    {
        using var server = new ScriptedServer(Token);
        using var operation = Operation.Create(Calls.Client);
        var request = Calls.Request(server.Endpoint);
        request.authentication = ClientAuthentication.SecretPost(new SharedSecret { secret = operation.Secret("s3cr3t") });

        var call = operation.TokenAsync(request);
        var events = await operation.AllEventsAsync();
        await call;

        Assert.Collection(
            events,
            sending => Assert.True(sending.kind.IsSending),
            received => Assert.True(received.kind.IsReceived));
        Assert.Contains(server.Endpoint, events[0].text, StringComparison.Ordinal);
        Assert.Contains("client_secret=***", events[0].text, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t", events[0].text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_flow_waits_until_its_code_expires()
    {
        using var server = new ScriptedServer("""{"error":"authorization_pending"}""", "400 Bad Request");
        using var operation = Operation.Create(Calls.Client);
        var request = Calls.Request(server.Endpoint);
        request.grant = Grant.DeviceCode(new DeviceCodeGrant { device_code = operation.Secret("d") });
        var device = new DeviceTokenRequest { request = request, interval = 1, expires_in = 2 };

        var call = Calls.FailureOfAsync(async () => await operation.DeviceToken(device.Wire()));
        var events = await operation.AllEventsAsync();
        var (category, detail) = await call;

        Assert.Equal(("Token", "expired_token"), (category, detail.code));
        var waiting = Assert.Single(events, item => item.kind.IsPending).kind.AsPending();
        Assert.Equal(1000ul, waiting.interval_ms);
        Assert.InRange(waiting.remaining_ms, 1ul, 2000ul);
    }
}
