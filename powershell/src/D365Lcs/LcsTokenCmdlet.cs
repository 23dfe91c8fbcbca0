using System.Collections;
using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>
/// What the cmdlets that request LCS tokens share: who is asked, and failures in the way of d365fo.tools, which are
/// warnings unless the script wants exceptions.
/// </summary>
public abstract class LcsTokenCmdlet : NetworkCmdlet
{
    /// <summary>What PowerShell says of an empty text that may not be empty; scripts of d365fo.tools see it.</summary>
    private const string EmptyId = "ParameterArgumentValidationErrorEmptyStringNotAllowed";

    private const string MissingClientId = "missing_client_id";
    private const string MissingRefreshToken = "missing_refresh_token";
    private const string MissingLcsApiUri = "missing_lcs_api_uri";
    private const string SaveAdvice = "Give it with the call, or save it once: Set-D365LcsApiConfig.";

    /// <summary>Throws when the request fails, in place of a warning.</summary>
    [Parameter]
    public SwitchParameter EnableException { get; set; }

    /// <summary>The authority that is asked, with or without a tenant, or its token endpoint.</summary>
    [Parameter]
    public string? Authority { get; set; }

    /// <summary>The tenant: its domain name or id.</summary>
    [Parameter]
    public string? Tenant { get; set; }

    /// <summary>Which of the two token endpoints of the authority is asked.</summary>
    [Parameter]
    [ValidateSet("v1", "v2")]
    public string OAuthVersion { get; set; } = "v1";

    /// <summary>Who is asked, for a request.</summary>
    private protected LcsAuthority LcsAuthority => new()
    {
        authority = Given(Authority),
        tenant = Given(Tenant),
        v2 = OAuthVersion.Equals("v2", StringComparison.OrdinalIgnoreCase),
        allow_insecure_http = AllowUnencryptedAuthentication,
    };

    private bool IsThrowing => MyInvocation.BoundParameters.ContainsKey(nameof(EnableException))
        ? EnableException
        : D365Exceptions.Enabled || ErrorPreference is ActionPreference.Stop;

    /// <summary>Requests a token and writes the reply.</summary>
    /// <param name="fill">Makes the request.</param>
    /// <param name="start">Starts it.</param>
    /// <param name="grant">What is exchanged for the token.</param>
    private protected void RequestToken<T>(Func<Call, T> fill, Func<Operation, T, Task<WireOfTokenResponse>> start, string grant)
    {
        Action request = () => Send(fill, start, wire => wire.Unwire(), grant, Shape);
        Approve(request);
        request();
    }

    /// <summary>A text, or <c>null</c> when it is empty.</summary>
    private protected static string? Given(string? text) => string.IsNullOrEmpty(text) ? null : text;

    /// <summary>There is no client for the request; nothing was sent.</summary>
    private protected static FailureException NoClientId() => Failures.Invalid("The client id is empty.", MissingClientId);

    /// <summary>There is no refresh token for the request; nothing was sent.</summary>
    private protected static FailureException NoRefreshToken() => Failures.Invalid("There is no refresh token.", MissingRefreshToken);

    /// <inheritdoc/>
    private protected sealed override void Fail(FailureException failure, object? target)
    {
        if (failure.Code is MissingClientId or MissingRefreshToken or MissingLcsApiUri)
        {
            FailMissing(failure);
        }
        else if (IsThrowing)
        {
            Throw(failure, target);
        }
        else
        {
            Warn(failure, target);
        }
    }

    /// <summary>The reply as the server sent it.</summary>
    private static PSObject Shape(TokenResponse response) => Output.Object(response.body, Output.TokenResponseType);

    private void FailMissing(FailureException failure)
    {
        ErrorRecord record = failure.ToRecord(EmptyId, null);
        record.ErrorDetails = new ErrorDetails($"{failure.Message} {SaveAdvice}") { RecommendedAction = SaveAdvice };
        if (MyInvocation.ExpectingInput && !IsThrowing)
        {
            // The next object may have the value.
            WriteError(record);
            return;
        }
        ThrowTerminatingError(record);
    }

    /// <summary>
    /// Warns, and leaves the error where scripts look for it. It is not written: with
    /// <c>$ErrorActionPreference = 'Stop'</c> that would end scripts that only look whether there is a token.
    /// </summary>
    private void Warn(FailureException failure, object? target)
    {
        WriteWarning($"{FailureView.Sentence(failure.Message)} {failure.Advice}");
        if (ErrorPreference is ActionPreference.Ignore)
        {
            return;
        }
        ErrorRecord record = CompleteRecord(failure, target);
        AddToErrorVariable(record);
        if (SessionState.PSVariable.GetValue("global:Error") is ArrayList errors)
        {
            errors.Insert(0, record);
        }
    }
}
