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
            // RFC 8628 section 3.5 advises to back off when the connection timed out.
            None if matches!(error.error_code(), ErrorCode::Timeout | ErrorCode::ConnectionLost) => {
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
