using System.Collections.Frozen;
using System.Management.Automation;
using System.Net;
using System.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;

using TokenKit.Native;

namespace TokenKit;

/// <summary>A failure on its way to the cmdlet that reports it.</summary>
/// <param name="cause">The exception that scripts see.</param>
/// <param name="code">The OAuth error code, or one of TokenKit's own.</param>
/// <param name="category">PowerShell's category for it.</param>
/// <param name="advice">What a person can do about it.</param>
internal sealed class FailureException(Exception cause, string code, ErrorCategory category, string advice)
    : Exception(cause.Message, cause)
{
    internal string Code { get; } = code;

    internal string Advice { get; } = advice;

    /// <summary>Whether a request was only shown. A server, whose errors have their endpoint, cannot say so.</summary>
    internal bool IsNotSent => Code == Failures.NotSentCode && Endpoint is null;

    /// <summary>Where it happened, without anything secret.</summary>
    internal string? Endpoint { get; init; }

    /// <summary>What the server answered.</summary>
    internal string? Body { get; init; }

    /// <summary>The error record with <paramref name="errorId"/> about <paramref name="target"/>.</summary>
    internal ErrorRecord ToRecord(string errorId, object? target)
    {
        var record = new ErrorRecord(InnerException!, errorId, category, target)
        {
            ErrorDetails = new ErrorDetails(string.IsNullOrWhiteSpace(Body) ? Message : Body) { RecommendedAction = Advice },
        };
        Output.Typed(record, FailureView.TypeName);
        return record;
    }
}

/// <summary>Makes failures, those of the native library and the module's own.</summary>
internal static class Failures
{
    /// <summary>How a call ends that only shows its request, as the native library says it.</summary>
    internal const string NotSentCode = "not_sent";

    /// <summary>The advice for a message that is one itself.</summary>
    internal const string Correct = "Correct the value that the message names.";

    /// <summary>How to do in PowerShell what the native library advises.</summary>
    private static readonly FrozenDictionary<string, string> Advice = new Dictionary<string, string>
    {
        ["insecure_endpoint"] = "Use the https address of the server. -AllowUnencryptedAuthentication allows http, for a network of your own.",
        ["invalid_key_password"] = "Give the password that protects the private key: -CertificatePassword.",
        ["connect_failed"] = "Check the address, the firewall, and whether a proxy is needed (-Proxy).",
        ["timeout"] = "Try again, or allow more time with -Timeout.",
        ["missing_base_url"] = "Set BaseUrl to the address that the service has for your environment: Set-GovernanceConfiguration -BaseUrl.",
        ["cannot_listen"] = "Give a redirect URI with another port, or paste the answer: -NoBrowser.",
        ["store_key_missing"] = $"Set {StoreEnvironment.Key} or {StoreEnvironment.KeyFile} to the key that seals the store, or move the store away and begin a new one.",
    }.ToFrozenDictionary();

    /// <summary>Input that cannot be used; nothing was sent.</summary>
    internal static FailureException Invalid(string message, string code = "invalid_argument", Exception? cause = null) =>
        new(new ArgumentException(message, cause), code, ErrorCategory.InvalidArgument, Correct);

    /// <summary>A request that was only to be shown, or that nobody confirmed.</summary>
    internal static FailureException NotSent() => Invalid("The request was not to be sent.", NotSentCode);

    /// <summary>A private key is not where it was said to be, for the reason in <paramref name="cause"/>.</summary>
    internal static FailureException KeyNotFound(Exception cause) =>
        new(cause, "invalid_key", ErrorCategory.ObjectNotFound, "Name a certificate or key file that exists and that this user may read.");

    /// <summary>A sign-in where nobody can be expected to sign in, for this reason.</summary>
    internal static FailureException Unattended(string reason, string way) => new(
        new InvalidOperationException(
            $"{way} needs a person who signs in, and {reason}. Without one, use Invoke-OAuth2TokenEndpoint with a client secret, with a certificate or key (-client_certificate), with a federated token (-ClientAssertion), or with a refresh token of an earlier sign-in; or call Invoke-OAuth2DeviceAuthorizationEndpoint without -Wait and have its message reach somebody on another machine."),
        "interactive_session_required",
        ErrorCategory.InvalidOperation,
        "Choose one of the ways that the message names, or add -Force if somebody is there after all.");

    /// <summary>A sign-in that was not finished in the time that was given.</summary>
    internal static FailureException SignInTimeout(TimeSpan limit)
    {
        string message = $"Nobody finished the sign-in within {limit.TotalSeconds:0.#} seconds.";
        return new(new TimeoutException(message), "timeout", ErrorCategory.OperationTimeout, "Start again, and allow more time with -Timeout.");
    }

    /// <summary>The native library is not there or not usable.</summary>
    internal static FailureException Library(string code, ErrorCategory category, string message, string advice) =>
        new(new DllNotFoundException(message), code, category, advice);

    /// <summary>A defect.</summary>
    internal static FailureException Internal(string message, Exception cause) =>
        new(new InvalidOperationException(message, cause), "internal_error", ErrorCategory.InvalidOperation, "This is a defect in TokenKit: please report it.");

    /// <summary>Runs a native call; what it throws becomes a <see cref="FailureException"/>.</summary>
    internal static T Guard<T>(Func<T> call)
    {
        try
        {
            return call();
        }
        catch (Exception e) when (Translate(e) is { } failure)
        {
            throw failure;
        }
    }

    /// <summary>What <paramref name="exception"/> of a native call means, or <c>null</c> when it is something else.</summary>
    internal static FailureException? Translate(Exception exception) => exception switch
    {
        EnumException<Failure> { Value: var failure } => FromNative(failure),
        EnumException => Internal("TokenKit's native library gave an answer that cannot be read.", exception),
        // The generated code compares a hash of both interfaces before the first call.
        TypeInitializationException { InnerException: TypeLoadException or EntryPointNotFoundException } => Library(
            "native_library_mismatch",
            ErrorCategory.InvalidData,
            "TokenKit's native library and TokenKit.dll are not of the same build.",
            "Install TokenKit anew, or build it with ./build.sh (on Windows ./build.ps1), and start PowerShell again."),
        _ => null,
    };

    private static FailureException FromNative(Failure failure)
    {
        using (failure)
        {
            FailureDetail detail =
                failure.IsInvalidInput ? failure.AsInvalidInput().Unwire()
                : failure.IsServer ? failure.AsServer().Unwire()
                : failure.IsTransport ? failure.AsTransport().Unwire()
                : failure.IsToken ? failure.AsToken().Unwire()
                : failure.IsStore ? failure.AsStore().Unwire()
                : failure.AsInternal().Unwire();
            Exception cause =
                failure.IsInvalidInput ? new ArgumentException(detail.message)
                // A browser brought the error: there is no HTTP response to show.
                : failure.IsServer && detail.status is null ? new AuthenticationException(detail.message)
                : failure.IsServer ? ServerException(detail)
                : failure.IsTransport ? TransportException(detail)
                : failure.IsToken ? TokenException(detail)
                : failure.IsStore ? StoreException(detail)
                : detail.code == "signing_failed" ? new CryptographicException(detail.message)
                : new InvalidOperationException(detail.message);
            // The advice of a TLS failure depends on the certificate; how the setting is given is the host's affair.
            string advice = Advice.GetValueOrDefault(detail.code, detail.advice)
                .Replace("certificate_authority", "-CertificateAuthority", StringComparison.Ordinal);
            return new FailureException(cause, detail.code, Category(detail), advice) { Endpoint = detail.endpoint, Body = detail.body };
        }
    }

    /// <summary>
    /// PowerShell's own exception for HTTP errors, which scripts catch by its name. Its assembly is not part of
    /// PowerShell Standard, so the type is looked up; a host without it gets the same shape.
    /// </summary>
    private static HttpRequestException ServerException(FailureDetail detail)
    {
        HttpResponseMessage response = Response(detail);
        var type = Type.GetType("Microsoft.PowerShell.Commands.HttpResponseException, Microsoft.PowerShell.Commands.Utility");
        return type is null
            ? new ServerErrorException(detail.message, response)
            : (HttpRequestException)Activator.CreateInstance(type, detail.message, response)!;
    }

    private static HttpResponseMessage Response(FailureDetail detail)
    {
        var response = new HttpResponseMessage((HttpStatusCode)(detail.status ?? 0))
        {
            Content = new ByteArrayContent(Encoding.UTF8.GetBytes(detail.body ?? "")),
            RequestMessage = new HttpRequestMessage(HttpMethod.Post, detail.endpoint),
        };
        foreach (Header header in detail.headers)
        {
            // The length is that of the body as it is here, with secrets masked.
            if (header.name != "content-length" && !response.Headers.TryAddWithoutValidation(header.name, header.content))
            {
                response.Content.Headers.TryAddWithoutValidation(header.name, header.content);
            }
        }
        return response;
    }

    private static HttpRequestException TransportException(FailureDetail detail)
    {
        HttpRequestError error = detail.code switch
        {
            "dns_failed" => HttpRequestError.NameResolutionError,
            "connect_failed" => HttpRequestError.ConnectionError,
            "tls_failed" => HttpRequestError.SecureConnectionError,
            "proxy_failed" => HttpRequestError.ProxyTunnelError,
            "connection_lost" => HttpRequestError.ResponseEnded,
            _ => HttpRequestError.Unknown,
        };
        return new HttpRequestException(error, detail.message, detail.code == "timeout" ? new TimeoutException(detail.message) : null);
    }

    private static Exception TokenException(FailureDetail detail) =>
        detail.code == "expired_token" ? new TimeoutException(detail.message) : new SecurityException(detail.message);

    private static Exception StoreException(FailureDetail detail) => detail.code switch
    {
        "store_key_missing" or "store_key_wrong" => new CryptographicException(detail.message),
        "store_locked" => new TimeoutException(detail.message),
        "store_not_private" => new UnauthorizedAccessException(detail.message),
        _ => new IOException(detail.message),
    };

    private static ErrorCategory Category(FailureDetail detail) => detail.code switch
    {
        "store_locked" => ErrorCategory.ResourceBusy,
        "store_not_private" or "store_key_missing" or "store_key_wrong" => ErrorCategory.SecurityError,
        "store_io" or "store_keyring" => ErrorCategory.ResourceUnavailable,
        "store_version" or "invalid_import" => ErrorCategory.InvalidData,
        "invalid_client" or "invalid_grant" or "invalid_token" or "login_required" or "interaction_required" or "account_selection_required"
            or "assertion_expired" or "assertion_not_yet_valid" => ErrorCategory.AuthenticationError,
        "access_denied" or "unauthorized_client" or "consent_required" or "insufficient_scope" => ErrorCategory.PermissionDenied,
        "authorization_pending" or "slow_down" => ErrorCategory.ResourceBusy,
        "temporarily_unavailable" or "server_error" => ErrorCategory.ResourceUnavailable,
        "expired_token" or "timeout" => ErrorCategory.OperationTimeout,
        "nonce_mismatch" or "missing_id_token" or "malformed_id_token" or "tls_failed" or "insecure_endpoint" or "issuer_mismatch"
            or "state_mismatch" or "subject_mismatch" or "id_token_wrong_issuer" or "id_token_wrong_audience" or "id_token_expired"
            or "id_token_not_yet_valid" or "id_token_wrong_signature" or "id_token_wrong_hash" => ErrorCategory.SecurityError,
        "dns_failed" or "connect_failed" or "proxy_failed" or "connection_lost" or "request_refused" => ErrorCategory.ConnectionError,
        "not_json" or "not_json_object" or "missing_access_token" or "response_too_large" or "invalid_jwks"
            or "unexpected_answer" or "malformed_answer" or "unusable_answer" or "missing_code" or "malformed_userinfo" or "malformed_device_authorization" => ErrorCategory.InvalidResult,
        "port_in_use" or "cannot_listen" => ErrorCategory.ResourceUnavailable,
        "signing_failed" or "internal_error" => ErrorCategory.InvalidOperation,
        _ => detail.status switch
        {
            null => ErrorCategory.InvalidArgument,
            400 when detail.oauth_error is not null => ErrorCategory.InvalidArgument,
            401 => ErrorCategory.AuthenticationError,
            403 => ErrorCategory.PermissionDenied,
            404 => ErrorCategory.ObjectNotFound,
            429 => ErrorCategory.LimitsExceeded,
            >= 500 => ErrorCategory.ResourceUnavailable,
            _ => ErrorCategory.ProtocolError,
        },
    };

    /// <summary>An HTTP error where PowerShell's own exception for it cannot be had.</summary>
    private sealed class ServerErrorException(string message, HttpResponseMessage response)
        : HttpRequestException(message, null, response.StatusCode)
    {
        public HttpResponseMessage Response { get; } = response;
    }
}
