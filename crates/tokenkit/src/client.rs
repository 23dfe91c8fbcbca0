//! The client: build, send, parse.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;
use url::Url;

use crate::authorization::loopback::LoopbackListener;
use crate::authorization::{Answer, Authorization, AuthorizationResponse};
use crate::browser::Browser;
use crate::client_auth::{Attempt, ClientAuthentication};
use crate::device::{DeviceAuthorizationRequest, DeviceAuthorizationResponse, DevicePolling};
use crate::discovery::{Metadata, MetadataLocation};
use crate::error::{Error, ErrorCode};
use crate::event::{Event, Observer, count_down, deadline};
use crate::http::{self, Http, HttpConfig, Replay, freshness};
use crate::jwt::JwkSet;
use crate::keys::KeyCache;
use crate::message::{HttpRequest, HttpResponse};
use crate::reply;
use crate::token::{TokenRequest, TokenResponse, endpoint_url};
use crate::userinfo::{self, UserInfo, UserInfoAnswer, UserInfoRequest};

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
    pub(crate) http: Http,
    keys: KeyCache,
}

impl Client {
    /// A client without connections yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes one request for a token; failures that allow it are repeated. An ID token that comes is validated if the
    /// request names its issuer, whose keys are fetched before, in the same time. If they have to be fetched once more
    /// for that ID token, this has its own time.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn token(
        &self,
        request: &TokenRequest,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<TokenResponse, Error> {
        let response = self.unchecked_token(request, config, observer).await?;
        self.check_granted(request, response, config, observer).await
    }

    /// [`token`](Self::token) without its last step, [`check_granted`](Self::check_granted), for who has to keep the
    /// answer first.
    pub(crate) async fn unchecked_token(
        &self,
        request: &TokenRequest,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<TokenResponse, Error> {
        let begun = Instant::now();
        warn_of_weak_key(&request.authentication, observer);
        self.expect_issuer(request, config, observer).await?;
        self.ask_for_token(request, &remaining(config, begun), observer).await
    }

    async fn ask_for_token(
        &self,
        request: &TokenRequest,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<TokenResponse, Error> {
        let endpoint = endpoint_url(&request.endpoint, request.allow_insecure_http)?;
        let one_time = request.grant.is_one_time() || request.authentication.is_one_time();
        let replay = if one_time { Replay::OneTime } else { Replay::Allowed };
        let read = |sent: &HttpRequest, response| request.parse(sent, response, Utc::now());
        let build = || signed(request.authentication.signs_externally(), request, TokenRequest::build);
        self.http.send(config, &endpoint, replay, observer, build, read).await
    }

    /// Gets the keys by which an ID token will be validated. Before the request, so that an issuer out of reach costs
    /// no credential that can be used once.
    async fn expect_issuer(
        &self,
        request: &TokenRequest,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let Some(issuer) = &request.issuer else { return Ok(()) };
        if request.client_id.as_deref().unwrap_or_default().is_empty() {
            let message = "The issuer is given to validate the ID token, which needs the client id, too.";
            return Err(Error::invalid(ErrorCode::InvalidArgument, message));
        }
        self.issuer_keys(issuer, None, config, request.allow_insecure_http, observer).await.map(drop)
    }

    /// Validates the ID token of an answer. It has its own time: nothing that was granted is lost because the request
    /// took long.
    pub(crate) async fn check_granted(
        &self,
        request: &TokenRequest,
        response: TokenResponse,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<TokenResponse, Error> {
        if let Some((id_token, expected)) = request.expected_id_token(&response) {
            self.check_id_token(&id_token, &expected, config, observer).await?;
        }
        Ok(response)
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
        warn_of_weak_key(&request.authentication, observer);
        self.expect_issuer(request, config, observer).await?;
        let started = Instant::now();
        loop {
            let error = match self.ask_for_token(request, config, observer).await {
                Ok(response) => return self.check_granted(request, response, config, observer).await,
                Err(error) => error,
            };
            let elapsed = started.elapsed();
            let interval = polling.next_pause(error, elapsed)?;
            let remaining = polling.expires_in.saturating_sub(elapsed);
            observer.event(Event::Pending { interval, remaining });
            let pause = tokio::time::sleep(interval);
            tokio::select! {
                biased;
                never = count_down(deadline(started, polling.expires_in), observer) => match never {},
                () = pause => {}
            }
        }
    }

    /// Asks for the codes of a device flow (RFC 8628 section 3.1).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn device_authorization(
        &self,
        request: &DeviceAuthorizationRequest,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<DeviceAuthorizationResponse, Error> {
        warn_of_weak_key(&request.authentication, observer);
        let endpoint = endpoint_url(&request.endpoint, request.allow_insecure_http)?;
        let build =
            || signed(request.authentication.signs_externally(), request, DeviceAuthorizationRequest::build);
        let read = |sent: &HttpRequest, response| request.parse(sent, response, Utc::now());
        self.http.send(config, &endpoint, Replay::Allowed, observer, build, read).await
    }

    /// Starts `browser` with a prepared request and waits for the answer, at most for the time of `wait`. The limits
    /// of `config` are for requests to the issuer, if there is one.
    ///
    /// An answer with a wrong state does not end the wait: it is refused, and if no better one comes,
    /// [`ErrorCode::StateMismatch`] is the outcome.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Authorization`] when the server sent the user back with an error.
    pub async fn authorize(
        &self,
        authorization: &Authorization,
        listener: LoopbackListener,
        browser: &Browser,
        wait: Duration,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<AuthorizationResponse, Error> {
        let metadata = self.authorization_metadata(authorization, config, observer).await?;
        let open = async {
            observer.event(match browser.open(authorization.url()).await {
                Ok(program) => Event::BrowserStarted { program },
                Err(reason) => Event::BrowserNotStarted { reason },
            });
        };
        let accept =
            async |answer| Box::pin(self.accept(authorization, answer, metadata, config, observer)).await;
        listener.answer(authorization, wait, observer, open, accept).await
    }

    /// Completes a prepared request with an answer that came on another way, see [`Authorization::read_redirect`].
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize).
    pub async fn complete_authorization(
        &self,
        authorization: &Authorization,
        answer: Answer,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<AuthorizationResponse, Error> {
        let metadata = self.authorization_metadata(authorization, config, observer).await?;
        self.accept(authorization, answer, metadata, config, observer).await
    }

    async fn authorization_metadata(
        &self,
        authorization: &Authorization,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<Option<Metadata>, Error> {
        let Some(issuer) = authorization.issuer() else { return Ok(None) };
        let location = MetadataLocation::parse(issuer, authorization.allow_insecure_http())?;
        self.metadata(&location, config, observer).await.map(Some)
    }

    async fn accept(
        &self,
        authorization: &Authorization,
        answer: Answer,
        metadata: Option<Metadata>,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<AuthorizationResponse, Error> {
        let response = authorization.read(answer, metadata.as_ref(), Utc::now())?;
        if let Some((id_token, expected)) = authorization.expected_id_token(&response) {
            self.check_id_token(&id_token, &expected, config, observer).await?;
        }
        Ok(response)
    }

    /// Asks who the user of an access token is (OpenID Connect Core section 5.3).
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorCode::SubjectMismatch`] when the answer is about another user.
    pub async fn user_info(
        &self,
        request: &UserInfoRequest,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<UserInfo, Error> {
        let begun = Instant::now();
        let endpoint = if let Some(endpoint) = &request.endpoint {
            endpoint_url(endpoint, request.allow_insecure_http)?
        } else {
            let metadata = self.metadata(&request.issuer_location()?, config, observer).await?;
            request.endpoint_of(&metadata)?
        };
        let build = || async { request.build(endpoint.clone()) };
        let read = |sent: &HttpRequest, response| UserInfoAnswer::read(sent, &response);
        let left = remaining(config, begun);
        let answer = self.http.send(&left, &endpoint, Replay::Allowed, observer, build, read).await?;
        let claims = match answer {
            UserInfoAnswer::Plain(claims) => UserInfo { claims, is_signed: false },
            UserInfoAnswer::Signed(token) => {
                let verification = request.verification(&token, &endpoint)?;
                let left = remaining(config, begun);
                let verdicts = self.verify(vec![token], verification, &left, observer).await?;
                UserInfo { claims: userinfo::verified(verdicts, &endpoint)?, is_signed: true }
            }
        };
        request.check_subject(&claims, &endpoint)?;
        Ok(claims)
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
        let begun = Instant::now();
        let mut last = None;
        for url in &location.urls {
            let read = |sent: &HttpRequest, response| location.read(sent, &response);
            match self.get(url, &remaining(config, begun), observer, read).await {
                // The other well-known path may be the one that the server has.
                Err(error) if error.reply().is_some_and(|reply| reply.status == 404) => last = Some(error),
                result => return result,
            }
        }
        Err(last.unwrap_or_else(no_address))
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
        let fetch = || self.fetch_keys(&url, config, observer);
        in_time(config, &url, Box::pin(self.keys.get(&cache_name(config, &url), key_id, fetch))).await
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
        let address = location.urls.first().ok_or_else(no_address)?;
        let fetch = || async {
            let metadata = self.metadata(&location, config, observer).await?;
            let jwks_uri = metadata.jwks_uri.ok_or_else(|| {
                let message = format!("The metadata of {issuer} names no jwks_uri, the address of its keys.");
                Error::invalid(ErrorCode::InvalidJwks, message)
            })?;
            let url = endpoint_url(&jwks_uri, allow_insecure_http)?;
            if address.scheme() == "https" && url.scheme() != "https" {
                let message = format!("{issuer} is asked by https, but its keys are to be had without.");
                return Err(Error::invalid(ErrorCode::InsecureEndpoint, message));
            }
            self.fetch_keys(&url, config, observer).await
        };
        in_time(config, address, Box::pin(self.keys.get(&cache_name(config, address), key_id, fetch))).await
    }

    async fn fetch_keys(
        &self,
        url: &Url,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<(JwkSet, Duration), Error> {
        let read = |sent: &HttpRequest, response: HttpResponse| {
            reply::success(sent, &response)?;
            match JwkSet::from_json(reply::without_mark(&response.body)) {
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

/// Under what name fetched keys are kept. It holds the trust by which their server was believed, for keys that came
/// without a check of its certificate, or by an authority of their own, vouch for no token of other calls.
fn cache_name(config: &HttpConfig, address: &Url) -> String {
    format!("{} {:?} {address}", config.skip_certificate_check, config.certificate_authority)
}

/// What a call that began at `begun` has left of its time.
pub(crate) fn remaining(config: &HttpConfig, begun: Instant) -> HttpConfig {
    HttpConfig { timeout: config.timeout.saturating_sub(begun.elapsed()), ..config.clone() }
}

/// Ends in the time of one request what makes several, or waits for those of others. Such work is large: give it boxed.
async fn in_time<T>(
    config: &HttpConfig,
    url: &Url,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let done = tokio::time::timeout(config.timeout, work).await;
    done.unwrap_or_else(|_| Err(http::timed_out(config, url)))
}

fn no_address() -> Error {
    Error::invalid(ErrorCode::InvalidEndpoint, "There is no address to ask.")
}

fn warn_of_weak_key(authentication: &ClientAuthentication, observer: &dyn Observer) {
    if let Some(text) = authentication.weakness() {
        observer.event(Event::Warning(text));
    }
}

/// Builds a request, on another thread if `may_block`: a smart card may ask for its PIN.
async fn signed<T: Clone + Send + 'static>(
    may_block: bool,
    request: &T,
    build: fn(&T, &Attempt) -> Result<HttpRequest, Error>,
) -> Result<HttpRequest, Error> {
    if !may_block {
        return build(request, &Attempt::now());
    }
    let request = request.clone();
    tokio::task::spawn_blocking(move || build(&request, &Attempt::now()))
        .await
        .unwrap_or_else(|error| Err(Error::internal(format!("Signing ended unexpectedly: {error}"))))
}
