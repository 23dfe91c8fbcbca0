using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Gets the metadata of an authorization server (OpenID Connect Discovery, RFC 8414).</summary>
[Cmdlet(VerbsCommon.Get, "OidcDiscoveryMetadata", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-OidcDiscoveryMetadata.md")]
[OutputType(Output.MetadataType)]
#pragma warning disable CA1707, IDE1006 // The parameter has the name that scripts know.
public sealed class GetOidcDiscoveryMetadata : NetworkCmdlet
{
    /// <summary>The issuer, with or without <c>https://</c>, or the full address of its metadata.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ArgumentCompleter(typeof(IssuerCompleter))]
    public object? uri { get; set; }
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override string? Endpoint => Address;

    private string? Address => Secrets.Unwrap(uri) switch
    {
        Uri address => address.OriginalString,
        var other => other?.ToString(),
    };

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (Address is not { Length: > 0 } issuer)
        {
            throw Failures.Invalid("-uri is empty: give the issuer, or the address of its metadata.");
        }
        Send(
            call => new MetadataRequest
            {
                issuer = issuer,
                allow_insecure_http = AllowUnencryptedAuthentication,
                http = HttpOptions(call),
            },
            (operation, request) => operation.Metadata(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "metadata",
            metadata => KnownServers.Remember(Output.Object(metadata.body, Output.MetadataType)));
    }
}
