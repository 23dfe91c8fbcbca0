using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Xunit;

namespace TokenKit.Native.Tests;

/// <summary>The authorization server of the repository, in a process of its own.</summary>
public sealed class TestServer : IDisposable
{
    private readonly Process _process;
    private readonly JsonElement _ready;
    private readonly HttpClient _http = new();

    public TestServer()
    {
        var start = new ProcessStartInfo(Native.TestServer) { RedirectStandardInput = true, RedirectStandardOutput = true };
        _process = Process.Start(start) ?? throw new InvalidOperationException("The test server did not start.");
        var line = _process.StandardOutput.ReadLine();
        _ready = JsonDocument.Parse(line ?? throw new InvalidOperationException("The test server said nothing.")).RootElement;
    }

    public string CertificateAuthority => Text("certificate_authority");

    public string Url(string path) => Text("http") + path;

    public string TlsUrl(string path) => Text("https") + path;

    /// <summary>Makes an authorization code.</summary>
    public async Task<string> CodeAsync(object request) =>
        (await PostAsync("/control/code", JsonContent.Create(request))).GetProperty("code").GetString()!;

    /// <summary>Starts a device flow for a client with a secret.</summary>
    public Task<JsonElement> StartDeviceAsync(string clientId, string secret) => PostAsync(
        "/device_authorization",
        new FormUrlEncodedContent(new Dictionary<string, string> { ["client_id"] = clientId, ["client_secret"] = secret }));

    /// <summary>Lets the user of a device flow act.</summary>
    public Task ActAsync(string userCode, string action) =>
        PostAsync("/control/device", JsonContent.Create(new { user_code = userCode, action }));

    /// <summary>The token endpoint of a service account at Venafi's service.</summary>
    public string VenafiEndpoint => _ready.GetProperty("venafi").GetProperty("endpoint").GetString()!;

    /// <summary>Makes a JWT for that service account.</summary>
    public async Task<string> VenafiJwtAsync(int expiresIn) =>
        (await PostAsync("/control/venafi/jwt", JsonContent.Create(new { expires_in = expiresIn }))).GetProperty("jwt").GetString()!;

    /// <summary>How many requests are being answered.</summary>
    public async Task<int> OpenAsync() =>
        (await _http.GetFromJsonAsync<JsonElement>(Url("/control/open"))).GetProperty("open").GetInt32();

    public void Dispose()
    {
        // The server ends with its input.
        _process.StandardInput.Close();
        if (!_process.WaitForExit(5000))
        {
            _process.Kill();
        }
        _process.Dispose();
        _http.Dispose();
    }

    private string Text(string name) => _ready.GetProperty(name).GetString()!;

    private async Task<JsonElement> PostAsync(string path, HttpContent content)
    {
        using var response = await _http.PostAsync(Url(path), content);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}
