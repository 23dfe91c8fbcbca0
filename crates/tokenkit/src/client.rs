//! The client: build, send, parse.

use chrono::Utc;
use tokio::time::Instant;

use crate::client_auth::Attempt;
use crate::device::DevicePolling;
use crate::error::{Error, ErrorCode};
use crate::event::{Event, Observer};
use crate::http::{Http, HttpConfig, Replay};
use crate::message::HttpRequest;
use crate::token::{TokenRequest, TokenResponse, endpoint_url};

/// Talks to token endpoints and keeps the connections. Cheap to share by reference; one for a process is
/// enough. Dropping a returned future ends its request at once.
///
/// ```no_run
/// use tokenkit::{Client, ClientAuthentication, Grant, HttpConfig, Secret, TokenRequest};
///
/// # async fn example() -> Result<(), tokenkit::Error> {
/// let mut request = TokenRequest::new("https://as.example/token", Grant::ClientCredentials);
/// request.client_id = Some("app".into());
/// request.authentication = ClientAuthentication::SecretBasic { secret: Secret::from("s3cr3t") };
///
/// let client = Client::new();
/// let token = client.token(&request, &HttpConfig::default(), &()).await?;
/// println!("expires at {:?}", token.expires_at);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Client {
    http: Http,
}

impl Client {
    /// A client without connections yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes one request for a token; failures that allow it are repeated.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn token(
        &self,
        request: &TokenRequest,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<TokenResponse, Error> {
        let endpoint = endpoint_url(&request.endpoint, request.allow_insecure_http)?;
        let replay = if request.grant.is_one_time() { Replay::OneTime } else { Replay::Allowed };
        let read = |sent: &HttpRequest, response| request.parse(sent, response, Utc::now());
        self.http.send(config, &endpoint, replay, observer, || build(request), read).await
    }

    /// Asks for a token until the user of a device flow has finished (RFC 8628 section 3.5). The time
    /// limit of `config` counts for each request, `polling` limits the whole.
    ///
    /// # Errors
    /// See [`Error`]; `access_denied` when the user declined, `expired_token` when time is over.
    pub async fn device_token(
        &self,
        request: &TokenRequest,
        mut polling: DevicePolling,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<TokenResponse, Error> {
        let started = Instant::now();
        loop {
            let error = match self.token(request, config, observer).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let elapsed = started.elapsed();
            let interval = polling.next_pause(error, elapsed)?;
            let remaining = polling.expires_in.saturating_sub(elapsed);
            observer.event(Event::Pending { interval, remaining });
            tokio::time::sleep(interval).await;
        }
    }
}

async fn build(request: &TokenRequest) -> Result<HttpRequest, Error> {
    if !request.authentication.signs_externally() {
        return request.build(&Attempt::now());
    }
    // A smart card may ask for its PIN: not on a thread that others need.
    let request = request.clone();
    tokio::task::spawn_blocking(move || request.build(&Attempt::now())).await.unwrap_or_else(|error| {
        Err(Error::Internal {
            code: ErrorCode::Internal,
            message: format!("Signing ended unexpectedly: {error}"),
        })
    })
}
