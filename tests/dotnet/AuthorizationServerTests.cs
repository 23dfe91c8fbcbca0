using System.Text.Json;
using Xunit;

namespace TokenKit.Native.Tests;

/// <summary>Against a server that refuses what the RFCs refuse.</summary>
public sealed class AuthorizationServerTests(TestServer server) : IClassFixture<TestServer>
{
    [Fact]
    public async Task Client_credentials_in_the_header()
    {
        using var operation = Operation.Create(Calls.Client);
        var request = Request("special client:1");
        request.authentication = ClientAuthentication.SecretBasic(new SharedSecret { secret = operation.Secret("p@ss:w+rd/%41&=ü") });
        request.scope = "api";

        var token = Parse(await operation.TokenAsync(request));

        Assert.NotEmpty(Member(token, "access_token"));
        Assert.Equal("Bearer", Member(token, "token_type"));
    }

    [Fact]
    public async Task A_code_is_redeemed_once()
    {
        // The verifier and challenge of RFC 7636 appendix B.
        var code = await server.CodeAsync(new
        {
            client_id = "public-client",
            redirect_uri = "http://localhost/cb",
            scope = "openid",
            nonce = "n",
            code_challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        });

        Assert.NotEmpty(Member(Parse(await RedeemAsync()), "id_token"));
        var (category, detail) = await Calls.FailureOfAsync(RedeemAsync);
        Assert.Equal(("Server", "invalid_grant"), (category, detail.code));
        Assert.DoesNotContain(code, detail.message + detail.body, StringComparison.Ordinal);

        async Task<TokenResponse> RedeemAsync()
        {
            using var operation = Operation.Create(Calls.Client);
            var request = Request("public-client");
            request.grant = Grant.AuthorizationCode(new AuthorizationCodeGrant
            {
                code = operation.Secret(code),
                code_verifier = operation.Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            });
            request.redirect_uri = "http://localhost/cb";
            request.nonce = "n";
            return await operation.TokenAsync(request);
        }
    }

    [Fact]
    public async Task A_password_gives_a_refresh_token_that_rotates()
    {
        using var first = Operation.Create(Calls.Client);
        var request = Request("rotating-client");
        request.grant = Grant.Password(new PasswordGrant { username = "alice", password = first.Secret("wonderland") });
        request.authentication = ClientAuthentication.SecretPost(new SharedSecret { secret = first.Secret("rotating-secret") });
        var refreshToken = Member(Parse(await first.TokenAsync(request)), "refresh_token");

        using var second = Operation.Create(Calls.Client);
        request.grant = Grant.RefreshToken(new RefreshTokenGrant { refresh_token = second.Secret(refreshToken) });
        request.authentication = ClientAuthentication.SecretPost(new SharedSecret { secret = second.Secret("rotating-secret") });
        Assert.NotEqual(refreshToken, Member(Parse(await second.TokenAsync(request)), "refresh_token"));
    }

    [Fact]
    public async Task A_device_flow_ends_when_the_user_agrees()
    {
        var device = await server.StartDeviceAsync("demo-client", "demo-secret");
        using var operation = Operation.Create(Calls.Client);
        var request = Request("demo-client");
        request.grant = Grant.DeviceCode(new DeviceCodeGrant { device_code = operation.Secret(Member(device, "device_code")) });
        request.authentication = ClientAuthentication.SecretBasic(new SharedSecret { secret = operation.Secret("demo-secret") });
        var polling = new DeviceTokenRequest { request = request, interval = 1, expires_in = 60 };

        var call = operation.DeviceToken(polling.Wire());
        bool pending;
        do
        {
            using var wire = await operation.NextEvents();
            pending = wire.Unwire().Exists(item => item.kind.IsPending);
        }
        while (!pending);
        await server.ActAsync(Member(device, "user_code"), "approve");

        using var answer = await call;
        Assert.NotEmpty(Member(Parse(answer.Unwire()), "access_token"));
    }

    [Fact]
    public async Task A_private_authority_is_trusted_when_its_file_is_given()
    {
        var request = Calls.Request(server.TlsUrl("/echo-token"));

        var (category, detail) = await Calls.FailureOfAsync(request);
        Assert.Equal(("Transport", "tls_failed"), (category, detail.code));

        request.http.certificate_authority = server.CertificateAuthority;
        using var operation = Operation.Create(Calls.Client);
        Assert.Equal(200, (await operation.TokenAsync(request)).status);
    }

    [Fact]
    public async Task A_proxy_carries_the_request()
    {
        using var operation = Operation.Create(Calls.Client);
        var request = Calls.Request("http://as.example/echo-token");
        request.allow_insecure_http = true;
        request.http.proxy = Proxy.Explicit(new ExplicitProxy { url = server.Url(""), credentials = null });

        Assert.Equal(200, (await operation.TokenAsync(request)).status);
    }

    private TokenRequest Request(string clientId)
    {
        var request = Calls.Request(server.Url("/token"));
        request.client_id = clientId;
        return request;
    }

    private static JsonElement Parse(TokenResponse response) => JsonDocument.Parse(response.body).RootElement;

    private static string Member(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
