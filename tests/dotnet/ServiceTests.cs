using System.Text.Json;
using Xunit;

namespace TokenKit.Native.Tests;

/// <summary>The services of single vendors.</summary>
public sealed class ServiceTests(TestServer server) : IClassFixture<TestServer>
{
    [Fact]
    public async Task A_workload_gets_a_token_whose_user_is_known()
    {
        using var operation = Operation.Create(Calls.Client);
        using var answer = await operation.VenafiToken(Request(operation, await server.VenafiJwtAsync(600)).Wire());
        var token = answer.Unwire();
        Assert.Equal(server.VenafiEndpoint, token.endpoint);

        var user = await UserAsync(own => VenafiCredential.AccessToken(new SharedSecret { secret = own.Secret(token.access_token) }));
        Assert.StartsWith("{\"userId\":", user.user, StringComparison.Ordinal);
        Assert.Null(user.problem);

        var granted = (await operation.AllEventsAsync()).Single(e => e.kind.IsNote).text;
        Assert.StartsWith("Granted: access_token=***,", granted, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_expired_jwt_is_not_sent()
    {
        var jwt = await server.VenafiJwtAsync(-3600);
        var (category, detail) = await Calls.FailureOfAsync(async () =>
        {
            using var operation = Operation.Create(Calls.Client);
            using var answer = await operation.VenafiToken(Request(operation, jwt).Wire());
        });
        Assert.Equal(("InvalidInput", "assertion_expired", null), (category, detail.code, detail.status));
    }

    [Fact]
    public async Task A_user_who_is_not_known_is_no_failure()
    {
        var user = await UserAsync(own => VenafiCredential.ApiKey(new SharedSecret { secret = own.Secret("stranger") }));
        Assert.Null(user.user);
        Assert.Equal(("http_error", (ushort?)401), (user.problem?.code, user.problem?.status));
    }

    [Fact]
    public async Task A_session_is_renewed_when_its_clock_says_so()
    {
        var jwt = await server.VenafiJwtAsync(600);
        var expiry = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeMilliseconds();
        Assert.True(Look(expiry - 60_001).renewal.IsNotDue);
        Assert.True(Look(expiry - 60_000).renewal.IsDue);
        Assert.True(Look(expiry).renewal.IsOverdue);
        Assert.Equal("assertion_expired", Look(expiry).jwt_problem?.code);
        Assert.Null(Look(null).jwt_problem);

        VenafiSessionState Look(long? now)
        {
            using var operation = Operation.Create(Calls.Client);
            var request = new VenafiSessionRequest { expires_at_ms = expiry, jwt = operation.Secret(jwt), margin_ms = null, now_ms = now };
            using var state = operation.VenafiSession(request.Wire());
            return state.Unwire();
        }
    }

    [Fact]
    public void Servers_are_found()
    {
        using var operation = Operation.Create(Calls.Client);
        using var regions = operation.VenafiRegions();
        Assert.Equal(["us", "eu", "au", "uk", "sg", "ca"], regions.Unwire().Select(region => region.name));
        using var server = operation.VenafiServer(new VenafiServerRequest { region = "EU", endpoint = null, allow_insecure_http = false }.Wire());
        Assert.Equal("https://api.eu.venafi.cloud", server.Unwire().server);
    }

    [Fact]
    public async Task A_delegated_token_is_refreshed_and_forgotten()
    {
        var delegated = await GovernanceAsync(own => GovernanceCall.Delegate(Credential(own, "MyClientSecret")));
        Assert.Equal(((ushort)200, true, (bool?)true), (delegated.status, delegated.is_json, delegated.is_success));
        var token = JsonDocument.Parse(delegated.body!).RootElement.GetProperty("Value").GetProperty("RefreshToken").GetString()!;

        Assert.True((await GovernanceAsync(own => GovernanceCall.Refresh(new GovernanceRefresh { refresh_token = own.Secret(token) }))).is_success);

        var (category, detail) = await Calls.FailureOfAsync(() => GovernanceAsync(own => GovernanceCall.Delegate(Credential(own, "hunter2"))));
        Assert.Equal(("Server", (ushort?)401), (category, detail.status));
        Assert.Contains("\"IsSuccess\":false", detail.body, StringComparison.Ordinal);

        var forgotten = await GovernanceAsync(own => GovernanceCall.DeleteCache(Credential(own, "MyClientSecret")));
        Assert.Null(forgotten.body);
    }

    private async Task<VenafiUser> UserAsync(Func<Operation, VenafiCredential> credential)
    {
        using var operation = Operation.Create(Calls.Client);
        var request = new VenafiUserRequest { server = server.Url(""), credential = credential(operation), allow_insecure_http = false, http = Calls.Http };
        using var answer = await operation.VenafiUser(request.Wire());
        return answer.Unwire();
    }

    private async Task<GovernanceAnswer> GovernanceAsync(Func<Operation, GovernanceCall> call)
    {
        using var operation = Operation.Create(Calls.Client);
        var request = new GovernanceRequest
        {
            call = call(operation),
            base_url = server.Url("/governance/"),
            client_secret = new GovernanceKey { key = operation.Secret("eyJ..."), prefix = null },
            user_principal_name = new GovernanceKey { key = Calls.Text("someone@example.com"), prefix = null },
            access_token = null,
            default_headers = [new Parameter { name = "X-Trace", content = Calls.Text("1") }],
            return_type = null,
            allow_insecure_http = false,
            http = Calls.Http,
        };
        using var answer = await operation.Governance(request.Wire());
        return answer.Unwire();
    }

    private static GovernanceCredential Credential(Operation operation, string secret) => new()
    {
        properties =
        [
            new GovernanceProperty { name = "ClientSecret", content = operation.Secret(secret), is_json = false },
            new GovernanceProperty { name = "UserPrincipalName", content = Calls.Text("MyUserPrincipalName"), is_json = false },
        ],
    };

    private VenafiTokenRequest Request(Operation operation, string jwt) => new()
    {
        endpoint = server.VenafiEndpoint,
        jwt = operation.Secret(jwt),
        allow_insecure_http = false,
        http = Calls.Http,
    };
}
