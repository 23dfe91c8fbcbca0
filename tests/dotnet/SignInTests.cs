using System.Net;
using System.Text;
using Xunit;

namespace TokenKit.Native.Tests;

public class SignInTests
{
    private static AuthorizationRequest Request(Operation operation, string? redirectUri, bool listen) => new()
    {
        endpoint = "https://as.example/authorize",
        client_id = "app",
        redirect_uri = redirectUri,
        response_type = null,
        response_mode = null,
        scope = "openid",
        without_pkce = false,
        parameters = [new Parameter { name = "state", content = operation.Secret("st") }],
        issuer = null,
        listen = listen,
        allow_insecure_http = false,
        http = Calls.Request("").http,
    };

    private static BrowserOptions NoBrowser => new() { disabled = true, command = null, environment = [] };

    private static PreparedAuthorization Prepare(Operation operation, string? redirectUri, bool listen)
    {
        using var wire = operation.PrepareAuthorization(Request(operation, redirectUri, listen).Wire());
        return wire.Unwire();
    }

    private static void Accept(Operation operation, string pasted)
    {
        using var lease = SliceByte.From(Encoding.UTF8.GetBytes(pasted));
        operation.AcceptAnswer(lease.Slice);
    }

    private static Task<(string Category, FailureDetail Detail)> FailureOfAsync(Action call) =>
        Calls.FailureOfAsync(() =>
        {
            call();
            return Task.CompletedTask;
        });

    [Fact]
    public async Task The_answer_is_listened_for()
    {
        using var operation = Operation.Create(Calls.Client);
        var prepared = Prepare(operation, null, listen: true);
        Assert.True(prepared.listening);
        Assert.Null(prepared.not_listening);
        Assert.Contains("state=st&", prepared.url, StringComparison.Ordinal);
        Assert.DoesNotContain("state=st&", prepared.masked_url, StringComparison.Ordinal);

        var call = operation.Authorize(new SignInOptions { browser = NoBrowser, timeout_ms = 60_000 }.Wire());
        using var browser = new HttpClient();
        using var refused = await browser.GetAsync(new Uri(prepared.redirect_uri + "?code=evil&state=other"));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        using var page = await browser.GetAsync(new Uri(prepared.redirect_uri + "?code=a%2Bb&state=st"));
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);

        using var wire = await call;
        var answer = wire.Unwire();
        var code = Assert.Single(answer.parameters);
        Assert.Equal(("code", "a+b"), (code.name, code.content));
        Assert.Equal((prepared.redirect_uri, prepared.nonce, prepared.code_verifier), (answer.redirect_uri, answer.nonce, answer.code_verifier));
        var kinds = (await operation.AllEventsAsync()).ConvertAll(item => item.kind);
        Assert.Contains(kinds, kind => kind.IsBrowserNotStarted);
        Assert.Contains(kinds, kind => kind.IsWaiting && kind.AsWaiting() <= 60_000);
        Assert.Contains(kinds, kind => kind.IsAnswerRefused);
    }

    [Fact]
    public async Task A_cancelled_sign_in_frees_its_port()
    {
        using var operation = Operation.Create(Calls.Client);
        var prepared = Prepare(operation, "http://localhost", listen: true);
        using var cancellation = new CancellationTokenSource();
        var call = operation.Authorize(new SignInOptions { browser = NoBrowser, timeout_ms = null }.Wire(), cancellation.Token);
        using (await operation.NextEvents())
        {
            // It waits.
        }
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        using var next = Operation.Create(Calls.Client);
        PreparedAuthorization? again = null;
        for (var attempt = 0; again is null && attempt < 100; attempt++)
        {
            try
            {
                again = Prepare(next, prepared.redirect_uri, listen: true);
            }
            catch (EnumException<Failure> failure)
            {
                // The task ends a moment after its cancellation is seen here.
                failure.Value.Dispose();
                await Task.Delay(50);
            }
        }
        Assert.Equal(prepared.redirect_uri, again?.redirect_uri);
    }

    [Fact]
    public async Task An_answer_may_be_brought_after_others_were_refused()
    {
        using var operation = Operation.Create(Calls.Client);
        var prepared = Prepare(operation, "myapp://auth", listen: true);
        Assert.False(prepared.listening);
        Assert.Contains("myapp://auth", prepared.not_listening, StringComparison.Ordinal);

        foreach (var (pasted, code) in new[] { ("c", "malformed_answer"), ("myapp://auth?code=c&state=x", "state_mismatch") })
        {
            var (category, detail) = await FailureOfAsync(() => Accept(operation, pasted));
            Assert.Equal(code, detail.code);
            Assert.NotEqual("Internal", category);
        }
        Accept(operation, "myapp://auth?code=c&state=st");
        using var wire = await operation.CompleteAuthorization();
        Assert.Equal("c", Assert.Single(wire.Unwire().parameters).content);
    }

    [Fact]
    public async Task Nothing_is_completed_that_was_not_prepared()
    {
        using var operation = Operation.Create(Calls.Client);
        var (_, unprepared) = await FailureOfAsync(() => Accept(operation, "https://localhost/?code=c&state=st"));
        Assert.Contains("No authorization request was prepared", unprepared.message, StringComparison.Ordinal);

        Prepare(operation, "https://localhost/", listen: true);
        var (_, unanswered) = await Calls.FailureOfAsync(async () => (await operation.CompleteAuthorization()).Dispose());
        Assert.Contains("No answer was accepted", unanswered.message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_says_no_is_a_failure_with_a_body()
    {
        using var operation = Operation.Create(Calls.Client);
        Prepare(operation, "https://localhost/", listen: false);
        Accept(operation, "https://localhost/?error=access_denied&error_description=No&state=st");

        var (category, detail) = await Calls.FailureOfAsync(async () => (await operation.CompleteAuthorization()).Dispose());

        Assert.Equal(("Server", "access_denied"), (category, detail.code));
        Assert.Equal("""{"error":"access_denied","error_description":"No"}""", detail.body);
        Assert.Null(detail.status);
    }

    [Fact]
    public async Task A_browser_that_is_not_there_is_told()
    {
        using var operation = Operation.Create(Calls.Client);
        var browser = new BrowserOptions { disabled = false, command = "/nowhere/browser", environment = [] };
        using var wire = await operation.OpenBrowser(new OpenRequest { url = "https://as.example/device", browser = browser }.Wire());
        var result = wire.Unwire();
        Assert.False(result.started);
        Assert.Contains("/nowhere/browser", result.text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_qr_code_is_drawn()
    {
        using var operation = Operation.Create(Calls.Client);
        using var wire = operation.DrawQr(new QrRequest { text = "https://as.example/device" }.Wire());
        var code = wire.Unwire();
        Assert.All(code.lines, line => Assert.Equal((int)code.width, line.Length));
        Assert.Matches("^█+$", code.lines[0]);
    }
}
