//! The token endpoint.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use tokenkit_testserver::{CodeRequest, TestServer};

use crate::{DEMO, FORM, basic, client, expect, form, post, read, send, text};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1/callback";

/// Expects this error, in the form that RFC 6749 section 5.2 gives it.
async fn refused(server: &TestServer, headers: &[(&str, &str)], body: &str, error: &str) {
    let mut request = client(server).build().unwrap().post(server.url("/token")).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let status = if error == "invalid_client" { 401 } else { 400 };
    assert_eq!(response.headers()["cache-control"], "no-store", "{headers:?} {body}");
    assert_eq!(response.headers().contains_key("www-authenticate"), status == 401, "{headers:?} {body}");
    let (actual, reply) = read(response).await;
    assert_eq!((actual, text(&reply, "error")), (status, error), "{headers:?} {body}: {reply}");
    assert!(!text(&reply, "error_description").is_empty(), "{headers:?} {body}");
}

#[tokio::test]
async fn refuses_what_is_no_form_post() {
    let server = TestServer::start().unwrap();
    let good = format!("grant_type=client_credentials&{DEMO}");
    let (json, longer) =
        (("Content-Type", "application/json"), ("Content-Type", "application/x-www-form-urlencoded2"));
    for headers in [&[][..], &[json], &[longer], &[FORM, FORM]] {
        refused(&server, headers, &good, "invalid_request").await;
    }
    let http = client(&server).build().unwrap();
    let in_url = server.url("/token?client_secret=demo-secret");
    let (status, reply) = send(&http, Method::POST, &in_url, &[FORM], &good).await;
    assert_eq!((status, text(&reply, "error")), (400, "invalid_request"));
    let response = http.get(server.url("/token")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().unwrap()));
}

#[tokio::test]
async fn refuses_wrong_parameters() {
    let server = TestServer::start().unwrap();
    let rows = [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=x", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&a=1&a=1", "invalid_request"),
        ("grant_type=client_credentials&a=&a=", "invalid_request"),
        ("grant_type=client_credentials&scope=a b", "invalid_request"),
        ("grant_type=client_credentials&scope=ü", "invalid_request"),
        ("grant_type=client_credentials&scope=%4", "invalid_request"),
        ("grant_type=client_credentials&scope=%+4", "invalid_request"),
        ("grant_type=client_credentials&scope=%FF", "invalid_request"),
        ("grant_type=client_credentials&scope=a++b", "invalid_scope"),
        ("grant_type=client_credentials&scope=%22", "invalid_scope"),
        ("grant_type=password&username=alice", "invalid_request"),
        ("grant_type=password&username=alice&password=x", "invalid_grant"),
        ("grant_type=password&username=bob&password=wonderland", "invalid_grant"),
        ("grant_type=authorization_code", "invalid_request"),
        ("grant_type=authorization_code&code=x", "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=x", "invalid_grant"),
    ];
    for (body, error) in rows {
        refused(&server, &[FORM], &format!("{DEMO}&{body}"), error).await;
    }
}

#[tokio::test]
async fn refuses_wrong_client_authentication() {
    let server = TestServer::start().unwrap();
    let demo = basic("demo-client:demo-secret");
    let raw = basic("special client:1:p@ss:w+rd/%41&=ü");
    let (wrong, unknown) = (basic("demo-client:x"), basic("nobody:x"));
    let rows = [
        // more than one method (RFC 6749 section 2.3), or two names
        (demo.as_str(), DEMO, "invalid_request"),
        (&demo, "client_assertion=x", "invalid_request"),
        (&demo, "client_id=public-client", "invalid_request"),
        ("", "client_id=demo-client&client_secret=demo-secret&client_assertion=x", "invalid_request"),
        // none, or half of one
        ("", "", "invalid_client"),
        ("", "client_id=demo-client", "invalid_client"),
        ("", "client_secret=demo-secret", "invalid_client"),
        // wrong ones
        ("", "client_id=demo-client&client_secret=x", "invalid_client"),
        ("", "client_id=nobody&client_secret=x", "invalid_client"),
        ("", "client_id=public-client&client_secret=x", "invalid_client"),
        ("", "client_assertion=x", "invalid_client"),
        (&wrong, "", "invalid_client"),
        (&unknown, "", "invalid_client"),
        (&raw, "", "invalid_client"),
        ("Basic OnM=", "", "invalid_client"),
        ("Basic ???", "", "invalid_client"),
        ("Bearer x", "", "invalid_client"),
        // RFC 6749 section 4.4
        ("", "client_id=public-client", "unauthorized_client"),
    ];
    for (authorization, fields, error) in rows {
        let mut headers = vec![FORM];
        if !authorization.is_empty() {
            headers.push(("Authorization", authorization));
        }
        refused(&server, &headers, &format!("grant_type=client_credentials&{fields}"), error).await;
    }
}

#[tokio::test]
async fn client_credentials_by_each_method() {
    let server = TestServer::start().unwrap();
    let client = client(&server).build().unwrap();
    let cc = "grant_type=client_credentials&scope=read+write";
    let special = form(&[("client_id", "special client:1"), ("client_secret", "p@ss:w+rd/%41&=ü")]);
    let demo = basic("demo-client:demo-secret");
    let encoded = basic("special+client%3A1:p%40ss%3Aw%2Brd%2F%2541%26%3D%C3%BC");
    let rows = [
        (None, format!("{cc}&{DEMO}")),
        (None, format!("{cc}&{special}")),
        (Some(demo.as_str()), cc.to_owned()),
        (Some(demo.as_str()), format!("{cc}&client_id=demo-client")),
        (Some(encoded.as_str()), cc.to_owned()),
    ];
    let mut seen = Vec::new();
    for (authorization, body) in rows {
        let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")];
        headers.extend(authorization.map(|value| ("Authorization", value)));
        let (status, reply) =
            send(&client, Method::POST, &server.url("/token?tenant=1"), &headers, &body).await;
        assert_eq!(
            (status, &reply["scope"], &reply["expires_in"]),
            (200, &json!("read write"), &json!(3600))
        );
        assert_eq!(reply["token_type"], "Bearer");
        assert!(reply.get("refresh_token").is_none() && reply.get("id_token").is_none());
        let token = text(&reply, "access_token").to_owned();
        assert!(!seen.contains(&token));
        seen.push(token);
    }
}

fn code_request() -> CodeRequest {
    CodeRequest {
        client_id: "public-client".to_owned(),
        redirect_uri: Some(REDIRECT.to_owned()),
        scope: Some("openid profile".to_owned()),
        nonce: Some("n-0S6".to_owned()),
        code_challenge: Some(CHALLENGE.to_owned()),
    }
}

fn redeem(code: &str, fields: &[(&str, &str)]) -> String {
    let mut all = vec![("grant_type", "authorization_code"), ("code", code)];
    all.extend(fields);
    form(&all)
}

#[tokio::test]
async fn a_code_gives_tokens_once() {
    let server = TestServer::start().unwrap();
    let code = server.code(code_request()).unwrap();
    let fields = [("client_id", "public-client"), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
    let tokens = expect(&server, &redeem(&code, &fields), None).await;

    let claims = verified(&server, text(&tokens, "id_token")).await;
    assert_eq!(claims["iss"], server.url(""));
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("alice"), &json!("public-client")));
    assert_eq!(claims["nonce"], "n-0S6");
    assert_eq!(tokens["scope"], "openid profile");

    let refresh = form(&[
        ("grant_type", "refresh_token"),
        ("client_id", "public-client"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ]);
    expect(&server, &refresh, None).await;
    // A second use means that the code leaked: what it gave is taken back (RFC 6749 section 4.1.2).
    expect(&server, &redeem(&code, &fields), Some("invalid_grant")).await;
    expect(&server, &refresh, Some("invalid_grant")).await;
}

/// The claims of an ID token whose signature the published key verifies.
async fn verified(server: &TestServer, id_token: &str) -> Value {
    let client = client(server).build().unwrap();
    let (_, jwks) = send(&client, Method::GET, &server.url("/jwks"), &[], "").await;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let key = &jwks["keys"][0];
    let point = [vec![4], decode(text(key, "x")), decode(text(key, "y"))].concat();
    let (input, signature) = id_token.rsplit_once('.').unwrap();
    let (header, claims) = input.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    assert_eq!((&header["alg"], &header["kid"]), (&json!("ES256"), &key["kid"]));
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(input.as_bytes(), &decode(signature)).unwrap();
    serde_json::from_slice(&decode(claims)).unwrap()
}

#[tokio::test]
async fn a_code_is_bound_to_its_authorization_request() {
    let server = TestServer::start().unwrap();
    let other = "a".repeat(43);
    let short = "a".repeat(42);
    let short_challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, short.as_bytes()));
    let public = ("client_id", "public-client");
    let (redirect, verifier) = (("redirect_uri", REDIRECT), ("code_verifier", VERIFIER));
    let no_challenge = CodeRequest { code_challenge: None, ..code_request() };
    let short_verifier = CodeRequest { code_challenge: Some(short_challenge), ..code_request() };
    let rows = [
        ("no verifier", code_request(), &[public, redirect][..]),
        ("other verifier", code_request(), &[public, redirect, ("code_verifier", &other)]),
        ("verifier too short", short_verifier, &[public, redirect, ("code_verifier", &short)]),
        ("verifier without a challenge", no_challenge, &[public, redirect, verifier]),
        ("no redirect_uri", code_request(), &[public, verifier]),
        (
            "longer redirect_uri",
            code_request(),
            &[public, ("redirect_uri", "http://127.0.0.1/callback/"), verifier],
        ),
        (
            "other client",
            code_request(),
            &[("client_id", "demo-client"), ("client_secret", "demo-secret"), redirect, verifier],
        ),
    ];
    for (what, request, fields) in rows {
        let code = server.code(request).unwrap();
        let (status, reply) = post(&server, "/token", &redeem(&code, fields)).await;
        assert_eq!((status, text(&reply, "error")), (400, "invalid_grant"), "{what}");
    }
    let bare = CodeRequest { client_id: "public-client".to_owned(), ..CodeRequest::default() };
    let code = server.code(bare).unwrap();
    let tokens = expect(&server, &redeem(&code, &[public]), None).await;
    assert!(tokens.get("id_token").is_none() && tokens.get("scope").is_none());
    assert!(server.code(CodeRequest { client_id: "nobody".to_owned(), ..CodeRequest::default() }).is_err());
}

#[tokio::test]
async fn refresh_tokens_stay_or_rotate() {
    let server = TestServer::start().unwrap();
    let password = "grant_type=password&username=alice&password=wonderland&scope=a+b";
    let refresh =
        |client: &str, token: &str| format!("grant_type=refresh_token&refresh_token={token}&{client}");

    let first = expect(&server, &format!("{password}&{DEMO}"), None).await;
    let token = text(&first, "refresh_token");
    let narrow = expect(&server, &format!("{}&scope=b", refresh(DEMO, token)), None).await;
    assert_eq!((&narrow["scope"], &narrow["refresh_token"]), (&json!("b"), &first["refresh_token"]));
    let whole = expect(&server, &refresh(DEMO, token), None).await;
    assert_eq!(whole["scope"], "a b");
    assert_ne!(whole["access_token"], narrow["access_token"]);
    expect(&server, &format!("{}&scope=a+c", refresh(DEMO, token)), Some("invalid_scope")).await;
    expect(&server, &refresh("client_id=public-client", token), Some("invalid_grant")).await;

    let rotating = "client_id=rotating-client&client_secret=rotating-secret";
    let first = expect(&server, &format!("{password}&{rotating}"), None).await;
    let old = text(&first, "refresh_token");
    // A refused request spends nothing.
    expect(&server, &format!("{}&scope=c", refresh(rotating, old)), Some("invalid_scope")).await;
    let second = expect(&server, &refresh(rotating, old), None).await;
    let new = text(&second, "refresh_token");
    assert_ne!(old, new);
    expect(&server, &refresh(rotating, old), Some("invalid_grant")).await;
    expect(&server, &refresh(rotating, new), Some("invalid_grant")).await;
}

#[tokio::test]
async fn jwt_bearer_assertions() {
    let server = TestServer::start().unwrap();
    let endpoint = server.url("/token");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "alg": "RS256" }));
    let claims = json!({ "iss": "i", "sub": "s", "aud": endpoint, "exp": now + 60 });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        format!("{header}.{}.c2ln", encode(&claims))
    };
    let good = [with("aud", json!(endpoint)), with("aud", json!(["https://elsewhere.test", endpoint]))];
    let bad = [
        with("aud", json!("https://elsewhere.test")),
        with("aud", json!(server.url(""))),
        with("exp", json!(now - 1)),
        with("exp", json!(null)),
        with("iss", json!(null)),
        with("sub", json!(null)),
        format!("{header}.{}", encode(&claims)),
        format!("{header}.{}.", encode(&claims)),
        format!("{header}.{}.c2ln.x", encode(&claims)),
        format!("{}.{}.c2ln", encode(&json!({ "alg": "none" })), encode(&claims)),
        "a.b.c".to_owned(),
    ];
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&scope=a";
    for assertion in good {
        let reply = expect(&server, &format!("{grant}&assertion={assertion}"), None).await;
        assert!(reply["scope"] == "a" && reply.get("refresh_token").is_none());
        let reply = expect(&server, &format!("{grant}&{DEMO}&assertion={assertion}"), None).await;
        assert!(!text(&reply, "refresh_token").is_empty());
    }
    for assertion in bad {
        expect(&server, &format!("{grant}&assertion={assertion}"), Some("invalid_grant")).await;
    }
    expect(&server, grant, Some("invalid_request")).await;
}
