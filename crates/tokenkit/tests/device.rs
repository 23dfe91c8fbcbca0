//! The device authorization endpoint, and waiting for its user.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::time::Duration;

use chrono::{TimeZone as _, Utc};
use common::net::without_pauses;
use common::{basic, field, header};
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::{
    Attempt, Category, Client, DeviceAuthorizationRequest, DeviceAuthorizationResponse, DevicePolling, Error,
    Event, Field, Grant, HttpConfig, HttpResponse, Secret, TokenRequest,
};
use tokenkit_testserver::{Canned, TestServer, UserAction};

const ENDPOINT: &str = "https://as.example/device_authorization";

fn parse(status: u16, body: &Value) -> Result<DeviceAuthorizationResponse, Error> {
    let request = DeviceAuthorizationRequest::new(ENDPOINT, "app");
    let sent = request.build(&Attempt::now()).unwrap();
    let response = HttpResponse { status, headers: vec![], body: Secret::from(body.to_string()) };
    request.parse(&sent, response, Utc.timestamp_opt(1_700_000_000, 0).unwrap())
}

/// The answer of RFC 8628 section 3.2.
fn answer() -> Value {
    json!({
        "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS", "user_code": "WDJB-MJHT",
        "verification_uri": "https://example.com/device",
        "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
        "expires_in": 1800, "interval": 7,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = answer();
    answer[name] = value;
    answer
}

fn without(name: &str) -> Value {
    let mut answer = answer();
    answer.as_object_mut().unwrap().shift_remove(name);
    answer
}

#[test]
fn the_request_is_a_form_with_the_clients_authentication() {
    let mut request = DeviceAuthorizationRequest::new(format!("{ENDPOINT}?tenant=1"), "app");
    request.scope = Some("openid mail".into());
    request.parameters = vec![Field::new("resource", "urn:a"), Field::new("resource", "urn:b")];
    let sent = request.build(&Attempt::now()).unwrap();
    assert_eq!(
        (sent.method.as_str(), sent.url.as_str()),
        ("POST", "https://as.example/device_authorization?tenant=1")
    );
    assert_eq!(
        sent.body().expose_str(),
        Some("scope=openid+mail&client_id=app&resource=urn%3Aa&resource=urn%3Ab")
    );

    request.authentication = basic("s3cr3t");
    let sent = request.build(&Attempt::now()).unwrap();
    assert_eq!(header(&sent, "Authorization"), ["Basic YXBwOnMzY3IzdA=="]);
    assert!(field(&sent, "client_id").is_empty());

    request.parameters.push(Field::new("scope", "twice"));
    assert_eq!(request.build(&Attempt::now()).unwrap_err().code(), "invalid_argument");
}

#[test]
fn the_codes_are_read() {
    let response = parse(200, &answer()).unwrap();
    assert_eq!(response.device_code.expose_str(), Some("GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS"));
    assert_eq!(response.user_code, "WDJB-MJHT");
    assert_eq!(response.verification_uri, "https://example.com/device");
    assert_eq!(
        response.verification_uri_complete.as_deref(),
        Some("https://example.com/device?user_code=WDJB-MJHT")
    );
    assert_eq!(response.polling.interval, Duration::from_secs(7));
    assert_eq!(response.polling.expires_in, Duration::from_mins(30));
    assert_eq!(response.expires_at.timestamp(), 1_700_001_800);
    assert_eq!(response.body.expose_str(), Some(answer().to_string().as_str()));
    assert_eq!(
        response.message,
        "To sign in, open https://example.com/device in a browser and enter the code WDJB-MJHT."
    );
    assert!(!format!("{response:?}").contains("GmRhm"), "{response:?}");
}

#[test]
fn servers_may_word_it_differently() {
    let response = parse(200, &with("message", json!("Open the page."))).unwrap();
    assert_eq!(response.message, "Open the page.");

    let mut answer = without("verification_uri");
    answer["verification_url"] = json!("https://www.google.com/device");
    assert_eq!(parse(200, &answer).unwrap().verification_uri, "https://www.google.com/device");

    let response = parse(200, &with("expires_in", json!("900"))).unwrap();
    assert_eq!(response.polling.expires_in, Duration::from_mins(15));
    for interval in [without("interval"), with("interval", json!(0)), with("interval", json!("x"))] {
        assert_eq!(parse(200, &interval).unwrap().polling.interval, DevicePolling::DEFAULT_INTERVAL);
    }
    let response = parse(200, &with("verification_uri_complete", json!("javascript:alert(1)"))).unwrap();
    assert_eq!(response.verification_uri_complete, None);
}

#[rstest]
#[case::no_device_code(without("device_code"), "device_code")]
#[case::no_user_code(with("user_code", json!("")), "user_code")]
#[case::no_address(without("verification_uri"), "verification_uri")]
#[case::script_for_address(with("verification_uri", json!("javascript:alert(1)")), "web address")]
#[case::file_for_address(with("verification_uri", json!("file:///etc/passwd")), "web address")]
#[case::never_valid(without("expires_in"), "expires_in")]
#[case::no_longer_valid(with("expires_in", json!(0)), "expires_in")]
fn unusable_answers_are_refused(#[case] body: Value, #[case] named: &str) {
    let error = parse(200, &body).unwrap_err();
    assert_eq!((error.code(), error.category()), ("malformed_device_authorization", Category::Server));
    assert!(error.to_string().contains(named), "{error}");
    assert!(!format!("{error:?}").contains("GmRhm"), "{error:?}");
}

#[test]
fn errors_are_those_of_oauth() {
    let error = parse(400, &json!({"error": "invalid_client", "error_description": "unknown"})).unwrap_err();
    assert_eq!((error.code(), error.reply().unwrap().status), ("invalid_client", 400));
    assert_eq!(parse(404, &json!({})).unwrap_err().code(), "http_error");
    assert_eq!(parse(200, &json!([])).unwrap_err().code(), "not_json_object");
}

#[tokio::test]
async fn a_device_signs_in() {
    let server = TestServer::start().unwrap();
    let mut request = DeviceAuthorizationRequest::new(server.url("/device_authorization"), "public-client");
    request.scope = Some("openid".into());
    request.parameters = vec![Field::new("test_interval", "1")];
    let client = Client::new();
    let codes = client.device_authorization(&request, &HttpConfig::default(), &()).await.unwrap();
    assert_eq!(codes.polling.interval, Duration::from_secs(1));

    let grant = Grant::DeviceCode { device_code: codes.device_code };
    let mut request = TokenRequest::new(server.url("/token"), grant);
    request.client_id = Some("public-client".into());
    let approve = |number| {
        if number == 2 {
            assert!(server.act_on_device(&codes.user_code, UserAction::Approve));
        }
    };
    let (client, request) = (&client, &request);
    let ask = |observer: std::sync::Arc<common::net::Recorder>| async move {
        client.device_token(request, codes.polling, &HttpConfig::default(), &*observer).await
    };
    let (token, events) = without_pauses(ask, approve).await;
    token.unwrap();
    assert!(events.pauses().len() >= 2);
    let waiting = events.events().into_iter().filter(|event| matches!(event, Event::Waiting { .. })).count();
    assert!(waiting >= 2, "{waiting}");
}

#[tokio::test]
async fn a_server_in_trouble_ends_the_flow_at_once() {
    let server = TestServer::start().unwrap();
    server.canned("/canned/token", Canned::json(500, r#"{"error":"server_error"}"#));
    server.canned("/canned/other", Canned::json(500, "oops"));
    let polling = DevicePolling { interval: Duration::from_secs(5), expires_in: Duration::from_mins(10) };
    for (path, code) in [("/canned/token", "server_error"), ("/canned/other", "http_error")] {
        let grant = Grant::DeviceCode { device_code: Secret::from("dc") };
        let request = TokenRequest::new(server.url(path), grant);
        let error =
            Client::new().device_token(&request, polling, &HttpConfig::default(), &()).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(server.requests().len(), 1);
    }
}

/// RFC 8628 section 3.5. Some servers send `slow_down` with 429, which other requests repeat after half a second.
#[rstest]
#[case(400)]
#[case(429)]
#[tokio::test]
async fn slow_down_makes_each_pause_longer(#[case] status: u16) {
    let server = TestServer::start().unwrap();
    let slow_down = Canned::json(status, r#"{"error":"slow_down"}"#);
    server.canned("/canned/token", Canned { times: Some(2), ..slow_down });
    server.canned("/canned/token", Canned::json(200, r#"{"access_token":"at"}"#));
    let grant = Grant::DeviceCode { device_code: Secret::from("dc") };
    let request = &TokenRequest::new(server.url("/canned/token"), grant);
    let polling = DevicePolling { interval: Duration::from_secs(1), expires_in: Duration::from_mins(10) };
    let ask = |observer: std::sync::Arc<common::net::Recorder>| async move {
        Client::new().device_token(request, polling, &HttpConfig::default(), &*observer).await
    };
    let (token, events) = without_pauses(ask, |_| {}).await;
    token.unwrap();
    assert_eq!(events.pauses(), [Duration::from_secs(6), Duration::from_secs(11)]);
}
