//! Venafi's service: what is sent, what is made of the answers, and what is not sent at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use common::net::{Listener, Recorder, without_pauses};
use common::visible;
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::providers::venafi::{AccessToken, Credential, REGIONS, Region, ServiceAccount, server_of};
use tokenkit::{Attempt, Category, Client, Error, ErrorCode, HttpConfig, Secret};
use tokenkit_testserver::{Canned, ExpiresIn, TestServer, VenafiJwt, VenafiTokens, venafi};

const ACCOUNTS: &str = "/v1/useraccounts";

fn path() -> String {
    format!("/v1/oauth2/v2.0/{}/token", venafi::TENANT)
}

fn account(endpoint: &str, jwt: &str) -> ServiceAccount {
    ServiceAccount { endpoint: endpoint.into(), jwt: Secret::from(jwt), allow_insecure_http: false }
}

/// The service account with a JWT of the server's identity provider.
fn known_account(server: &TestServer) -> ServiceAccount {
    account(&server.url(&path()), &server.venafi_jwt(&VenafiJwt::default()).unwrap())
}

/// A JWT that nobody would accept, but that can be read.
fn jwt(claims: &Value) -> String {
    format!("{}.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

async fn token(account: &ServiceAccount) -> (Result<AccessToken, Error>, Arc<Recorder>) {
    let (client, config) = (Client::new(), HttpConfig::default());
    let asking =
        |recorder: Arc<Recorder>| async move { client.venafi_token(account, &config, &*recorder).await };
    without_pauses(asking, |_| {}).await
}

async fn user(server: &str, credential: &Credential) -> (Result<String, Error>, Arc<Recorder>) {
    let (client, config) = (Client::new(), HttpConfig::default());
    let asking = |recorder: Arc<Recorder>| async move {
        client.venafi_user(server, credential, false, &config, &*recorder).await
    };
    without_pauses(asking, |_| {}).await
}

// The token request.

#[test]
fn the_request_is_client_credentials_with_the_assertion_and_nothing_else() {
    let now: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
    let jwt = jwt(&json!({"exp": now.timestamp() + 60}));
    let request =
        account("https://api.venafi.cloud/v1/oauth2/v2.0/t/token", &jwt).token_request(now).unwrap();
    let http = request.build(&Attempt::now()).unwrap();
    assert_eq!(http.url.as_str(), "https://api.venafi.cloud/v1/oauth2/v2.0/t/token");
    let headers: Vec<_> = http
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.expose_str().unwrap()))
        .collect();
    assert_eq!(
        headers,
        [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")]
    );
    assert_eq!(
        http.body().expose_str().unwrap(),
        format!(
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={jwt}"
        )
    );
}

#[rstest]
#[case::no_jwt("opaque", ErrorCode::MalformedToken)]
#[case::empty("", ErrorCode::MalformedToken)]
#[case::encrypted("e30.a.b.c.d", ErrorCode::EncryptedToken)]
#[case::expired(&jwt(&json!({"exp": 1_767_323_045})), ErrorCode::AssertionExpired)]
#[case::early(&jwt(&json!({"exp": 4_102_444_800_u64, "nbf": 4_102_444_000_u64})), ErrorCode::AssertionNotYetValid)]
#[tokio::test]
async fn a_jwt_that_is_no_good_is_not_sent(#[case] jwt: &str, #[case] code: ErrorCode) {
    let server = TestServer::start().unwrap();
    let (result, recorder) = token(&account(&server.url(&path()), jwt)).await;
    let error = result.unwrap_err();
    assert_eq!((error.category(), error.error_code()), (Category::InvalidInput, code), "{error}");
    if code == ErrorCode::AssertionExpired {
        assert_eq!(error.to_string(), "The JWT expired at 2026-01-02 03:04:05 UTC.");
    }
    assert_eq!(recorder.sent(), 0);
    assert!(server.requests().is_empty());
}

#[rstest]
#[case("http://api.venafi.cloud/v1/oauth2/v2.0/t/token", ErrorCode::InsecureEndpoint)]
#[case("ftp://x", ErrorCode::InvalidEndpoint)]
#[case("api.venafi.cloud", ErrorCode::InvalidEndpoint)]
#[tokio::test]
async fn an_endpoint_that_would_give_the_jwt_away_is_refused(
    #[case] endpoint: &str,
    #[case] code: ErrorCode,
) {
    let (result, recorder) = token(&account(endpoint, &jwt(&json!({})))).await;
    assert_eq!(result.unwrap_err().error_code(), code);
    assert_eq!(recorder.sent(), 0);
}

// The access token.

#[rstest]
#[case::number(ExpiresIn::Number, false, true)]
#[case::text(ExpiresIn::Text, false, true)]
#[case::by_the_token_itself(ExpiresIn::Absent, true, true)]
#[case::unknown(ExpiresIn::Absent, false, false)]
#[tokio::test]
async fn the_expiry_is_known_by_whoever_says_it(
    #[case] expires_in: ExpiresIn,
    #[case] jwt: bool,
    #[case] known: bool,
) {
    let server = TestServer::start().unwrap();
    server.venafi_tokens(VenafiTokens { lifetime: 7200, jwt, expires_in });
    let before = Utc::now() - TimeDelta::seconds(1);
    let token = token(&known_account(&server)).await.0.unwrap();
    assert_eq!(token.expires_at.is_some(), known);
    if let Some(expires_at) = token.expires_at {
        let lifetime = expires_at - before;
        assert!((7200..7260).contains(&lifetime.num_seconds()), "{lifetime}");
    }
    let (user, _) = user(&server.url(""), &Credential::AccessToken(token.token)).await;
    assert!(user.unwrap().starts_with(r#"{"userId":"9b1f6a60-0f0e-11ee-8c5c-3f1a2b3c4d5e","username":"#));
}

#[tokio::test]
async fn one_jwt_gets_many_tokens() {
    let server = TestServer::start().unwrap();
    let account = known_account(&server);
    let (first, second) = (token(&account).await.0.unwrap(), token(&account).await.0.unwrap());
    assert!(!first.token.matches(&second.token));
}

#[tokio::test]
async fn a_refused_jwt_is_told_without_being_shown() {
    let server = TestServer::start().unwrap();
    let stranger = VenafiJwt { subject: "stranger".into(), ..VenafiJwt::default() };
    let jwt = server.venafi_jwt(&stranger).unwrap();
    let (result, recorder) = token(&account(&server.url(&path()), &jwt)).await;
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.reply().unwrap().status), ("invalid_client", 401));
    let shown = format!("{}{:?}", visible(&error), recorder.events());
    assert!(!shown.contains(&jwt));

    let echo = json!({"error": "invalid_client", "error_description": format!("bad {jwt}")}).to_string();
    server.canned(&path(), Canned::json(401, &echo));
    let error = token(&account(&server.url(&path()), &jwt)).await.0.unwrap_err();
    assert!(error.to_string().contains("invalid_client: bad ***"), "{error}");
    assert!(!visible(&error).contains(&jwt));
}

#[rstest]
#[case::forbidden(Canned::json(403, r#"{"error":"access_denied"}"#), ErrorCode::OAuth, 403)]
#[case::error_of_another_form(Canned::json(400, r#"{"errors":[{"code":1}]}"#), ErrorCode::Http, 400)]
#[case::error_without_body(Canned { status: 500, ..Canned::default() }, ErrorCode::Http, 500)]
#[case::empty(Canned::default(), ErrorCode::NotJson, 200)]
#[case::web_page(Canned { body: b"<html>".to_vec(), ..Canned::default() }, ErrorCode::NotJson, 200)]
#[case::half(Canned::json(200, r#"{"access_token":"#), ErrorCode::NotJson, 200)]
#[case::list(Canned::json(200, "[]"), ErrorCode::NotJsonObject, 200)]
#[case::no_token(Canned::json(200, r#"{"expires_in":1}"#), ErrorCode::MissingAccessToken, 200)]
#[tokio::test]
async fn answers_that_are_no_token_are_told_apart(
    #[case] answer: Canned,
    #[case] code: ErrorCode,
    #[case] status: u16,
) {
    let server = TestServer::start().unwrap();
    server.canned(&path(), answer);
    let error = token(&known_account(&server)).await.0.unwrap_err();
    assert_eq!((error.error_code(), error.reply().unwrap().status), (code, status), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[rstest]
#[case::too_many(429, 3)]
#[case::down(503, 1)]
#[tokio::test]
async fn an_assertion_that_may_have_been_seen_is_not_sent_again(
    #[case] status: u16,
    #[case] requests: usize,
) {
    let server = TestServer::start().unwrap();
    server.canned(&path(), Canned { times: Some(2), ..Canned::json(status, "{}") });
    let (result, _) = token(&known_account(&server)).await;
    assert_eq!((result.is_ok(), server.requests().len()), (requests > 1, requests));
}

#[tokio::test]
async fn an_assertion_is_not_sent_again_after_the_connection_was_lost() {
    let listener = Listener::answering(b"HTTP/1.1 200 OK\r\nContent-Le");
    let (result, _) = token(&account(&listener.url(&path()), &jwt(&json!({})))).await;
    assert_eq!(result.unwrap_err().error_code(), ErrorCode::ConnectionLost);
    assert_eq!(listener.connections(), 1);
}

#[tokio::test]
async fn events_tell_the_answer_by_names() {
    let server = TestServer::start().unwrap();
    let account = known_account(&server);
    let (result, recorder) = token(&account).await;
    let token = result.unwrap();
    let events: Vec<_> = recorder.events().iter().map(ToString::to_string).collect();
    let [sent, _, granted] = &events[..] else { panic!("{events:?}") };
    assert!(sent.ends_with("\n  grant_type=client_credentials\n  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer\n  client_assertion=***"), "{sent}");
    assert_eq!(granted, "Granted: access_token=***, token_type=Bearer, expires_in=3600");
    let shown = format!("{:?} {token:?} {account:?}", recorder.events());
    for secret in [&token.token, &account.jwt] {
        assert!(!shown.contains(secret.expose_str().unwrap()));
    }
}

// The user.

#[tokio::test]
async fn the_user_is_known_by_key() {
    let server = TestServer::start().unwrap();
    let key = Credential::ApiKey(Secret::from(venafi::API_KEY));
    // Whoever edits a session's server may leave a slash.
    for address in [server.url(""), server.url("/")] {
        let (result, recorder) = user(&address, &key).await;
        let user: Value = serde_json::from_str(&result.unwrap()).unwrap();
        assert_eq!(user["companyId"], venafi::TENANT);
        assert_eq!(user.get("id"), None);
        let [seen] = &server.requests()[..] else { panic!("not one request") };
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", ACCOUNTS));
        assert_eq!(
            (seen.header("tppl-api-key"), seen.header("authorization")),
            (Some(venafi::API_KEY), None)
        );
        assert!(!format!("{:?}", recorder.events()).contains(venafi::API_KEY));
    }
}

#[rstest]
#[case::id_comes_first(r#"{"user":{"a":1,"id":"i","b":2}}"#, r#"{"userId":"i","a":1,"b":2}"#)]
#[case::no_id(r#"{"user":{"a":1}}"#, r#"{"a":1}"#)]
#[tokio::test]
async fn the_id_of_the_user_is_renamed(#[case] answer: &str, #[case] expected: &str) {
    let server = TestServer::start().unwrap();
    server.canned(ACCOUNTS, Canned::json(200, answer));
    let (result, _) = user(&server.url(""), &Credential::ApiKey("k".into())).await;
    assert_eq!(result.unwrap(), expected);
}

#[rstest]
#[case::unauthorized(401, "{}", ErrorCode::Http)]
#[case::no_json(200, "<html>", ErrorCode::NotJson)]
#[case::no_user(200, "{}", ErrorCode::UnexpectedAnswer)]
#[case::user_is_a_text(200, r#"{"user":"u"}"#, ErrorCode::UnexpectedAnswer)]
#[tokio::test]
async fn answers_that_are_no_user_are_told_apart(
    #[case] status: u16,
    #[case] body: &str,
    #[case] code: ErrorCode,
) {
    let server = TestServer::start().unwrap();
    server.canned(ACCOUNTS, Canned::json(status, body));
    let (result, _) = user(&server.url(""), &Credential::AccessToken("token".into())).await;
    assert_eq!(result.unwrap_err().error_code(), code);
}

#[tokio::test]
async fn a_question_is_repeated_when_the_service_is_down() {
    let server = TestServer::start().unwrap();
    server.canned(ACCOUNTS, Canned { times: Some(2), ..Canned::json(503, "{}") });
    let (result, _) = user(&server.url(""), &Credential::ApiKey(venafi::API_KEY.into())).await;
    result.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[rstest]
#[case("http://api.venafi.cloud", "key", ErrorCode::InsecureEndpoint)]
#[case("https://api.venafi.cloud?x=1", "key", ErrorCode::InvalidEndpoint)]
#[case("https://api.venafi.cloud", "", ErrorCode::InvalidArgument)]
fn a_credential_goes_to_its_server_only(#[case] server: &str, #[case] key: &str, #[case] code: ErrorCode) {
    for credential in [Credential::ApiKey(key.into()), Credential::AccessToken(key.into())] {
        assert_eq!(credential.user_request(server, false).unwrap_err().error_code(), code);
    }
}

// Places.

#[test]
fn every_region_is_found_by_name_and_address() {
    for region in REGIONS {
        assert_eq!(Region::named(&region.name.to_uppercase()).unwrap(), region);
        assert_eq!(Region::at(&format!("{}/", region.server)), Some(region));
    }
    assert_eq!(REGIONS[0].name, "us");
    let message = Region::named("mars").unwrap_err().to_string();
    assert_eq!(message, "'mars' is no region. The regions are us, eu, au, uk, sg, ca.");
    assert_eq!(Region::at("https://api.venafi.cloud.example"), None);
}

#[rstest]
#[case("https://api.eu.venafi.cloud/v1/oauth2/v2.0/t/token", "https://api.eu.venafi.cloud")]
#[case("https://VC.example:8443/token", "https://vc.example:8443")]
#[case("https://vc.example:443/token", "https://vc.example")]
#[case("http://127.0.0.1:8080/token", "http://127.0.0.1:8080")]
#[case("http://[::1]:8080/token", "http://[::1]:8080")]
fn the_server_of_an_endpoint_keeps_its_port(#[case] endpoint: &str, #[case] expected: &str) {
    assert_eq!(server_of(endpoint, false).unwrap(), expected);
}
