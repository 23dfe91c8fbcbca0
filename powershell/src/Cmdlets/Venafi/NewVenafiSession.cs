using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Security;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Makes a session with Venafi's service (TLSPC), by an API key or for a service account.</summary>
[Cmdlet(VerbsCommon.New, "VenafiSession", DefaultParameterSetName = RefreshSet, SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/New-VenafiSession.md")]
[OutputType(VcSession.SessionType)]
public sealed class NewVenafiSession : VenafiCmdlet
{
    private const string KeySet = "Vc";
    private const string VaultKeySet = "VaultVcKey";
    private const string TokenSet = "VcToken";
    private const string PathSet = "VcTokenPath";
    private const string ScriptSet = "VcTokenScript";
    private const string VaultTokenSet = "VaultVcToken";
    // The default, because it shares no parameter with others that would have to be told apart; without its switch an error.
    private const string RefreshSet = "RefreshSession";
    private const string OnPremisesSet = "OnPremises";

    /// <summary>The API key of a user: a string, a SecureString or a PSCredential.</summary>
    [Parameter(ParameterSetName = KeySet, Mandatory = true)]
    [Alias("VaasKey")]
    public PSObject? VcKey { get; set; }

    /// <summary>Where the user's account is.</summary>
    [Parameter(ParameterSetName = KeySet)]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string VcRegion { get; set; } = "us";

    /// <summary>The name of the key in the vault: it is kept there with -VcKey, and taken from there without.</summary>
    [Parameter(ParameterSetName = KeySet)]
    [Parameter(ParameterSetName = VaultKeySet, Mandatory = true)]
    [Alias("VaultVaasKeyName")]
    public string? VaultVcKeyName { get; set; }

    /// <summary>The token endpoint of the service account.</summary>
    [Parameter(ParameterSetName = TokenSet, Mandatory = true)]
    [Parameter(ParameterSetName = PathSet, Mandatory = true)]
    [Parameter(ParameterSetName = ScriptSet, Mandatory = true)]
    public string VcEndpoint { get; set; } = "";

    /// <summary>The JWT of the workload: a string, a SecureString or a PSCredential.</summary>
    // The aliases keep abbreviations unambiguous that the two below would take away.
    [Parameter(ParameterSetName = TokenSet, Mandatory = true)]
    [Alias("j", "jw")]
    public object? Jwt { get; set; }

    /// <summary>A file that holds the JWT, read again for each renewal.</summary>
    [Parameter(ParameterSetName = PathSet, Mandatory = true)]
    public string? JwtPath { get; set; }

    /// <summary>A script block that returns the JWT, run again for each renewal.</summary>
    [Parameter(ParameterSetName = ScriptSet, Mandatory = true)]
    public ScriptBlock? JwtScript { get; set; }

    /// <summary>The name of JWT and token in the vault: they are kept there with -Jwt, and taken from there without.</summary>
    [Parameter(ParameterSetName = TokenSet)]
    [Parameter(ParameterSetName = VaultTokenSet, Mandatory = true)]
    public string? VcSecretName { get; set; }

    /// <summary>Gets a new token for the session of the module.</summary>
    [Parameter(ParameterSetName = RefreshSet)]
    public SwitchParameter RefreshSession { get; set; }

    /// <summary>A server on premises, which these cmdlets do not work with.</summary>
    [Parameter(ParameterSetName = OnPremisesSet, Mandatory = true, DontShow = true)]
    [Alias("ServerUrl", "Url")]
    public string? Server { get; set; }

    /// <summary>What goes with it.</summary>
    [Parameter(ParameterSetName = OnPremisesSet, ValueFromRemainingArguments = true, DontShow = true)]
    public PSObject? OnPremisesParameters { get; set; }

    /// <summary>How many seconds requests of the session may take; 0 for no limit.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int TimeoutSec { get; set; }

    /// <summary>Returns the session, and leaves that of the module as it is.</summary>
    // The alias keeps an abbreviation unambiguous that -Proxy would take away.
    [Parameter]
    [Alias("P")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override TimeSpan TimeLimit(PSObject? session) =>
        TimeoutSec > 0 ? TimeSpan.FromSeconds(TimeoutSec)
        // The longest time there is, for none.
        : MyInvocation.BoundParameters.ContainsKey(nameof(TimeoutSec)) ? TimeSpan.FromSeconds(int.MaxValue)
        : UsualTimeout;

    /// <inheritdoc/>
    private protected override void Process()
    {
        // The others ask when they request a token.
        if (IsAsked && ParameterSetName is KeySet or VaultKeySet or VaultTokenSet && !ShouldProcess("the Venafi session of the module", "Set"))
        {
            return;
        }
        PSObject session = ParameterSetName switch
        {
            KeySet => FromKey(),
            VaultKeySet => FromKeyInVault(),
            TokenSet => FromJwt(JwtSource.Text(Jwt, nameof(Jwt)), null),
            PathSet => FromSource(JwtSource.Take(this, JwtPath)),
            ScriptSet => FromSource(JwtSource.Take(JwtScript!)),
            VaultTokenSet => FromTokenInVault(),
            RefreshSet when RefreshSession => Refreshed(),
            RefreshSet => throw Failures.Invalid("Say by what: -VcKey, or -VcEndpoint with -Jwt, -JwtPath or -JwtScript, or -VaultVcKeyName or -VcSecretName for what is in the vault."),
            _ => throw Failures.Invalid(
                "TokenKit makes sessions with TLSPC (the cloud service): give -VcKey, or -VcEndpoint and -Jwt. For TLSPDC, a server on premises, use the module VenafiPS.",
                "not_supported"),
        };
        AddUser(session);
        if (PassThru)
        {
            WriteObject(session);
        }
        else
        {
            ModuleState.Variable(this, ModuleState.VenafiSession).Value = session;
        }
    }

    private PSObject FromKey()
    {
        object? given = Secrets.Unwrap(VcKey);
        SecureString text = JwtSource.Text(given, nameof(VcKey));
        if (text.Length == 0)
        {
            throw Failures.Invalid("-VcKey is empty.");
        }
        PSCredential key = given as PSCredential ?? new PSCredential("VcKey", text);
        PSObject session = Make(ServerOf(VcRegion, null), VcSession.Key, key);
        if (!string.IsNullOrEmpty(VaultVcKeyName))
        {
            SecretVault.Write(this, VaultVcKeyName, key, Metadata(session));
        }
        return session;
    }

    private PSObject FromKeyInVault()
    {
        (object? secret, IDictionary metadata) = SecretVault.Read(this, VaultVcKeyName!);
        PSCredential key = secret as PSCredential ?? new PSCredential("VcKey", JwtSource.Text(secret, nameof(VaultVcKeyName)));
        TakeTimeout(metadata);
        return Make(Kept(metadata, VcSession.Server), VcSession.Key, key);
    }

    private PSObject FromSource(object source) => FromJwt(JwtSource.Read(this, source), source);

    private PSObject FromJwt(SecureString jwt, object? source)
    {
        string server = ServerOf(null, VcEndpoint);
        PSObject token = RequestToken(VcEndpoint, jwt, null);
        PSObject session = Make(server, VcSession.Token, token);
        if (source is not null)
        {
            VcSession.Set(session, VcSession.JwtSource, source);
        }
        if (!string.IsNullOrEmpty(VcSecretName))
        {
            Keep(session, token);
        }
        return session;
    }

    private void Keep(PSObject session, PSObject token)
    {
        Hashtable metadata = Metadata(session);
        metadata[VcSession.Endpoint] = VcSession.Value(token, VcSession.Endpoint);
        if (VcSession.Value(token, VcSession.Expires) is DateTime expires)
        {
            metadata[VcSession.Expires] = expires.ToUniversalTime().ToString("o", CultureInfo.InvariantCulture);
        }
        var secret = new Hashtable
        {
            [VcSession.Jwt] = VcSession.Value(token, VcSession.Jwt),
            [VcSession.AccessToken] = VcSession.Value(token, VcSession.AccessToken),
        };
        SecretVault.Write(this, VcSecretName!, secret, metadata);
    }

    private PSObject FromTokenInVault()
    {
        (object? secret, IDictionary metadata) = SecretVault.Read(this, VcSecretName!);
        if (secret is not IDictionary parts)
        {
            throw Failures.Invalid($"The secret '{VcSecretName}' is no session: keep one with New-VenafiSession -VcEndpoint -Jwt -VcSecretName.", "vault_failed");
        }
        TakeTimeout(metadata);
        DateTime? expires = DateTime.TryParse(
            metadata[VcSession.Expires]?.ToString(),
            CultureInfo.InvariantCulture,
            DateTimeStyles.RoundtripKind,
            out DateTime time) ? time.ToLocalTime() : null;
        PSObject token = VcSession.MakeToken(
            Kept(metadata, VcSession.Endpoint),
            JwtSource.Text(parts[VcSession.AccessToken], nameof(VcSecretName)),
            JwtSource.Text(parts[VcSession.Jwt], nameof(VcSecretName)),
            expires);
        PSObject session = Make(Kept(metadata, VcSession.Server), VcSession.Token, token);
        Renew(session);
        return session;
    }

    private PSObject Refreshed()
    {
        PSObject session = CurrentSession();
        SecureString jwt = JwtOf(session) ?? throw NoJwt();
        PSObject token = RequestToken(EndpointOf(session), jwt, session);
        PSObject renewed = PassThru ? session.Copy() : session;
        VcSession.Set(renewed, VcSession.Token, token);
        return renewed;
    }

    private PSObject Make(string server, string kind, object credential) =>
        VcSession.Make(server, TimeoutSec, SkipsCertificateCheck(null), kind, credential);

    private void AddUser(PSObject session)
    {
        VenafiUser answer = RequestUser(session);
        if (answer.user is { } user)
        {
            VcSession.Set(session, VcSession.User, Output.Object(user));
        }
        else
        {
            WriteVerbose($"The user of the session is not known: {answer.problem?.message}");
        }
    }

    private Hashtable Metadata(PSObject session) => new()
    {
        [VcSession.Server] = VcSession.Value(session, VcSession.Server),
        [VcSession.TimeoutSec] = TimeoutSec,
    };

    private void TakeTimeout(IDictionary metadata)
    {
        if (!MyInvocation.BoundParameters.ContainsKey(nameof(TimeoutSec))
            && LanguagePrimitives.TryConvertTo(metadata[VcSession.TimeoutSec], CultureInfo.InvariantCulture, out int seconds))
        {
            TimeoutSec = seconds;
        }
    }

    private static string Kept(IDictionary metadata, string name) => metadata[name]?.ToString() is { Length: > 0 } value
        ? value
        : throw Failures.Invalid($"The secret in the vault has no metadata '{name}': keep it anew with New-VenafiSession.", "vault_failed");
}
