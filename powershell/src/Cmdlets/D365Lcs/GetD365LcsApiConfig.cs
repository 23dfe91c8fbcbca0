using System.Collections;
using System.Collections.Specialized;
using System.Globalization;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Gets the configuration for LCS, its tokens included.</summary>
[Cmdlet(VerbsCommon.Get, "D365LcsApiConfig", HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Get-D365LcsApiConfig.md")]
[OutputType(ConfigType)]
[OutputType(typeof(OrderedDictionary), typeof(Hashtable))]
public sealed class GetD365LcsApiConfig : TokenKitCmdlet
{
    private const string ConfigType = "TokenKit.LcsApiConfig";

    /// <summary>Returns an ordered dictionary in place of an object.</summary>
    [Parameter]
    public SwitchParameter OutputAsHashtable { get; set; }

    /// <summary>Returns the headers that authorize a request to the LCS API.</summary>
    [Parameter]
    public SwitchParameter AsHeaders { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        if (OutputAsHashtable && AsHeaders)
        {
            throw Failures.Invalid("-OutputAsHashtable and -AsHeaders are two forms of output. Choose one.");
        }
        Send(
            call => new LcsConfigRequest { store = StoreEnvironment.Options(call), stored_only = false },
            (operation, request) => operation.LcsConfig(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "LCS configuration",
            config => AsHeaders ? Headers(config) : Shape(config));
    }

    /// <summary>All six values under their names in d365fo.tools; one that was never set is an empty text.</summary>
    private PSObject Shape(LcsConfig config)
    {
        var values = new OrderedDictionary
        {
            ["activetokenexpireson"] = (object?)config.active_token_expires_on ?? "",
            ["bearertoken"] = config.bearer_token ?? "",
            ["clientid"] = config.client_id ?? "",
            ["lcsapiuri"] = config.lcs_api_uri ?? "",
            ["projectid"] = (object?)config.project_id ?? "",
            ["refreshtoken"] = config.refresh_token ?? "",
        };
        // The view of the type masks the tokens.
        return OutputAsHashtable
            ? Output.Typed(values, ConfigType)
            : Output.Make(ConfigType, values.Cast<DictionaryEntry>().Select(entry => ((string)entry.Key, entry.Value)));
    }

    private RequestHeaders Headers(LcsConfig config)
    {
        if (config.bearer_token is not { Length: > 0 } token)
        {
            throw Failures.Invalid("No bearer token is configured. Get one: Get-D365LcsApiToken | Set-D365LcsApiConfig.", "missing_bearer_token");
        }
        if (config.active_token_expires_on is { } seconds and > 0 && DateTimeOffset.UtcNow.ToUnixTimeSeconds() >= seconds)
        {
            string time = DateTimeOffset.FromUnixTimeSeconds(seconds).LocalDateTime.ToString(CultureInfo.CurrentCulture);
            WriteWarning($"The bearer token has expired at {time}. Get a new one: Get-D365LcsApiConfig | Invoke-D365LcsApiRefreshToken | Set-D365LcsApiConfig.");
        }
        return RequestHeaders.Bearer(token);
    }
}
