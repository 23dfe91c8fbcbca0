using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Saves values of the configuration for LCS. Those that are not given stay.</summary>
[Cmdlet(VerbsCommon.Set, "D365LcsApiConfig", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Set-D365LcsApiConfig.md")]
public sealed class SetD365LcsApiConfig : TokenKitCmdlet
{
    private PipedItem? item;
    private HashSet<string> onCommandLine = [];

    /// <summary>The LCS project.</summary>
    [Parameter(Position = 0)]
    public int ProjectId { get; set; }

    /// <summary>The client; when absent, the one that got the bearer token.</summary>
    [Parameter(Position = 1)]
    [Alias("C")]
    public string ClientId { get; set; } = "";

    /// <summary>The access token.</summary>
    [Parameter(Position = 2, ValueFromPipelineByPropertyName = true)]
    [Alias("AccessToken", "access_token")]
    [SecretText]
    public string BearerToken { get; set; } = "";

    /// <summary>When the access token expires: seconds since 1970.</summary>
    [Parameter(Position = 3, ValueFromPipelineByPropertyName = true)]
    [Alias("expires_on")]
    public long ActiveTokenExpiresOn { get; set; }

    /// <summary>The refresh token.</summary>
    [Parameter(Position = 4, ValueFromPipelineByPropertyName = true)]
    [Alias("refresh_token")]
    [SecretText]
    public string RefreshToken { get; set; } = "";

    /// <summary>The address of the LCS API.</summary>
    [Parameter(Position = 5, ValueFromPipelineByPropertyName = true)]
    [Alias("resource")]
    [ArgumentCompleter(typeof(LcsAddressCompleter))]
    public string LcsApiUri { get; set; } = "";

    /// <summary>Keeps the values for this process only.</summary>
    [Parameter]
    public SwitchParameter Temporary { get; set; }

    /// <summary>The object from the pipeline; its properties or keys are parameters.</summary>
    [Parameter(ValueFromPipeline = true, DontShow = true)]
    [PipedItem]
    public PipedItem? InputObject
    {
        get => item;
        set
        {
            item?.Dispose();
            item = value;
        }
    }

    /// <inheritdoc/>
    protected override void BeginProcessing() => onCommandLine = [.. MyInvocation.BoundParameters.Keys];

    /// <inheritdoc/>
    private protected override void Process()
    {
        List<string> given = [.. new[]
        {
            nameof(ProjectId), nameof(ClientId), nameof(BearerToken), nameof(ActiveTokenExpiresOn), nameof(RefreshToken), nameof(LcsApiUri),
        }.Where(IsGiven)];
        InputObject = null;
        if (given.Count == 0)
        {
            if (MyInvocation.ExpectingInput)
            {
                throw Failures.Invalid("The piped object has no value for this command: it takes tokens, and what Get-D365LcsApiConfig returns.");
            }
            return;
        }
        string names = string.Join(", ", given.Select(name => name.ToLowerInvariant()));
        if (!ShouldProcess("the LCS API configuration", $"Set {names}{(Temporary ? " for this process" : "")}"))
        {
            return;
        }
        Send(
            call => new LcsSaveRequest
            {
                store = StoreEnvironment.Options(call),
                project_id = given.Contains(nameof(ProjectId)) ? ProjectId : null,
                client_id = given.Contains(nameof(ClientId)) ? ClientId : null,
                bearer_token = given.Contains(nameof(BearerToken)) ? call.Put(BearerToken) : null,
                active_token_expires_on = given.Contains(nameof(ActiveTokenExpiresOn)) ? ActiveTokenExpiresOn : null,
                refresh_token = given.Contains(nameof(RefreshToken)) ? call.Put(RefreshToken) : null,
                lcs_api_uri = given.Contains(nameof(LcsApiUri)) ? LcsApiUri : null,
                temporary = Temporary,
            },
            (operation, request) => operation.LcsSave(request.Wire(), Cancellation),
            wire => wire.Unwire(),
            "LCS configuration",
            _ => Array.Empty<object>());
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            InputObject = null;
        }
        base.Dispose(disposing);
    }

    /// <summary>
    /// Whether the parameter has a value for this object: PowerShell counts one as bound that only an earlier object had.
    /// </summary>
    private bool IsGiven(string parameter) =>
        onCommandLine.Contains(parameter)
        || (item is not null && MyInvocation.MyCommand.Parameters[parameter] is { } known
            && known.ParameterSets.Values.Any(set => set.ValueFromPipelineByPropertyName)
            && item.Has([parameter, .. known.Aliases]));
}
