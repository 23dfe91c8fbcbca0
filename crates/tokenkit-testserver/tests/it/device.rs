//! The device authorization grant.

use std::time::Duration;

use serde_json::{Value, json};
use tokenkit_testserver::{TestServer, UserAction};

use crate::{DEMO, expect, post, text};

const PUBLIC: &str = "client_id=public-client";

async fn begin(server: &TestServer, fields: &str) -> Value {
    let (status, device) = post(server, "/device_authorization", &format!("{PUBLIC}{fields}")).await;
    assert_eq!(status, 200, "{device}");
    device
}

fn poll(device: &Value, client: &str) -> String {
    let code = text(device, "device_code");
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code={code}&{client}")
}

#[tokio::test]
async fn approved_after_waiting() {
    let server = TestServer::start().unwrap();
    let device = begin(&server, "&scope=openid").await;
    assert_eq!((&device["interval"], &device["expires_in"]), (&json!(1), &json!(600)));
    let user_code = text(&device, "user_code");
    assert_eq!(text(&device, "verification_uri"), server.url("/device"));
    assert!(text(&device, "verification_uri_complete").ends_with(user_code));

    expect(&server, &poll(&device, PUBLIC), Some("authorization_pending")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    expect(&server, &poll(&device, PUBLIC), Some("authorization_pending")).await;
    expect(&server, &poll(&device, PUBLIC), Some("slow_down")).await;
    // The interval is six seconds now (RFC 8628 section 3.5): one is not enough any more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    expect(&server, &poll(&device, PUBLIC), Some("slow_down")).await;

    assert!(server.act_on_device(user_code, UserAction::Approve));
    expect(&server, &poll(&device, DEMO), Some("invalid_grant")).await;
    let tokens = expect(&server, &poll(&device, PUBLIC), None).await;
    assert_eq!(tokens["scope"], "openid");
    assert!(!text(&tokens, "refresh_token").is_empty() && !text(&tokens, "id_token").is_empty());
    expect(&server, &poll(&device, PUBLIC), Some("invalid_grant")).await;
}

#[tokio::test]
async fn ends_without_a_token() {
    let server = TestServer::start().unwrap();
    let rows = [
        ("&test_interval=0", None, "authorization_pending"),
        ("&test_expires_in=0", None, "expired_token"),
        ("", Some(UserAction::Deny), "access_denied"),
        ("", Some(UserAction::Expire), "expired_token"),
    ];
    for (fields, action, error) in rows {
        let device = begin(&server, fields).await;
        if let Some(action) = action {
            assert!(server.act_on_device(text(&device, "user_code"), action));
        }
        expect(&server, &poll(&device, PUBLIC), Some(error)).await;
        // Neither an interval of zero nor an answer that is final can be polled too fast.
        expect(&server, &poll(&device, PUBLIC), Some(error)).await;
    }
    assert!(!server.act_on_device("BCDF-GHJK", UserAction::Approve));
    for (body, status) in
        [("client_id=demo-client", 401), ("scope=a", 401), ("client_id=public-client&scope=%22", 400)]
    {
        assert_eq!(post(&server, "/device_authorization", body).await.0, status, "{body}");
    }
}
