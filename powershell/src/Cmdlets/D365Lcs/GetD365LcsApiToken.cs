using System.Management.Automation;
using System.Security;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Gets a token for the LCS API with user name and password (RFC 6749 section 4.3).</summary>
[Cmdlet(VerbsCommon.Get, "D365LcsApiToken", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-D365LcsApiToken.md")]
[OutputType(Output.TokenResponseType)]
public sealed class GetD365LcsApiToken : LcsTokenCmdlet
{
    /// <summary>The client; the configured one when absent.</summary>
    [Parameter(Position = 0)]
    [Alias("C")]
    public string? ClientId { get; set; }

    /// <summary>The user.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string Username { get; set; } = "";

    /// <summary>The password: a string, a SecureString or a PSCredential.</summary>
    [Parameter(Mandatory = true, Position = 2)]
    [Alias("P")]
    [Password]
    public SecureString? Password { get; set; }

    /// <summary>The address of the LCS API; the configured one when absent.</summary>
    [Parameter(Position = 3)]
    [ArgumentCompleter(typeof(LcsAddressCompleter))]
    public string? LcsApiUri { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        RequestToken(
            call => new LcsTokenRequest
            {
                store = StoreEnvironment.Options(call),
                client_id = Given(ClientId),
                username = Username,
                password = call.Put(Password, nameof(Password)),
                lcs_api_uri = Given(LcsApiUri),
                authority = LcsAuthority,
                http = HttpOptions(call),
            },
            (operation, request) => operation.LcsToken(request.Wire(), Cancellation),
            "password");
    }
}
