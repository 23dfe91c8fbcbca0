using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Xunit;

namespace TokenKit.Native.Tests;

public class SigningTests
{
    [Fact]
    public async Task An_rsa_key_in_dotnet_signs()
    {
        using var rsa = RSA.Create(2048);
        var (input, signature, header) = await AssertionAsync(
            KeyType.Rsa,
            (algorithm, message) => Name(algorithm) == "RS256"
                ? rsa.SignData(message.ReadOnlySpan, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                : throw new NotSupportedException());

        Assert.True(rsa.VerifyData(input, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        Assert.Equal("RS256", header.GetProperty("alg").GetString());
        Assert.Equal("key-1", header.GetProperty("kid").GetString());
        Assert.Equal(Base64Url(SHA256.HashData([1, 2, 3])), header.GetProperty("x5t#S256").GetString());
    }

    [Fact]
    public async Task An_elliptic_curve_key_in_dotnet_signs()
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var (input, signature, header) = await AssertionAsync(
            KeyType.P384, (_, message) => ecdsa.SignData(message.ReadOnlySpan, HashAlgorithmName.SHA384));

        Assert.True(ecdsa.VerifyData(input, signature, HashAlgorithmName.SHA384));
        Assert.Equal("ES384", header.GetProperty("alg").GetString());
    }

    [Fact]
    public async Task An_exception_in_the_callback_is_a_failure()
    {
        var (category, detail) = await FailureAsync((_, _) => throw new CryptographicException("no card"));

        Assert.Equal(("Internal", "signing_failed"), (category, detail.code));
    }

    [Fact]
    public async Task A_problem_of_the_callback_is_told()
    {
        var (category, detail) = await FailureAsync((_, _) => new Signature { bytes = [], problem = "no card" }.Wire());

        Assert.Equal(("Internal", "signing_failed"), (category, detail.code));
        Assert.Contains("no card", detail.message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_outside_without_callback_is_refused()
    {
        var (category, _) = await FailureAsync(callback: null);

        Assert.Equal("InvalidInput", category);
    }

    [Fact]
    public async Task The_callback_is_kept_as_long_as_its_operation()
    {
        var operation = Operation.Create(Calls.Client);
        var callback = SetSigner(operation);
        Collect();
        Assert.True(callback.IsAlive);

        operation.Dispose();
        for (var i = 0; i < 50 && callback.IsAlive; i++)
        {
            await Task.Delay(20);
            Collect();
        }
        Assert.False(callback.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference SetSigner(Operation operation)
    {
        var marker = new object();
        SignCallbackDelegate callback = (_, _) => throw new InvalidOperationException(marker.ToString());
        operation.SetSigner(callback);
        return new WeakReference(callback);
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    private static TokenRequest Request(string endpoint, KeyType type)
    {
        var request = Calls.Request(endpoint);
        request.authentication = ClientAuthentication.ExternalKeyJwt(new ExternalKeyAssertion
        {
            key_type = type,
            key_id = "key-1",
            certificate = [1, 2, 3],
            options = Calls.NoOptions,
        });
        return request;
    }

    private static async Task<(byte[] Input, byte[] Signature, JsonElement Header)> AssertionAsync(
        KeyType type, Func<SliceByte, SliceByte, byte[]> sign)
    {
        using var server = new ScriptedServer("""{"access_token":"t"}""");
        using var operation = Operation.Create(Calls.Client);
        operation.SetSigner((algorithm, message) =>
            new Signature { bytes = [.. sign(algorithm, message)], problem = null }.Wire());
        await operation.TokenAsync(Request(server.Endpoint, type));
        var parts = (await server.FormAsync())["client_assertion"].Split('.');
        var header = JsonDocument.Parse(FromBase64Url(parts[0])).RootElement;
        return (Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), FromBase64Url(parts[2]), header);
    }

    private static Task<(string Category, FailureDetail Detail)> FailureAsync(SignCallbackDelegate? callback) =>
        Calls.FailureOfAsync(async () =>
        {
            using var operation = Operation.Create(Calls.Client);
            if (callback is not null)
            {
                operation.SetSigner(callback);
            }
            await operation.TokenAsync(Request("https://as.example/token", KeyType.Rsa));
        });

    private static string Name(SliceByte algorithm) => Encoding.ASCII.GetString(algorithm.ReadOnlySpan);

    private static string Base64Url(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static byte[] FromBase64Url(string text)
    {
        var padded = text.Replace('-', '+').Replace('_', '/');
        return Convert.FromBase64String(padded.PadRight((padded.Length + 3) / 4 * 4, '='));
    }
}
