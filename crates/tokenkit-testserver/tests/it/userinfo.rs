//! The userinfo endpoint.

use reqwest::Method;
use tokenkit_testserver::TestServer;

use crate::{DEMO, client, expect, read, text};

#[tokio::test]
async fn the_user_of_a_token_is_told_to_its_bearer_only() {
    let server = TestServer::start().unwrap();
    let user = format!("grant_type=password&username=alice&password=wonderland&{DEMO}");
    let openid = expect(&server, &format!("{user}&scope=openid"), None).await;
    let other = expect(&server, &format!("{user}&scope=mail"), None).await;
    let http = client(&server).build().unwrap();
    let ask = |token: Option<&str>| {
        let request = http.request(Method::GET, server.url("/userinfo"));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    };

    let (status, claims) = read(ask(Some(text(&openid, "access_token"))).send().await.unwrap()).await;
    assert_eq!((status, text(&claims, "sub")), (200, "alice"));

    for (token, has_error) in
        [(Some(text(&other, "access_token")), true), (Some("unknown"), true), (None, false)]
    {
        let reply = ask(token).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 401, "{token:?}");
        let challenge = reply.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        assert_eq!(challenge.contains("error=\"invalid_token\""), has_error, "{challenge}");
    }
}
