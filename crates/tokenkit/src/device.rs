//! Waiting for the user of a device flow (RFC 8628 section 3.5). Nothing here touches the network.

use std::time::Duration;

use crate::error::{Error, ErrorCode};

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
            // RFC 8628 section 3.5 advises to back off when the connection timed out; a server that is down for
            // a moment must not end a sign-in either.
            None if is_passing(&error) => {
                self.interval = self.interval.saturating_mul(2);
            }
            _ => return Err(error),
        }
        if elapsed.saturating_add(self.interval) >= self.expires_in {
            return Err(Error::Token {
                code: ErrorCode::DeviceCodeExpired,
                message: "The device code expired before the sign-in was finished.".into(),
                endpoint: error.endpoint().unwrap_or_default().to_owned(),
            });
        }
        Ok(self.interval)
    }
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::Server(failure) => failure.retryable,
        _ => matches!(error.error_code(), ErrorCode::Timeout | ErrorCode::ConnectionLost),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::error::{OAuthError, Reply, ServerError, TransportError};

    fn oauth(code: &str) -> Error {
        Error::Server(Box::new(ServerError {
            code: ErrorCode::OAuth,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            oauth: Some(OAuthError { error: code.into(), description: None, uri: None }),
            reply: Reply { status: 400, ..Reply::default() },
            retryable: false,
        }))
    }

    fn transport(code: ErrorCode) -> Error {
        Error::Transport(Box::new(TransportError {
            code,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            retryable: true,
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

    #[test]
    fn a_server_that_is_down_is_asked_again_later() {
        let mut polling = polling();
        assert_eq!(polling.next_pause(http(503), Duration::ZERO).unwrap(), Duration::from_secs(10));
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
