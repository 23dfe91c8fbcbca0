using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TokenKit.Native.Tests;

/// <summary>A loopback HTTP server that gives one answer to everything, or none, and keeps what it was sent.</summary>
internal sealed class ScriptedServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly byte[]? _answer;
    private readonly TaskCompletionSource _disconnected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _received = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="body">The JSON text of the answer; null keeps the client waiting.</param>
    /// <param name="status">The status line after the version.</param>
    public ScriptedServer(string? body, string status = "200 OK")
    {
        if (body is not null)
        {
            _answer = Encoding.UTF8.GetBytes(
                $"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Request: 7\r\nConnection: close\r\n"
                + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");
        }
        _listener.Start();
        _ = AcceptAsync();
    }

    public string Endpoint => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/token";

    /// <summary>The first request, headers and body.</summary>
    public Task<string> Received => _received.Task;

    /// <summary>Ends when a client has gone away without an answer.</summary>
    public Task Disconnected => _disconnected.Task;

    /// <summary>The form of the first request.</summary>
    public async Task<Dictionary<string, string>> FormAsync()
    {
        var request = await Received;
        return request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]
            .Split('&')
            .Select(pair => pair.Split('='))
            .ToDictionary(pair => pair[0], pair => WebUtility.UrlDecode(pair[1]));
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _ = ServeAsync(client);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        var stream = client.GetStream();
        var request = new StringBuilder();
        var buffer = new byte[8192];
        while (!IsComplete(request.ToString()))
        {
            var count = await stream.ReadAsync(buffer, _stop.Token);
            if (count == 0)
            {
                return;
            }
            request.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }
        _received.TrySetResult(request.ToString());
        if (_answer is not null)
        {
            await stream.WriteAsync(_answer, _stop.Token);
            return;
        }
        try
        {
            while (await stream.ReadAsync(buffer, _stop.Token) > 0)
            {
            }
        }
        catch (IOException)
        {
            // Reset instead of closed: gone as well.
        }
        _disconnected.TrySetResult();
    }

    private static bool IsComplete(string request)
    {
        var end = request.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
        {
            return false;
        }
        var length = request[..end].Split("\r\n")
            .FirstOrDefault(line => line.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase));
        return length is null || request.Length - end - 4 >= int.Parse(length[15..], null);
    }
}
