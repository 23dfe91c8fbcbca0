//! Cloud Governance.

use reqwest::Method;
use serde_json::{Value, json};
use tokenkit_testserver::{TestServer, governance};

use crate::{client, read, send, text};

type Header<'a> = (&'a str, &'a str);

const ACCEPT: Header = ("Accept", "application/json");
const CONTRACT: Header = ("X-CLOUD-GOVERNANCE-JSONCONTRACT", "PascalCase");
const AGENT: Header = ("User-Agent", "(sdk/powershell/5.5.4)");
const JSON: Header = ("Content-Type", "application/json");
const ALL: [Header; 4] = [ACCEPT, CONTRACT, AGENT, JSON];
const SECRET: Header = ("clientSecret", "eyJ...");
const NAME: Header = ("userPrincipalName", "someone@example.com");
const GOOD: &str = r#"{"ClientSecret":"MyClientSecret","UserPrincipalName":"MyUserPrincipalName"}"#;

async fn call(
    server: &TestServer,
    method: Method,
    path: &str,
    headers: &[Header<'_>],
    body: &str,
) -> (u16, Value) {
    let client = client(server).build().unwrap();
    let mut request = client.request(method, server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response =
        if body.is_empty() { request } else { request.body(body.to_owned()) }.send().await.unwrap();
    if response.content_length() == Some(0) {
        return (response.status().as_u16(), Value::Null);
    }
    read(response).await
}

async fn delegate(server: &TestServer) -> Value {
    let (status, reply) = call(server, Method::POST, "/auth/token/delegate", &ALL, GOOD).await;
    assert_eq!(
        (status, &reply["IsSuccess"], &reply["ErrorMsg"]),
        (200, &json!(true), &Value::Null),
        "{reply}"
    );
    assert_eq!(reply["Value"]["Duration"], 3600);
    reply["Value"].clone()
}

async fn refresh(server: &TestServer, token: &str, more: &[Header<'_>]) -> (u16, Value) {
    let headers = [&[ACCEPT, CONTRACT, AGENT, ("refresh_token", token)], more].concat();
    call(server, Method::POST, "/governance/auth/token/refresh", &headers, "").await
}

#[tokio::test]
async fn every_credential_counts_in_header_and_body() {
    let server = TestServer::start().unwrap();
    for credential in governance::CREDENTIALS {
        let body = json!({
            "ClientSecret": credential.client_secret,
            "UserPrincipalName": credential.user_principal_name,
        });
        let own = [
            ("clientSecret", credential.client_secret),
            ("userPrincipalName", credential.user_principal_name),
            ("X-Trace", "1"),
        ];
        for path in ["/auth/token/delegate", "/governance/auth/token/delegate"] {
            let headers = [&ALL[..], &own].concat();
            let (status, reply) = call(&server, Method::POST, path, &headers, &body.to_string()).await;
            assert_eq!((status, &reply["IsSuccess"]), (200, &json!(true)), "{reply}");
        }
    }
}

#[tokio::test]
async fn refresh_tokens_are_good_once() {
    let server = TestServer::start().unwrap();
    let first = delegate(&server).await;
    let bearer = format!("Bearer {}", text(&first, "AccessToken"));
    let (status, second) =
        refresh(&server, text(&first, "RefreshToken"), &[("Authorization", &bearer), SECRET, NAME]).await;
    assert_eq!(status, 200, "{second}");
    assert_eq!(refresh(&server, text(&first, "RefreshToken"), &[]).await.0, 401);
    let (status, third) = refresh(&server, text(&second["Value"], "RefreshToken"), &[]).await;
    assert_eq!(status, 200, "{third}");

    server.governance_refresh_token("MyRefreshToken");
    assert_eq!(refresh(&server, "MyRefreshToken", &[]).await.0, 200);
    let (status, reply) = refresh(&server, "MyRefreshToken", &[]).await;
    assert_eq!((status, &reply["IsSuccess"]), (401, &json!(false)));

    // The cache forgets the user's tokens and nobody else's.
    let other = json!({ "ClientSecret": SECRET.1, "UserPrincipalName": NAME.1 }).to_string();
    for (body, expected) in [(other.as_str(), 200), (GOOD, 401)] {
        let mine = delegate(&server).await;
        let reply = call(&server, Method::DELETE, "/admin/auth/token/cache", &ALL, body).await;
        assert_eq!(reply, (200, Value::Null));
        assert_eq!(refresh(&server, text(&mine, "RefreshToken"), &[]).await.0, expected);
    }
}

#[tokio::test]
async fn text_is_given_to_whom_asks_for_it() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let mut request = client.post(server.url("/auth/token/delegate")).body(GOOD);
    for (name, value) in [("Accept", "text/plain"), CONTRACT, AGENT, JSON] {
        request = request.header(name, value);
    }
    let response = request.send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert_eq!(read(response).await.1["IsSuccess"], true);
}

#[tokio::test]
async fn whatever_is_not_in_the_contract_is_refused() {
    let server = TestServer::start().unwrap();
    let without = |name: &str| ALL.into_iter().filter(|header| header.0 != name).collect::<Vec<_>>();
    let with = |header: Header<'static>| [&without(header.0)[..], &[header]].concat();
    let delegate = "/auth/token/delegate";
    let rows = [
        (delegate, without("Accept"), GOOD, 400),
        (delegate, with(("Accept", "*/*")), GOOD, 400),
        (delegate, without("X-CLOUD-GOVERNANCE-JSONCONTRACT"), GOOD, 400),
        (delegate, with(("X-CLOUD-GOVERNANCE-JSONCONTRACT", "camelCase")), GOOD, 400),
        (delegate, without("User-Agent"), GOOD, 400),
        (delegate, with(("User-Agent", "(sdk/powershell/x)")), GOOD, 400),
        (delegate, without("Content-Type"), GOOD, 415),
        (delegate, with(("Content-Type", "text/json")), GOOD, 415),
        (delegate, with(("Cookie", "a=b")), GOOD, 400),
        (delegate, with(("refresh_token", "x")), GOOD, 400),
        (delegate, with(SECRET), GOOD, 401),
        (delegate, with(NAME), GOOD, 401),
        (delegate, [&ALL[..], &[("clientSecret", "x"), NAME]].concat(), GOOD, 401),
        (delegate, with(("Authorization", "Bearer x")), GOOD, 401),
        (delegate, [&ALL[..], &[JSON]].concat(), GOOD, 400),
        ("/auth/token/delegate?a=1", ALL.to_vec(), GOOD, 400),
        (delegate, ALL.to_vec(), "", 400),
        (delegate, ALL.to_vec(), "[]", 400),
        (delegate, ALL.to_vec(), r#"{"ClientSecret":"MyClientSecret"}"#, 400),
        (delegate, ALL.to_vec(), r#"{"ClientSecret":"x","UserPrincipalName":"MyUserPrincipalName"}"#, 401),
        (delegate, ALL.to_vec(), r#"{"ClientSecret":"","UserPrincipalName":"","grant_type":"x"}"#, 400),
        ("/auth/token/refresh", ALL.to_vec(), "", 400),
        ("/auth/token/refresh", without("Content-Type"), "", 400),
        (
            "/auth/token/refresh",
            [&without("Content-Type")[..], &[("refresh_token", "x")]].concat(),
            "{}",
            400,
        ),
        ("/auth/token/refresh", [&without("Content-Type")[..], &[("refresh_token", "x")]].concat(), "", 401),
        ("/admin/auth/token/cache", ALL.to_vec(), GOOD, 405),
        ("//auth/token/delegate", ALL.to_vec(), GOOD, 404),
    ];
    for (path, headers, body, expected) in rows {
        let (status, reply) = call(&server, Method::POST, path, &headers, body).await;
        assert_eq!(status, expected, "{path} {headers:?} {body}: {reply}");
        assert!(status == 404 || !text(&reply, "ErrorMsg").is_empty());
    }
    assert_eq!(server.requests().len(), 27);
    let text_wanted = with(("Accept", "text/plain"));
    let (status, _) = call(&server, Method::DELETE, "/admin/auth/token/cache", &text_wanted, GOOD).await;
    assert_eq!(status, 400);
    let client = client(&server).build().unwrap();
    assert_eq!(send(&client, Method::GET, &server.url(delegate), &[], "").await.0, 405);
}
