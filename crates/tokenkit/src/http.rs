//! Sending: the only file that names the HTTP library. Proxies, pools, time limits and retries.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::mem::discriminant;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use backon::{ExponentialBuilder, Retryable as _};
use http_cache_semantics::{CacheOptions, CachePolicy};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::error::{Error, ErrorCode, TransportError};
use crate::event::{Event, Observer};
use crate::message::{Content, HttpRequest, HttpResponse, Method, display_url};
use crate::reply;
use crate::secret::Secret;
use crate::tls;
use crate::token::is_loopback;

/// Larger answers are refused: no token response comes near.
const MAX_BODY: usize = 1024 * 1024;

/// What to make room for when a server does not tell the length. All of it is wiped after use.
const USUAL_BODY: u64 = 4096;

/// Connections kept for this many different configurations; the one unused longest goes first.
const MAX_POOLS: usize = 16;

/// Idle connections are closed after this time, before most servers would do so and a request could be
/// lost to the race.
const IDLE: Duration = Duration::from_secs(20);

/// However a server forbids caching, the keys for one batch of tokens are not fetched for each of them.
const MIN_FRESH: Duration = Duration::from_mins(1);

/// However long a server allows caching, a withdrawn key is noticed within a day.
const MAX_FRESH: Duration = Duration::from_hours(24);

const USER_AGENT: &str = concat!("tokenkit/", env!("CARGO_PKG_VERSION"));

/// How requests travel.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Time allowed to make a connection.
    pub connect_timeout: Duration,
    /// Time allowed for everything, repeated attempts included.
    pub timeout: Duration,
    /// Which proxy to use.
    pub proxy: Proxy,
    /// A file with certificates, PEM or DER, that are trusted beside the system's. Lists of revoked certificates (RFC 5280
    /// section 5) that stand in it as PEM are honoured for these authorities.
    pub certificate_authority: Option<PathBuf>,
    /// Whether a server is believed without a valid certificate. Whoever sits between then reads and changes
    /// everything: for trials on a network of one's own only.
    pub skip_certificate_check: bool,
    /// How often a failed request may be repeated. Requests that may have consumed a one-time credential
    /// are never repeated.
    pub max_retries: usize,
    /// Whether requests that may change something are only told, as [`Event::Sending`], and then fail with
    /// [`ErrorCode::NotSent`]. Metadata and keys are asked for all the same.
    pub rehearse: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(15),
            timeout: Duration::from_mins(1),
            proxy: Proxy::System,
            certificate_authority: None,
            skip_certificate_check: false,
            max_retries: 3,
            rehearse: false,
        }
    }
}

/// Which proxy to use. Requests to loopback addresses go through an explicit one only.
#[derive(Debug, Clone, Default)]
pub enum Proxy {
    /// As the environment of the process and the operating system say.
    #[default]
    System,
    /// As these values of `http_proxy`, `https_proxy` and `no_proxy` say, for a host whose environment is
    /// not that of the process.
    Environment {
        /// Proxy for http, which may hold credentials.
        http: Option<Secret>,
        /// Proxy for https, which may hold credentials.
        https: Option<Secret>,
        /// Hosts that are reached directly, separated by commas.
        no_proxy: Option<String>,
    },
    /// This one for everything.
    Explicit {
        /// Its address, such as `http://proxy.example:3128`.
        url: String,
        /// User name and password it asks for.
        credentials: Option<(String, Secret)>,
    },
    /// None.
    None,
}

/// What may happen twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// Anything that failed for a passing reason may be repeated.
    Allowed,
    /// Only what surely did not consume the one-time credential in it.
    OneTime,
}

/// Connection pools, one for each configuration in use.
#[derive(Default)]
pub(crate) struct Http {
    pools: Arc<Mutex<Vec<Pool>>>,
}

struct Pool {
    key: PoolKey,
    client: reqwest::Client,
    last_used: Instant,
}

#[derive(Clone)]
struct PoolKey {
    connect_timeout: Duration,
    proxy: Proxy,
    certificate_authority: Option<Vec<u8>>,
    skip_certificate_check: bool,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// Sends what `build` makes until `read` accepts the answer, the failure is final, or time is over.
    ///
    /// `build` runs for every attempt, since a signed assertion can be used only once.
    pub(crate) async fn send<T, B, R>(
        &self,
        config: &HttpConfig,
        endpoint: &Url,
        replay: Replay,
        observer: &dyn Observer,
        build: impl Fn() -> B,
        read: R,
    ) -> Result<T, Error>
    where
        B: Future<Output = Result<HttpRequest, Error>>,
        R: Fn(&HttpRequest, HttpResponse) -> Result<T, Error>,
    {
        let client = self.client(config, endpoint)?;
        let started = Instant::now();
        let attempt = || async {
            let request = build().await?;
            let response = exchange(&client, &request, config.rehearse, observer).await?;
            read(&request, response)
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(20))
            .with_jitter()
            .with_max_times(config.max_retries);
        let attempts = attempt
            .retry(pauses)
            .sleep(tokio::time::sleep)
            .when(|error| may_repeat(error, replay))
            .adjust(|error, pause| {
                let pause = pause?;
                let pause = reply::retry_after(error).map_or(pause, |wanted| wanted.max(pause));
                // Sleeping past the deadline would only turn a clear error into a timeout.
                (started.elapsed().saturating_add(pause) < config.timeout).then_some(pause)
            })
            .notify(|error, delay| observer.event(Event::Retrying { reason: error.to_string(), delay }));
        tokio::time::timeout(config.timeout, attempts)
            .await
            .unwrap_or_else(|_| Err(timed_out(config, endpoint)))
    }

    fn client(&self, config: &HttpConfig, endpoint: &Url) -> Result<reqwest::Client, Error> {
        // A proxy named for the world outside must not see what is meant to stay on this machine.
        let direct = is_loopback(endpoint) && !matches!(config.proxy, Proxy::Explicit { .. });
        let key = PoolKey {
            connect_timeout: config.connect_timeout,
            proxy: if direct { Proxy::None } else { config.proxy.clone() },
            certificate_authority: config.certificate_authority.as_deref().map(read_authority).transpose()?,
            skip_certificate_check: config.skip_certificate_check,
        };
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pool = if let Some(index) = pools.iter().position(|pool| pool.key.matches(&key)) {
            pools.remove(index)
        } else {
            if key.has_password() {
                tokio::spawn(forget_passwords(Arc::downgrade(&self.pools)));
            }
            Pool { client: build_client(&key)?, key, last_used: Instant::now() }
        };
        pool.last_used = Instant::now();
        let client = pool.client.clone();
        pools.insert(0, pool);
        pools.truncate(MAX_POOLS);
        Ok(client)
    }
}

/// Drops pools with a password when they have not been used for a while, until none is left.
async fn forget_passwords(pools: Weak<Mutex<Vec<Pool>>>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(pools) = pools.upgrade() else { return };
        let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| !pool.key.has_password() || pool.last_used.elapsed() < IDLE);
        if !pools.iter().any(|pool| pool.key.has_password()) {
            return;
        }
    }
}

impl PoolKey {
    /// Whether it holds a secret that somebody handed over for a call.
    fn has_password(&self) -> bool {
        matches!(self.proxy, Proxy::Explicit { credentials: Some(_), .. })
    }

    fn matches(&self, other: &Self) -> bool {
        self.connect_timeout == other.connect_timeout
            && self.certificate_authority == other.certificate_authority
            && self.skip_certificate_check == other.skip_certificate_check
            && self.proxy.matches(&other.proxy)
    }
}

impl Proxy {
    fn matches(&self, other: &Self) -> bool {
        let (one, two) = (self.parts(), other.parts());
        let same = |(one, two): (&Option<Secret>, &Option<Secret>)| match (one, two) {
            (Some(one), Some(two)) => one.matches(two),
            (None, None) => true,
            _ => false,
        };
        discriminant(self) == discriminant(other) && one.iter().zip(&two).all(same)
    }

    /// What tells two proxies of the same variant apart.
    fn parts(&self) -> [Option<Secret>; 3] {
        let text = |text: &String| Secret::from(text.as_str());
        match self {
            Self::System | Self::None => [None, None, None],
            Self::Environment { http, https, no_proxy } => {
                [http.clone(), https.clone(), no_proxy.as_ref().map(text)]
            }
            Self::Explicit { url, credentials } => {
                let (user, password) = credentials.clone().unzip();
                [Some(text(url)), user.as_ref().map(text), password]
            }
        }
    }
}

fn read_authority(path: &std::path::Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| {
        Error::invalid(
            ErrorCode::InvalidCertificateAuthority,
            format!("The certificate authority file '{}' cannot be read: {error}.", path.display()),
        )
    })
}

fn build_client(key: &PoolKey) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        // What is repeated is decided, counted and told here.
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(key.connect_timeout)
        .pool_idle_timeout(IDLE);
    builder = if key.skip_certificate_check {
        builder.tls_danger_accept_invalid_certs(true)
    } else {
        builder.tls_backend_preconfigured(tls::config(key.certificate_authority.as_deref())?)
    };
    builder = match &key.proxy {
        Proxy::System => builder,
        Proxy::None => builder.no_proxy(),
        Proxy::Environment { http, https, no_proxy } => {
            let exceptions = no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
            let mut builder = builder.no_proxy();
            if let Some(url) = http {
                builder = builder.proxy(
                    reqwest::Proxy::http(proxy_url(url)?).map_err(bad_proxy)?.no_proxy(exceptions.clone()),
                );
            }
            if let Some(url) = https {
                builder = builder
                    .proxy(reqwest::Proxy::https(proxy_url(url)?).map_err(bad_proxy)?.no_proxy(exceptions));
            }
            builder
        }
        Proxy::Explicit { url, credentials } => {
            let mut proxy =
                reqwest::Proxy::all(proxy_url(&Secret::from(url.as_str()))?).map_err(bad_proxy)?;
            if let Some((user, password)) = credentials {
                let password = password.expose_str().ok_or_else(|| {
                    Error::invalid(ErrorCode::InvalidProxy, "The proxy password is not text.")
                })?;
                proxy = proxy.basic_auth(user, password);
            }
            builder.no_proxy().proxy(proxy)
        }
    };
    builder
        .build()
        .map_err(|error| Error::internal(format!("The HTTP client cannot be set up: {}.", causes(&error))))
}

/// Reads a proxy address. The errors do not quote it: it may hold a password.
fn proxy_url(text: &Secret) -> Result<Url, Error> {
    let url = text.expose_str().and_then(|text| match Url::parse(text) {
        Ok(url) if url.has_host() => Some(url),
        // `proxy.example:3128` without a scheme is common in environments.
        _ if !text.contains("://") => Url::parse(&format!("http://{text}")).ok(),
        _ => None,
    });
    url.filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| Error::invalid(ErrorCode::InvalidProxy, "The proxy address is no http or https URL."))
}

fn bad_proxy(error: reqwest::Error) -> Error {
    Error::invalid(
        ErrorCode::InvalidProxy,
        format!("The proxy cannot be used: {}.", causes(&error.without_url())),
    )
}

async fn exchange(
    client: &reqwest::Client,
    request: &HttpRequest,
    rehearse: bool,
    observer: &dyn Observer,
) -> Result<HttpResponse, Error> {
    let endpoint = display_url(&request.url);
    let headers = headers(request)?;
    if observer.wants_details() {
        observer.event(Event::Sending {
            method: request.method.as_str(),
            url: endpoint.clone(),
            headers: request.masked_headers(),
            content: request.masked_content(),
        });
    }
    if rehearse && request.method != Method::Get {
        return Err(Error::invalid(ErrorCode::NotSent, "The request was only shown, and not sent."));
    }
    let started = Instant::now();
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Delete => reqwest::Method::DELETE,
    };
    let mut sending = client.request(method, request.url.clone()).headers(headers);
    sending = match (&request.content, request.method) {
        // RFC 9110 section 8.6; there are servers that refuse a POST without (411).
        (Content::None, Method::Post) => sending.header(CONTENT_LENGTH, 0),
        (Content::None, _) => sending,
        _ => sending.body(reqwest::Body::from(wiped_after_use(request.body()))),
    };
    let failed = |error: reqwest::Error| transport_error(&error.without_url(), &endpoint);

    let mut response = sending.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    if status == 407 {
        return Err(transport(
            ErrorCode::ProxyFailed,
            "the proxy asks for a user name and password (HTTP 407)".into(),
            &endpoint,
            false,
        ));
    }
    let too_large = || too_large(request, status);
    let expected = usize::try_from(response.content_length().unwrap_or(USUAL_BODY)).unwrap_or(usize::MAX);
    if expected > MAX_BODY {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(expected);
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    if observer.wants_details() {
        observer.event(Event::Received {
            url: endpoint,
            status,
            version: format!("{:?}", response.version()),
            bytes: body.len(),
            elapsed: started.elapsed(),
        });
    }
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Ok(HttpResponse { status, headers, body: Secret::from(body) })
}

/// The body handed to the HTTP library without a further copy, wiped when it lets go of it.
fn wiped_after_use(body: Secret) -> bytes::Bytes {
    struct Owner(Secret);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.expose()
        }
    }
    bytes::Bytes::from_owner(Owner(body))
}

fn headers(request: &HttpRequest) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for field in &request.headers {
        let bad = |what: &str| {
            Error::invalid(
                ErrorCode::InvalidArgument,
                format!("The header '{}' has a {what} that HTTP does not allow.", field.name),
            )
        };
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| bad("name"))?;
        let mut value = HeaderValue::from_bytes(field.value.expose()).map_err(|_| bad("value"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn too_large(request: &HttpRequest, status: u16) -> Error {
    let response = HttpResponse { status, headers: Vec::new(), body: Secret::default() };
    let what = format!("the answer is larger than {MAX_BODY} bytes");
    reply::unusable(request, &response, ErrorCode::ResponseTooLarge, &what)
}

/// No answer within the time of `config`.
pub(crate) fn timed_out(config: &HttpConfig, endpoint: &Url) -> Error {
    // What earlier requests of the same call have left is no round figure.
    let seconds = (config.timeout.as_secs_f64() * 10.0).round().max(1.0) / 10.0;
    let message = format!("no complete answer within {seconds} s");
    transport(ErrorCode::Timeout, message, &display_url(endpoint), true)
}

fn transport(code: ErrorCode, message: String, endpoint: &str, retryable: bool) -> Error {
    let endpoint = endpoint.to_owned();
    Error::Transport(Box::new(TransportError { code, message, endpoint, retryable, advice: code.advice() }))
}

fn transport_error(error: &reqwest::Error, endpoint: &str) -> Error {
    if let Some(error) = find::<rustls::Error>(error) {
        return tls_error(error, endpoint);
    }
    let causes = causes(error);
    let (code, message, retryable) =
        if causes.contains("tunnel error") && !causes.contains("failed to create underlying connection") {
            (ErrorCode::ProxyFailed, format!("the proxy made no tunnel: {causes}"), false)
        } else if error.is_dns() {
            (ErrorCode::DnsFailed, format!("the host name was not resolved: {causes}"), true)
        } else if error.is_connect() {
            (ErrorCode::ConnectFailed, format!("no connection: {causes}"), true)
        } else if find::<h2::Error>(error).is_some_and(is_refusal) {
            (ErrorCode::RequestRefused, format!("the server did not take the request: {causes}"), true)
        } else {
            (ErrorCode::ConnectionLost, format!("the connection ended early: {causes}"), true)
        };
    transport(code, message, endpoint, retryable)
}

fn tls_error(error: &rustls::Error, endpoint: &str) -> Error {
    let (problem, advice) = tls::problem(error);
    Error::Transport(Box::new(TransportError {
        code: ErrorCode::TlsFailed,
        message: format!("no secure connection: {problem}"),
        endpoint: endpoint.to_owned(),
        retryable: false,
        advice: advice.unwrap_or(ErrorCode::TlsFailed.advice()),
    }))
}

/// Whether the server promises that it has not worked on the request (RFC 9113 sections 6.8 and 8.7).
fn is_refusal(error: &h2::Error) -> bool {
    let reason = error.reason();
    error.is_remote()
        && (error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM)
            || error.is_go_away() && reason == Some(h2::Reason::NO_ERROR))
}

/// The innermost causes as one text, without the outer layers that only say "error sending request".
fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // A layer that only says so.
        let is_wrapper = text.starts_with("client error (");
        if !is_wrapper && !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

/// The first cause of type `T`, looking into I/O errors too: they hide what they wrap from `source`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    None
}

/// How long an answer to a GET may be used again (RFC 9111 section 4.2): as its headers say, but within
/// [`MIN_FRESH`] and [`MAX_FRESH`].
pub(crate) fn freshness(request: &HttpRequest, response: &HttpResponse) -> Duration {
    let mut asked = http::Request::get(request.url.as_str());
    asked = asked.header("accept", "application/json");
    let mut answered = http::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        answered = answered.header(name, value);
    }
    let (Ok(asked), Ok(answered)) = (asked.body(()), answered.body(())) else { return MIN_FRESH };
    // This cache serves one user: `private` answers may be kept.
    let options = CacheOptions { shared: false, ..CacheOptions::default() };
    let now = SystemTime::now();
    CachePolicy::new_options(&asked, &answered, now, options).time_to_live(now).clamp(MIN_FRESH, MAX_FRESH)
}

fn may_repeat(error: &Error, replay: Replay) -> bool {
    let never_carried = matches!(
        error.error_code(),
        ErrorCode::DnsFailed | ErrorCode::ConnectFailed | ErrorCode::RequestRefused
    );
    // A rate limit is applied before the request is worked on. That of a device flow is kept to by whoever polls: each
    // question that comes too soon is another reason to slow down (RFC 8628 section 3.5).
    let turned_away = error.reply().is_some_and(|reply| reply.status == 429)
        && error.oauth().is_none_or(|oauth| oauth.error != "slow_down");
    match error {
        Error::Transport(_) => never_carried,
        Error::Server(failure) => {
            turned_away || (replay == Replay::Allowed && failure.reply.status >= 500 && failure.retryable)
        }
        _ => false,
    }
}
