//! Requests over real connections, on loopback only.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::net::{ClosedPort, Listener, Recorder, loopback, read_request, without_pauses};
use common::{basic, post, request, vectors, visible};
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::jwt::{self, Algorithm, ExternalSigner, Header, KeyType, SigningKey};
use tokenkit::{
    AssertionOptions, Category, Client, ClientAuthentication, DevicePolling, Error, ErrorCode, Event, Field,
    Grant, HttpConfig, PkceChallenge, Proxy, Secret, TokenRequest, TokenResponse,
};
use tokenkit_testserver::{Canned, CodeRequest, RecordedRequest, TestServer, UserAction};

const TOKEN: &str = r#"{"access_token":"at","token_type":"Bearer","expires_in":3600}"#;

/// Which port of the server a test talks to.
#[derive(Debug, Clone, Copy)]
enum Port {
    Http,
    Tls,
}

impl Port {
    fn url(self, server: &TestServer, path: &str) -> String {
        match self {
            Self::Http => server.url(path),
            Self::Tls => server.tls_url(path),
        }
    }
}

fn trusting(server: &TestServer) -> HttpConfig {
    HttpConfig {
        certificate_authority: Some(server.certificate_authority().to_owned()),
        ..HttpConfig::default()
    }
}

fn demo(endpoint: impl Into<String>, grant: Grant) -> TokenRequest {
    let mut request = TokenRequest::new(endpoint, grant);
    request.client_id = Some("demo-client".into());
    request.authentication = basic("demo-secret");
    request
}

/// A request of each grant, with credentials of its own each time.
fn of_every_grant(endpoint: &str) -> Vec<TokenRequest> {
    common::grants().into_iter().map(|(_, grant)| demo(endpoint, grant)).collect()
}

async fn send(request: &TokenRequest, config: &HttpConfig) -> Result<TokenResponse, Error> {
    Client::new().token(request, config, &()).await
}

/// Sends a request whose pauses between attempts take no time.
async fn send_quickly(
    request: &TokenRequest,
    config: &HttpConfig,
) -> (Result<TokenResponse, Error>, Arc<Recorder>) {
    let client = Client::new();
    let sending = |recorder: Arc<Recorder>| async move { client.token(request, config, &*recorder).await };
    without_pauses(sending, |_| {}).await
}

fn body(token: &TokenResponse) -> Value {
    serde_json::from_slice(token.body.expose()).unwrap()
}

fn codes(result: Result<TokenResponse, Error>) -> (Category, ErrorCode) {
    let error = result.unwrap_err();
    (error.category(), error.error_code())
}

// Every grant and every authentication.

#[rstest]
#[tokio::test]
async fn every_grant_gets_a_token(
    #[values(Port::Http, Port::Tls)] port: Port,
    #[values("demo-client", "rotating-client", "public-client", "special client:1")] id: &str,
    #[values(true, false)] in_header: bool,
) {
    let server = TestServer::start().unwrap();
    let client = Client::new();
    let config = trusting(&server);
    let registered = tokenkit_testserver::clients::find(id).unwrap();
    let endpoint = port.url(&server, "/token");
    let request = |grant| {
        let mut request = TokenRequest::new(&endpoint, grant);
        request.client_id = Some(id.to_owned());
        request.authentication = match registered.secret {
            Some(secret) if in_header => basic(secret),
            Some(secret) => post(secret),
            None => ClientAuthentication::None,
        };
        request
    };
    let token = async |request: TokenRequest| client.token(&request, &config, &()).await.unwrap();

    let pkce = PkceChallenge::generate().unwrap();
    let code = server
        .code(CodeRequest {
            client_id: id.to_owned(),
            redirect_uri: Some("http://127.0.0.1/?a=b&c=d".into()),
            scope: Some("openid api".into()),
            nonce: Some("n-0S6_WzA2Mj".into()),
            code_challenge: Some(pkce.code_challenge),
        })
        .unwrap();
    let grant = Grant::AuthorizationCode { code: code.into(), code_verifier: Some(pkce.code_verifier) };
    let mut of_code = request(grant);
    of_code.redirect_uri = Some("http://127.0.0.1/?a=b&c=d".into());
    of_code.scope = Some("openid api".into());
    of_code.nonce = Some("n-0S6_WzA2Mj".into());
    let response = token(of_code).await;
    assert_eq!(response.expires_in, Some(3600));
    assert!(response.expires_at.unwrap() > chrono::Utc::now());
    assert!(body(&response)["id_token"].is_string());

    let refresh_token = Secret::from(body(&response)["refresh_token"].as_str().unwrap());
    let refreshed = body(&token(request(Grant::RefreshToken { refresh_token: refresh_token.clone() })).await);
    assert_eq!(refreshed["refresh_token"] != refresh_token.expose_str().unwrap(), registered.rotates);

    token(request(Grant::Password { username: "alice".into(), password: "wonderland".into() })).await;
    let codes = device_codes(&server, &request(Grant::ClientCredentials)).await;
    assert!(server.act_on_device(codes["user_code"].as_str().unwrap(), UserAction::Approve));
    token(request(device_grant(&codes))).await;
    let assertion = jwt_for(&endpoint);
    token(request(Grant::JwtBearer { assertion })).await;
    if registered.secret.is_some() {
        token(request(Grant::ClientCredentials)).await;
    }
    let schemes: HashSet<_> = server.requests().iter().map(|seen| seen.scheme.as_str()).collect();
    assert!(schemes.contains(endpoint.split(':').next().unwrap()));
}

/// The answer of the device authorization endpoint to the client of `request`.
async fn device_codes(server: &TestServer, request: &TokenRequest) -> Value {
    let mut asking = request.clone();
    asking.endpoint = server.url("/device_authorization");
    asking.parameters = vec![Field::new("test_interval", "0")];
    let http = common::build(&asking).unwrap();
    let mut sending = reqwest::Client::builder().no_proxy().build().unwrap().post(http.url.clone());
    for header in &http.headers {
        sending = sending.header(&header.name, header.value.expose());
    }
    let answer = sending.body(http.body().expose().to_vec()).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

fn device_grant(codes: &Value) -> Grant {
    Grant::DeviceCode { device_code: Secret::from(codes["device_code"].as_str().unwrap()) }
}

/// An assertion as authorization grant for `endpoint`.
fn jwt_for(endpoint: &str) -> Secret {
    let key = SigningKey::from_shared_secret(Secret::from("a key that nobody checks here"));
    let expiry = chrono::Utc::now().timestamp() + 60;
    let claims = json!({"iss": "me", "sub": "alice", "aud": endpoint, "exp": expiry});
    jwt::sign(&Header::new(Algorithm::HS256, &key), &claims, &key).unwrap()
}

fn private_key(algorithm: &str) -> SigningKey {
    let row = vectors("jws.json").into_iter().find(|row| row["algorithm"] == algorithm).unwrap();
    SigningKey::from_bytes(row["key"].to_string().as_bytes(), None).unwrap()
}

#[rstest]
#[tokio::test]
async fn every_assertion_arrives_as_it_was_built(
    #[values(Port::Http, Port::Tls)] port: Port,
    #[values("HS256", "RS256", "ES256", "ES512", "EdDSA")] algorithm: &str,
) {
    let server = TestServer::start().unwrap();
    let options = AssertionOptions::default();
    let authentication = match algorithm {
        "HS256" => ClientAuthentication::SecretJwt { secret: Secret::from("s3cr3t"), options },
        _ => ClientAuthentication::PrivateKeyJwt { key: private_key(algorithm), options },
    };
    let request = request(&port.url(&server, "/echo-token"), authentication);
    let received = body(&send(&request, &trusting(&server)).await.unwrap())["received"].take();
    let claims = claims(received["form"]["client_assertion"][0].as_str().unwrap());
    assert_eq!(claims["aud"], request.endpoint);
    assert_eq!(received["form"]["client_assertion_type"][0], tokenkit::JWT_BEARER_ASSERTION);
    assert_eq!(received["form"]["client_id"], json!(["app"]));
    assert_eq!(received["headers"].get("authorization"), None);
}

fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn the_request_arrives_byte_for_byte() {
    let server = TestServer::start().unwrap();
    let mut request = demo(server.url("/echo-token?tenant=a%20b"), Grant::ClientCredentials);
    request.scope = Some("a b".into());
    request.headers = vec![Field::new("Origin", "http://localhost"), Field::new("X-Text", "käse".as_bytes())];
    send(&request, &HttpConfig::default()).await.unwrap();
    let [seen] = &server.requests()[..] else { panic!("not one request") };
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/echo-token?tenant=a%20b"));
    assert_eq!(seen.body, b"grant_type=client_credentials&scope=a+b");
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("origin"), Some("http://localhost"));
    assert_eq!(seen.header("x-text"), Some("käse"));
    assert_eq!(seen.header("content-length"), Some("39"));
    assert_eq!(seen.header("user-agent"), Some(concat!("tokenkit/", env!("CARGO_PKG_VERSION"))));
    for absent in ["referer", "cookie", "proxy-authorization"] {
        assert_eq!(seen.header(absent), None);
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_told() {
    let server = TestServer::start().unwrap();
    let mut wrong = demo(server.url("/token"), Grant::ClientCredentials);
    wrong.authentication = basic("wrong-secret");
    let error = send(&wrong, &HttpConfig::default()).await.unwrap_err();
    assert_eq!((error.code(), error.reply().unwrap().status), ("invalid_client", 401));
    let challenge = error.reply().unwrap().headers.iter().find(|(name, _)| name == "www-authenticate");
    assert!(challenge.unwrap().1.starts_with("Basic "));

    let code = CodeRequest {
        client_id: "demo-client".into(),
        scope: Some("openid".into()),
        nonce: Some("theirs".into()),
        ..CodeRequest::default()
    };
    let code = Secret::from(server.code(code).unwrap());
    let mut mismatch = demo(server.url("/token"), Grant::AuthorizationCode { code, code_verifier: None });
    mismatch.nonce = Some("ours".into());
    let result = send(&mismatch, &HttpConfig::default()).await;
    assert_eq!(codes(result), (Category::Token, ErrorCode::NonceMismatch));
    // The code is spent: it is not sent a second time by itself.
    assert_eq!(send(&mismatch, &HttpConfig::default()).await.unwrap_err().code(), "invalid_grant");
}

#[tokio::test]
async fn headers_that_http_does_not_allow_are_not_sent() {
    let server = TestServer::start().unwrap();
    let bad = [("x-a", "a\r\nx-b: c"), ("x-a", "a\0"), ("x a", "b"), ("", "b"), ("x:a", "b"), ("ä", "b")];
    for (name, value) in bad {
        let mut request = demo(server.url("/token"), Grant::ClientCredentials);
        request.headers = vec![Field::new(name, value)];
        let (result, recorder) = send_quickly(&request, &HttpConfig::default()).await;
        let error = result.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidArgument, "{name}");
        assert!(!error.to_string().contains("x-b"), "{error}");
        assert_eq!(recorder.sent(), 0);
    }
    assert!(server.requests().is_empty());
}

// TLS.

fn with_authority(path: std::path::PathBuf) -> HttpConfig {
    HttpConfig { certificate_authority: Some(path), ..HttpConfig::default() }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let (server, other) = (TestServer::start().unwrap(), TestServer::start().unwrap());
    for config in [HttpConfig::default(), trusting(&other)] {
        let (result, recorder) =
            send_quickly(&demo(server.tls_url("/token"), Grant::ClientCredentials), &config).await;
        let error = result.unwrap_err();
        assert_eq!((error.category(), error.error_code()), (Category::Transport, ErrorCode::TlsFailed));
        assert!(!error.is_retryable() && recorder.pauses().is_empty());
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("{}: no secure connection: ", server.tls_url("/token"))),
            "{message}"
        );
        assert!(message.contains("certificate"), "{message}");
        assert!(error.advice().contains("private authority"));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_refused() {
    let server = TestServer::start().unwrap();
    let endpoint = server.url("/token").replace("http:", "https:");
    let result = send(&demo(endpoint, Grant::ClientCredentials), &trusting(&server)).await;
    assert_eq!(codes(result), (Category::Transport, ErrorCode::TlsFailed));

    let endpoint = server.tls_url("/token").replace("https:", "http:");
    let result = send(&demo(endpoint, Grant::ClientCredentials), &trusting(&server)).await;
    assert_eq!(codes(result), (Category::Transport, ErrorCode::ConnectionLost));
}

#[tokio::test]
async fn the_authority_may_be_pem_der_or_a_bundle() {
    let (server, other) = (TestServer::start().unwrap(), TestServer::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let pem = fs::read(server.certificate_authority()).unwrap();
    let other = fs::read(other.certificate_authority()).unwrap();
    let forms = [
        ("ca.der", pem::parse(&pem).unwrap().contents().to_vec()),
        ("bundle.pem", [&b"# both\n"[..], &other, &pem].concat()),
    ];
    for (name, data) in forms {
        let path = folder.path().join(name);
        fs::write(&path, data).unwrap();
        let request = demo(server.tls_url("/token"), Grant::ClientCredentials);
        send(&request, &with_authority(path)).await.unwrap();
    }
}

#[tokio::test]
async fn an_unusable_authority_file_is_refused() {
    let server = TestServer::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca");
    let request = demo(server.tls_url("/token"), Grant::ClientCredentials);
    let contents: [Option<&[u8]>; 6] = [
        None,
        Some(b""),
        Some(b"not a certificate"),
        Some(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n"),
    ];
    for content in contents {
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let (result, recorder) = send_quickly(&request, &with_authority(path.clone())).await;
        let error = result.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidCertificateAuthority, "{content:?}: {error}");
        assert!(error.to_string().starts_with("The certificate authority file "), "{error}");
        assert_eq!(recorder.sent(), 0);
    }
}

#[tokio::test]
async fn a_changed_authority_file_is_read_again() {
    let (server, other) = (TestServer::start().unwrap(), TestServer::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let client = Client::new();
    let request = demo(server.tls_url("/token"), Grant::ClientCredentials);
    fs::copy(other.certificate_authority(), &path).unwrap();
    let result = client.token(&request, &with_authority(path.clone()), &()).await;
    assert_eq!(codes(result), (Category::Transport, ErrorCode::TlsFailed));
    fs::copy(server.certificate_authority(), &path).unwrap();
    client.token(&request, &with_authority(path), &()).await.unwrap();
}

// Connections.

#[rstest]
#[case(Port::Http, "HTTP/1.1")]
#[case(Port::Tls, "HTTP/2.0")]
#[tokio::test]
async fn the_best_common_protocol_is_used(#[case] port: Port, #[case] version: &str) {
    let server = TestServer::start().unwrap();
    let request = demo(port.url(&server, "/token"), Grant::ClientCredentials);
    let (result, recorder) = send_quickly(&request, &trusting(&server)).await;
    result.unwrap();
    assert_eq!(server.requests()[0].http_version, version);
    let [
        Event::Sending { method: "POST", url, .. },
        Event::Received { status: 200, version: seen, bytes, .. },
    ] = &recorder.events()[..]
    else {
        panic!("{:?}", recorder.events());
    };
    assert_eq!((url, seen.as_str()), (&request.endpoint, version));
    assert!(*bytes > TOKEN.len());
}

#[tokio::test]
async fn a_second_connection_resumes_the_tls_session() {
    let server = TestServer::start().unwrap();
    let real = server.tls_url("/token");
    let real_port = url::Url::parse(&real).unwrap().port().unwrap();
    // Another port is another connection, but the same host: sessions are kept by its name.
    let relay = Listener::forwarding(loopback(), real_port);
    let relayed = real.replace(&format!(":{real_port}/"), &format!(":{}/", relay.address.port()));
    let client = Client::new();
    for (endpoint, resumed) in [(real, 0), (relayed, 1)] {
        let request = demo(endpoint, Grant::ClientCredentials);
        client.token(&request, &trusting(&server), &()).await.unwrap();
        assert_eq!(server.resumed_handshakes(), resumed);
    }
    assert_eq!(relay.connections(), 1);
}

#[rstest]
#[tokio::test]
async fn one_connection_carries_many_requests(#[values(Port::Http, Port::Tls)] port: Port) {
    let server = TestServer::start().unwrap();
    let real = port.url(&server, "/token");
    let real_port = url::Url::parse(&real).unwrap().port().unwrap();
    let relay = Listener::forwarding(loopback(), real_port);
    let endpoint = real.replace(&format!(":{real_port}/"), &format!(":{}/", relay.address.port()));
    let client = Client::new();
    let config = trusting(&server);
    for _ in 0..20 {
        client.token(&demo(&endpoint, Grant::ClientCredentials), &config, &()).await.unwrap();
    }
    assert_eq!(relay.connections(), 1);

    // Time limits and retries are no reason for another; a new client or other trust is.
    let patient = HttpConfig { timeout: Duration::from_secs(90), max_retries: 0, ..config.clone() };
    client.token(&demo(&endpoint, Grant::ClientCredentials), &patient, &()).await.unwrap();
    assert_eq!(relay.connections(), 1);
    send(&demo(&endpoint, Grant::ClientCredentials), &config).await.unwrap();
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn requests_run_side_by_side() {
    let server = TestServer::start().unwrap();
    let client = Arc::new(Client::new());
    let started = Instant::now();
    let running: Vec<_> = (0..20)
        .map(|_| {
            let (client, request) =
                (client.clone(), demo(server.url("/slow?ms=500"), Grant::ClientCredentials));
            tokio::spawn(async move { client.token(&request, &HttpConfig::default(), &()).await.unwrap() })
        })
        .collect();
    for request in running {
        request.await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = TestServer::start().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let location = vec![("Location".into(), server.url("/canned/target"))];
        let path = format!("/canned/{status}");
        server.canned(&path, Canned { status, headers: location, ..Canned::default() });
        let (result, recorder) =
            send_quickly(&demo(server.url(&path), Grant::ClientCredentials), &HttpConfig::default()).await;
        let error = result.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::UnexpectedRedirect);
        assert_eq!(error.reply().unwrap().status, status);
        assert!(recorder.pauses().is_empty());
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn endless_answers_are_cut_off() {
    const LIMIT: usize = 1024 * 1024;
    let server = TestServer::start().unwrap();
    let padded = |length: usize| {
        let mut body = TOKEN.as_bytes().to_vec();
        body.resize(length, b' ');
        body
    };
    for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
        let path = format!("/canned/{length}");
        server.canned(&path, Canned { body: padded(length), ..Canned::default() });
        let result = send(&demo(server.url(&path), Grant::ClientCredentials), &HttpConfig::default()).await;
        match result {
            Ok(token) => assert!(fits && token.body.expose().len() == length),
            Err(error) => assert!(!fits && error.error_code() == ErrorCode::ResponseTooLarge, "{error}"),
        }
    }

    // Without a length the answer is counted while it comes.
    let endless = Listener::new(loopback(), |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        while stream.write_all(&[b' '; 8192]).is_ok() {}
    });
    let result = send(&demo(endless.url("/"), Grant::ClientCredentials), &HttpConfig::default()).await;
    assert_eq!(codes(result), (Category::Server, ErrorCode::ResponseTooLarge));
}

// Time limits.

#[rstest]
#[tokio::test]
async fn the_whole_takes_no_longer_than_allowed(#[values(Port::Http, Port::Tls)] port: Port) {
    let server = TestServer::start().unwrap();
    let config = HttpConfig { timeout: Duration::from_millis(1500), ..trusting(&server) };
    let started = Instant::now();
    let request = demo(port.url(&server, "/slow?ms=60000"), Grant::ClientCredentials);
    let error = send(&request, &config).await.unwrap_err();
    assert_eq!((error.category(), error.error_code()), (Category::Transport, ErrorCode::Timeout));
    assert!(error.to_string().ends_with("/slow: no complete answer within 1.5 s"), "{error}");
    assert!(error.is_retryable());
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    assert_eq!(server.requests().len(), 1);
    nothing_open(&server).await;
}

#[tokio::test]
async fn a_connection_that_is_not_finished_in_time_is_tried_again() {
    // It accepts, and never answers the TLS handshake.
    let silent = Listener::new(loopback(), |_stream| thread::sleep(Duration::from_mins(1)));
    let endpoint = silent.url("/token").replace("http:", "https:");
    let config =
        HttpConfig { connect_timeout: Duration::from_millis(200), max_retries: 2, ..HttpConfig::default() };
    let (result, recorder) = send_quickly(&demo(endpoint, Grant::ClientCredentials), &config).await;
    let error = result.unwrap_err();
    assert_eq!((error.error_code(), error.is_retryable()), (ErrorCode::ConnectFailed, true), "{error}");
    assert!(error.to_string().contains("timed out"), "{error}");
    assert_eq!((recorder.sent(), silent.connections()), (3, 3));
}

#[tokio::test]
async fn time_counts_for_all_attempts_together() {
    let server = TestServer::start().unwrap();
    server.canned("/canned/503", Canned::json(503, "{}"));
    // The first pause is at least half a second: it would end after the time allowed.
    let config = HttpConfig { timeout: Duration::from_millis(400), ..HttpConfig::default() };
    let error = send(&demo(server.url("/canned/503"), Grant::ClientCredentials), &config).await.unwrap_err();
    // The clear error rather than a timeout, and at once.
    assert_eq!((error.error_code(), error.reply().unwrap().status), (ErrorCode::Http, 503));
    assert_eq!(server.requests().len(), 1);
}

/// Waits until the server answers no request any more.
async fn nothing_open(server: &TestServer) {
    let started = Instant::now();
    while server.open() > 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "{} requests still open", server.open());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[rstest]
#[tokio::test]
async fn dropping_the_future_ends_the_request(#[values(Port::Http, Port::Tls)] port: Port) {
    let server = TestServer::start().unwrap();
    let (client, config) = (Client::new(), trusting(&server));
    let request = demo(port.url(&server, "/slow?ms=60000"), Grant::ClientCredentials);
    let sent = async {
        while server.open() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        result = client.token(&request, &config, &()) => panic!("{result:?}"),
        () = sent => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the request never arrived"),
    }
    let dropped = Instant::now();
    nothing_open(&server).await;
    assert!(dropped.elapsed() < Duration::from_secs(2), "took {:?}", dropped.elapsed());
}

// Retries.

/// Answers `before` to the first requests for `/canned/<name>`, then a token.
fn then_a_token(server: &TestServer, name: &str, before: Canned, times: u32) -> String {
    let path = format!("/canned/{name}");
    server.canned(&path, Canned { times: Some(times), ..before });
    server.canned(&path, Canned::json(200, TOKEN));
    server.url(&path)
}

#[rstest]
#[case::server_error(500)]
#[case::bad_gateway(502)]
#[case::unavailable(503)]
#[case::gateway_timeout(504)]
#[case::too_many(429)]
#[tokio::test]
async fn passing_failures_are_tried_again(#[case] status: u16) {
    let server = TestServer::start().unwrap();
    let endpoint = then_a_token(&server, "passing", Canned::json(status, "{}"), 2);
    let (result, recorder) =
        send_quickly(&demo(endpoint, Grant::ClientCredentials), &HttpConfig::default()).await;
    result.unwrap();
    assert_eq!(server.requests().len(), 3);
    let [first, second] = recorder.pauses()[..] else { panic!("{:?}", recorder.pauses()) };
    assert!((500..=1000).contains(&first.as_millis()), "{first:?}");
    assert!((1000..=2000).contains(&second.as_millis()), "{second:?}");
}

#[rstest]
#[case::bad_request(400)]
#[case::unauthorized(401)]
#[case::not_found(404)]
#[case::not_implemented(501)]
#[case::version(505)]
#[tokio::test]
async fn lasting_failures_are_not(#[case] status: u16) {
    let server = TestServer::start().unwrap();
    let endpoint = then_a_token(&server, "lasting", Canned::json(status, "{}"), 1);
    let (result, recorder) =
        send_quickly(&demo(endpoint, Grant::ClientCredentials), &HttpConfig::default()).await;
    assert_eq!(codes(result), (Category::Server, ErrorCode::Http));
    assert!(recorder.pauses().is_empty());
    assert_eq!(server.requests().len(), 1);
}

#[rstest]
#[case(0)]
#[case(1)]
#[case(5)]
#[tokio::test]
async fn there_are_no_more_attempts_than_allowed(#[case] max_retries: usize) {
    let server = TestServer::start().unwrap();
    server.canned("/canned/down", Canned::json(503, "{}"));
    let config = HttpConfig { max_retries, ..HttpConfig::default() };
    let (result, recorder) =
        send_quickly(&demo(server.url("/canned/down"), Grant::ClientCredentials), &config).await;
    assert_eq!(result.unwrap_err().reply().unwrap().status, 503);
    assert_eq!((server.requests().len(), recorder.pauses().len()), (max_retries + 1, max_retries));

    let closed = ClosedPort::new();
    let (result, recorder) = send_quickly(&demo(closed.url("/"), Grant::ClientCredentials), &config).await;
    let error = result.unwrap_err();
    assert_eq!((error.category(), error.error_code()), (Category::Transport, ErrorCode::ConnectFailed));
    assert!(error.is_retryable());
    assert_eq!((recorder.sent(), recorder.pauses().len()), (max_retries + 1, max_retries));
}

#[tokio::test]
async fn a_rehearsal_tells_the_request_masked_and_sends_nothing() {
    let server = TestServer::start().unwrap();
    server.canned("/canned/token", Canned::json(200, TOKEN));
    let config = HttpConfig { rehearse: true, ..HttpConfig::default() };
    for (name, grant) in common::grants() {
        let (result, recorder) = send_quickly(&demo(server.url("/canned/token"), grant), &config).await;
        assert_eq!(codes(result), (Category::InvalidInput, ErrorCode::NotSent), "{name}");
        assert_eq!((recorder.sent(), recorder.pauses().len()), (1, 0), "{name}");
        assert!(server.requests().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn one_time_credentials_are_not_sent_again_once_they_arrived() {
    let server = TestServer::start().unwrap();
    server.canned("/canned/503", Canned::json(503, r#"{"error":"temporarily_unavailable"}"#));
    for (name, grant) in common::grants() {
        let request = demo(server.url("/canned/503"), grant);
        let (result, _) = send_quickly(&request, &HttpConfig::default()).await;
        assert_eq!(result.unwrap_err().code(), "temporarily_unavailable");
        let expected = if matches!(name, "client_credentials" | "password") { 4 } else { 1 };
        assert_eq!(server.requests().len(), expected, "{name}");
    }
}

#[rstest]
#[case::closed(b"")]
#[case::half_a_head(b"HTTP/1.1 200 OK\r\nContent-Le")]
#[case::half_a_body(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":")]
#[case::no_http(b"SSH-2.0-OpenSSH_9.0\r\n")]
#[tokio::test]
async fn nothing_is_sent_again_after_the_connection_was_lost(#[case] answer: &'static [u8]) {
    let listener = Listener::answering(answer);
    for (number, request) in of_every_grant(&listener.url("/")).iter().enumerate() {
        let (result, recorder) = send_quickly(request, &HttpConfig::default()).await;
        let error = result.unwrap_err();
        assert_eq!((error.category(), error.error_code()), (Category::Transport, ErrorCode::ConnectionLost));
        assert!(error.is_retryable());
        assert!(recorder.pauses().is_empty());
        assert_eq!(listener.connections(), number + 1);
    }
}

#[tokio::test]
async fn everything_is_sent_again_when_there_was_no_connection() {
    for number in 0..of_every_grant("").len() {
        let server =
            Listener::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"access_token\":\"at\"}");
        let closed = ClosedPort::new();
        let request = of_every_grant(&closed.url("/")).swap_remove(number);
        let (client, config) = (Client::new(), HttpConfig::default());
        let mut closed = Some(closed);
        let mut opened = None;
        let sending =
            |recorder: Arc<Recorder>| async move { client.token(&request, &config, &*recorder).await };
        let (result, recorder) = without_pauses(sending, |pause| {
            if pause == 2 {
                opened = Some(Listener::forwarding(closed.take().unwrap().open(), server.address.port()));
            }
        })
        .await;
        result.unwrap();
        assert_eq!((recorder.sent(), opened.unwrap().connections()), (3, 1));
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_with_one_time_credentials_too() {
    let server = TestServer::start().unwrap();
    for (number, request) in of_every_grant("").into_iter().enumerate() {
        let limited = Canned::json(429, r#"{"error":"slow_down_please"}"#);
        let endpoint = then_a_token(&server, &number.to_string(), limited, 1);
        let (result, _) = send_quickly(&TokenRequest { endpoint, ..request }, &HttpConfig::default()).await;
        result.unwrap();
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn every_attempt_has_an_assertion_of_its_own() {
    let server = TestServer::start().unwrap();
    let endpoint = then_a_token(&server, "jti", Canned::json(503, "{}"), 3);
    let options = AssertionOptions::default();
    let key = private_key("ES256");
    let request = request(&endpoint, ClientAuthentication::PrivateKeyJwt { key, options });
    let (result, _) = send_quickly(&request, &HttpConfig::default()).await;
    result.unwrap();
    let assertion = |seen: &RecordedRequest| {
        let form = seen.form();
        let (_, value) = form.iter().find(|(name, _)| name == "client_assertion").unwrap();
        claims(value)["jti"].as_str().unwrap().to_owned()
    };
    let seen: HashSet<_> = server.requests().iter().map(assertion).collect();
    assert_eq!(seen.len(), 4);
}

fn retry_after(value: impl Into<String>) -> Canned {
    Canned { headers: vec![("Retry-After".into(), value.into())], ..Canned::json(429, "{}") }
}

fn in_seconds(seconds: u64) -> String {
    httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds))
}

#[rstest]
#[case::seconds("7".to_owned(), 7.0..=7.0)]
#[case::seconds_with_spaces(" 7 ".to_owned(), 7.0..=7.0)]
#[case::date(in_seconds(20), 10.0..=20.0)]
#[case::sooner_than_usual("0".to_owned(), 0.5..=1.0)]
#[case::past("Thu, 01 Jan 1970 00:00:00 GMT".to_owned(), 0.5..=1.0)]
#[case::negative("-7".to_owned(), 0.5..=1.0)]
#[case::words("soon".to_owned(), 0.5..=1.0)]
#[case::empty(String::new(), 0.5..=1.0)]
#[tokio::test]
async fn the_server_says_when_to_come_back(
    #[case] value: String,
    #[case] expected: std::ops::RangeInclusive<f64>,
) {
    for status in [429, 503] {
        let server = TestServer::start().unwrap();
        let endpoint = then_a_token(&server, "later", Canned { status, ..retry_after(&value) }, 1);
        let (result, recorder) =
            send_quickly(&demo(endpoint, Grant::ClientCredentials), &HttpConfig::default()).await;
        result.unwrap();
        let [pause] = recorder.pauses()[..] else { panic!("{:?}", recorder.pauses()) };
        assert!(expected.contains(&pause.as_secs_f64()), "{pause:?}");
    }
}

#[rstest]
#[case::longer_than_allowed("61".to_owned())]
#[case::a_day("86400".to_owned())]
#[case::beyond_integers("99999999999999999999999".to_owned())]
#[case::next_century("Fri, 01 Jan 2100 00:00:00 GMT".to_owned())]
#[tokio::test]
async fn nobody_waits_past_the_time_allowed(#[case] value: String) {
    let server = TestServer::start().unwrap();
    let endpoint = then_a_token(&server, "much-later", retry_after(value), 1);
    let (result, recorder) =
        send_quickly(&demo(endpoint, Grant::ClientCredentials), &HttpConfig::default()).await;
    let error = result.unwrap_err();
    assert_eq!((error.reply().unwrap().status, error.is_retryable()), (429, true));
    assert!(recorder.pauses().is_empty());
    assert_eq!(server.requests().len(), 1);
}

// Proxies.

fn explicit(url: impl Into<String>, credentials: Option<(&str, &str)>) -> Proxy {
    let credentials = credentials.map(|(user, password)| (user.to_owned(), Secret::from(password)));
    Proxy::Explicit { url: url.into(), credentials }
}

#[rstest]
#[tokio::test]
async fn an_explicit_proxy_carries_everything(
    #[values(Port::Http, Port::Tls)] port: Port,
    #[values(None, Some(("user", "pä:ss w/rd")))] credentials: Option<(&str, &str)>,
) {
    let server = TestServer::start().unwrap();
    if let Some((user, password)) = credentials {
        server.require_proxy_credentials(user, password);
    }
    let config = HttpConfig { proxy: explicit(server.url(""), credentials), ..trusting(&server) };
    let request = demo(port.url(&server, "/token"), Grant::ClientCredentials);
    let (result, recorder) = send_quickly(&request, &config).await;
    result.unwrap();

    let seen = server.requests();
    assert!(seen[0].via_proxy);
    let expected = credentials
        .map(|(user, password)| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    assert_eq!(seen[0].proxy_authorization, expected);
    match port {
        Port::Http => assert_eq!(seen.len(), 1),
        Port::Tls => {
            // The credentials for the proxy stay outside of the tunnel, those for the server inside.
            let [connect, inner] = &seen[..] else { panic!("{seen:?}") };
            assert_eq!((connect.method.as_str(), connect.header("authorization")), ("CONNECT", None));
            assert!(!inner.via_proxy && inner.proxy_authorization.is_none());
        }
    }
    assert!(!format!("{:?}", recorder.events()).contains("pä:ss"));
}

#[rstest]
#[tokio::test]
async fn a_proxy_that_wants_other_credentials_ends_the_request(
    #[values(Port::Http, Port::Tls)] port: Port,
    #[values(None, Some(("user", "wrong-password")))] credentials: Option<(&str, &str)>,
) {
    let server = TestServer::start().unwrap();
    server.require_proxy_credentials("user", "right-password");
    let config = HttpConfig { proxy: explicit(server.url(""), credentials), ..trusting(&server) };
    let request = demo(port.url(&server, "/token"), Grant::ClientCredentials);
    let (result, recorder) = send_quickly(&request, &config).await;
    let error = result.unwrap_err();
    assert_eq!((error.category(), error.error_code()), (Category::Transport, ErrorCode::ProxyFailed));
    assert!(error.to_string().contains("proxy"), "{error}");
    assert!(!visible(&error).contains("wrong-password"));
    assert!(recorder.pauses().is_empty());
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_ends_the_request() {
    let server = TestServer::start().unwrap();
    let config = HttpConfig { proxy: explicit(server.url(""), None), ..trusting(&server) };
    let result = send(&demo("https://as.example/token", Grant::ClientCredentials), &config).await;
    assert_eq!(codes(result), (Category::Transport, ErrorCode::ProxyFailed));
    assert_eq!(server.requests()[0].path, "as.example:443");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_a_failed_connection() {
    let closed = ClosedPort::new();
    let config = HttpConfig { proxy: explicit(closed.url(""), None), ..HttpConfig::default() };
    for endpoint in ["https://as.example/token", "http://localhost/token"] {
        let (result, recorder) = send_quickly(&demo(endpoint, Grant::ClientCredentials), &config).await;
        assert_eq!(codes(result), (Category::Transport, ErrorCode::ConnectFailed));
        assert_eq!(recorder.pauses().len(), 3);
    }
}

#[rstest]
#[case("socks5://127.0.0.1:1080")]
#[case("ftp://user:hunter2@127.0.0.1")]
#[case("http://")]
#[case("http://user:hunter2@:80")]
#[case("::hunter2::")]
#[case("")]
#[tokio::test]
async fn an_unusable_proxy_address_is_refused_and_not_quoted(#[case] url: &str) {
    let proxies = [
        explicit(url, None),
        Proxy::Environment { http: None, https: Some(Secret::from(url)), no_proxy: None },
        Proxy::Environment { http: Some(Secret::from(url)), https: None, no_proxy: None },
    ];
    for proxy in proxies {
        let config = HttpConfig { proxy, ..HttpConfig::default() };
        let error = send(&demo("https://as.example/", Grant::ClientCredentials), &config).await.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidProxy, "{error}");
        assert!(!visible(&error).contains("hunter2"), "{error}");
    }
}

fn environment(server: &TestServer, no_proxy: Option<&str>) -> HttpConfig {
    // As it often stands there: with credentials, and once without a scheme.
    let address = server.url("").replace("http://", "http://user:p%40ss@");
    let proxy = Proxy::Environment {
        http: Some(Secret::from(address.as_str())),
        https: Some(Secret::from(&address["http://".len()..])),
        no_proxy: no_proxy.map(str::to_owned),
    };
    HttpConfig { proxy, max_retries: 0, ..trusting(server) }
}

fn elsewhere(endpoint: &str) -> TokenRequest {
    TokenRequest { allow_insecure_http: true, ..demo(endpoint, Grant::ClientCredentials) }
}

#[tokio::test]
async fn the_proxies_of_an_environment_are_used() {
    let server = TestServer::start().unwrap();
    server.require_proxy_credentials("user", "p@ss");
    let config = environment(&server, Some("other.example"));
    send(&elsewhere("http://as.example/echo-token"), &config).await.unwrap();
    let result = send(&elsewhere("https://as.example/token"), &config).await;
    assert_eq!(codes(result), (Category::Transport, ErrorCode::ProxyFailed));
    let seen: Vec<_> = server.requests().into_iter().map(|seen| (seen.via_proxy, seen.path)).collect();
    assert_eq!(seen, [(true, "/echo-token".to_owned()), (true, "as.example:443".to_owned())]);
}

#[tokio::test]
async fn exceptions_of_an_environment_are_reached_directly() {
    let server = TestServer::start().unwrap();
    // On some systems 0.0.0.0 leads to this machine, on others nowhere; it is no loopback address.
    let endpoint = server.url("/echo-token").replace("127.0.0.1", "0.0.0.0");
    send(&elsewhere(&endpoint), &environment(&server, None)).await.unwrap();
    assert!(server.requests().iter().all(|seen| seen.via_proxy));
    for no_proxy in ["0.0.0.0", "as.example, 0.0.0.0", "0.0.0.0/8"] {
        let _ = send(&elsewhere(&endpoint), &environment(&server, Some(no_proxy))).await;
        assert!(server.requests().iter().all(|seen| !seen.via_proxy), "{no_proxy}");
    }
}

#[rstest]
#[tokio::test]
async fn loopback_goes_through_an_explicit_proxy_only(#[values(Port::Http, Port::Tls)] port: Port) {
    let (server, proxy) = (TestServer::start().unwrap(), TestServer::start().unwrap());
    let HttpConfig { proxy: environment, .. } = environment(&proxy, None);
    for setting in [environment, Proxy::System, Proxy::None] {
        let config = HttpConfig { proxy: setting, ..trusting(&server) };
        let request = demo(port.url(&server, "/token"), Grant::ClientCredentials);
        send(&request, &config).await.unwrap();
        assert!(proxy.requests().is_empty());
    }
}

/// The variables of a process must not change while it runs: this test starts itself again with others.
#[tokio::test]
async fn the_environment_of_the_process_is_the_default() {
    const NAME: &str = "the_environment_of_the_process_is_the_default";
    const LOOPBACK: &str = "TOKENKIT_TEST_LOOPBACK_ENDPOINT";
    if let Ok(loopback) = std::env::var(LOOPBACK) {
        for endpoint in ["http://as.example/echo-token", &loopback] {
            send(&elsewhere(endpoint), &HttpConfig::default()).await.unwrap();
        }
        return;
    }
    let (server, proxy) = (TestServer::start().unwrap(), TestServer::start().unwrap());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env_remove("NO_PROXY")
        .env_remove("HTTP_PROXY")
        .envs([
            (LOOPBACK, server.url("/echo-token")),
            ("http_proxy", proxy.url("")),
            ("no_proxy", String::new()),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(proxy.requests().iter().map(|seen| seen.via_proxy).eq([true]));
    assert!(server.requests().iter().map(|seen| seen.via_proxy).eq([false]));
}

// The device flow.

fn polling(interval_ms: u64, expires_in: u64) -> DevicePolling {
    DevicePolling {
        interval: Duration::from_millis(interval_ms),
        expires_in: Duration::from_secs(expires_in),
    }
}

async fn poll_quickly(
    request: &TokenRequest,
    polling: DevicePolling,
) -> (Result<TokenResponse, Error>, Arc<Recorder>) {
    let (client, config) = (Client::new(), HttpConfig::default());
    let sending = |recorder: Arc<Recorder>| async move {
        client.device_token(request, polling, &config, &*recorder).await
    };
    without_pauses(sending, |_| {}).await
}

fn device_request(server: &TestServer, answers: &[&str]) -> TokenRequest {
    for error in answers {
        let reply = match *error {
            "token" => Canned::json(200, TOKEN),
            error => Canned::json(400, &json!({ "error": error }).to_string()),
        };
        server.canned("/canned/device", reply);
    }
    demo(server.url("/canned/device"), Grant::DeviceCode { device_code: Secret::from("GmRhmhcxhwAzkoEq") })
}

const PENDING: &str = "authorization_pending";

#[tokio::test]
async fn polling_waits_longer_when_told_and_ends_with_a_token() {
    let server = TestServer::start().unwrap();
    let answers = [PENDING, "slow_down", PENDING, "slow_down", "token"];
    let (result, recorder) = poll_quickly(&device_request(&server, &answers), polling(5000, 600)).await;
    result.unwrap();
    assert_eq!(recorder.pauses(), [5, 10, 10, 15].map(Duration::from_secs));
    assert_eq!(server.requests().len(), 5);
    let remaining: Vec<_> = recorder
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Pending { remaining, .. } => Some(remaining.as_secs()),
            _ => None,
        })
        .collect();
    // Less by each pause, and by what the requests took.
    for (remaining, most) in remaining.iter().zip([600, 595, 585, 575]) {
        assert!((most - 10..=most).contains(remaining), "{remaining} of {most}");
    }
}

#[rstest]
#[case("access_denied")]
#[case("expired_token")]
#[case("invalid_grant")]
#[case("invalid_client")]
#[tokio::test]
async fn polling_ends_with_the_answer_of_the_server(#[case] error: &str) {
    let server = TestServer::start().unwrap();
    let (result, _) =
        poll_quickly(&device_request(&server, &[PENDING, error, "token"]), polling(5000, 600)).await;
    assert_eq!(result.unwrap_err().code(), error);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn polling_ends_when_the_code_expires() {
    let server = TestServer::start().unwrap();
    let (result, recorder) = poll_quickly(&device_request(&server, &[PENDING]), polling(5000, 18)).await;
    let error = result.unwrap_err();
    assert_eq!((error.category(), error.code()), (Category::Token, "expired_token"));
    assert_eq!(error.endpoint(), Some(server.url("/canned/device").as_str()));
    assert_eq!((recorder.pauses().len(), server.requests().len()), (3, 4));
}

#[tokio::test]
async fn one_request_for_a_device_code_is_one_request() {
    let server = TestServer::start().unwrap();
    let (result, recorder) =
        send_quickly(&device_request(&server, &[PENDING, "token"]), &HttpConfig::default()).await;
    assert_eq!(result.unwrap_err().code(), PENDING);
    assert_eq!((recorder.sent(), server.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_user_who_agrees_in_the_meantime_ends_the_polling() {
    let server = TestServer::start().unwrap();
    let (client, config) = (Client::new(), HttpConfig::default());
    let codes = device_codes(&server, &demo("", Grant::ClientCredentials)).await;
    let request = demo(server.url("/token"), device_grant(&codes));
    let sending = |recorder: Arc<Recorder>| async move {
        client.device_token(&request, polling(50, 600), &config, &*recorder).await
    };
    let (result, recorder) = without_pauses(sending, |pause| {
        if pause == 3 {
            assert!(server.act_on_device(codes["user_code"].as_str().unwrap(), UserAction::Approve));
        }
    })
    .await;
    result.unwrap();
    assert_eq!(recorder.pauses(), [Duration::from_millis(50); 3]);
}

// What an observer sees.

#[rstest]
#[case::basic(basic("demo-secret-7Fjfp0ZBr1"))]
#[case::post(post("demo-secret-7Fjfp0ZBr1"))]
#[case::secret_jwt(ClientAuthentication::SecretJwt {
    secret: Secret::from("demo-secret-7Fjfp0ZBr1"),
    options: AssertionOptions::default(),
})]
#[tokio::test]
async fn events_hold_no_secret(#[case] authentication: ClientAuthentication) {
    const SECRET: &str = "demo-secret-7Fjfp0ZBr1";
    let server = TestServer::start().unwrap();
    let echo = json!({"error": "server_error", "error_description": format!("bad secret {SECRET}")});
    let endpoint = then_a_token(&server, "echo", Canned::json(503, &echo.to_string()), 1);
    for (name, grant) in common::grants() {
        let mut request = request(&format!("{endpoint}?key=query-secret"), authentication.clone());
        request.grant = grant;
        request.headers = vec![Field::new("X-Api-Key", "header-secret")];
        request.parameters =
            vec![Field::new("resource", "https://api.example/"), Field::new("x", "form-secret")];
        let (_, recorder) = send_quickly(&request, &HttpConfig::default()).await;
        let events = recorder.events();
        let shown: Vec<_> = events.iter().map(|event| format!("{event}\n{event:?}")).collect();
        let shown = shown.join("\n");
        let seen = server.requests();
        let sent = seen.iter().flat_map(RecordedRequest::form).filter(|(name, _)| {
            !["grant_type", "client_id", "resource", "client_assertion_type"].contains(&name.as_str())
        });
        let credentials = seen.iter().filter_map(|seen| seen.header("authorization"));
        let secrets = sent.map(|(_, value)| value).chain(credentials.map(str::to_owned));
        let fixed = [SECRET, "query-secret", "header-secret", "form-secret"].map(str::to_owned);
        for secret in secrets.chain(fixed) {
            assert!(!shown.contains(&secret), "{name}: {secret} in {shown}");
        }
        // What happened is told all the same.
        assert!(shown.contains("POST http://127.0.0.1") && shown.contains("X-Api-Key: ***"), "{shown}");
        assert!(shown.contains("resource=https://api.example/") && shown.contains("x=***"), "{shown}");
        assert!(shown.contains(" 503 from ") || shown.contains(" 200 from "), "{shown}");
    }
}

#[tokio::test]
async fn the_reason_of_a_retry_holds_no_secret() {
    let server = TestServer::start().unwrap();
    let echo = json!({"error": "server_error", "error_description": "bad secret demo-secret"});
    let endpoint = then_a_token(&server, "echo", Canned::json(503, &echo.to_string()), 1);
    let (result, recorder) =
        send_quickly(&demo(endpoint, Grant::ClientCredentials), &HttpConfig::default()).await;
    result.unwrap();
    let events = recorder.events();
    let [_, _, Event::Retrying { reason, .. }, _, _] = &events[..] else { panic!("{events:?}") };
    assert!(reason.contains("server_error: bad secret ***"), "{reason}");
}

// Keys that stay outside.

/// A P-256 key behind a door: `sign` decides what happens to each request.
struct Door {
    pair: EcdsaKeyPair,
    sign: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Door {
    fn new(sign: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Arc<Self> {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Arc::new(Self { pair, sign: Box::new(sign) })
    }
}

impl ExternalSigner for Door {
    fn key_type(&self) -> KeyType {
        KeyType::P256
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        assert_eq!(algorithm, Algorithm::ES256);
        (self.sign)()?;
        let random = aws_lc_rs::rand::SystemRandom::new();
        Ok(self.pair.sign(&random, message).map_err(|error| error.to_string())?.as_ref().to_vec())
    }
}

fn by_door(server: &TestServer, door: Arc<Door>) -> TokenRequest {
    let key = SigningKey::external(door).with_key_id("card-1");
    let options = AssertionOptions::default();
    request(&server.url("/echo-token"), ClientAuthentication::PrivateKeyJwt { key, options })
}

#[tokio::test]
async fn an_external_key_signs_where_it_may_block() {
    let server = TestServer::start().unwrap();
    // The signer waits for this very thread: were it to run here, nothing would go on.
    let (let_in, entered) = mpsc::channel::<()>();
    let entered = std::sync::Mutex::new(entered);
    let here = thread::current().id();
    let door = Door::new(move || {
        assert_ne!(thread::current().id(), here);
        entered.lock().unwrap().recv_timeout(Duration::from_secs(20)).map_err(|error| error.to_string())
    });
    let request = by_door(&server, door.clone());
    let config = HttpConfig::default();
    let (result, ()) = tokio::join!(send(&request, &config), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let_in.send(()).unwrap();
    });
    let received = body(&result.unwrap())["received"].take();
    let assertion = received["form"]["client_assertion"][0].as_str().unwrap();
    let (input, tag) = assertion.rsplit_once('.').unwrap();
    signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, door.pair.public_key())
        .verify(input.as_bytes(), &URL_SAFE_NO_PAD.decode(tag).unwrap())
        .unwrap();
}

#[tokio::test]
async fn an_external_key_that_fails_ends_the_request() {
    let server = TestServer::start().unwrap();
    let refuses = Door::new(|| Err("The card was removed.".into()));
    let panics = Door::new(|| panic!("a fault of the signer"));
    for (door, code, message) in [
        (refuses, ErrorCode::SigningFailed, "The card was removed."),
        (panics, ErrorCode::Internal, "Signing ended unexpectedly"),
    ] {
        let (result, recorder) = send_quickly(&by_door(&server, door), &HttpConfig::default()).await;
        let error = result.unwrap_err();
        assert_eq!((error.category(), error.error_code()), (Category::Internal, code));
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(recorder.sent(), 0);
    }
    assert!(server.requests().is_empty());
}
