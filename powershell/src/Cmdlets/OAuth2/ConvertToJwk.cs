using System.Management.Automation;
using System.Text;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Writes a key as JSON Web Key (RFC 7517).</summary>
[Cmdlet(VerbsData.ConvertTo, "Jwk", DefaultParameterSetName = KeySet, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/ConvertTo-Jwk.md")]
[OutputType(Output.JwkType)]
[OutputType(typeof(System.Security.SecureString))]
#pragma warning disable CA1707, IDE1006 // The parameter has the name of the protocol.
public sealed class ConvertToJwk : TokenKitCmdlet
{
    private const string KeySet = "key";
    private const string ClientSecretSet = "client_secret";

    /// <summary>The key: certificate, key object, path, thumbprint, PEM text or JWK.</summary>
    [Parameter(ParameterSetName = KeySet, Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public object? Key { get; set; }

    /// <summary>The password of an encrypted private key: a SecureString, a string or a PSCredential.</summary>
    [Parameter(ParameterSetName = KeySet)]
    public object? Password { get; set; }

    /// <summary>A shared secret: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = ClientSecretSet, Mandatory = true)]
    [Alias("ClientSecret")]
    public object? client_secret { get; set; }
#pragma warning restore CA1707, IDE1006

    /// <summary>The name of the key; its own or its thumbprint (RFC 7638) when absent.</summary>
    [Parameter]
    public string? KeyId { get; set; }

    /// <summary>Writes the private members, too: as SecureString.</summary>
    [Parameter]
    public SwitchParameter IncludePrivate { get; set; }

    /// <summary>Returns private members as an object that everyone can read.</summary>
    [Parameter]
    public SwitchParameter AsPlainText { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        bool isSecret = ParameterSetName == ClientSecretSet;
        using SecretBuffer data = isSecret
            ? Secrets.Read(client_secret, nameof(client_secret))
            : SigningKey.Read(this, Key, nameof(Key), IncludePrivate);
        using var call = new Call();
        var request = new JwkRequest
        {
            key = new KeyInput
            {
                key = call.Put(data.Span),
                password = Secrets.IsAbsent(Password) ? null : call.Put(Password, nameof(Password)),
            },
            is_shared_secret = isSecret,
            key_id = string.IsNullOrEmpty(KeyId) ? null : KeyId,
            include_private = IncludePrivate,
        };
        Jwk jwk = call.Run(operation => operation.WriteJwk(request.Wire()), wire => wire.Unwire());
        if (jwk.weakness is { } weakness)
        {
            WriteWarning(weakness);
        }
        using SecretBuffer json = SecretBuffer.Take(jwk.jwk);
        WriteObject(IncludePrivate && !AsPlainText ? json.ToSecureString() : Output.Object(Encoding.UTF8.GetString(json.Span), Output.JwkType));
    }
}
