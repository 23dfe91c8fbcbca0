//! Every fault at every operation that talks to a server: the outcome is the right one, in time, and nothing that can be
//! spent is sent twice. A fault is a row of `faults`, an operation a row of `operations`; what to expect follows from
//! rules, see [`Row::outcome`].
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::ops::RangeInclusive;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::Utc;
use serde_json::json;
use tempfile::TempDir;
use tokenkit::jwt::{self, Header, JwkSet, KeyType, SigningKey, Validation};
use tokenkit::providers::{governance, lcs, venafi};
use tokenkit::store::{Memory, Store, StoreOptions};
use tokenkit::{
    AuthorizationRequest, Client, DeviceAuthorizationRequest, DevicePolling, Error, ErrorCode, Field, Grant,
    HttpConfig, KeySource, MetadataLocation, Proxy, Secret, TokenRequest, UserInfoRequest, Verification,
};
use tokenkit_testserver::{Canned, Fault, Place, TestServer};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const TOKEN: &str = r#"{"access_token":"at","token_type":"Bearer","expires_in":3600}"#;
const CODES: &str =
    r#"{"device_code":"dc","user_code":"uc","verification_uri":"https://as.example","expires_in":60}"#;
const CLAIMS: &str = r#"{"sub":"alice"}"#;
const ACCOUNT: &str = r#"{"user":{"id":"1","username":"alice"}}"#;
const ANSWER: &str = r#"{"IsSuccess":true,"Value":{"AccessToken":"at"}}"#;

/// Time allowed where an answer comes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time allowed where none comes.
const IMPATIENCE: Duration = Duration::from_secs(3);

/// How much longer than allowed a call may take, on such a machine.
const GRACE: Duration = Duration::from_secs(30);

/// One repetition is enough to see that there are some.
const RETRIES: usize = 1;

/// More requests than polling makes in its time.
const MANY: usize = 100;

/// How many calls run at the same time.
const ABREAST: usize = 32;

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    /// It is taken.
    Taken,
    /// It is refused for good.
    Refused(ErrorCode),
    /// It is refused for now.
    Busy(ErrorCode, Sent),
}

/// What is known about a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It never reached a server.
    Nowhere,
    /// It was not worked on.
    ForNothing,
    /// The server answered that something in it went wrong.
    Answered,
    /// It may have been worked on.
    Unknown,
}

/// Which rules an operation follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What it sends may be used again.
    Repeatable,
    /// What it sends may be used once.
    OneTime,
    /// It asks until time is over.
    Polling,
    /// It finds out about tokens, and what fails is a finding about them.
    Finding,
    /// As `Repeatable`, of a service that also answers with nothing, and never compressed.
    Service,
    /// As `OneTime`, of that service.
    ServiceOneTime,
}

impl Row {
    /// The code of the error, if there is one, and how many requests the server sees.
    fn outcome(self, kind: Kind) -> (Option<&'static str>, RangeInclusive<usize>) {
        let (code, sent) = match self {
            Self::Taken => return (None, 1..=1),
            Self::Refused(code) => (code, None),
            Self::Busy(code, sent) => (code, Some(sent)),
        };
        let repeated = match sent {
            None | Some(Sent::Unknown) => false,
            Some(Sent::Nowhere | Sent::ForNothing) => true,
            Some(Sent::Answered) => matches!(kind, Kind::Repeatable | Kind::Finding | Kind::Service),
        };
        let requests = match sent {
            Some(Sent::Nowhere) => 0,
            _ if repeated => 1 + RETRIES,
            _ => 1,
        };
        match (kind, sent) {
            (Kind::Polling, Some(Sent::ForNothing | Sent::Answered | Sent::Unknown)) => {
                (Some("expired_token"), requests..=MANY)
            }
            (Kind::Finding, _) => (Some("keys_unavailable"), requests..=requests),
            _ => (Some(code.as_str()), requests..=requests),
        }
    }

    fn timeout(self) -> Duration {
        if self == Self::Busy(ErrorCode::Timeout, Sent::Unknown) { IMPATIENCE } else { PATIENCE }
    }
}

/// A fault, how a person would call it, and what becomes of the answer.
struct FaultRow {
    name: &'static str,
    fault: Fault,
    row: Row,
}

fn faults() -> Vec<FaultRow> {
    use ErrorCode::{
        ConnectFailed, ConnectionLost, Http, NotJson, RequestRefused, ResponseTooLarge, Timeout,
        UnexpectedRedirect,
    };
    use Row::{Busy, Refused, Taken};
    use Sent::{Answered, ForNothing, Nowhere, Unknown};
    let lost = Busy(ConnectionLost, Unknown);
    let late = Busy(Timeout, Unknown);
    let redirect =
        |status, target: Option<&str>| Fault::Redirect { status, target: target.map(str::to_owned) };
    let status =
        |status, after: Option<&str>| Fault::Status { status, retry_after: after.map(str::to_owned) };
    let length = |value: &str| Fault::ContentLength(value.to_owned());
    let in_a_second = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1));
    let refused_stream = h2::Reason::REFUSED_STREAM.into();
    let rows = [
        ("connection refused", Fault::Refuse, Busy(ConnectFailed, Nowhere)),
        ("reset before the headers", Fault::Reset(Place::Start), lost),
        ("reset inside the headers", Fault::Reset(Place::Headers), lost),
        ("reset inside the body", Fault::Reset(Place::Body), lost),
        ("closed before the headers", Fault::Close(Place::Start), lost),
        ("closed inside the headers", Fault::Close(Place::Headers), lost),
        ("truncated: closed inside the body", Fault::Close(Place::Body), lost),
        ("stalled before the headers", Fault::Stall(Place::Start), late),
        ("stalled inside the headers", Fault::Stall(Place::Headers), late),
        ("stalled inside the body", Fault::Stall(Place::Body), late),
        ("Content-Length too large", length("99999"), lost),
        ("Content-Length too small", length("5"), Refused(NotJson)),
        ("Content-Length of 0", length("0"), Refused(NotJson)),
        ("Content-Length of 2^64", length("18446744073709551616"), lost),
        ("Content-Length negative", length("-1"), lost),
        ("Content-Length no number", length("many"), lost),
        ("Content-Length twice", length("5\r\nContent-Length: 6"), lost),
        ("Content-Length of 900 TB", length("900000000000000"), Refused(ResponseTooLarge)),
        ("chunked garbage", Fault::ChunkedGarbage, lost),
        ("chunked, last chunk missing", Fault::ChunkedUnfinished, lost),
        ("gzip bomb that nobody asked for", Fault::GzipBomb, Refused(NotJson)),
        ("100 MB, announced", Fault::Huge { announced: true }, Refused(ResponseTooLarge)),
        ("100 MB, not announced", Fault::Huge { announced: false }, Refused(ResponseTooLarge)),
        ("JSON of 100,000 levels", Fault::DeepJson, Refused(NotJson)),
        ("UTF-8 with byte order mark", Fault::ByteOrderMark, Taken),
        ("UTF-16", Fault::Utf16, Refused(NotJson)),
        ("ISO 8859-1 as UTF-8", Fault::Latin1, Refused(NotJson)),
        ("NUL in a header", Fault::NulInHeader, lost),
        ("NUL behind the body", Fault::NulInBody, Refused(NotJson)),
        ("100 interim responses (103)", Fault::Interim(100), Taken),
        ("endless interim responses", Fault::Interim(u32::MAX), late),
        ("unasked-for 101", Fault::SwitchingProtocols, Refused(Http)),
        ("10,000 headers", Fault::Headers(10_000), lost),
        ("endless headers", Fault::Headers(u32::MAX), lost),
        ("no HTTP", Fault::NoHttp, lost),
        ("redirect to itself", redirect(302, None), Refused(UnexpectedRedirect)),
        ("redirect (307) to itself", redirect(307, None), Refused(UnexpectedRedirect)),
        ("redirect to http", redirect(301, Some("http://as.example/token")), Refused(UnexpectedRedirect)),
        ("redirect to file:", redirect(308, Some("file:///etc/passwd")), Refused(UnexpectedRedirect)),
        ("redirect to no address", redirect(302, Some("http://[")), Refused(UnexpectedRedirect)),
        ("401", status(401, None), Refused(Http)),
        ("401 with Retry-After", status(401, Some("1")), Refused(Http)),
        ("429", status(429, None), Busy(Http, ForNothing)),
        ("429 with Retry-After in seconds", status(429, Some("1")), Busy(Http, ForNothing)),
        ("429 with Retry-After as date", status(429, Some(&in_a_second)), Busy(Http, ForNothing)),
        ("429 with Retry-After absurd", status(429, Some("soon")), Busy(Http, ForNothing)),
        ("429 with Retry-After of years", status(429, Some("99999999")), Refused(Http)),
        ("503", status(503, None), Busy(Http, Answered)),
        ("503 with Retry-After in seconds", status(503, Some("1")), Busy(Http, Answered)),
        ("503 with Retry-After as date", status(503, Some(&in_a_second)), Busy(Http, Answered)),
        ("503 with Retry-After absurd", status(503, Some("-1")), Busy(Http, Answered)),
        ("503 with Retry-After of years", status(503, Some("99999999999999999999")), Refused(Http)),
        ("HTTP/2 GOAWAY, no error", Fault::GoAway(h2::Reason::NO_ERROR.into()), lost),
        ("HTTP/2 GOAWAY, calm down", Fault::GoAway(h2::Reason::ENHANCE_YOUR_CALM.into()), lost),
        (
            "HTTP/2 stream refused",
            Fault::ResetStream { reason: refused_stream, place: Place::Start },
            Busy(RequestRefused, ForNothing),
        ),
        (
            "HTTP/2 stream reset before the headers",
            Fault::ResetStream { reason: h2::Reason::INTERNAL_ERROR.into(), place: Place::Start },
            lost,
        ),
        (
            "HTTP/2 stream reset after the headers",
            Fault::ResetStream { reason: h2::Reason::CANCEL.into(), place: Place::Headers },
            lost,
        ),
        (
            "HTTP/2 stream reset inside the body",
            Fault::ResetStream { reason: h2::Reason::CANCEL.into(), place: Place::Body },
            lost,
        ),
        ("server's clock of 1970", Fault::Date("Thu, 01 Jan 1970 00:00:00 GMT".into()), Taken),
        ("server's clock of 2100", Fault::Date("Fri, 01 Jan 2100 00:00:00 GMT".into()), Taken),
    ];
    rows.map(|(name, fault, row)| FaultRow { name, fault, row }).into()
}

/// What the operations need beside the fault's address.
struct World {
    server: TestServer,
    key: SigningKey,
    /// Where the keys are to be had without a fault.
    good_keys: String,
    /// Where a token is to be had without a fault, and claims about its user.
    good_token: String,
    good_claims: String,
    store: Store,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let server = TestServer::start().unwrap();
        let key = SigningKey::generate(KeyType::P256, None).unwrap();
        server.canned("/canned/jwks", Canned::json(200, &keys(&key)));
        server.canned("/canned/token", Canned::json(200, TOKEN));
        server.canned("/canned/claims", Canned::json(200, CLAIMS));
        let [good_keys, good_token, good_claims] =
            ["/canned/jwks", "/canned/token", "/canned/claims"].map(|path| server.url(path));
        let folder = TempDir::new().unwrap();
        let options = StoreOptions {
            folder: Some(folder.path().join("store")),
            keyring: false,
            ..StoreOptions::default()
        };
        let store = Store::open(options, Arc::new(Memory::default()), Arc::new(())).unwrap();
        Self { server, key, good_keys, good_token, good_claims, store, _folder: folder }
    }

    fn config(&self, timeout: Duration) -> HttpConfig {
        HttpConfig {
            timeout,
            max_retries: RETRIES,
            proxy: Proxy::None,
            certificate_authority: Some(self.server.certificate_authority().to_owned()),
            ..HttpConfig::default()
        }
    }

    async fn verify(
        &self,
        client: &Client,
        source: KeySource,
        issuer: &str,
        timeout: Duration,
    ) -> Result<(), String> {
        let claims = json!({ "iss": issuer, "exp": Utc::now().timestamp() + 300 });
        let token = jwt::sign(&Header::new(self.key.default_algorithm(), &self.key), &claims, &self.key);
        let verification = Verification {
            source,
            claims: Some(Validation::new(JwkSet::default())),
            with_content: false,
            allow_insecure_http: true,
            now: Utc::now(),
        };
        let config = self.config(timeout);
        let verdicts = client.verify(vec![token.unwrap()], verification, &config, &()).await;
        match &verdicts.map_err(code)?[0].findings[..] {
            [] => Ok(()),
            findings => Err(findings[0].code.clone()),
        }
    }
}

fn keys(key: &SigningKey) -> String {
    json!({ "keys": [key.verifying_key().unwrap().to_jwk()] }).to_string()
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn code(error: Error) -> String {
    assert!(!error.to_string().is_empty() && !error.advice().is_empty());
    error.error_code().as_str().to_owned()
}

/// A call to the fault at an address, with the time it is allowed.
type Call = for<'a> fn(
    &'a World,
    &'a Arc<Client>,
    &'a str,
    Duration,
) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// An operation, its rules, the body of the answer it waits for, and the call.
struct Operation {
    name: &'static str,
    kind: Kind,
    body: fn(&World, &str) -> String,
    call: Call,
}

macro_rules! grant {
    ($name:literal, $kind:ident) => {
        Operation {
            name: concat!("token by ", $name),
            kind: Kind::$kind,
            body: |_, _| TOKEN.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let (_, grant) = common::grants().into_iter().find(|(name, _)| *name == $name).unwrap();
                    let request = token_request(url, grant);
                    client.token(&request, &world.config(timeout), &()).await.map(drop).map_err(code)
                })
            },
        }
    };
}

fn token_request(url: &str, grant: Grant) -> TokenRequest {
    let mut request = TokenRequest::new(url, grant);
    request.client_id = Some("app".into());
    request.authentication = common::basic("s3cr3t");
    request
}

/// Refreshes with a token that no other call has.
fn refresh(url: &str) -> TokenRequest {
    token_request(url, Grant::RefreshToken { refresh_token: Secret::from(url) })
}

fn metadata(world: &World, url: &str) -> String {
    json!({ "issuer": url, "jwks_uri": world.good_keys, "userinfo_endpoint": world.good_claims }).to_string()
}

fn governance_call(kind: Kind, name: &'static str, call: Call) -> Operation {
    Operation { name, kind, body: |_, _| ANSWER.into(), call }
}

async fn ask_governance(
    world: &World,
    client: &Client,
    url: &str,
    timeout: Duration,
    call: governance::Call,
) -> Result<(), String> {
    let settings = governance::Settings { base_url: Some(url.into()), ..governance::Settings::default() };
    client.governance(&settings, &call, &world.config(timeout), &()).await.map(drop).map_err(code)
}

fn credential() -> Vec<governance::Property> {
    let value = governance::PropertyValue::Text(Secret::from("s3cr3t"));
    vec![governance::Property { name: "ClientSecret".into(), value }]
}

fn lcs_authority(url: &str) -> lcs::Authority {
    lcs::Authority { address: Some(url.into()), ..lcs::Authority::default() }
}

/// What else there is to a sign-in, and to keeping what came of it.
fn tasks() -> Vec<Operation> {
    vec![
        Operation {
            name: "refresh through the store",
            kind: Kind::OneTime,
            body: |_, _| TOKEN.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let (config, store) = (world.config(timeout), &world.store);
                    client.refresh_once(refresh(url), &config, store, None).await.map_err(code)?;
                    // Who comes later gets the same answer without a request.
                    client.refresh_once(refresh(url), &config, store, None).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "token by code, after its issuer's keys",
            kind: Kind::Repeatable,
            body: metadata,
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let grant =
                        Grant::AuthorizationCode { code: Secret::from("SplxlOBe"), code_verifier: None };
                    let mut request = token_request(&world.good_token, grant);
                    request.issuer = Some(url.into());
                    client.token(&request, &world.config(timeout), &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "answer of a sign-in, after its issuer's metadata",
            kind: Kind::Repeatable,
            body: metadata,
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let mut request = AuthorizationRequest::new("https://as.example/authorize", "app");
                    request.redirect_uri = Some("http://127.0.0.1/".into());
                    request.parameters = vec![Field::new("state", "af0ifjsldkj")];
                    request.issuer = Some(url.into());
                    let authorization = request.prepare().unwrap();
                    let answer = "http://127.0.0.1/?code=SplxlOBe&state=af0ifjsldkj";
                    let answer = authorization.read_redirect(answer).unwrap();
                    let config = world.config(timeout);
                    let result = client.complete_authorization(&authorization, answer, &config, &()).await;
                    result.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "device authorization",
            kind: Kind::Repeatable,
            body: |_, _| CODES.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let request = DeviceAuthorizationRequest::new(url, "app");
                    let config = world.config(timeout);
                    client.device_authorization(&request, &config, &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "userinfo",
            kind: Kind::Repeatable,
            body: |_, _| CLAIMS.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let request = UserInfoRequest {
                        endpoint: Some(url.into()),
                        issuer: None,
                        ..UserInfoRequest::new("", Secret::from("at"))
                    };
                    client.user_info(&request, &world.config(timeout), &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "userinfo of an issuer",
            kind: Kind::Repeatable,
            body: metadata,
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let request = UserInfoRequest::new(url, Secret::from("at"));
                    client.user_info(&request, &world.config(timeout), &()).await.map(drop).map_err(code)
                })
            },
        },
    ]
}

/// Those of single services.
fn services() -> Vec<Operation> {
    vec![
        Operation {
            name: "LCS by password",
            kind: Kind::Repeatable,
            body: |_, _| TOKEN.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let request = lcs::PasswordRequest {
                        client_id: Some("app".into()),
                        username: "johndoe".into(),
                        password: Secret::from("A3ddj3w"),
                        lcs_api_uri: Some("https://lcsapi.lcs.dynamics.com".into()),
                        authority: lcs_authority(url),
                    };
                    let config = world.config(timeout);
                    client.lcs_token(request, &config, &world.store).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "LCS refresh",
            kind: Kind::OneTime,
            body: |_, _| TOKEN.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let request = lcs::RefreshRequest {
                        client_id: Some("app".into()),
                        refresh_token: Some(Secret::from(url)),
                        authority: lcs_authority(url),
                        ..lcs::RefreshRequest::default()
                    };
                    let config = world.config(timeout);
                    client.lcs_refresh(request, &config, &world.store).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "Venafi access token",
            kind: Kind::OneTime,
            body: |_, _| TOKEN.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let account = venafi::ServiceAccount {
                        endpoint: url.into(),
                        jwt: Secret::from("e30.e30.c2lnbmF0dXJl"),
                        allow_insecure_http: false,
                    };
                    let config = world.config(timeout);
                    client.venafi_token(&account, &config, &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "Venafi user",
            kind: Kind::Repeatable,
            body: |_, _| ACCOUNT.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let key = venafi::Credential::ApiKey(Secret::from("s3cr3t"));
                    let config = world.config(timeout);
                    client.venafi_user(url, &key, false, &config, &()).await.map(drop).map_err(code)
                })
            },
        },
        governance_call(Kind::Service, "Cloud Governance delegate token", |world, client, url, timeout| {
            Box::pin(ask_governance(world, client, url, timeout, governance::Call::Delegate(credential())))
        }),
        governance_call(Kind::Service, "Cloud Governance delete cache", |world, client, url, timeout| {
            Box::pin(ask_governance(world, client, url, timeout, governance::Call::DeleteCache(credential())))
        }),
        governance_call(Kind::ServiceOneTime, "Cloud Governance refresh", |world, client, url, timeout| {
            Box::pin(ask_governance(world, client, url, timeout, governance::Call::Refresh("rt".into())))
        }),
    ]
}

fn operations() -> Vec<Operation> {
    vec![
        grant!("authorization_code", OneTime),
        grant!("client_credentials", Repeatable),
        grant!("refresh_token", OneTime),
        grant!("password", Repeatable),
        grant!("device_code", OneTime),
        grant!("jwt_bearer", OneTime),
        Operation {
            name: "device flow polling",
            kind: Kind::Polling,
            body: |_, _| TOKEN.into(),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let request = token_request(url, Grant::DeviceCode { device_code: Secret::from("GmRh") });
                    let polling = DevicePolling {
                        interval: Duration::from_millis(50),
                        expires_in: Duration::from_secs(3),
                    };
                    let config = world.config(timeout);
                    client.device_token(&request, polling, &config, &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "metadata",
            kind: Kind::Repeatable,
            body: metadata,
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let location = MetadataLocation::parse(url, false).unwrap();
                    let config = world.config(timeout);
                    client.metadata(&location, &config, &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "keys",
            kind: Kind::Repeatable,
            body: |world, _| keys(&world.key),
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let config = world.config(timeout);
                    client.keys(url, None, &config, false, &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "keys of an issuer",
            kind: Kind::Repeatable,
            body: metadata,
            call: |world, client, url, timeout| {
                Box::pin(async move {
                    let config = world.config(timeout);
                    client.issuer_keys(url, None, &config, true, &()).await.map(drop).map_err(code)
                })
            },
        },
        Operation {
            name: "verify by keys",
            kind: Kind::Repeatable,
            body: |world, _| keys(&world.key),
            call: |world, client, url, timeout| {
                Box::pin(world.verify(client, KeySource::JwksUri(url.into()), url, timeout))
            },
        },
        Operation {
            name: "verify by issuer",
            kind: Kind::Repeatable,
            body: metadata,
            call: |world, client, url, timeout| {
                Box::pin(world.verify(client, KeySource::Issuer(url.into()), url, timeout))
            },
        },
        Operation {
            name: "verify by each token's issuer",
            kind: Kind::Finding,
            body: metadata,
            call: |world, client, url, timeout| {
                Box::pin(world.verify(client, KeySource::TokenIssuer, url, timeout))
            },
        },
    ]
}

/// What may come of a fault: by the rules, and where they do not hold.
fn outcome(fault: &FaultRow, kind: Kind) -> (Vec<Option<&'static str>>, RangeInclusive<usize>) {
    let (code, requests) = fault.row.outcome(kind);
    let code = match (fault.name, kind) {
        ("Content-Length of 0", Kind::Service | Kind::ServiceOneTime) => None,
        ("gzip bomb that nobody asked for", Kind::Service | Kind::ServiceOneTime) => {
            Some("unexpected_answer")
        }
        _ => code,
    };
    let also = match (fault.name, kind) {
        // Sooner or later the pause that the server wants ends after the device code, which is then said.
        ("429 with Retry-After in seconds" | "503 with Retry-After in seconds", Kind::Polling) => {
            Some(Some("http_error"))
        }
        _ => None,
    };
    ([code].into_iter().chain(also).collect(), requests)
}

/// Sockets and files of this process, where the system tells.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn running_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Waits until the count is back at what it was; the last count when it does not come back.
async fn settled(expected: usize, count: impl Fn() -> usize) -> usize {
    let started = Instant::now();
    while count() > expected && started.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_operation() {
    let world = World::new();
    let warm = world.server.url("/token");
    let request = token_request(&warm, Grant::ClientCredentials);
    let error = Client::new().token(&request, &world.config(PATIENCE), &()).await.unwrap_err();
    assert_eq!(error.code(), "invalid_client");
    settled(0, || world.server.open()).await;
    // The connection of the warm-up is closed by both sides.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (files, tasks) = (open_files(), running_tasks());

    let (world, client) = (Arc::new(world), Arc::new(Client::new()));
    let failures = run_all(&world, &client).await;
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));

    drop(Arc::into_inner(client).unwrap());
    assert_eq!(settled(0, || world.server.open()).await, 0, "connections stay open");
    assert_eq!(settled(tasks, running_tasks).await, tasks, "tasks stay");
    let now = settled(files, open_files).await;
    assert!(now <= files, "sockets stay: {files} before, {now} after");
}

async fn run_all(world: &Arc<World>, client: &Arc<Client>) -> Vec<String> {
    let mut calls = JoinSet::new();
    let mut expected = BTreeMap::new();
    let abreast = Arc::new(Semaphore::new(ABREAST));
    for (number, fault) in faults().into_iter().enumerate() {
        for (column, operation) in operations().into_iter().chain(tasks()).chain(services()).enumerate() {
            let name = format!("fault-{number}-{column}");
            let title = format!("{} at {}", fault.name, operation.name);
            let url = world.server.fault(&name, fault.fault.clone(), "").unwrap();
            world.server.fault(&name, fault.fault.clone(), (operation.body)(world, &url)).unwrap();
            let (codes, requests) = outcome(&fault, operation.kind);
            expected.insert(name, (title.clone(), requests));
            // Requests that share a connection would share its end.
            let client = if url.starts_with("https:") { Arc::default() } else { client.clone() };
            let (world, abreast, timeout) = (world.clone(), abreast.clone(), fault.row.timeout());
            calls.spawn(async move {
                let _turn = abreast.acquire().await.unwrap();
                let started = Instant::now();
                let found = (operation.call)(&world, &client, &url, timeout).await.err();
                let elapsed = started.elapsed();
                let mut problems = Vec::new();
                if !codes.contains(&found.as_deref()) {
                    problems.push(format!("{title}: {found:?}, not {codes:?}"));
                }
                // Polling makes requests until its own time is over.
                if elapsed > timeout * 2 + GRACE {
                    problems.push(format!("{title}: took {elapsed:?}"));
                }
                problems
            });
        }
    }
    let mut problems = calls.join_all().await.concat();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for request in world.server.requests() {
        let name = request.path.split('/').find(|segment| segment.starts_with("fault-"));
        *seen.entry(name.unwrap_or_default().to_owned()).or_default() += 1;
    }
    for (name, (title, requests)) in expected {
        let count = seen.get(&name).copied().unwrap_or(0);
        if !requests.contains(&count) {
            problems.push(format!("{title}: {count} requests, not {requests:?}"));
        }
    }
    problems
}

/// The same as a table for people, one column for the operations that share all outcomes.
fn table() -> String {
    let columns = [
        ("repeatable request", Kind::Repeatable),
        ("one-time credential", Kind::OneTime),
        ("device polling", Kind::Polling),
        ("finding about a token", Kind::Finding),
        ("Cloud Governance", Kind::Service),
        ("Cloud Governance refresh", Kind::ServiceOneTime),
    ];
    let mut table = String::from("| fault |");
    for (title, _) in columns {
        write!(table, " {title} |").unwrap();
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(columns.len()));
    table.push('\n');
    for fault in faults() {
        write!(table, "| {} |", fault.name).unwrap();
        for (_, kind) in columns {
            let (codes, requests) = outcome(&fault, kind);
            let codes: Vec<_> = codes
                .into_iter()
                .map(|code| code.map_or("a result".into(), |code| format!("`{code}`")))
                .collect();
            let codes = codes.join(" or ");
            let times = match (*requests.start(), *requests.end()) {
                (_, MANY) => ", polled".into(),
                (0 | 1, _) => String::new(),
                (times, _) => format!(", sent {times}×"),
            };
            write!(table, " {codes}{times} |").unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn the_table_in_the_documentation_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reliability.md");
    let page = fs::read_to_string(path).unwrap();
    let table = table();
    assert!(page.contains(&table), "docs/reliability.md should hold this table:\n\n{table}");
}
