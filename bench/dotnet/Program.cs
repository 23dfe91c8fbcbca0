using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

using TokenKit.Native;

// The contenders of the bench that run in .NET without PowerShell: the binding in a bare loop, and
// Microsoft.IdentityModel.JsonWebTokens.
//
// TokenKit.Bench <token endpoint> <folder with tokens> <native library>
//
// Jobs and answers as in crates/tokenkit-bench.
if (args is not [string endpoint, string folder, string library])
{
    Console.Error.WriteLine("usage: TokenKit.Bench <token endpoint> <folder> <native library>");
    return 2;
}
NativeLibrary.SetDllImportResolver(typeof(TokenClient).Assembly, (name, _, _) => name == "tokenkit" ? NativeLibrary.Load(library) : IntPtr.Zero);
var client = new Lazy<TokenClient>(TokenClient.Create);
while (Console.ReadLine() is { } line)
{
    string[] words = line.Split(' ');
    int count = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : 1;
    try
    {
        TimeSpan time = words[0] switch
        {
            "binding" => Time(count, _ => RequestToken()),
            "verify" => Verify(count, words[2]),
            "decode" => Decode(count),
            _ => throw new ArgumentException($"there is no job '{words[0]}'"),
        };
        Console.WriteLine(time.TotalSeconds.ToString("R", CultureInfo.InvariantCulture));
    }
    catch (Exception e)
    {
        Console.WriteLine($"error: {e.GetBaseException().Message.ReplaceLineEndings(" ")}");
    }
}
return 0;

static TimeSpan Time(int count, Action<int> work)
{
    long started = Stopwatch.GetTimestamp();
    for (int number = 0; number < count; number++)
    {
        work(number);
    }
    return Stopwatch.GetElapsedTime(started);
}

// As a host does that shows no events.
void RequestToken()
{
    using var operation = Operation.Create(client.Value);
    using var secret = SliceByte.From(Encoding.UTF8.GetBytes("demo-secret"));
    var request = new TokenRequest
    {
        endpoint = endpoint,
        client_id = "demo-client",
        grant = Grant.ClientCredentials,
        authentication = ClientAuthentication.SecretPost(new SharedSecret
        {
            secret = new SecretInput { slot = operation.PutSecret(secret.Slice), text = null },
        }),
        redirect_uri = null,
        scope = "api.read",
        nonce = null,
        issuer = null,
        parameters = [],
        headers = [],
        allow_insecure_http = false,
        http = new HttpOptions
        {
            connect_timeout_ms = null,
            timeout_ms = null,
            proxy = Proxy.None,
            certificate_authority = null,
            skip_certificate_check = false,
            max_retries = null,
            rehearse = false,
        },
    };
    using WireOfTokenResponse answer = operation.Token(request.Wire(), CancellationToken.None).GetAwaiter().GetResult();
    if (answer.Unwire().status != 200)
    {
        throw new InvalidOperationException("the server refused");
    }
}

// On all cores, as the cmdlet does it.
TimeSpan Verify(int count, string algorithm)
{
    string[] tokens = File.ReadAllLines(Path.Combine(folder, $"{algorithm}.txt"));
    var handler = new JsonWebTokenHandler();
    var expected = new TokenValidationParameters
    {
        IssuerSigningKey = new JsonWebKey(File.ReadAllText(Path.Combine(folder, $"{algorithm}.jwk"))),
        ValidateIssuer = false,
        ValidateAudience = false,
    };
    long started = Stopwatch.GetTimestamp();
    Parallel.For(0, count, number =>
    {
        TokenValidationResult result = handler.ValidateTokenAsync(tokens[number % tokens.Length], expected).GetAwaiter().GetResult();
        if (!result.IsValid)
        {
            throw new InvalidOperationException(result.Exception.Message);
        }
    });
    return Stopwatch.GetElapsedTime(started);
}

TimeSpan Decode(int count)
{
    string[] tokens = File.ReadAllLines(Path.Combine(folder, "ES256.txt"));
    var handler = new JsonWebTokenHandler();
    return Time(count, number => handler.ReadJsonWebToken(tokens[number % tokens.Length]));
}
