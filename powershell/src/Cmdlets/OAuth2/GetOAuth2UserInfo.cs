using System.Collections;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Asks who the user of an access token is (OpenID Connect Core section 5.3).</summary>
[Cmdlet(VerbsCommon.Get, "OAuth2UserInfo", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-OAuth2UserInfo.md")]
[OutputType(Output.UserInfoType)]
#pragma warning disable CA1707, IDE1006 // The parameters have the names of the protocol.
public sealed class GetOAuth2UserInfo : NetworkCmdlet
{
    /// <summary>The userinfo endpoint; that of the issuer's metadata when absent.</summary>
    [Parameter(Position = 0)]
    [ArgumentCompleter(typeof(UserInfoEndpointCompleter))]
    public string? uri { get; set; }

    /// <summary>The access token: a string, a SecureString, a PSCredential, or the object that holds it.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true)]
    [Alias("AccessToken")]
    public object? access_token { get; set; }

    /// <summary>The ID token of the same sign-in: the answer must be about its subject.</summary>
    [Parameter]
    [Alias("IdToken")]
    public object? id_token { get; set; }

    /// <summary>The subject that the answer must be about.</summary>
    [Parameter]
    public string? sub { get; set; }

    /// <summary>The issuer: its endpoint is used where none is given, and its keys verify a signed answer.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(IssuerCompleter))]
    public string? issuer { get; set; }

    /// <summary>The client that a signed answer must be for.</summary>
    [Parameter]
    [Alias("ClientId")]
    public string? client_id { get; set; }
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    private protected override string? Endpoint => WithoutQuery(string.IsNullOrEmpty(uri) ? issuer : uri);

    /// <inheritdoc/>
    private protected override void Process() => Send(
        Request,
        (operation, request) => operation.UserInfo(request.Wire(), Cancellation),
        wire => wire.Unwire(),
        "userinfo",
        response => Output.Object(response.claims, Output.UserInfoType));

    private UserInfoRequest Request(Call call)
    {
        if (string.IsNullOrEmpty(uri) && string.IsNullOrEmpty(issuer))
        {
            throw Failures.Invalid("Give the userinfo endpoint as -uri, or -issuer to find it in the metadata.");
        }
        object? idToken = id_token ?? Member(nameof(id_token));
        return new UserInfoRequest
        {
            endpoint = string.IsNullOrEmpty(uri) ? null : uri,
            issuer = string.IsNullOrEmpty(issuer) ? null : issuer,
            access_token = call.Put(Member(nameof(access_token)) ?? access_token, nameof(access_token)),
            client_id = string.IsNullOrEmpty(client_id) ? null : client_id,
            subject = string.IsNullOrEmpty(sub) ? null : sub,
            id_token = Secrets.IsAbsent(idToken) ? null : call.Put(idToken, nameof(id_token)),
            headers = [],
            allow_insecure_http = AllowUnencryptedAuthentication,
            http = HttpOptions(call),
        };
    }

    /// <summary>A member of the object that was given in place of the access token.</summary>
    private object? Member(string name) => Secrets.Unwrap(access_token) switch
    {
        IDictionary dictionary => dictionary[name],
        PSCustomObject => ((PSObject)access_token!).Properties[name]?.Value,
        _ => null,
    };
}
