//! The client: build, send, parse.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;
use url::Url;

use crate::client_auth::Attempt;
use crate::device::DevicePolling;
use crate::discovery::{Metadata, MetadataLocation};
use crate::error::{Error, ErrorCode};
use crate::event::{Event, Observer};
use crate::http::{Http, HttpConfig, Replay, freshness};
use crate::jwt::JwkSet;
use crate::keys::KeyCache;
use crate::message::{HttpRequest, HttpResponse};
use crate::reply;
use crate::token::{TokenRequest, TokenResponse, endpoint_url};

/// Talks to authorization servers and keeps the connections and their signature keys. Cheap to share by
/// reference; one for a process is enough. Dropping a returned future ends its request at once.
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
    keys: KeyCache,
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

    /// Fetches the metadata of an authorization server and checks that it is the issuer's own.
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorCode::IssuerMismatch`] when it is of another issuer.
    pub async fn metadata(
        &self,
        location: &MetadataLocation,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<Metadata, Error> {
        let mut last = None;
        for url in &location.urls {
            let read = |sent: &HttpRequest, response| location.read(sent, &response);
            match self.get(url, config, observer, read).await {
                // The other well-known path may be the one that the server has.
                Err(error) if error.reply().is_some_and(|reply| reply.status == 404) => last = Some(error),
                result => return result,
            }
        }
        Err(last.unwrap_or_else(|| Error::invalid(ErrorCode::InvalidEndpoint, "There is no address to ask.")))
    }

    /// The signature keys at `jwks_uri`. They are kept as long as the server's caching headers allow, and fetched
    /// once more, though not too often, when no key has the name `key_id`.
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorCode::InvalidJwks`] when the answer is no JWK Set.
    pub async fn keys(
        &self,
        jwks_uri: &str,
        key_id: Option<&str>,
        config: &HttpConfig,
        allow_insecure_http: bool,
        observer: &dyn Observer,
    ) -> Result<Arc<JwkSet>, Error> {
        let url = endpoint_url(jwks_uri, allow_insecure_http)?;
        self.keys.get(url.as_str(), key_id, || self.fetch_keys(&url, config, observer)).await
    }

    /// The signature keys of `issuer`, found by its metadata and kept like those of [`keys`](Self::keys).
    ///
    /// # Errors
    /// As [`metadata`](Self::metadata) and [`keys`](Self::keys).
    pub async fn issuer_keys(
        &self,
        issuer: &str,
        key_id: Option<&str>,
        config: &HttpConfig,
        allow_insecure_http: bool,
        observer: &dyn Observer,
    ) -> Result<Arc<JwkSet>, Error> {
        let location = MetadataLocation::parse(issuer, allow_insecure_http)?;
        let address = location.urls.first().map(Url::to_string).unwrap_or_default();
        let fetch = || async {
            let metadata = self.metadata(&location, config, observer).await?;
            let jwks_uri = metadata.jwks_uri.ok_or_else(|| {
                let message = format!("The metadata of {issuer} names no jwks_uri, the address of its keys.");
                Error::invalid(ErrorCode::InvalidJwks, message)
            })?;
            let url = endpoint_url(&jwks_uri, allow_insecure_http)?;
            if address.starts_with("https:") && url.scheme() != "https" {
                let message = format!("{issuer} is asked by https, but its keys are to be had without.");
                return Err(Error::invalid(ErrorCode::InsecureEndpoint, message));
            }
            self.fetch_keys(&url, config, observer).await
        };
        self.keys.get(&address, key_id, fetch).await
    }

    async fn fetch_keys(
        &self,
        url: &Url,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<(JwkSet, Duration), Error> {
        let read = |sent: &HttpRequest, response: HttpResponse| {
            reply::success(sent, &response)?;
            match JwkSet::from_json(response.body.expose()) {
                // A secret that everyone can fetch vouches for no one.
                Ok(keys) => Ok((keys.public_only(), freshness(sent, &response))),
                Err(error) => {
                    Err(reply::unusable(sent, &response, ErrorCode::InvalidJwks, &error.to_string()))
                }
            }
        };
        self.get(url, config, observer, read).await
    }

    async fn get<T>(
        &self,
        url: &Url,
        config: &HttpConfig,
        observer: &dyn Observer,
        read: impl Fn(&HttpRequest, HttpResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let build = || async { Ok(HttpRequest::get(url.clone())) };
        self.http.send(config, url, Replay::Allowed, observer, build, read).await
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
