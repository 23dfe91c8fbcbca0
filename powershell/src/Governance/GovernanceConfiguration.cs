using System.Collections;
using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// The configuration of the Cloud Governance commands: one live table for each import of the module, which scripts
/// edit, with tables below it. One that a script puts there stays its own: the same object, shown as any other.
/// </summary>
internal sealed class GovernanceConfiguration : MaskedTable
{
    internal const string BaseUrl = "BaseUrl";
    internal const string Username = "Username";
    internal const string Password = "Password";
    internal const string AccessToken = "AccessToken";
    internal const string Cookie = "Cookie";
    internal const string Proxy = "Proxy";
    internal const string DefaultHeaders = "DefaultHeaders";
    internal const string ApiKey = "ApiKey";
    internal const string ApiKeyPrefix = "ApiKeyPrefix";
    internal const string SkipCertificateCheck = "SkipCertificateCheck";

    internal const string ClientSecret = "clientSecret";
    internal const string UserPrincipalName = "userPrincipalName";

    private static readonly HashSet<string> Shown =
        new([BaseUrl, Username, Proxy, SkipCertificateCheck, UserPrincipalName, "Accept", "User-Agent"], StringComparer.OrdinalIgnoreCase);

    private GovernanceConfiguration()
        : base(Shown)
    {
    }

    /// <summary>The table of <paramref name="cmdlet"/>'s module, missing keys filled in.</summary>
    internal static GovernanceConfiguration Of(PSCmdlet cmdlet)
    {
        PSVariable variable = ModuleState.Variable(cmdlet, ModuleState.Configuration);
        if (Secrets.Unwrap(variable.Value) is not GovernanceConfiguration configuration)
        {
            variable.Value = configuration = [];
        }
        configuration.FillIn();
        return configuration;
    }

    /// <summary>The table below <paramref name="name"/>.</summary>
    internal IDictionary Table(string name) => (IDictionary)Secrets.Unwrap(this[name])!;

    /// <summary>An empty table to put below it.</summary>
    internal static MaskedTable NewTable() => new(Shown);

    private void FillIn()
    {
        foreach (string name in (string[])[BaseUrl, Username, Password, AccessToken, Cookie, Proxy])
        {
            if (!ContainsKey(name))
            {
                this[name] = null;
            }
        }
        foreach (string name in (string[])[DefaultHeaders, ApiKey, ApiKeyPrefix])
        {
            if (Secrets.Unwrap(this[name]) is not IDictionary)
            {
                this[name] = NewTable();
            }
        }
        if (!ContainsKey(SkipCertificateCheck))
        {
            this[SkipCertificateCheck] = false;
        }
    }
}
