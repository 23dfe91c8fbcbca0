using System.Text;
using Xunit;

namespace TokenKit.Native.Tests;

public class JoseTests
{
    private const string Secret = "a secret of at least thirty-two bytes";

    [Fact]
    public async Task Key_pairs_sign_and_their_public_halves_verify()
    {
        foreach (var type in new[] { KeyType.Rsa, KeyType.P256, KeyType.P384, KeyType.P521, KeyType.Ed25519 })
        {
            using var made = Operation.Create(Calls.Client);
            using var wire = await made.MakeKeyPair(new KeyPairRequest { key_type = type, rsa_bits = null, key_id = null, common_name = null, certificate_days = null }.Wire());
            var pair = wire.Unwire();
            var token = (await SignAsync(operation => ClientAuthentication.PrivateKeyJwt(new PrivateKeyAssertion
            {
                key = operation.Secret(Encoding.UTF8.GetString([.. pair.private_pem])),
                password = null,
                key_id = pair.key_id,
                options = Calls.NoOptions,
            }))).token;

            var verdicts = await VerifyAsync(_ => JwtKeys.Key(new KeyInput { key = Calls.Text(pair.public_jwk), password = null }), token, token + "x");

            Assert.Equal([true, false], verdicts.Select(verdict => verdict.valid));
        }
    }

    [Fact]
    public async Task A_key_outside_signs_on_another_thread()
    {
        var signer = Environment.CurrentManagedThreadId;
        var signed = await SignAsync(operation =>
        {
            operation.SetSigner((algorithm, _) =>
            {
                signer = Environment.CurrentManagedThreadId;
                return new Signature { bytes = [.. algorithm.ReadOnlySpan], problem = null }.Wire();
            });
            return ClientAuthentication.ExternalKeyJwt(new ExternalKeyAssertion { key_type = KeyType.P256, key_id = null, certificate = [], options = Calls.NoOptions });
        });

        // base64url of "ES256", which is what this signer gives.
        Assert.EndsWith(".RVMyNTY", signed.token, StringComparison.Ordinal);
        Assert.NotEqual(Environment.CurrentManagedThreadId, signer);
    }

    [Fact]
    public async Task Verdicts_have_the_order_of_the_tokens_and_their_content_when_wanted()
    {
        var token = (await SignAsync(operation => ClientAuthentication.SecretJwt(new SharedSecretAssertion { secret = operation.Secret(Secret), options = Calls.NoOptions }))).token;
        var tokens = Enumerable.Range(0, 200).Select(number => number % 2 == 0 ? token : "opaque").ToArray();

        var verdicts = await VerifyAsync(operation => JwtKeys.Secret(new SharedSecret { secret = operation.Secret(Secret) }), tokens);

        Assert.Equal(tokens.Select(text => text == token), verdicts.Select(verdict => verdict.valid));
        Assert.Contains("\"iss\":\"app\"", verdicts[0].claims, StringComparison.Ordinal);
        Assert.Null(verdicts[1].claims);
        Assert.Equal("malformed_token", Assert.Single(verdicts[1].reasons).code);
    }

    [Fact]
    public void Tokens_keys_and_challenges_are_made_and_read_at_once()
    {
        using var operation = Operation.Create(Calls.Client);
        using var token = SliceByte.From(Encoding.UTF8.GetBytes("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln"));
        using (var decoded = operation.DecodeJwt(token.Slice))
        {
            Assert.Equal("{\"sub\":\"alice\"}", decoded.Unwire().claims);
        }
        using (var challenge = operation.MakePkceChallenge())
        {
            Assert.Equal(43, challenge.Unwire().code_verifier.Length);
        }
        using var opaque = SliceByte.From(Encoding.UTF8.GetBytes("opaque"));
        using var failure = Assert.Throws<EnumException<Failure>>(() => { operation.DecodeJwt(opaque.Slice); }).Value;
        Assert.Equal("malformed_token", failure.AsInvalidInput().Unwire().code);
    }

    [Fact]
    public async Task A_check_is_cancelled_while_it_waits_for_keys()
    {
        using var server = new ScriptedServer(body: null);
        using var stopping = new CancellationTokenSource();
        var token = (await SignAsync(operation => ClientAuthentication.SecretJwt(new SharedSecretAssertion { secret = operation.Secret(Secret), options = Calls.NoOptions }))).token;

        var check = VerifyAsync(_ => JwtKeys.JwksUri(new KeyAddress { url = server.Endpoint }), stopping.Token, token);
        await server.Received;
        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => check);
    }

    private static async Task<SignedJwt> SignAsync(Func<Operation, ClientAuthentication> authentication)
    {
        using var operation = Operation.Create(Calls.Client);
        using var wire = await operation.SignJwt(new JwtSignRequest
        {
            authentication = authentication(operation),
            issuer = "app",
            subject = "app",
            audience = "https://as.example",
            jwt_id = null,
            claims = null,
        }.Wire());
        return wire.Unwire();
    }

    private static Task<List<JwtVerdict>> VerifyAsync(Func<Operation, JwtKeys> keys, params string[] tokens) =>
        VerifyAsync(keys, CancellationToken.None, tokens);

    private static async Task<List<JwtVerdict>> VerifyAsync(Func<Operation, JwtKeys> keys, CancellationToken stopping, params string[] tokens)
    {
        using var operation = Operation.Create(Calls.Client);
        using var wire = await operation.VerifyJwts(
            new JwtVerifyRequest
            {
                tokens = [.. tokens],
                keys = keys(operation),
                expect = null,
                with_content = true,
                allow_insecure_http = false,
                http = Calls.Request("").http,
            }.Wire(),
            stopping);
        return wire.Unwire().verdicts;
    }
}
