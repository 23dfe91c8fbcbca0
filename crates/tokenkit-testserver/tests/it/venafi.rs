//! Venafi's service.

use reqwest::Method;
use serde_json::json;
use tokenkit_testserver::{Canned, ExpiresIn, TestServer, VenafiJwt, VenafiTokens, venafi};

use crate::{FORM, client, form, send, text};

const ASSERTION: (&str, &str) =
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

fn endpoint() -> String {
    format!("/v1/oauth2/v2.0/{}/token", venafi::TENANT)
}

fn jwt(server: &TestServer) -> String {
    server.venafi_jwt(&VenafiJwt::default()).unwrap()
}

fn good(jwt: &str) -> String {
    form(&[("grant_type", "client_credentials"), ASSERTION, ("client_assertion", jwt)])
}

#[tokio::test]
async fn a_jwt_gives_a_token_that_is_known() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let (jwt, url, accounts) = (jwt(&server), server.url(&endpoint()), server.url("/v1/useraccounts"));
    let rows = [
        (VenafiTokens::default(), json!(3600)),
        (VenafiTokens { expires_in: ExpiresIn::Text, ..VenafiTokens::default() }, json!("3600")),
        (VenafiTokens { jwt: true, expires_in: ExpiresIn::Absent, ..VenafiTokens::default() }, json!(null)),
    ];
    for (tokens, expires_in) in rows {
        server.venafi_tokens(tokens);
        // The same JWT serves again as long as it is good.
        let (status, reply) = send(&client, Method::POST, &url, &[FORM], &good(&jwt)).await;
        assert_eq!((status, &reply["expires_in"]), (200, &expires_in), "{reply}");
        let token = text(&reply, "access_token");
        assert_eq!(token.split('.').count(), if tokens.jwt { 3 } else { 1 });
        let bearer = format!("Bearer {token}");
        let (status, reply) = send(&client, Method::GET, &accounts, &[("Authorization", &bearer)], "").await;
        assert_eq!((status, &reply["user"]["firstname"]), (200, &json!("Ada")));
    }
    let key = [("tppl-api-key", venafi::API_KEY)];
    assert_eq!(send(&client, Method::GET, &accounts, &key, "").await.0, 200);
}

#[tokio::test]
async fn whatever_is_not_in_the_contract_is_refused() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let (url, jwt) = (server.url(&endpoint()), jwt(&server));
    let with = |grant_type: &str, kind: &str, jwt: &str, more: &str| {
        let fields = [("grant_type", grant_type), ("client_assertion_type", kind), ("client_assertion", jwt)];
        form(&fields) + more
    };
    let cc = "client_credentials";
    let over = server.venafi_jwt(&VenafiJwt { expires_in: -1, ..VenafiJwt::default() }).unwrap();
    let early = server.venafi_jwt(&VenafiJwt { not_before: Some(60), ..VenafiJwt::default() }).unwrap();
    let other = server.venafi_jwt(&VenafiJwt { subject: "x".into(), ..VenafiJwt::default() }).unwrap();
    // The claims of one with the signature of another.
    let signature = other.rsplit('.').next().unwrap();
    let forged = format!("{}.{signature}", jwt.rsplit_once('.').unwrap().0);
    let foreign = self::jwt(&TestServer::start().unwrap());
    let (basic, key) = (("Authorization", "Basic eDp5"), ("tppl-api-key", venafi::API_KEY));
    let rows = [
        (url.clone(), &[FORM, basic][..], good(&jwt), "invalid_request"),
        (url.clone(), &[FORM, key], good(&jwt), "invalid_request"),
        (url.clone(), &[("Content-Type", "application/json")], good(&jwt), "invalid_request"),
        (format!("{url}?a=1"), &[FORM], good(&jwt), "invalid_request"),
        (url.replace("2222", "3333"), &[FORM], good(&jwt), "invalid_request"),
        (url.clone(), &[FORM], with(cc, ASSERTION.1, &jwt, "&client_id=x"), "invalid_request"),
        (url.clone(), &[FORM], with(cc, ASSERTION.1, &jwt, "&scope=x"), "invalid_request"),
        (url.clone(), &[FORM], with(cc, "jwt", &jwt, ""), "invalid_request"),
        (url.clone(), &[FORM], with(cc, ASSERTION.1, "", ""), "invalid_request"),
        (url.clone(), &[FORM], with("password", ASSERTION.1, &jwt, ""), "unsupported_grant_type"),
        (url.clone(), &[FORM], good("e30.e30.c2ln"), "invalid_client"),
        (url.clone(), &[FORM], good("opaque"), "invalid_client"),
        (url.clone(), &[FORM], good(&forged), "invalid_client"),
        (url.clone(), &[FORM], good(&foreign), "invalid_client"),
        (url.clone(), &[FORM], good(&over), "invalid_client"),
        (url.clone(), &[FORM], good(&early), "invalid_client"),
        (url.clone(), &[FORM], good(&other), "invalid_client"),
    ];
    for (url, headers, body, error) in rows {
        let (_, reply) = send(&client, Method::POST, &url, headers, &body).await;
        assert_eq!(text(&reply, "error"), error, "{url} {headers:?} {body}: {reply}");
    }
    assert_eq!(send(&client, Method::GET, &url, &[], "").await.0, 405);
}

#[tokio::test]
async fn accounts_are_shown_to_whom_they_belong() {
    let server = TestServer::start().unwrap();
    server.venafi_tokens(VenafiTokens { lifetime: 0, ..VenafiTokens::default() });
    let client = client(&server).build().unwrap();
    let url = server.url("/v1/useraccounts");
    let reply = send(&client, Method::POST, &server.url(&endpoint()), &[FORM], &good(&jwt(&server))).await.1;
    let expired = format!("Bearer {}", text(&reply, "access_token"));
    let key = ("tppl-api-key", venafi::API_KEY);
    let rows = [
        (url.clone(), &[][..], "", 401),
        (url.clone(), &[("tppl-api-key", "x")], "", 401),
        (url.clone(), &[key, key], "", 401),
        (url.clone(), &[("Authorization", "Bearer x")], "", 401),
        (url.clone(), &[("Authorization", &expired)], "", 401),
        (url.clone(), &[key, ("Authorization", "Bearer x")], "", 401),
        (url.clone(), &[key], "x", 400),
        (format!("{url}?a=1"), &[key], "", 400),
    ];
    for (url, headers, body, expected) in rows {
        let (status, reply) = send(&client, Method::GET, &url, headers, body).await;
        assert_eq!(status, expected, "{url} {headers:?}");
        assert!(!text(&reply["errors"][0], "message").is_empty());
    }
    assert_eq!(send(&client, Method::POST, &url, &[key], "").await.0, 405);
}

#[tokio::test]
async fn canned_replies_come_before_the_endpoint_and_are_used_up() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    server.canned("/v1/useraccounts", Canned { times: Some(2), ..Canned::json(503, "{}") });
    server.canned("/v1/useraccounts", Canned::json(200, "[]"));
    let key = [("tppl-api-key", venafi::API_KEY)];
    let mut seen = Vec::new();
    for _ in 0..5 {
        let (status, reply) = send(&client, Method::GET, &server.url("/v1/useraccounts"), &key, "").await;
        seen.push((status, reply.is_array()));
    }
    assert_eq!(seen, [(503, false), (503, false), (200, true), (200, false), (200, false)]);
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn the_control_endpoints_do_the_same() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let control = async |path: &str, body: &str| {
        send(&client, Method::POST, &server.url(&format!("/control/{path}")), &[], body).await
    };
    assert_eq!(control("venafi", r#"{"lifetime":60,"expires_in":"text","jwt":true}"#).await.0, 200);
    assert_eq!(control("venafi", r#"{"expires_in":"never"}"#).await.0, 400);
    let jwt = control("venafi/jwt", r#"{"expires_in":60}"#).await.1;
    let (status, reply) =
        send(&client, Method::POST, &server.url(&endpoint()), &[FORM], &good(text(&jwt, "jwt"))).await;
    assert_eq!((status, &reply["expires_in"]), (200, &json!("60")));
    assert_eq!(control("governance/refresh_token", r#"{"refresh_token":"x"}"#).await.0, 200);
    assert_eq!(control("governance/refresh_token", "{}").await.0, 400);
}
