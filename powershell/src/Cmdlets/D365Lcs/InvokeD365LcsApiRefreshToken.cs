using System.Collections;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Gets a new token for the LCS API by a refresh token (RFC 6749 section 6).</summary>
[Cmdlet(VerbsLifecycle.Invoke, "D365LcsApiRefreshToken", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Invoke-D365LcsApiRefreshToken.md")]
[OutputType(Output.TokenResponseType)]
public sealed class InvokeD365LcsApiRefreshToken : LcsTokenCmdlet
{
    private const string ObjectSet = "Object";
    private const string SimpleSet = "Simple";

    /// <summary>The client that the refresh token was issued to.</summary>
    [Parameter(ParameterSetName = SimpleSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ObjectSet, Mandatory = true)]
    [Alias("C")]
    [AllowEmptyString]
    public string ClientId { get; set; } = "";

    /// <summary>The refresh token.</summary>
    [Parameter(ParameterSetName = SimpleSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("Token", "refresh_token", "T", "R", "Re")]
    [AllowEmptyString]
    [SecretText]
    public string RefreshToken { get; set; } = "";

    /// <summary>A token, as <c>Get-D365LcsApiToken</c> returns it.</summary>
    [Parameter(ParameterSetName = ObjectSet)]
    public PSObject? InputObject { get; set; }

    /// <summary>The address of the LCS API that the token is for.</summary>
    [Parameter(ParameterSetName = SimpleSet, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = ObjectSet)]
    [Alias("resource")]
    [ArgumentCompleter(typeof(LcsAddressCompleter))]
    public string? LcsApiUri { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        string? refreshToken = Given(RefreshToken) ?? Member("refresh_token") ?? Member("refreshtoken");
        if (Given(ClientId) is not { } client)
        {
            throw NoClientId();
        }
        if (refreshToken is null)
        {
            throw NoRefreshToken();
        }
        RequestToken(
            call => new LcsRefreshRequest
            {
                store = StoreEnvironment.Options(call),
                client_id = client,
                refresh_token = call.Put(refreshToken),
                lcs_api_uri = Given(LcsApiUri) ?? Member("resource") ?? Member("lcsapiuri"),
                authority = LcsAuthority,
                http = HttpOptions(call),
            },
            (operation, request) => operation.LcsRefresh(request.Wire(), Cancellation),
            "refresh_token");
    }

    /// <summary>A property of the object, or an entry of the dictionary; <c>null</c> when it is empty.</summary>
    private string? Member(string name) => Given(Secrets.Unwrap(
        InputObject?.BaseObject is IDictionary entries ? entries[name] : InputObject?.Properties[name]?.Value) as string);
}
