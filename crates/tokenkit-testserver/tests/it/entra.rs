//! The token endpoints of Microsoft Entra.

use serde_json::Value;
use tokenkit_testserver::TestServer;
use tokenkit_testserver::entra::{CLIENTS, PASSWORD, Settings, USERNAME};

use crate::{form, post, text};

const RESOURCE: &str = "https://lcsapi.lcs.dynamics.com";
const V1: &str = "/common/oauth2/token";
const V2: &str = "/contoso.com/oauth2/v2.0/token";

type Fields<'a> = &'a [(&'static str, &'static str)];

/// A form with some fields replaced; one that is replaced by nothing is left out.
fn with(fields: Fields, other: Fields) -> String {
    let kept = fields.iter().filter(|(name, _)| !other.iter().any(|(replaced, _)| replaced == name));
    let all: Vec<_> = kept.chain(other.iter().filter(|(_, value)| !value.is_empty())).copied().collect();
    form(&all)
}

fn password() -> [(&'static str, &'static str); 6] {
    [
        ("grant_type", "password"),
        ("client_id", CLIENTS[0]),
        ("username", USERNAME),
        ("password", PASSWORD),
        ("resource", RESOURCE),
        ("scope", "openid"),
    ]
}

fn refresh(token: &str) -> String {
    form(&[("grant_type", "refresh_token"), ("client_id", CLIENTS[0]), ("refresh_token", token)])
}

#[tokio::test]
async fn version_1_writes_its_numbers_as_text() {
    let server = TestServer::start().unwrap();
    let (status, reply) = post(&server, V1, &form(&password())).await;
    assert_eq!(status, 200);
    let names: Vec<_> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "access_token",
            "expires_in",
            "expires_on",
            "ext_expires_in",
            "id_token",
            "not_before",
            "refresh_token",
            "resource",
            "scope",
            "token_type"
        ]
    );
    assert!(reply.as_object().unwrap().values().all(Value::is_string), "{reply}");
    assert_eq!((text(&reply, "resource"), text(&reply, "expires_in")), (RESOURCE, "3599"));
    let life = text(&reply, "expires_on").parse::<u64>().unwrap()
        - text(&reply, "not_before").parse::<u64>().unwrap();
    assert_eq!(life, 3599);
}

#[tokio::test]
async fn version_2_writes_numbers_and_no_resource() {
    let server = TestServer::start().unwrap();
    let scope = ("scope", "https://lcsapi.lcs.dynamics.com/.default openid offline_access");
    let (status, reply) = post(&server, V2, &with(&password(), &[("resource", ""), scope])).await;
    assert_eq!((status, &reply["expires_in"]), (200, &3599.into()));
    assert!(reply.get("expires_on").is_none() && reply.get("resource").is_none());
}

#[tokio::test]
async fn errors_are_those_of_entra() {
    let server = TestServer::start().unwrap();
    let rows: &[(&str, Fields, &str, u32)] = &[
        (V1, &[("password", "wrong")], "invalid_grant", 50126),
        (V1, &[("username", "nobody@domain.com")], "invalid_grant", 50126),
        (V1, &[("client_id", "00000000-0000-0000-0000-000000000000")], "unauthorized_client", 700_016),
        (V1, &[("client_id", "")], "invalid_request", 90014),
        (V1, &[("resource", "")], "invalid_request", 90014),
        (V1, &[("resource", "https://other.example")], "invalid_resource", 500_011),
        (V1, &[("scope", "")], "invalid_request", 90014),
        (V1, &[("invented", "x")], "invalid_request", 90014),
        (V1, &[("grant_type", "client_credentials")], "unsupported_grant_type", 70003),
        (V2, &[], "invalid_request", 90014),
        ("/nowhere.example/oauth2/token", &[], "invalid_request", 90002),
    ];
    for (path, fields, error, number) in rows {
        let (status, reply) = post(&server, path, &with(&password(), fields)).await;
        assert_eq!((status, text(&reply, "error")), (400, *error), "{fields:?}: {reply}");
        assert!(text(&reply, "error_description").starts_with(&format!("AADSTS{number}: ")), "{reply}");
        assert_eq!(reply["error_codes"][0], *number);
        for name in ["timestamp", "trace_id", "correlation_id"] {
            assert!(!text(&reply, name).is_empty(), "{reply}");
        }
    }
    assert_eq!(server.entra()["passwords"], 0);
    assert_eq!(server.entra()["invalid_grants"], 2);
}

#[tokio::test]
async fn a_second_use_revokes_the_family() {
    let server = TestServer::start().unwrap();
    let (_, first) = post(&server, V1, &form(&password())).await;
    let (_, other) = post(&server, V1, &form(&password())).await;
    let (status, second) = post(&server, V1, &refresh(text(&first, "refresh_token"))).await;
    assert_eq!((status, text(&second, "resource")), (200, RESOURCE));
    assert_ne!(text(&second, "access_token"), text(&first, "access_token"));
    assert_eq!(server.entra()["newest"]["generation"], 1);

    let (_, reply) = post(&server, V1, &refresh(text(&first, "refresh_token"))).await;
    assert!(text(&reply, "error_description").starts_with("AADSTS70008"), "{reply}");
    let (_, reply) = post(&server, V1, &refresh(text(&second, "refresh_token"))).await;
    assert_eq!((text(&reply, "error"), reply["error_codes"][0].as_u64()), ("invalid_grant", Some(70000)));
    assert_eq!(post(&server, V1, &refresh(text(&other, "refresh_token"))).await.0, 200);
    let counts = server.entra();
    assert_eq!(
        (&counts["refreshes"], &counts["reuses"], &counts["invalid_grants"]),
        (&2.into(), &1.into(), &2.into())
    );
}

#[tokio::test]
async fn settings_and_counters_are_at_hand_for_other_languages() {
    let server = TestServer::start().unwrap();
    let http = crate::client(&server).build().unwrap();
    let url = server.url("/control/entra");
    let put = |body: &'static str| crate::send(&http, reqwest::Method::PUT, &url, &[], body);
    assert_eq!(put(r#"{"rotates":false,"expires_in":5}"#).await.0, 200);
    assert_eq!(put(r#"{"rotate":false}"#).await.0, 400);
    let (_, reply) = post(&server, V1, &form(&password())).await;
    assert_eq!(text(&reply, "expires_in"), "5");
    let token = text(&reply, "refresh_token");
    for _ in 0..2 {
        let (_, again) = post(&server, V1, &refresh(token)).await;
        assert_eq!(text(&again, "refresh_token"), token);
    }
    server.configure_entra(Settings::default());
    let (_, counts) = crate::send(&http, reqwest::Method::GET, &url, &[], "").await;
    assert_eq!((&counts["passwords"], &counts["refreshes"]), (&1.into(), &2.into()));
    assert_eq!(counts["newest"]["refresh_token"], token);
    assert_eq!(counts["newest"]["revoked"], false);
}
