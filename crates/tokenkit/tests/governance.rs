//! Cloud Governance: what is sent, what is made of the answers, and what is never sent twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::net::{Listener, Recorder, without_pauses};
use common::{header, visible};
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::providers::governance::{
    Answer, AnswerContent, ApiKey, Call, Property, PropertyValue, ReturnType, Settings,
};
use tokenkit::{
    Category, Client, Error, ErrorCode, Field, HttpConfig, HttpRequest, HttpResponse, Method, Secret,
};
use tokenkit_testserver::{Canned, TestServer, governance};

const AGENT: &str = concat!("(sdk/powershell/", env!("CARGO_PKG_VERSION"), ")");
const DELEGATE: &str = "/auth/token/delegate";
const REFRESH: &str = "/auth/token/refresh";
const CACHE: &str = "/admin/auth/token/cache";

fn text(name: &str, value: &str) -> Property {
    Property { name: name.into(), value: PropertyValue::Text(value.into()) }
}

fn other(name: &str, value: &str) -> Property {
    Property { name: name.into(), value: PropertyValue::Json(value.into()) }
}

fn credential() -> Vec<Property> {
    vec![text("ClientSecret", "MyClientSecret"), text("UserPrincipalName", "MyUserPrincipalName")]
}

/// Every call, with whether the server may be asked twice.
fn calls() -> [(Call, &'static str, bool); 3] {
    [
        (Call::Delegate(credential()), DELEGATE, true),
        (Call::Refresh("MyRefreshToken".into()), REFRESH, false),
        (Call::DeleteCache(credential()), CACHE, true),
    ]
}

fn key(key: &str) -> ApiKey {
    ApiKey { key: key.into(), prefix: None }
}

fn at(base_url: impl Into<String>) -> Settings {
    Settings { base_url: Some(base_url.into()), ..Settings::default() }
}

/// The settings of the service's own documentation.
fn documented(base_url: impl Into<String>) -> Settings {
    Settings {
        client_secret: Some(key("eyJ...")),
        user_principal_name: Some(key("someone@example.com")),
        ..at(base_url)
    }
}

fn rendered(request: &HttpRequest) -> String {
    let mut lines = vec![format!("{} {}", request.method.as_str(), request.url)];
    lines.extend(request.headers.iter().map(|h| format!("{}: {}", h.name, h.value.expose_str().unwrap())));
    lines.push(request.body().expose_str().unwrap().to_owned());
    lines.join("\n")
}

async fn ask(settings: &Settings, call: &Call) -> (Result<Answer, Error>, Arc<Recorder>) {
    let (client, config) = (Client::new(), HttpConfig::default());
    let asking =
        |recorder: Arc<Recorder>| async move { client.governance(settings, call, &config, &*recorder).await };
    without_pauses(asking, |_| {}).await
}

fn value(answer: &Answer) -> Value {
    let AnswerContent::Json(json) = &answer.content else { panic!("{answer:?}") };
    serde_json::from_slice(json.expose()).unwrap()
}

// What is sent.

#[test]
fn each_call_is_as_the_service_wants_it() {
    let settings = documented("https://gov.example/api/");
    let [delegate, refresh, delete] = calls().map(|(call, ..)| rendered(&call.build(&settings).unwrap()));
    let common = format!(
        "clientSecret: eyJ...\nuserPrincipalName: someone@example.com\nAccept: application/json\n\
         X-CLOUD-GOVERNANCE-JSONCONTRACT: PascalCase\nUser-Agent: {AGENT}\n"
    );
    let body = "Content-Type: application/json\n\
                {\"ClientSecret\":\"MyClientSecret\",\"UserPrincipalName\":\"MyUserPrincipalName\"}";
    assert_eq!(delegate, format!("POST https://gov.example/api/auth/token/delegate\n{common}{body}"));
    assert_eq!(
        refresh,
        format!("POST https://gov.example/api/auth/token/refresh\nrefresh_token: MyRefreshToken\n{common}")
    );
    assert_eq!(delete, format!("DELETE https://gov.example/api/admin/auth/token/cache\n{common}{body}"));
}

#[test]
fn keys_that_are_empty_are_not_sent() {
    let settings =
        Settings { client_secret: Some(key("")), access_token: Some("".into()), ..at("https://h") };
    let request = Call::Delegate(credential()).build(&settings).unwrap();
    for name in ["clientSecret", "userPrincipalName", "Authorization"] {
        assert!(header(&request, name).is_empty(), "{name}");
    }
}

#[test]
fn prefixes_and_a_token_are_sent_when_given() {
    let prefixed = |key: &str, prefix: &str| Some(ApiKey { key: key.into(), prefix: Some(prefix.into()) });
    let settings = Settings {
        client_secret: prefixed("s3cr3t", "Key"),
        user_principal_name: prefixed("someone", ""),
        access_token: Some("token".into()),
        ..at("https://h")
    };
    let request = Call::Refresh("r".into()).build(&settings).unwrap();
    assert_eq!(header(&request, "clientSecret"), ["Key s3cr3t"]);
    assert_eq!(header(&request, "userPrincipalName"), ["someone"]);
    assert_eq!(header(&request, "Authorization"), ["Bearer token"]);
    // The parts are no less secret than the whole.
    assert_eq!(request.redact("s3cr3t someone token"), "*** *** ***");
}

#[rstest]
#[case("Accept", "text/html")]
#[case("USER-AGENT", "mine/1.0")]
#[case("x-cloud-governance-jsoncontract", "camelCase")]
#[case("content-type", "application/json; charset=utf-8")]
#[case("clientsecret", "another")]
#[case("refresh_token", "another")]
#[case("Authorization", "Bearer another")]
#[case("X-Mine", "")]
fn default_headers_have_the_last_word(#[case] name: &str, #[case] value: &str) {
    let settings = Settings {
        default_headers: vec![Field::new(name, value)],
        access_token: Some("token".into()),
        ..documented("https://h")
    };
    for (call, ..) in calls() {
        assert_eq!(header(&call.build(&settings).unwrap(), name), [value]);
    }
}

#[rstest]
#[case(Some(ReturnType::Text), "text/plain")]
#[case(Some(ReturnType::Json), "application/json")]
#[case(None, "application/json")]
fn the_return_type_is_asked_for(#[case] return_type: Option<ReturnType>, #[case] accept: &str) {
    let settings = Settings { return_type, ..at("https://h") };
    assert_eq!(header(&Call::Refresh("r".into()).build(&settings).unwrap(), "Accept"), [accept]);
}

#[rstest]
#[case::order_is_kept(vec![text("Z", "1"), text("A", "2")], r#"{"Z":"1","A":"2"}"#)]
#[case::unset_is_empty(vec![text("ClientSecret", ""), text("UserPrincipalName", "")], r#"{"ClientSecret":"","UserPrincipalName":""}"#)]
#[case::escapes(vec![text("a\"b", "\\\"\u{1}\n/ü😀")], "{\"a\\\"b\":\"\\\\\\\"\\u0001\\n/ü😀\"}")]
#[case::other_values(vec![other("n", "1.50"), other("b", " true "), other("x", "null"), other("o", r#"{"k": [1]}"#)], r#"{"n":1.50,"b":true,"x":null,"o":{"k": [1]}}"#)]
fn the_content_has_all_properties_in_order(#[case] properties: Vec<Property>, #[case] expected: &str) {
    let request = Call::Delegate(properties).build(&at("https://h")).unwrap();
    let Value::Object(_) = serde_json::from_slice(request.body().expose()).unwrap() else { panic!() };
    assert_eq!(request.body().expose_str(), Some(expected));
}

#[rstest]
#[case::no_base(Call::Refresh("r".into()), None, ErrorCode::MissingBaseUrl)]
#[case::empty_base(Call::Refresh("r".into()), Some(" "), ErrorCode::MissingBaseUrl)]
#[case::placeholder(Call::Refresh("r".into()), Some("{Cloud_Governance_Modern_API_Endpoint}"), ErrorCode::InvalidEndpoint)]
#[case::query(Call::Refresh("r".into()), Some("https://h/api?x=1"), ErrorCode::InvalidEndpoint)]
#[case::scheme(Call::Refresh("r".into()), Some("ftp://x"), ErrorCode::InvalidEndpoint)]
#[case::http(Call::Refresh("r".into()), Some("http://h"), ErrorCode::InsecureEndpoint)]
#[case::no_token(Call::Refresh("".into()), Some("https://h"), ErrorCode::InvalidArgument)]
#[case::no_properties(Call::Delegate(vec![]), Some("https://h"), ErrorCode::InvalidArgument)]
#[case::twice(Call::Delegate(vec![text("A", "1"), text("A", "2")]), Some("https://h"), ErrorCode::InvalidArgument)]
#[case::no_json(Call::DeleteCache(vec![other("A", "hunter2")]), Some("https://h"), ErrorCode::InvalidArgument)]
#[case::two_values(Call::Delegate(vec![other("A", "1 2")]), Some("https://h"), ErrorCode::InvalidArgument)]
#[tokio::test]
async fn what_makes_no_request_is_refused(
    #[case] call: Call,
    #[case] base_url: Option<&str>,
    #[case] code: ErrorCode,
) {
    let settings = Settings { base_url: base_url.map(str::to_owned), ..Settings::default() };
    let (result, recorder) = ask(&settings, &call).await;
    let error = result.unwrap_err();
    assert_eq!((error.category(), error.error_code()), (Category::InvalidInput, code), "{error}");
    assert!(code != ErrorCode::MissingBaseUrl || error.to_string().starts_with("BaseUrl is not set"));
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(recorder.sent(), 0);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let value = PropertyValue::Text(Secret::from(&[0xff][..]));
    let call = Call::Delegate(vec![Property { name: "ClientSecret".into(), value }]);
    let message = call.build(&at("https://h")).unwrap_err().to_string();
    assert_eq!(
        message,
        "The credential is unusable: the property 'ClientSecret' cannot be sent: it is not text."
    );
}

#[rstest]
#[case("Host")]
#[case("content-length")]
#[case("Transfer-Encoding")]
fn headers_of_the_connection_are_refused(#[case] name: &str) {
    let settings = Settings { default_headers: vec![Field::new(name, "1")], ..at("https://h") };
    let message = Call::Refresh("r".into()).build(&settings).unwrap_err().to_string();
    assert!(message.contains(&format!("'{name}'")), "{message}");
}

// What is made of an answer.

fn read(
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
    return_type: Option<ReturnType>,
) -> Result<Answer, Error> {
    let request = Call::Refresh("MyRefreshToken".into()).build(&documented("https://h")).unwrap();
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer::read(return_type, &request, HttpResponse { status, headers, body: Secret::from(body) })
}

#[rstest]
#[case::json("application/json", None, r#"{"a":1}"#, "json")]
#[case::json_with_charset("Application/JSON; charset=utf-8", None, "\u{feff}{\"a\":1}", "json")]
#[case::problem("application/problem+json", None, "[]", "json")]
#[case::json_scalar("application/json", None, "\"abc\"", "json")]
#[case::json_though_text_was_wanted("application/json", Some(ReturnType::Text), "{}", "json")]
#[case::json_as_text("text/plain", None, r#" {"a":1} "#, "json")]
#[case::json_as_text_asked("text/plain", Some(ReturnType::Json), "[1]", "json")]
#[case::json_as_text_wanted("text/plain", Some(ReturnType::Text), r#"{"a":1}"#, "text")]
#[case::number_as_text("text/plain", None, "12345", "text")]
#[case::plain("text/plain", None, "a token", "text")]
#[case::json_without_a_type("", None, "{}", "json")]
#[case::empty("application/json", None, "", "empty")]
#[case::blank("text/plain", None, " \r\n", "empty")]
fn contents_are_told_apart(
    #[case] media_type: &str,
    #[case] return_type: Option<ReturnType>,
    #[case] body: &str,
    #[case] expected: &str,
) {
    let answer = read(200, &[("content-type", media_type)], body, return_type).unwrap();
    let (kind, content) = match &answer.content {
        AnswerContent::Json(json) => ("json", json.expose_str().unwrap()),
        AnswerContent::Text(text) => ("text", text.expose_str().unwrap()),
        AnswerContent::Empty => ("empty", ""),
    };
    assert_eq!(kind, expected);
    assert!(expected == "empty" || content == body.trim_start_matches('\u{feff}'), "{content}");
}

#[rstest]
#[case(r#"{"Value":null,"IsSuccess":false,"ErrorMsg":"no such user"}"#, Some(false), Some("no such user"))]
#[case(r#"{"isSuccess":true,"errorMsg":null}"#, Some(true), None)]
#[case(r#"{"IsSuccess":false,"ErrorMsg":"MyRefreshToken is wrong"}"#, Some(false), Some("*** is wrong"))]
#[case(r#"{"IsSuccess":"no","ErrorMsg":""}"#, None, None)]
#[case("[]", None, None)]
fn a_refusal_with_a_good_status_is_told(
    #[case] body: &str,
    #[case] is_success: Option<bool>,
    #[case] message: Option<&str>,
) {
    let answer = read(200, &[("content-type", "application/json")], body, None).unwrap();
    assert_eq!((answer.is_success, answer.error_message.as_deref()), (is_success, message));
    assert!(matches!(answer.content, AnswerContent::Json(_)));
}

#[rstest]
#[case::half_an_object(&[("content-type", "application/json")], r#"{"Value":"#, ErrorCode::NotJson)]
#[case::web_page_as_json(&[("content-type", "application/json")], "<html>", ErrorCode::NotJson)]
#[case::compressed(&[("content-encoding", "gzip")], "{}", ErrorCode::UnexpectedAnswer)]
fn answers_that_are_not_what_they_say_are_refused(
    #[case] headers: &[(&str, &str)],
    #[case] body: &str,
    #[case] code: ErrorCode,
) {
    let error = read(200, headers, body, None).unwrap_err();
    assert_eq!((error.error_code(), error.reply().unwrap().status), (code, 200));
    // It may hold tokens.
    assert_eq!(error.reply().unwrap().body, "");
}

#[rstest]
#[case::of_the_service(
    401,
    r#"{"IsSuccess":false,"ErrorMsg":"unknown eyJ... of someone"}"#,
    "answered HTTP 401: unknown *** of someone"
)]
#[case::of_another_form(403, r#"{"Message":"no"}"#, "the answer gives no reason")]
#[case::page(500, "<html>broken</html>", "it begins: <html>broken</html>")]
#[case::empty(500, "", "the answer gives no reason")]
fn errors_keep_body_status_and_headers(#[case] status: u16, #[case] body: &str, #[case] says: &str) {
    let error = read(status, &[("content-type", "application/json"), ("x-id", "7")], body, None).unwrap_err();
    let reply = error.reply().unwrap();
    assert_eq!((error.error_code(), reply.status), (ErrorCode::Http, status));
    assert_eq!(reply.body, body.replace("eyJ...", "***"));
    assert!(reply.headers.contains(&("x-id".into(), "7".into())));
    assert!(error.to_string().contains(says), "{error}");
}

// Over a real connection.

#[rstest]
#[tokio::test]
async fn every_credential_gets_a_token_that_can_be_refreshed(
    #[values(0, 1, 2)] index: usize,
    #[values("", "/", "/governance", "/governance/")] base: &str,
    #[values(true, false)] with_headers: bool,
) {
    let server = TestServer::start().unwrap();
    let known = governance::CREDENTIALS[index];
    let credential = || {
        vec![text("ClientSecret", known.client_secret), text("UserPrincipalName", known.user_principal_name)]
    };
    let mut settings = at(server.url(base));
    if with_headers {
        settings.client_secret = Some(key(known.client_secret));
        settings.user_principal_name = Some(key(known.user_principal_name));
    }
    let answer = ask(&settings, &Call::Delegate(credential())).await.0.unwrap();
    let delegated = value(&answer);
    assert_eq!((answer.status, answer.is_success, answer.error_message.as_deref()), (200, Some(true), None));
    assert_eq!(delegated["Value"]["Duration"], 3600);

    let token = |value: &Value, name: &str| Secret::from(value["Value"][name].as_str().unwrap());
    settings.access_token = Some(token(&delegated, "AccessToken"));
    let first = Call::Refresh(token(&delegated, "RefreshToken"));
    let refreshed = value(&ask(&settings, &first).await.0.unwrap());
    assert_ne!(refreshed["Value"]["RefreshToken"], delegated["Value"]["RefreshToken"]);
    let error = ask(&settings, &first).await.0.unwrap_err();
    assert_eq!(error.reply().unwrap().status, 401);
    assert!(error.to_string().contains("was used already"), "{error}");

    let answer = ask(&settings, &Call::DeleteCache(credential())).await.0.unwrap();
    assert!(matches!(answer.content, AnswerContent::Empty) && answer.is_success.is_none());
    let forgotten = Call::Refresh(token(&refreshed, "RefreshToken"));
    assert!(ask(&settings, &forgotten).await.0.is_err());
}

#[tokio::test]
async fn text_is_handed_on_when_it_was_wanted() {
    let server = TestServer::start().unwrap();
    let settings = Settings { return_type: Some(ReturnType::Text), ..at(server.url("")) };
    let answer = ask(&settings, &Call::Delegate(credential())).await.0.unwrap();
    let AnswerContent::Text(text) = &answer.content else { panic!("{answer:?}") };
    assert!(text.expose_str().unwrap().starts_with(r#"{"Value":{"#));
}

#[rstest]
#[tokio::test]
async fn a_post_without_content_says_so(#[values(true, false)] tls: bool) {
    let server = TestServer::start().unwrap();
    server.governance_refresh_token("MyRefreshToken");
    let base_url = if tls { server.tls_url("") } else { server.url("") };
    let config = HttpConfig {
        certificate_authority: Some(server.certificate_authority().to_owned()),
        ..HttpConfig::default()
    };
    let call = Call::Refresh("MyRefreshToken".into());
    Client::new().governance(&documented(base_url), &call, &config, &()).await.unwrap();
    let [seen] = &server.requests()[..] else { panic!("not one request") };
    assert_eq!((seen.header("content-length"), seen.header("content-type")), (Some("0"), None));
    assert_eq!(seen.header("accept-encoding"), None);
    assert!(seen.body.is_empty());
}

#[tokio::test]
async fn a_certificate_is_believed_unchecked_only_when_that_is_said() {
    let server = TestServer::start().unwrap();
    let (client, call) = (Client::new(), Call::Delegate(credential()));
    for (skip_certificate_check, good) in [(true, true), (false, false), (true, true)] {
        let config = HttpConfig { skip_certificate_check, ..HttpConfig::default() };
        let result = client.governance(&at(server.tls_url("")), &call, &config, &()).await;
        assert_eq!(result.is_ok(), good);
        assert!(good || result.unwrap_err().error_code() == ErrorCode::TlsFailed);
    }
}

#[tokio::test]
async fn passing_failures_are_tried_again_unless_the_token_may_be_spent() {
    for (call, path, repeatable) in calls() {
        for status in [500, 503] {
            let server = TestServer::start().unwrap();
            server.governance_refresh_token("MyRefreshToken");
            server.canned(path, Canned { times: Some(2), ..Canned::json(status, "{}") });
            let (result, _) = ask(&at(server.url("")), &call).await;
            assert_eq!(result.is_ok(), repeatable, "{path}");
            assert_eq!(server.requests().len(), if repeatable { 3 } else { 1 }, "{path}");
        }
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_by_every_call() {
    for (call, path, _) in calls() {
        let server = TestServer::start().unwrap();
        server.governance_refresh_token("MyRefreshToken");
        let headers = vec![("Retry-After".into(), "7".into())];
        server.canned(path, Canned { headers, ..Canned::json(429, "{}") });
        let (result, recorder) = ask(&at(server.url("")), &call).await;
        result.unwrap();
        assert_eq!(recorder.pauses(), [Duration::from_secs(7)]);
    }
}

#[tokio::test]
async fn nothing_is_sent_again_after_the_connection_was_lost() {
    for (call, ..) in calls() {
        let listener = Listener::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        let error = ask(&at(listener.url("")), &call).await.0.unwrap_err();
        assert_eq!((error.error_code(), listener.connections()), (ErrorCode::ConnectionLost, 1));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (server, other) = (TestServer::start().unwrap(), TestServer::start().unwrap());
    for (call, path, _) in calls() {
        for status in [301, 307, 308] {
            let headers = vec![("Location".into(), other.url(path))];
            server.canned(path, Canned { status, headers, ..Canned::default() });
            let error = ask(&documented(server.url("")), &call).await.0.unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::UnexpectedRedirect);
        }
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn nothing_shown_holds_a_secret() {
    let secrets =
        ["MyClientSecret", "MyRefreshToken", "header-s3cr3t", "nested-s3cr3t", "bearer-t0ken", "trace-t0ken"];
    for (call, path, _) in calls() {
        let server = TestServer::start().unwrap();
        let settings = Settings {
            client_secret: Some(key("header-s3cr3t")),
            access_token: Some("bearer-t0ken".into()),
            default_headers: vec![Field::new("X-Mine", "trace-t0ken")],
            ..at(server.url(""))
        };
        let call = match call {
            Call::Delegate(mut credential) => {
                credential.push(other("Extra", r#"{"deep":["nested-s3cr3t"]}"#));
                Call::Delegate(credential)
            }
            other => other,
        };
        // A server may echo what it was sent, as it was sent or not.
        let echo = json!({"IsSuccess": false, "ErrorMsg": secrets.join(" ")}).to_string();
        server.canned(
            path,
            Canned { headers: vec![("X-Echo".into(), secrets.join(","))], ..Canned::json(400, &echo) },
        );
        let (result, recorder) = ask(&settings, &call).await;
        let error = result.unwrap_err();
        let events: Vec<_> = recorder.events().iter().map(|event| format!("{event}\n{event:?}")).collect();
        let shown = format!("{}\n{}\n{call:?}\n{settings:?}", visible(&error), events.join("\n"));
        let request = call.build(&settings).unwrap();
        for secret in secrets.into_iter().filter(|secret| rendered(&request).contains(secret)) {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        // What is sent is told all the same.
        assert!(shown.contains("clientSecret: ***") && shown.contains("PascalCase"), "{shown}");
        assert_eq!(
            shown.contains("\n  ClientSecret=***"),
            request.method == Method::Delete || path == DELEGATE
        );
    }
}
