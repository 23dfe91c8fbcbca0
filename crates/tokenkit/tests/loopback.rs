//! The listener that takes the answer of a sign-in, over real connections.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use tokenkit::{
    Authorization, AuthorizationRequest, AuthorizationResponse, Browser, Category, Client, Error, Event,
    Field, HttpConfig, Loopback, LoopbackListener, Observer, ResponseMode,
};
use tokio::task::JoinHandle;
use url::Url;

/// Ample for a busy machine; nothing waits for it but a failing test.
const LONG: Duration = Duration::from_mins(2);

#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Observer for Recorder {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Recorder {
    /// The reasons of refusals.
    fn refused(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let reason = |event: &Event| match event {
            Event::AnswerRefused { reason } => Some(reason.clone()),
            _ => None,
        };
        events.iter().filter_map(reason).collect()
    }

    async fn wait_for(&self, is_wanted: impl Fn(&Event) -> bool) {
        while !self.0.lock().unwrap().iter().any(&is_wanted) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A sign-in that waits for its answer.
struct SignIn {
    redirect_uri: Url,
    authority: String,
    events: Arc<Recorder>,
    task: JoinHandle<Result<AuthorizationResponse, Error>>,
}

fn bind(redirect_uri: Option<&str>) -> LoopbackListener {
    match LoopbackListener::bind(redirect_uri).unwrap() {
        Loopback::Listening(listener) => listener,
        Loopback::Elsewhere(reason) => panic!("{reason}"),
    }
}

fn prepared(listener: &LoopbackListener, response_type: &str, mode: Option<ResponseMode>) -> Authorization {
    let mut request = AuthorizationRequest::new("https://as.example/authorize", "app");
    request.redirect_uri = Some(listener.redirect_uri().into());
    request.response_type = response_type.parse().unwrap();
    request.response_mode = mode;
    request.parameters = vec![Field::new("state", "st")];
    request.prepare().unwrap()
}

impl SignIn {
    fn start(
        redirect_uri: Option<&str>,
        response_type: &str,
        mode: Option<ResponseMode>,
        wait: Duration,
    ) -> Self {
        let listener = bind(redirect_uri);
        let redirect_uri = Url::parse(listener.redirect_uri()).unwrap();
        let authorization = prepared(&listener, response_type, mode);
        let events = Arc::new(Recorder::default());
        let observer = events.clone();
        let task = tokio::spawn(async move {
            let browser = Browser { disabled: true, ..Browser::default() };
            let config = HttpConfig::default();
            Client::new().authorize(&authorization, listener, &browser, wait, &config, &*observer).await
        });
        let authority = redirect_uri[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        Self { redirect_uri, authority, events, task }
    }

    fn code() -> Self {
        Self::start(None, "code", None, LONG)
    }

    fn address(&self) -> SocketAddr {
        self.redirect_uri.socket_addrs(|| None).unwrap()[0]
    }

    /// A GET of `target` as a browser sends it.
    async fn get(&self, target: &str) -> Reply {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.authority)).await
    }

    async fn post(&self, target: &str, body: &str) -> Reply {
        let kind = "application/x-www-form-urlencoded";
        self.post_as(target, kind, body).await
    }

    async fn post_as(&self, target: &str, kind: &str, body: &str) -> Reply {
        let length = body.len();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n",
            self.authority
        );
        self.send(&(head + body)).await
    }

    async fn send(&self, request: &str) -> Reply {
        let (address, request) = (self.address(), request.to_owned());
        tokio::task::spawn_blocking(move || exchange(address, &request)).await.unwrap()
    }

    async fn end(self) -> Result<AuthorizationResponse, Error> {
        self.task.await.unwrap()
    }

    /// Completes the sign-in with a good answer, to show that it still waits.
    async fn succeeds(self) {
        let reply = self.get("/?code=good&state=st").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let response = self.end().await.unwrap();
        assert_eq!(response.get("code").unwrap().expose_str(), Some("good"));
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        let header = |line: &'_ str| {
            line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.len()))
        };
        let line = self.head.lines().find(|line| header(line).is_some_and(|(own, _)| own == name));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head)).split_once(": ").unwrap().1
    }
}

fn exchange(address: SocketAddr, request: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    // A server that has seen enough may close before it has read all.
    let _ = stream.write_all(request.as_bytes());
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.into(), body: body.into() }
}

// The redirect URI.

#[rstest]
#[case::none(None, "http://127.0.0.1:{port}/")]
#[case::empty(Some(""), "http://127.0.0.1:{port}/")]
#[case::ipv4(Some("http://127.0.0.1"), "http://127.0.0.1:{port}")]
#[case::path(Some("http://127.0.0.1/a/b"), "http://127.0.0.1:{port}/a/b")]
#[case::query(Some("http://localhost?x=1"), "http://localhost:{port}?x=1")]
#[case::localhost(Some("http://localhost/"), "http://localhost:{port}/")]
fn a_free_port_is_added(#[case] given: Option<&str>, #[case] expected: &str) {
    let listener = bind(given);
    let port = Url::parse(listener.redirect_uri()).unwrap().port().unwrap();
    assert_ne!(port, 0);
    assert_eq!(listener.redirect_uri(), expected.replace("{port}", &port.to_string()));
}

#[rstest]
#[case("https://localhost")]
#[case("https://127.0.0.1:8400/")]
#[case("http://as.example/")]
#[case("http://127.0.0.2/")]
#[case("http://localhost.example/")]
#[case("https://login.microsoftonline.com/common/oauth2/nativeclient")]
#[case("myapp://auth")]
#[case("com.example.app:/callback")]
#[case("urn:ietf:wg:oauth:2.0:oob")]
fn other_redirect_uris_are_elsewhere(#[case] redirect_uri: &str) {
    match LoopbackListener::bind(Some(redirect_uri)).unwrap() {
        Loopback::Elsewhere(reason) => assert!(reason.contains(redirect_uri), "{reason}"),
        Loopback::Listening(_) => panic!("{redirect_uri}"),
    }
}

#[rstest]
#[case("localhost")]
#[case("http://127.0.0.1:0/")]
#[case("http://user@127.0.0.1:8400/")]
#[case("http://127.0.0.1/#x")]
fn invalid_redirect_uris_are_refused(#[case] redirect_uri: &str) {
    let error = LoopbackListener::bind(Some(redirect_uri)).unwrap_err();
    assert_eq!(error.code(), "invalid_argument");
}

#[test]
fn a_given_port_is_used_or_said_to_be_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        let error = LoopbackListener::bind(Some(&format!("http://{host}:{port}/"))).unwrap_err();
        assert_eq!((error.code(), error.category()), ("port_in_use", Category::InvalidInput));
        assert!(error.to_string().contains(&port.to_string()), "{error}");
    }
    drop(taken);
    let given = format!("http://127.0.0.1:{port}/cb");
    assert_eq!(bind(Some(&given)).redirect_uri(), given);
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn nobody_else_may_have_the_other_address_of_localhost() {
    let taken = TcpListener::bind(if has_ipv6() { "[::1]:0" } else { "127.0.0.1:0" }).unwrap();
    let given = format!("http://localhost:{}/", taken.local_addr().unwrap().port());
    assert_eq!(LoopbackListener::bind(Some(&given)).unwrap_err().code(), "port_in_use");
}

#[tokio::test(flavor = "multi_thread")]
async fn localhost_is_all_addresses_that_there_are() {
    let addresses: &[&str] = if has_ipv6() { &["127.0.0.1", "[::1]"] } else { &["127.0.0.1"] };
    for address in addresses {
        let sign_in = SignIn::start(Some("http://localhost/"), "code", None, LONG);
        let port = sign_in.redirect_uri.port().unwrap();
        let address: SocketAddr = format!("{address}:{port}").parse().unwrap();
        let request = format!("GET /?code=c&state=st HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        let reply = tokio::task::spawn_blocking(move || exchange(address, &request)).await.unwrap();
        assert_eq!(reply.status, 200);
        sign_in.end().await.unwrap();
    }
}

// Answers.

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_ends_the_sign_in() {
    SignIn::code().succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_does_as_well() {
    if !has_ipv6() {
        assert_eq!(LoopbackListener::bind(Some("http://[::1]/")).unwrap_err().code(), "cannot_listen");
        return;
    }
    let sign_in = SignIn::start(Some("http://[::1]/"), "code", None, LONG);
    assert_eq!(sign_in.redirect_uri.host_str(), Some("[::1]"));
    sign_in.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_may_be_posted() {
    let sign_in = SignIn::start(None, "code", Some(ResponseMode::FormPost), LONG);
    assert_eq!(sign_in.get("/").await.status, 400);
    assert_eq!(sign_in.get("/?code=c&state=st").await.status, 400);
    assert_eq!(sign_in.post_as("/", "text/plain", "code=c&state=st").await.status, 415);
    assert_eq!(sign_in.post("/", "").await.status, 400);
    assert_eq!(sign_in.post("/", "code=a%2Bb&state=st").await.status, 200);
    assert_eq!(sign_in.end().await.unwrap().get("code").unwrap().expose_str(), Some("a+b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fragment_is_handed_over() {
    let sign_in = SignIn::start(None, "token", None, LONG);
    let page = sign_in.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("location.hash") && page.body.contains("name=\"fragment\""), "{}", page.body);
    assert_eq!(sign_in.post("/", "fragment=").await.status, 400);
    let reply = sign_in.post("/", "fragment=access_token%3Da%252Bb%26expires_in%3D60%26state%3Dst").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let response = sign_in.end().await.unwrap();
    assert_eq!(response.get("access_token").unwrap().expose_str(), Some("a+b"));
    assert_eq!(response.expires_in, Some(60));
}

#[rstest]
#[case("token", None)]
#[case("code", Some(ResponseMode::FormPost))]
#[tokio::test(flavor = "multi_thread")]
async fn an_error_may_always_be_in_the_query(
    #[case] response_type: &str,
    #[case] mode: Option<ResponseMode>,
) {
    let sign_in = SignIn::start(None, response_type, mode, LONG);
    assert_eq!(sign_in.get("/?error=access_denied&state=st").await.status, 400);
    assert_eq!(sign_in.end().await.unwrap_err().code(), "access_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_the_redirect_uri_is_no_part_of_the_answer() {
    let sign_in = SignIn::start(Some("http://127.0.0.1/cb?tab=1"), "code", None, LONG);
    assert_eq!(sign_in.get("/cb?tab=1&code=c&state=st").await.status, 200);
    let names: Vec<_> = sign_in.end().await.unwrap().parameters.into_iter().map(|field| field.name).collect();
    assert_eq!(names, ["code"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_state_is_refused_and_waited_past() {
    let sign_in = SignIn::code();
    for target in [
        "/?code=evil&state=other",
        "/?code=evil",
        "/?error=access_denied&state=other",
        "/?code=evil&state=st&state=st",
    ] {
        let reply = sign_in.get(target).await;
        assert_eq!(reply.status, 400, "{target}");
        assert!(reply.body.contains("out of date"), "{}", reply.body);
    }
    sign_in.events.wait_for(|event| matches!(event, Event::AnswerRefused { .. })).await;
    let events = sign_in.events.clone();
    sign_in.succeeds().await;
    let refused = events.refused();
    assert_eq!(refused.len(), 1, "told once: {refused:?}");
    assert!(refused[0].contains("state"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_state_and_nothing_better_is_a_state_mismatch() {
    let sign_in = SignIn::start(None, "code", None, Duration::from_secs(3));
    sign_in.get("/?code=evil&state=other").await;
    let error = sign_in.end().await.unwrap_err();
    assert_eq!((error.code(), error.category()), ("state_mismatch", Category::Token));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_at_all_is_a_timeout() {
    let sign_in = SignIn::start(None, "code", None, Duration::from_millis(200));
    let address = sign_in.address();
    let error = sign_in.end().await.unwrap_err();
    assert_eq!(
        (error.code(), error.category(), error.is_retryable()),
        ("timeout", Category::Transport, true)
    );
    TcpStream::connect(address).unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_may_be_as_long_as_one_likes() {
    SignIn::start(None, "code", None, Duration::MAX).succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_is_left_is_told() {
    let sign_in = SignIn::start(None, "code", None, LONG);
    let is_late = |event: &Event| matches!(event, Event::Waiting { remaining } if LONG.abs_diff(*remaining) > Duration::from_secs(1));
    sign_in.events.wait_for(is_late).await;
    assert!(
        sign_in.events.0.lock().unwrap().iter().any(|event| matches!(event, Event::BrowserNotStarted { .. }))
    );
    sign_in.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_is_not_taken() {
    // Its issuer answers slowly, so that the first answer is still being looked at when the second one comes.
    let server = tokenkit_testserver::TestServer::start().unwrap();
    let issuer = server.url("");
    let metadata = serde_json::json!({"issuer": issuer, "jwks_uri": server.url("/keys")}).to_string();
    server.canned("/.well-known/openid-configuration", tokenkit_testserver::Canned::json(200, &metadata));
    let slow = tokenkit_testserver::Canned {
        delay: Duration::from_secs(2),
        ..tokenkit_testserver::Canned::json(200, "{\"keys\":[]}")
    };
    server.canned("/keys", slow);

    let listener = bind(None);
    let mut request = AuthorizationRequest::new("https://as.example/authorize", "app");
    request.redirect_uri = Some(listener.redirect_uri().into());
    request.response_type = "code id_token".parse().unwrap();
    request.response_mode = Some(ResponseMode::Query);
    request.issuer = Some(issuer);
    request.parameters = vec![Field::new("state", "st"), Field::new("nonce", "no")];
    let authorization = request.prepare().unwrap();
    let redirect_uri = Url::parse(listener.redirect_uri()).unwrap();
    let address = redirect_uri.socket_addrs(|| None).unwrap()[0];
    let task = tokio::spawn(async move {
        let browser = Browser { disabled: true, ..Browser::default() };
        Client::new().authorize(&authorization, listener, &browser, LONG, &HttpConfig::default(), &()).await
    });
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"nonce":"no"}"#);
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"1"}"#);
    let get =
        format!("GET /?code=c&state=st&id_token={header}.{claims}.AAAA HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let first = {
        let get = get.clone();
        tokio::task::spawn_blocking(move || exchange(address, &get))
    };
    while server.open() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Now or a moment later the keys are asked for.
    while server.requests().iter().all(|request| request.path != "/keys") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = tokio::task::spawn_blocking(move || exchange(address, &get)).await.unwrap();
    assert_eq!(second.status, 409, "{}", second.body);
    assert!(second.body.contains("Already used"), "{}", second.body);
    let first = first.await.unwrap();
    assert_eq!(first.status, 400);
    assert!(first.body.contains("<code>id_token_wrong_signature</code>"), "{}", first.body);
    assert_eq!(task.await.unwrap().unwrap_err().code(), "id_token_wrong_signature");
}

// What is turned away.

#[rstest]
#[case::other_name("evil.example", 421)]
#[case::name_for_the_address("localhost:{port}", 421)]
#[case::other_port("127.0.0.1:1", 421)]
#[case::no_port("127.0.0.1", 421)]
#[case::user_name("127.0.0.1:{port}@evil.example", 421)]
#[case::user_name_before("evil@127.0.0.1:{port}", 421)]
#[case::two("127.0.0.1:{port}\r\nHost: evil.example", 421)]
#[case::good("127.0.0.1:{port}", 200)]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_host_of_the_redirect_uri_is_answered(#[case] host: &str, #[case] status: u16) {
    let sign_in = SignIn::code();
    let host = host.replace("{port}", &sign_in.redirect_uri.port().unwrap().to_string());
    let reply = sign_in.send(&format!("GET /?code=good&state=st HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert_eq!(reply.status, status, "{}", reply.body);
    if status == 200 {
        sign_in.end().await.unwrap();
    } else {
        sign_in.events.wait_for(|event| matches!(event, Event::AnswerRefused { .. })).await;
        assert_eq!(sign_in.events.refused(), ["it was addressed to another host"]);
        sign_in.succeeds().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_host_is_turned_away() {
    let sign_in = SignIn::code();
    assert_eq!(sign_in.send("GET /?code=c&state=st HTTP/1.1\r\n\r\n").await.status, 421);
    sign_in.succeeds().await;
}

#[rstest]
#[case::favicon("/favicon.ico", 404)]
#[case::other_path("/other?code=c&state=st", 404)]
#[case::below("/x/?code=c&state=st", 404)]
#[case::no_answer("/", 400)]
#[case::other_query("/?x=1", 400)]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_redirect_uri_is_answered(#[case] target: &str, #[case] status: u16) {
    let sign_in = SignIn::code();
    assert_eq!(sign_in.get(target).await.status, status);
    sign_in.succeeds().await;
}

#[rstest]
#[case("POST", None, "GET")]
#[case("HEAD", None, "GET")]
#[case("OPTIONS", None, "GET")]
#[case("PUT", Some(ResponseMode::FormPost), "GET, POST")]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_method_of_the_response_mode_is_taken(
    #[case] method: &str,
    #[case] mode: Option<ResponseMode>,
    #[case] allowed: &str,
) {
    let sign_in = SignIn::start(None, "code", mode, LONG);
    let host = &sign_in.authority;
    let reply = sign_in.send(&format!("{method} /?code=c&state=st HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert_eq!((reply.status, reply.header("allow")), (405, allowed));
    sign_in.task.abort();
}

#[rstest]
#[case("image", 403)]
#[case("iframe", 403)]
#[case("empty", 403)]
#[case("document", 200)]
#[tokio::test(flavor = "multi_thread")]
async fn only_a_page_of_its_own_is_an_answer(#[case] kind: &str, #[case] status: u16) {
    let sign_in = SignIn::code();
    let host = &sign_in.authority;
    let request = format!("GET /?code=c&state=st HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Dest: {kind}\r\n\r\n");
    assert_eq!(sign_in.send(&request).await.status, status);
    sign_in.task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_requests_are_cut_off() {
    let sign_in = SignIn::start(None, "code", Some(ResponseMode::FormPost), LONG);
    let body = format!("code={}&state=st", "x".repeat(300 * 1024));
    assert_eq!(sign_in.post("/", &body).await.status, 413);
    let target = format!("/?code={}", "x".repeat(100 * 1024));
    let status = sign_in.get(&target).await.status;
    assert!(matches!(status, 414 | 431), "{status}");
    assert_eq!(sign_in.post("/", "code=c&state=st").await.status, 200);
    sign_in.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_half_open_connections_hold_nothing_up() {
    let sign_in = SignIn::code();
    let address = sign_in.address();
    // More than are served at once: silent ones, halves of a head, and halves of a body.
    let halves = ["", "GET /?code=c&st", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\ncode"];
    let open: Vec<_> = (0..150)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(halves[number % halves.len()].as_bytes());
            stream
        })
        .collect();
    let started = Instant::now();
    sign_in.succeeds().await;
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    drop(open);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_given_up() {
    let sign_in = SignIn::code();
    let address = sign_in.address();
    let closed = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    closed.await.unwrap();
    sign_in.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sign_ins_do_not_disturb_each_other() {
    let (one, two) = (SignIn::code(), SignIn::code());
    assert_ne!(one.address(), two.address());
    two.succeeds().await;
    one.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_sign_in_frees_its_port() {
    let sign_in = SignIn::code();
    let (address, redirect_uri) = (sign_in.address(), sign_in.redirect_uri.clone());
    let idle = TcpStream::connect(address).unwrap();
    sign_in.events.wait_for(|event| matches!(event, Event::Waiting { .. })).await;
    sign_in.task.abort();
    let _ = sign_in.task.await;
    TcpStream::connect(address).unwrap_err();
    drop(idle);
    SignIn::start(Some(redirect_uri.as_str()), "code", None, LONG).succeeds().await;
}

#[test]
fn a_listener_that_is_dropped_frees_its_port() {
    let listener = bind(None);
    let redirect_uri = listener.redirect_uri().to_owned();
    assert_eq!(LoopbackListener::bind(Some(&redirect_uri)).unwrap_err().code(), "port_in_use");
    drop(listener);
    assert_eq!(bind(Some(&redirect_uri)).redirect_uri(), redirect_uri);
}

// The pages.

/// Checks what holds for every page.
fn check_page(reply: &Reply) {
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    let policy = reply.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "form-action 'self'",
        "img-src data:",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    // What the page has in it is exactly what its policy allows.
    for element in ["style", "script"] {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        assert_eq!(reply.body.matches(&open).count(), 1);
        let content = reply.body.split_once(&open).unwrap().1.split_once(&close).unwrap().0;
        let hash = STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content.as_bytes()));
        assert!(policy.contains(&format!("{element}-src 'sha256-{hash}'")), "{policy}");
    }
    assert!(reply.body.contains("history.replaceState(null,'','/')"), "{}", reply.body);
    assert!(reply.body.contains("prefers-color-scheme:dark") && reply.body.contains("lang=\"en\""));
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!reply.body.contains(outside), "{outside} in {}", reply.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_success_holds_no_secret() {
    let sign_in = SignIn::code();
    let reply = sign_in.get("/?code=SplxlOBeZQQYbYS6WxSbIA&state=st&session_state=XyZ123").await;
    check_page(&reply);
    assert!(reply.body.contains("<h1>You are signed in</h1>"), "{}", reply.body);
    for secret in ["SplxlOBeZQQYbYS6WxSbIA", "XyZ123", "state=st"] {
        assert!(!format!("{}{}", reply.head, reply.body).contains(secret), "{}", reply.body);
    }
    sign_in.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_error_says_what_happened() {
    let sign_in = SignIn::code();
    let reply = sign_in
        .get("/?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E+%22no%22&state=st&code=Splxl")
        .await;
    assert_eq!(reply.status, 400);
    check_page(&reply);
    assert!(reply.body.contains("<code>access_denied</code>"), "{}", reply.body);
    assert!(reply.body.contains("&#60;script&#62;alert(1)"), "{}", reply.body);
    assert!(!reply.body.contains("Splxl"), "{}", reply.body);
    assert_eq!(sign_in.end().await.unwrap_err().code(), "access_denied");
}

#[rstest]
#[case::wrong_state("/?code=Splxl&state=x")]
#[case::no_answer("/?x=Splxl")]
#[case::not_found("/Splxl?Splxl=1")]
#[tokio::test(flavor = "multi_thread")]
async fn other_pages_hold_nothing_of_the_request(#[case] target: &str) {
    let sign_in = SignIn::code();
    let reply = sign_in.get(target).await;
    check_page(&reply);
    assert!(!reply.body.contains("Splxl"), "{}", reply.body);
    sign_in.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_hands_over_has_the_same_guards() {
    let sign_in = SignIn::start(None, "token", None, LONG);
    check_page(&sign_in.get("/").await);
    sign_in.task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_hangs_up_changes_nothing() {
    let sign_in = SignIn::code();
    let (address, host) = (sign_in.address(), sign_in.authority.clone());
    thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(format!("GET /?code=c&state=st HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
            .unwrap();
    });
    sign_in.end().await.unwrap();
}
