//! What a server answers: nothing in it may make an error that shows what was sent.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokenkit::{
    Attempt, Category, ClientAuthentication, DevicePolling, Error, ErrorCode, Grant, HttpRequest,
    HttpResponse, MetadataLocation, Secret, TokenRequest, UserInfoAnswer, UserInfoRequest,
};

const CLIENT_SECRET: &str = "s3cr3t/\"<é>";
const CODE: &str = "SplxlOBe+Q Y";

/// What is sent to the token endpoint.
const SENT: &[&str] = &[CLIENT_SECRET, CODE];

/// Sent to the userinfo endpoint, and what the corpus of `token_response` gets.
const ACCESS_TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

/// Statuses that end in different places of the code.
const FAILURES: &[u16] = &[302, 400, 401, 429, 503];

fn request() -> (TokenRequest, HttpRequest) {
    let grant = Grant::AuthorizationCode { code: Secret::from(CODE), code_verifier: None };
    let mut request = TokenRequest::new("https://as.example/token", grant);
    request.client_id = Some("app".into());
    request.authentication = ClientAuthentication::SecretPost { secret: Secret::from(CLIENT_SECRET) };
    request.nonce = Some("n-0S6_WzA2Mj".into());
    let sent = request.build(&Attempt::now());
    (request, sent.unwrap_or_else(|error| unreachable!("{error}")))
}

fn response(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> HttpResponse {
    HttpResponse { status, headers, body: Secret::from(body) }
}

/// The body of a token response (RFC 6749 section 5.1). One that cannot be used is not shown either.
pub(crate) fn token_response(data: &[u8]) {
    let (request, sent) = request();
    let now = DateTime::<Utc>::UNIX_EPOCH;
    match request.parse(&sent, response(200, Vec::new(), data), now) {
        Ok(token) => {
            assert_eq!(token.body.expose(), data, "the body is handed on as it came");
            assert!(token.expires_at.is_none_or(|at| at > now), "what expires does so later");
        }
        Err(error) => {
            assert!(matches!(error.category(), Category::Server | Category::Token), "{error}");
            shows_nothing(&error, SENT);
            // What came instead may be a token all the same.
            if error.error_code() == ErrorCode::NotJson {
                shows_nothing(&error, &[ACCESS_TOKEN]);
            }
        }
    }
}

/// The body of an error response (RFC 6749 section 5.2); its first line is a header, too.
pub(crate) fn error_response(data: &[u8]) {
    let (request, sent) = request();
    let text = String::from_utf8_lossy(data);
    let line = text.lines().next().unwrap_or_default();
    let headers = ["content-type", "location", "retry-after", "www-authenticate"];
    let headers: Vec<_> = headers.map(|name| (name.to_owned(), line.to_owned())).to_vec();
    for status in FAILURES {
        let answer = request.parse(&sent, response(*status, headers.clone(), data), Utc::now());
        let Err(error) = answer else { unreachable!("HTTP {status} was taken for a token") };
        assert_eq!(error.category(), Category::Server, "{error}");
        assert!(!error.code().is_empty() && !error.advice().is_empty(), "{error}");
        shows_nothing(&error, SENT);
        let mut polling =
            DevicePolling { interval: Duration::from_secs(5), expires_in: Duration::from_mins(10) };
        if let Ok(pause) = polling.next_pause(error, Duration::ZERO) {
            assert!(pause >= Duration::from_secs(5), "polled faster than allowed");
        }
    }
}

/// The body of authorization server metadata (RFC 8414 section 3.2).
pub(crate) fn discovery(data: &[u8]) {
    let asked = "https://as.example/tenant";
    let location = MetadataLocation::parse(asked, false).unwrap_or_else(|error| unreachable!("{error}"));
    let sent = HttpRequest::get(location.urls[0].clone());
    match location.read(&sent, &response(200, Vec::new(), data)) {
        Ok(metadata) => assert_eq!(metadata.issuer.trim_end_matches('/'), asked, "another issuer's metadata"),
        Err(error) => assert_eq!(error.category(), Category::Server, "{error}"),
    }
}

/// The challenges of a userinfo endpoint (RFC 6750 section 3), each line a header `WWW-Authenticate`; the last one is the
/// body, too.
pub(crate) fn challenge(data: &[u8]) {
    let asked = UserInfoRequest::new("https://as.example", Secret::from(ACCESS_TOKEN));
    let endpoint = MetadataLocation::parse("https://as.example/userinfo", false);
    let endpoint = endpoint.unwrap_or_else(|error| unreachable!("{error}")).urls[0].clone();
    let sent = asked.build(endpoint).unwrap_or_else(|error| unreachable!("{error}"));
    let text = String::from_utf8_lossy(data);
    let headers: Vec<_> = text.lines().map(|line| ("www-authenticate".to_owned(), line.to_owned())).collect();
    let body = text.lines().last().unwrap_or_default();
    for status in FAILURES {
        let answer = UserInfoAnswer::read(&sent, &response(*status, headers.clone(), body.as_bytes()));
        let Err(error) = answer else { unreachable!("HTTP {status} was taken for claims") };
        assert_eq!(error.category(), Category::Server, "{error}");
        shows_nothing(&error, &[ACCESS_TOKEN]);
        if let Some(oauth) = error.oauth()
            && !body.contains('{')
        {
            assert!(text.to_ascii_lowercase().contains("bearer"), "an error of nobody: {oauth:?}");
            assert!(!oauth.error.contains(char::is_control), "{oauth:?}");
        }
    }
    // A success is no failure, whatever stands in this header.
    let claims = UserInfoAnswer::read(&sent, &response(200, headers, br#"{"sub":"alice"}"#));
    assert!(matches!(claims, Ok(UserInfoAnswer::Plain(_))));
}

/// Neither as it stands nor unescaped does anything in the error hold a secret.
fn shows_nothing(error: &Error, secrets: &[&str]) {
    let headers = error.reply().map(|reply| &reply.headers).into_iter().flatten();
    for text in headers.map(|(_, value)| value.clone()).chain([error.to_string()]) {
        assert_clean(&text, secrets);
    }
    if let Some(oauth) = error.oauth() {
        [Some(&oauth.error), oauth.description.as_ref(), oauth.uri.as_ref()]
            .into_iter()
            .flatten()
            .for_each(|text| assert_clean(text, secrets));
    }
    let body = error.reply().map(|reply| reply.body.as_str()).unwrap_or_default();
    assert_clean(body, secrets);
    if let Ok(value) = serde_json::from_str(body) {
        assert_clean_value(&value, secrets);
    }
}

fn assert_clean(text: &str, secrets: &[&str]) {
    assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret is shown: {text}");
}

fn assert_clean_value(value: &Value, secrets: &[&str]) {
    match value {
        Value::String(text) => assert_clean(text, secrets),
        Value::Array(items) => items.iter().for_each(|item| assert_clean_value(item, secrets)),
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            assert_clean(name, secrets);
            assert_clean_value(member, secrets);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
