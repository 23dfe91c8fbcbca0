using System.Collections;
using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// The configuration of the Cloud Governance commands: one live table for each import of the module, which scripts
/// edit. Where it is displayed no secret is shown: the enumerator that display uses masks, every other access is that
/// of a hashtable. The tables below it are ordinary ones, as scripts hand them on.
/// </summary>
internal sealed class GovernanceConfiguration : Hashtable, IEnumerable
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

    private const string Mask = "***";

    private static readonly HashSet<string> Shown =
        new([BaseUrl, Username, Proxy, SkipCertificateCheck, UserPrincipalName, "Accept", "User-Agent"], StringComparer.OrdinalIgnoreCase);

    private GovernanceConfiguration()
        : base(StringComparer.OrdinalIgnoreCase)
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

    /// <summary>What display enumerates.</summary>
    IEnumerator IEnumerable.GetEnumerator()
    {
        foreach (DictionaryEntry entry in (IDictionary)this)
        {
            yield return new DictionaryEntry(entry.Key, Display(entry));
        }
    }

    private static object? Display(DictionaryEntry entry) => Secrets.Unwrap(entry.Value) switch
    {
        null or "" => entry.Value,
        IDictionary table => table.Keys.Cast<object>().ToDictionary(key => key, key => Display(new DictionaryEntry(key, table[key]))),
        // An address may hold a password.
        string text when text.Contains("://", StringComparison.Ordinal) && text.Contains('@') => Mask,
        _ => Shown.Contains(entry.Key.ToString()!) ? entry.Value : Mask,
    };

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
                this[name] = new Hashtable(StringComparer.OrdinalIgnoreCase);
            }
        }
        if (!ContainsKey(SkipCertificateCheck))
        {
            this[SkipCertificateCheck] = false;
        }
    }
}
