//! The userinfo endpoint.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::jwt::{self, Header, KeyType, SigningKey};
use tokenkit::{
    Category, Client, Error, Field, Grant, HttpConfig, Secret, TokenRequest, UserInfo, UserInfoRequest,
};
use tokenkit_testserver::{Canned, TestServer};

const TOKEN: &str = "mF_9.B5f-4.1JqM";

fn request(server: &TestServer) -> UserInfoRequest {
    let mut request = UserInfoRequest::new(server.url(""), Secret::from(TOKEN));
    request.endpoint = Some(server.url("/canned/userinfo"));
    request
}

async fn ask(request: &UserInfoRequest) -> Result<UserInfo, Error> {
    let config = HttpConfig { max_retries: 0, ..HttpConfig::default() };
    Client::new().user_info(request, &config, &()).await
}

fn outcome(result: &Result<UserInfo, Error>) -> &str {
    result.as_ref().err().map_or("ok", Error::code)
}

fn canned(status: u16, headers: &[(&str, &str)], body: &str) -> Canned {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Canned { status, headers: headers.collect(), body: body.as_bytes().to_vec(), ..Canned::default() }
}

#[tokio::test]
async fn the_user_of_a_token_is_told() {
    let server = TestServer::start().unwrap();
    let grant = Grant::Password { username: "alice".into(), password: Secret::from("wonderland") };
    let mut token = TokenRequest::new(server.url("/token"), grant);
    token.client_id = Some("public-client".into());
    token.scope = Some("openid".into());
    let token = Client::new().token(&token, &HttpConfig::default(), &()).await.unwrap();
    let token: Value = serde_json::from_slice(token.body.expose()).unwrap();

    let metadata = json!({"issuer": server.url(""), "userinfo_endpoint": server.url("/userinfo")});
    server.canned("/.well-known/openid-configuration", Canned::json(200, &metadata.to_string()));
    let mut request =
        UserInfoRequest::new(server.url(""), Secret::from(token["access_token"].as_str().unwrap()));
    request.subject = Some("alice".into());
    let answer = ask(&request).await.unwrap();
    let claims: Value = serde_json::from_str(&answer.claims).unwrap();
    assert_eq!((&claims["sub"], &claims["name"]), (&json!("alice"), &json!("Alice Liddell")));
    assert!(!answer.is_signed);

    request.access_token = Secret::from("unknown");
    let error = ask(&request).await.unwrap_err();
    assert_eq!((error.code(), error.category()), ("invalid_token", Category::Server));
    assert_eq!(error.reply().unwrap().status, 401);
    assert!(error.advice().contains("access token"), "{}", error.advice());
}

#[tokio::test]
async fn the_token_travels_in_the_header() {
    let server = TestServer::start().unwrap();
    server.canned("/canned/userinfo", Canned::json(200, r#"{"sub":"alice"}"#));
    let mut own = request(&server);
    own.headers = vec![Field::new("X-Trace", "7"), Field::new("accept", "application/json")];
    ask(&own).await.unwrap();
    let sent = server.requests().remove(0);
    let header = |name: &str| {
        let header = sent.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.clone())
    };
    assert_eq!(sent.method, "GET");
    assert_eq!(header("authorization"), Some(format!("Bearer {TOKEN}")));
    assert_eq!(header("accept").as_deref(), Some("application/json"));
    assert_eq!(header("x-trace").as_deref(), Some("7"));

    own.headers = vec![Field::new("authorization", "Basic x")];
    assert_eq!(outcome(&ask(&own).await), "invalid_argument");
    for token in ["", "two words", "line\nbreak", "ä"] {
        own = request(&server);
        own.access_token = Secret::from(token);
        assert_eq!(outcome(&ask(&own).await), "invalid_argument", "{token:?}");
    }
    assert!(server.requests().is_empty());
}

#[rstest]
#[case::same(r#"{"sub":"alice"}"#, Some("alice"), "ok")]
#[case::any(r#"{"sub":"alice"}"#, None, "ok")]
#[case::other(r#"{"sub":"alice"}"#, Some("Alice"), "subject_mismatch")]
#[case::none(r#"{"name":"alice"}"#, None, "malformed_userinfo")]
#[case::empty(r#"{"sub":""}"#, Some(""), "malformed_userinfo")]
#[case::number(r#"{"sub":7}"#, None, "malformed_userinfo")]
#[case::list("[]", None, "not_json_object")]
#[case::page("<html>", None, "not_json")]
#[tokio::test]
async fn the_subject_is_compared(#[case] body: &str, #[case] subject: Option<&str>, #[case] expected: &str) {
    let server = TestServer::start().unwrap();
    server.canned("/canned/userinfo", Canned::json(200, body));
    let mut request = request(&server);
    request.subject = subject.map(str::to_owned);
    assert_eq!(outcome(&ask(&request).await), expected);
}

#[rstest]
#[case::rfc_6750(
    401,
    r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#,
    "invalid_token",
    Some("The access token expired")
)]
#[case::no_quotes(403, "Bearer error=insufficient_scope", "insufficient_scope", None)]
#[case::spelling(401, r#"bearer ERROR = "invalid_token""#, "invalid_token", None)]
#[case::second_challenge(401, r#"Basic realm="a, b", Bearer error="invalid_token""#, "invalid_token", None)]
#[case::first_challenge(
    401,
    r#"Bearer error="invalid_token", Basic error="other", realm="x""#,
    "invalid_token",
    None
)]
#[case::bare_challenge_before(401, r#"Negotiate, Bearer error="invalid_token""#, "invalid_token", None)]
#[case::escapes(
    400,
    r#"Bearer error="invalid_request", error_description="say \"a\\b\"""#,
    "invalid_request",
    Some(r#"say "a\b""#)
)]
#[case::of_another_scheme(401, r#"DPoP error="invalid_token""#, "http_error", None)]
#[case::no_error(401, r#"Bearer realm="example""#, "http_error", None)]
#[case::cut_off(401, r#"Bearer error="invalid_token"#, "invalid_token", None)]
#[case::unreadable(401, "=,;\"\"", "http_error", None)]
#[case::token68(401, "Negotiate YWJj==, Bearer error=\"invalid_token\"", "invalid_token", None)]
#[case::success_says_nothing(200, r#"Bearer error="invalid_token""#, "ok", None)]
#[tokio::test]
async fn errors_are_in_the_challenge(
    #[case] status: u16,
    #[case] challenge: &str,
    #[case] expected: &str,
    #[case] description: Option<&str>,
) {
    let server = TestServer::start().unwrap();
    let headers = [("WWW-Authenticate", challenge), ("Content-Type", "application/json")];
    server.canned("/canned/userinfo", canned(status, &headers, r#"{"sub":"alice"}"#));
    let result = ask(&request(&server)).await;
    assert_eq!(outcome(&result), expected);
    if let Err(error) = result {
        assert_eq!(error.oauth().and_then(|oauth| oauth.description.as_deref()), description);
        assert_eq!(error.reply().unwrap().status, status);
    }
}

#[tokio::test]
async fn errors_may_be_in_the_body_and_quote_no_token() {
    let server = TestServer::start().unwrap();
    let body =
        json!({"error": "invalid_token", "error_description": format!("{TOKEN} has expired")}).to_string();
    server.canned("/canned/userinfo", Canned::json(401, &body));
    let error = ask(&request(&server)).await.unwrap_err();
    assert_eq!(error.code(), "invalid_token");
    assert!(error.to_string().contains("*** has expired"), "{error}");
    assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");

    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{TOKEN} has expired\"");
    server.canned("/canned/other", canned(401, &[("WWW-Authenticate", &challenge)], ""));
    let mut request = request(&server);
    request.endpoint = Some(server.url("/canned/other"));
    let error = ask(&request).await.unwrap_err();
    assert!(error.to_string().contains("*** has expired"), "{error}");
    assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
}

#[rstest]
#[case::good(json!({}), "ok")]
#[case::several_audiences(json!({"aud": ["other", "app"]}), "ok")]
#[case::expires(json!({"exp": 4_102_444_800_u64}), "ok")]
#[case::expired(json!({"exp": 1}), "malformed_userinfo")]
#[case::issuer(json!({"iss": "https://evil.example"}), "malformed_userinfo")]
#[case::no_issuer(json!({"iss": null}), "malformed_userinfo")]
#[case::audience(json!({"aud": "other"}), "malformed_userinfo")]
#[case::no_audience(json!({"aud": null}), "malformed_userinfo")]
#[case::subject(json!({"sub": "bob"}), "subject_mismatch")]
#[tokio::test]
async fn signed_answers_are_verified(#[case] changes: Value, #[case] expected: &str) {
    let server = TestServer::start().unwrap();
    let key = SigningKey::generate(KeyType::P256, None).unwrap();
    publish(&server, &key);
    let mut claims = json!({"iss": server.url(""), "aud": "app", "sub": "alice", "email": "a@example.com"});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let result = signed(&server, &sign(&claims, &key)).await;
    assert_eq!(outcome(&result), expected, "{result:?}");
    if let Ok(answer) = result {
        assert!(answer.is_signed);
        assert_eq!(serde_json::from_str::<Value>(&answer.claims).unwrap(), claims);
    }
}

#[tokio::test]
async fn what_is_not_signed_by_the_issuer_is_refused() {
    let server = TestServer::start().unwrap();
    let key = SigningKey::generate(KeyType::P256, None).unwrap();
    publish(&server, &key);
    let claims = json!({"iss": server.url(""), "aud": "app", "sub": "alice"});
    let other = sign(&claims, &SigningKey::generate(KeyType::P256, None).unwrap());
    let good = sign(&claims, &key);
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    for (body, expected) in [
        (other.as_str(), "malformed_userinfo"),
        (&unsigned, "malformed_userinfo"),
        ("e30.a.b.c.d", "encrypted_token"),
        ("{\"sub\":\"alice\"}", "malformed_userinfo"),
        (&format!(" {good}\n"), "ok"),
    ] {
        assert_eq!(outcome(&signed(&server, body).await), expected, "{body}");
    }

    // Without the issuer nobody could say whose signature it is.
    let mut request = request(&server);
    request.endpoint = Some(server.url("/canned/last"));
    request.issuer = None;
    server.canned("/canned/last", canned(200, &[("Content-Type", "application/jwt")], &good));
    let error = ask(&request).await.unwrap_err();
    assert!(error.to_string().contains("Give the issuer"), "{error}");
}

#[tokio::test]
async fn the_endpoint_has_to_be_known() {
    let server = TestServer::start().unwrap();
    let mut request = request(&server);
    request.endpoint = None;
    let metadata = json!({"issuer": server.url("")}).to_string();
    server.canned("/.well-known/openid-configuration", Canned::json(200, &metadata));
    let error = ask(&request).await.unwrap_err();
    assert!(error.to_string().contains("userinfo_endpoint"), "{error}");
    request.issuer = None;
    assert_eq!(outcome(&ask(&request).await), "invalid_argument");
    request.endpoint = Some("http://as.example/userinfo".into());
    assert_eq!(outcome(&ask(&request).await), "insecure_endpoint");
}

fn publish(server: &TestServer, key: &SigningKey) {
    let metadata = json!({"issuer": server.url(""), "jwks_uri": server.url("/keys")}).to_string();
    server.canned("/.well-known/openid-configuration", Canned::json(200, &metadata));
    let keys = json!({"keys": [key.verifying_key().unwrap().to_jwk()]}).to_string();
    server.canned("/keys", Canned::json(200, &keys));
}

fn sign(claims: &Value, key: &SigningKey) -> String {
    let token = jwt::sign(&Header::new(key.default_algorithm(), key), claims, key).unwrap();
    token.expose_str().unwrap().to_owned()
}

/// Asks an endpoint that answers with this JWT.
async fn signed(server: &TestServer, token: &str) -> Result<UserInfo, Error> {
    let path = "/canned/signed";
    server.canned(path, canned(200, &[("Content-Type", "application/jwt; charset=utf-8")], token));
    let mut request = request(server);
    request.endpoint = Some(server.url(path));
    request.client_id = Some("app".into());
    request.subject = Some("alice".into());
    ask(&request).await
}
