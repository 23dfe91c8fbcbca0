//! Transport: TLS, HTTP versions, recording, canned replies, slowness, the proxy and the control endpoints.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, Proxy, StatusCode};
use serde_json::{Value, json};
use tokenkit_testserver::{Canned, Scheme, TestServer};

use crate::{DEMO, FORM, client, expect, form, post, send, text};

const BODY: &str = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret";

#[tokio::test]
async fn both_ports_and_both_versions() {
    let server = TestServer::start().unwrap();
    let rows = [
        (client(&server), server.url("/token?a=1"), "HTTP/1.1", Scheme::Http),
        (client(&server).http2_prior_knowledge(), server.url("/token?a=1"), "HTTP/2.0", Scheme::Http),
        (client(&server), server.tls_url("/token?a=1"), "HTTP/2.0", Scheme::Https),
        (client(&server).http1_only(), server.tls_url("/token?a=1"), "HTTP/1.1", Scheme::Https),
    ];
    for (client, url, version, scheme) in rows {
        let headers = [FORM, ("X-Two", "1"), ("X-Two", "2")];
        assert_eq!(send(&client.build().unwrap(), Method::POST, &url, &headers, BODY).await.0, 200);
        let [request] = server.requests().try_into().unwrap();
        assert_eq!((request.http_version.as_str(), request.scheme), (version, scheme));
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/token?a=1"));
        assert_eq!((request.body.as_slice(), request.via_proxy), (BODY.as_bytes(), false));
        let two = request.headers.iter().filter(|(name, _)| name == "x-two");
        assert_eq!(two.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(request.form()[1], ("client_id".to_owned(), "demo-client".to_owned()));
    }
    let stranger = Client::builder().no_proxy().build().unwrap();
    assert!(stranger.post(server.tls_url("/token")).send().await.is_err());
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn canned_replies_in_order_and_the_last_one_stays() {
    let server = TestServer::start().unwrap();
    let busy = Canned { status: 503, headers: vec![("Retry-After".into(), "1".into())], ..Canned::default() };
    server.canned("/canned/a", Canned { times: Some(2), ..busy });
    server.canned("/canned/a", Canned::json(400, r#"{"error":"x"}"#));
    server.canned(
        "/canned/a",
        Canned { body: vec![0xFF], delay: Duration::from_millis(200), ..Canned::default() },
    );
    let client = client(&server).build().unwrap();
    let mut replies = Vec::new();
    let started = Instant::now();
    for _ in 0..5 {
        let response = client.post(server.url("/canned/a")).send().await.unwrap();
        let retry = response.headers().contains_key("retry-after");
        replies.push((response.status().as_u16(), retry, response.bytes().await.unwrap().to_vec()));
    }
    let error = br#"{"error":"x"}"#.to_vec();
    let last = (200, false, vec![0xFF]);
    assert_eq!(replies, [(503, true, vec![]), (503, true, vec![]), (400, false, error), last.clone(), last]);
    assert!(started.elapsed() >= Duration::from_millis(400));
    assert_eq!(send(&client, Method::GET, &server.url("/canned/b"), &[], "").await.1["error"], "not_found");

    server.canned(
        "/canned/b",
        Canned { headers: vec![("no name".into(), String::new())], ..Canned::default() },
    );
    assert_eq!(send(&client, Method::GET, &server.url("/canned/b"), &[], "").await.0, 500);
}

#[tokio::test]
async fn echo_token_tells_what_it_was_sent() {
    let server = TestServer::start().unwrap();
    let reply = post(&server, "/echo-token", "a=1&b=%C3%BC+x&a=2").await.1;
    assert!(!text(&reply, "access_token").is_empty());
    let received = &reply["received"];
    assert_eq!((&received["method"], &received["raw"]), (&json!("POST"), &json!("a=1&b=%C3%BC+x&a=2")));
    assert_eq!(received["form"], json!({ "a": ["1", "2"], "b": ["ü x"] }));
    assert_eq!(received["headers"]["content-type"], json!([FORM.1]));
}

#[tokio::test]
async fn a_client_that_hangs_up_is_noticed() {
    let server = TestServer::start().unwrap();
    let http = client(&server).build().unwrap();
    let reply = send(&http, Method::POST, &server.url("/slow?ms=50"), &[], "").await.1;
    assert!(!text(&reply, "access_token").is_empty());
    for url in [server.url("/slow?ms=60000"), server.tls_url("/slow?ms=60000")] {
        let request = tokio::spawn(http.post(&url).body("a=1").send());
        eventually(|| server.open() == 1).await;
        let open = send(&http, Method::GET, &server.url("/control/open"), &[], "").await.1;
        assert_eq!(open, json!({ "open": 1 }));
        request.abort();
        eventually(|| server.open() == 0).await;
    }
}

/// Waits two seconds at most.
async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..200 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("the condition did not come true");
}

#[tokio::test]
async fn the_http_port_is_a_proxy() {
    let server = TestServer::start().unwrap();
    let through = |proxy: Proxy| client(&server).proxy(proxy).build().unwrap();
    let plain = through(Proxy::all(server.url("")).unwrap());
    assert_eq!(send(&plain, Method::POST, "http://as.example.test/token", &[FORM], BODY).await.0, 200);
    let [request] = server.requests().try_into().unwrap();
    assert!(request.via_proxy && request.path == "/token" && request.proxy_authorization.is_none());
    assert_eq!(request.header("host"), Some("as.example.test"));

    assert_eq!(send(&plain, Method::POST, &server.tls_url("/token"), &[FORM], BODY).await.0, 200);
    let [connect, request] = server.requests().try_into().unwrap();
    assert_eq!((connect.method.as_str(), connect.via_proxy), ("CONNECT", true));
    assert_eq!(format!("https://{}", connect.path), server.tls_url(""));
    assert_eq!((request.scheme, request.via_proxy), (Scheme::Https, false));
    assert!(plain.post("https://as.example.test/token").send().await.is_err());
    assert_eq!(server.requests().len(), 1);

    server.require_proxy_credentials("proxy-user", "proxy: pass");
    let known = through(Proxy::all(server.url("")).unwrap().basic_auth("proxy-user", "proxy: pass"));
    let wrong = through(Proxy::all(server.url("")).unwrap().basic_auth("proxy-user", "x"));
    for refused in [&plain, &wrong] {
        let response = refused.post("http://as.example.test/token").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        assert!(response.headers().contains_key("proxy-authenticate"));
    }
    assert!(wrong.post(server.tls_url("/token")).send().await.is_err());
    let methods = server.requests().into_iter().map(|request| request.method);
    assert_eq!(methods.collect::<Vec<_>>(), ["POST", "POST", "CONNECT"]);
    for url in ["http://as.example.test/token".to_owned(), server.tls_url("/token")] {
        assert_eq!(send(&known, Method::POST, &url, &[FORM], BODY).await.0, 200);
        let first = server.requests().remove(0);
        assert_eq!(first.proxy_authorization.unwrap(), crate::basic("proxy-user:proxy: pass"));
    }
    // Nobody asks for proxy credentials where there is no proxy.
    assert_eq!(post(&server, "/token", BODY).await.0, 200);
}

#[tokio::test]
async fn control_endpoints() {
    let server = TestServer::start().unwrap();
    let http = client(&server).build().unwrap();
    let control = async |method: Method, path: &str, body: Value| -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(&http, method, &server.url(&format!("/control/{path}")), &[], &body).await
    };

    let minted = control(Method::POST, "code", json!({ "client_id": "demo-client", "scope": "a" })).await.1;
    let redeem = form(&[("grant_type", "authorization_code"), ("code", text(&minted, "code"))]);
    assert_eq!(expect(&server, &format!("{redeem}&{DEMO}"), None).await["scope"], "a");

    let device = post(&server, "/device_authorization", "client_id=public-client").await.1;
    let deny = json!({ "user_code": device["user_code"], "action": "deny" });
    assert_eq!(control(Method::POST, "device", deny).await, (200, json!({})));
    let poll = form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "public-client"),
        ("device_code", text(&device, "device_code")),
    ]);
    expect(&server, &poll, Some("access_denied")).await;

    let replies = json!([
        { "status": 429, "headers": [["Retry-After", "2"]], "body": "{}" },
        { "body_base64": "eyJhIjoxfQ==", "delay_ms": 1, "times": 3 },
    ]);
    // A second registration replaces the first.
    for replies in [json!([{ "status": 500 }]), replies] {
        let canned = json!({ "path": "/canned/x", "replies": replies });
        assert_eq!(control(Method::PUT, "canned", canned).await.0, 200);
    }
    assert_eq!(post(&server, "/canned/x", "").await, (429, json!({})));
    assert_eq!(post(&server, "/canned/x", "").await, (200, json!({ "a": 1 })));

    let drained = control(Method::GET, "requests", Value::Null).await.1;
    let paths = drained["requests"].as_array().unwrap().iter().map(|request| text(request, "path"));
    assert_eq!(
        paths.collect::<Vec<_>>(),
        ["/token", "/device_authorization", "/token", "/canned/x", "/canned/x"]
    );
    let first = &drained["requests"][0];
    assert_eq!((&first["method"], &first["http_version"]), (&json!("POST"), &json!("HTTP/1.1")));
    assert_eq!((&first["body"], &first["scheme"]), (&json!(format!("{redeem}&{DEMO}")), &json!("http")));
    assert_eq!((&first["via_proxy"], &first["proxy_authorization"]), (&json!(false), &Value::Null));
    assert!(first["headers"].as_array().unwrap().contains(&json!(["content-type", FORM.1])));
    assert_eq!(control(Method::GET, "requests", Value::Null).await.1, json!({ "requests": [] }));

    let proxied = client(&server).proxy(Proxy::all(server.url("")).unwrap()).build().unwrap();
    let credentials = json!({ "username": "u", "password": "p" });
    assert_eq!(control(Method::POST, "proxy", credentials).await.0, 200);
    assert_eq!(proxied.post("http://x.test/slow?ms=0").send().await.unwrap().status(), 407);
    assert_eq!(control(Method::POST, "reset", Value::Null).await.0, 200);
    assert_eq!(proxied.post("http://x.test/slow?ms=0").send().await.unwrap().status(), 200);
    assert_eq!(post(&server, "/canned/x", "").await.0, 404);
    expect(&server, &poll, Some("invalid_grant")).await;

    for (method, path, body) in [
        (Method::POST, "code", json!({ "client_id": "nobody" })),
        (Method::POST, "code", json!({ "client_id": "demo-client", "typo": 1 })),
        (Method::POST, "device", json!({ "user_code": "x", "action": "approve" })),
        (
            Method::PUT,
            "canned",
            json!({ "path": "/canned/x", "replies": [{ "body": "", "body_base64": "" }] }),
        ),
        (Method::POST, "proxy", Value::Null),
    ] {
        let (status, reply) = control(method, path, body).await;
        assert_eq!((status, text(&reply, "error")), (400, "bad_control_request"), "{path}");
    }
}
