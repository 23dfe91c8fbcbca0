using System.Collections;
using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>Returns a session with Venafi's service, its token renewed when that is about to expire.</summary>
[Cmdlet(VerbsCommon.Get, "VenafiSession", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-VenafiSession.md")]
[OutputType(VcSession.SessionType)]
[OutputType(typeof(Hashtable))]
public sealed class GetVenafiSession : VenafiSessionCmdlet
{
    /// <summary>A session, an API key, or with -VcRegion an access token; the session of the module when absent.</summary>
    [Parameter]
    [Alias("Key", "AccessToken")]
    [ValidateNotNullOrEmpty]
    public PSObject? VenafiSession { get; set; }

    /// <summary>The region of an API key or access token.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string? VcRegion { get; set; }

    /// <summary>Returns the header that a request needs, for Invoke-RestMethod -Headers.</summary>
    [Parameter]
    public SwitchParameter AsHeaders { get; set; }

    /// <summary>Leaves the token as it is.</summary>
    [Parameter]
    public SwitchParameter NoRenewal { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        PSObject session = VenafiSession is null ? CurrentSession() : SessionOf(VenafiSession, VcRegion);
        if (!NoRenewal)
        {
            Renew(session);
        }
        WriteObject(AsHeaders ? Headers(session) : session, enumerateCollection: false);
    }

    private static RequestHeaders Headers(PSObject session) => VcSession.Value(session, VcSession.Key) is { } key
        ? RequestHeaders.ApiKey(Secrets.Reveal(key, "Key"))
        : RequestHeaders.Bearer(Secrets.Reveal(AccessTokenOf(session), "AccessToken"));
}
