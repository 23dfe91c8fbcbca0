//! The device flow (RFC 8628): its codes, and waiting for its user. Nothing here touches the network.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;

use crate::client_auth::{Attempt, ClientAuthentication};
use crate::client_request::{ClientRequest, optional};
use crate::error::{Error, ErrorCode};
use crate::message::{Field, HttpRequest, HttpResponse};
use crate::reply::{self, expiry, oauth_success, seconds, text, unusable, wipe};
use crate::secret::Secret;

/// A request to a device authorization endpoint (RFC 8628 section 3.1).
#[derive(Debug, Clone)]
pub struct DeviceAuthorizationRequest {
    /// The device authorization endpoint.
    pub endpoint: String,
    /// The client.
    pub client_id: Option<String>,
    /// The permissions asked for, separated by spaces.
    pub scope: Option<String>,
    /// How the client proves who it is.
    pub authentication: ClientAuthentication,
    /// Further form fields.
    pub parameters: Vec<Field>,
    /// Further headers. They replace this library's own of the same name.
    pub headers: Vec<Field>,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
}

/// What the device authorization endpoint answered (RFC 8628 section 3.2).
#[derive(Debug, Clone)]
pub struct DeviceAuthorizationResponse {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The server's JSON object, untouched and in its order.
    pub body: Secret,
    /// `device_code`, for the token request.
    pub device_code: Secret,
    /// `user_code`, which the user types in.
    pub user_code: String,
    /// `verification_uri`, where the user does so. Some servers still call it `verification_url`.
    pub verification_uri: String,
    /// `verification_uri_complete`, which holds the code (section 3.3.1).
    pub verification_uri_complete: Option<String>,
    /// When both codes expire by this machine's clock.
    pub expires_at: DateTime<Utc>,
    /// How to poll.
    pub polling: DevicePolling,
    /// What the user has to do, in one sentence: the server's `message`, or one that was made here.
    pub message: String,
}

impl DeviceAuthorizationRequest {
    /// A request of a public client.
    ///
    /// ```
    /// use tokenkit::{Attempt, DeviceAuthorizationRequest};
    ///
    /// let request = DeviceAuthorizationRequest::new("https://as.example/device_authorization", "app");
    /// assert_eq!(request.build(&Attempt::now())?.body().expose_str(), Some("client_id=app"));
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn new(endpoint: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            client_id: Some(client_id.into()),
            scope: None,
            authentication: ClientAuthentication::None,
            parameters: Vec::new(),
            headers: Vec::new(),
            allow_insecure_http: false,
        }
    }

    /// The HTTP request of one attempt.
    ///
    /// # Errors
    /// Input that cannot make a valid request; signing that fails.
    pub fn build(&self, attempt: &Attempt) -> Result<HttpRequest, Error> {
        let client = ClientRequest {
            endpoint: &self.endpoint,
            client_id: self.client_id.as_deref(),
            authentication: &self.authentication,
            parameters: &self.parameters,
            headers: &self.headers,
            allow_insecure_http: self.allow_insecure_http,
        };
        client.build(optional("scope", self.scope.as_deref()).into_iter().collect(), attempt)
    }

    /// Reads the answer to `request`, received at `now`.
    ///
    /// # Errors
    /// [`Error::Server`] for an error answer or one without the codes.
    pub fn parse(
        &self,
        request: &HttpRequest,
        response: HttpResponse,
        now: DateTime<Utc>,
    ) -> Result<DeviceAuthorizationResponse, Error> {
        let object = oauth_success(request, &response)?;
        let codes = Codes::read(&object, now);
        wipe(Value::Object(object));
        let codes = codes
            .map_err(|what| unusable(request, &response, ErrorCode::MalformedDeviceAuthorization, what))?;
        let message = codes.message.unwrap_or_else(|| {
            format!(
                "To sign in, open {} in a browser and enter the code {}.",
                codes.verification_uri, codes.user_code
            )
        });
        Ok(DeviceAuthorizationResponse {
            status: response.status,
            headers: response.headers,
            body: response.body,
            device_code: codes.device_code,
            user_code: codes.user_code,
            verification_uri: codes.verification_uri,
            verification_uri_complete: codes.verification_uri_complete,
            expires_at: codes.expires_at,
            polling: codes.polling,
            message,
        })
    }
}

/// The members of the answer.
struct Codes {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    message: Option<String>,
    expires_at: DateTime<Utc>,
    polling: DevicePolling,
}

impl Codes {
    fn read(object: &Map<String, Value>, now: DateTime<Utc>) -> Result<Self, &'static str> {
        let shown = |name| text(object, name).map(str::to_owned);
        let device_code = text(object, "device_code").ok_or("the JSON object has no device_code")?;
        let user_code = shown("user_code").ok_or("the JSON object has no user_code")?;
        let verification_uri = shown("verification_uri")
            .or_else(|| shown("verification_url"))
            .ok_or("the JSON object has no verification_uri")?;
        if !is_web_address(&verification_uri) {
            return Err("the verification_uri is no web address");
        }
        let expires_in = object.get("expires_in").and_then(seconds);
        let expires_at = expiry(now, expires_in).ok_or("the JSON object has no positive expires_in")?;
        let interval = object.get("interval").and_then(seconds).filter(|seconds| *seconds > 0);
        Ok(Self {
            device_code: Secret::from(device_code),
            user_code,
            verification_uri,
            // What cannot be opened is left out: the other address does as well.
            verification_uri_complete: shown("verification_uri_complete").filter(|uri| is_web_address(uri)),
            message: shown("message"),
            expires_at,
            polling: DevicePolling {
                interval: interval.map_or(DevicePolling::DEFAULT_INTERVAL, Duration::from_secs),
                expires_in: Duration::from_secs(expires_in.unwrap_or_default()),
            },
        })
    }
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// What the device authorization response said about polling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevicePolling {
    /// Least time between two requests.
    pub interval: Duration,
    /// Time until the device code is no longer valid.
    pub expires_in: Duration,
}

impl DevicePolling {
    /// The interval where the server named none (RFC 8628 section 3.2).
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

    /// Takes in the failure of one request, made when `elapsed` had passed: the pause until the next one.
    ///
    /// # Errors
    /// The failure itself when it ends the flow, or [`ErrorCode::DeviceCodeExpired`] when the code expires
    /// before the next request.
    pub fn next_pause(&mut self, error: Error, elapsed: Duration) -> Result<Duration, Error> {
        match error.oauth().map(|oauth| oauth.error.as_str()) {
            Some("authorization_pending") => {}
            Some("slow_down") => self.interval = self.interval.saturating_add(Duration::from_secs(5)),
            // RFC 8628 section 3.5 advises to back off when the connection timed out; a server or gateway that is
            // busy for a moment must not end a sign-in either, whatever code it gives that.
            _ if is_passing(&error) => {
                self.interval = self.interval.saturating_mul(2);
            }
            _ => return Err(error),
        }
        let wanted = reply::retry_after(&error).unwrap_or_default();
        let in_time = |pause| elapsed.saturating_add(pause) < self.expires_in;
        if in_time(self.interval) && !in_time(wanted) {
            // The server will not have the question before the code expires.
            return Err(error);
        }
        let pause = self.interval.max(wanted);
        if !in_time(pause) {
            return Err(Error::Token {
                code: ErrorCode::DeviceCodeExpired,
                message: "The device code expired before the sign-in was finished.".into(),
                endpoint: error.endpoint().unwrap_or_default().to_owned(),
            });
        }
        Ok(pause)
    }
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::Server(failure) => matches!(failure.reply.status, 429 | 502..=504),
        _ => matches!(
            error.error_code(),
            ErrorCode::Timeout | ErrorCode::ConnectionLost | ErrorCode::RequestRefused
        ),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::error::{OAuthError, Reply, ServerError, TransportError};

    fn oauth(code: &str) -> Error {
        oauth_with(400, code)
    }

    fn oauth_with(status: u16, code: &str) -> Error {
        Error::Server(Box::new(ServerError {
            code: ErrorCode::OAuth,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            oauth: Some(OAuthError { error: code.into(), description: None, uri: None }),
            reply: Reply { status, ..Reply::default() },
            retryable: false,
        }))
    }

    fn transport(code: ErrorCode) -> Error {
        Error::Transport(Box::new(TransportError {
            code,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            retryable: true,
            advice: code.advice(),
        }))
    }

    fn http(status: u16) -> Error {
        Error::Server(Box::new(ServerError {
            code: ErrorCode::Http,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            oauth: None,
            reply: Reply { status, ..Reply::default() },
            retryable: status >= 500,
        }))
    }

    fn busy(retry_after: &str) -> Error {
        let headers = vec![("retry-after".into(), retry_after.into())];
        Error::Server(Box::new(ServerError {
            code: ErrorCode::Http,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            oauth: None,
            reply: Reply { status: 503, headers, body: String::new() },
            retryable: true,
        }))
    }

    fn polling() -> DevicePolling {
        DevicePolling { interval: Duration::from_secs(5), expires_in: Duration::from_mins(10) }
    }

    #[rstest]
    #[case::pending(oauth("authorization_pending"), 5, 5)]
    #[case::slow_down(oauth("slow_down"), 10, 15)]
    #[case::timed_out(transport(ErrorCode::Timeout), 10, 20)]
    #[case::lost(transport(ErrorCode::ConnectionLost), 10, 20)]
    fn the_pause_follows_rfc_8628(#[case] error: Error, #[case] first: u64, #[case] second: u64) {
        let mut polling = polling();
        let again = match &error {
            Error::Transport(_) => transport(error.error_code()),
            _ => oauth(error.code()),
        };
        assert_eq!(polling.next_pause(error, Duration::ZERO).unwrap(), Duration::from_secs(first));
        assert_eq!(polling.next_pause(again, Duration::ZERO).unwrap(), Duration::from_secs(second));
    }

    #[rstest]
    #[case::unavailable(http(503))]
    #[case::too_many_requests(http(429))]
    #[case::unavailable_with_a_code(oauth_with(503, "temporarily_unavailable"))]
    #[case::too_many_requests_with_a_code(oauth_with(429, "too_many_requests"))]
    #[case::slow_down(oauth_with(429, "slow_down"))]
    fn a_server_that_is_down_is_asked_again_later(#[case] error: Error) {
        assert_eq!(polling().next_pause(error, Duration::ZERO).unwrap(), Duration::from_secs(10));
    }

    #[rstest]
    #[case::longer("60", Some(60))]
    #[case::shorter("1", Some(10))]
    #[case::longer_than_the_code_is_valid("601", None)]
    fn the_server_says_when_to_ask_again(#[case] retry_after: &str, #[case] pause: Option<u64>) {
        let next = polling().next_pause(busy(retry_after), Duration::ZERO);
        assert_eq!(next.as_ref().ok(), pause.map(Duration::from_secs).as_ref());
        assert_eq!(next.err().map(|error| error.error_code()), pause.is_none().then_some(ErrorCode::Http));
    }

    #[test]
    fn a_longer_interval_stays() {
        let mut polling = polling();
        polling.next_pause(oauth("slow_down"), Duration::ZERO).unwrap();
        let pause = polling.next_pause(oauth("authorization_pending"), Duration::ZERO).unwrap();
        assert_eq!(pause, Duration::from_secs(10));
    }

    #[rstest]
    #[case(oauth("access_denied"))]
    #[case(oauth("expired_token"))]
    #[case(oauth("invalid_client"))]
    #[case(http(404))]
    #[case(http(500))]
    #[case(transport(ErrorCode::TlsFailed))]
    #[case(Error::invalid(ErrorCode::InvalidArgument, "no"))]
    fn other_failures_end_the_flow_as_they_are(#[case] error: Error) {
        let expected = error.code().to_owned();
        assert_eq!(polling().next_pause(error, Duration::ZERO).unwrap_err().code(), expected);
    }

    #[rstest]
    #[case::in_time(594, true)]
    #[case::too_late(595, false)]
    #[case::long_ago(u64::MAX, false)]
    fn nothing_is_asked_after_the_code_expired(#[case] elapsed: u64, #[case] goes_on: bool) {
        let result = polling().next_pause(oauth("authorization_pending"), Duration::from_secs(elapsed));
        assert_eq!(result.is_ok(), goes_on);
        if let Err(error) = result {
            assert_eq!(error.code(), "expired_token");
            assert_eq!(error.endpoint(), Some("https://as.example/token"));
        }
    }
}
