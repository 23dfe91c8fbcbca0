//! Metadata and signature keys of issuers, over connections on loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::Utc;
use common::net::{ClosedPort, Recorder, without_pauses};
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::jwt::{
    self, Algorithm, Header, JwkSet, KeyType, SigningKey, Validation, VerifyingKey, verify_signature,
};
use tokenkit::{
    Category, Client, Error, ErrorCode, Grant, HttpConfig, Metadata, MetadataLocation, Secret, TokenRequest,
    UserInfoRequest,
};
use tokenkit_testserver::{Canned, CodeRequest, TestServer};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Where the keys are in these tests.
const KEYS: &str = "/canned/keys";

async fn metadata(issuer: &str) -> Result<Metadata, Error> {
    let location = MetadataLocation::parse(issuer, false)?;
    Client::new().metadata(&location, &HttpConfig::default(), &()).await
}

async fn keys(client: &Client, server: &TestServer, key_id: Option<&str>) -> Result<Arc<JwkSet>, Error> {
    client.keys(&server.url(KEYS), key_id, &HttpConfig::default(), false, &()).await
}

fn paths(server: &TestServer) -> Vec<String> {
    server.requests().into_iter().map(|request| request.path).collect()
}

fn document(issuer: &str) -> String {
    json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys"), "ext": [1, {"a": null}]}).to_string()
}

fn new_key() -> SigningKey {
    SigningKey::generate(KeyType::P256, None).unwrap()
}

fn name(key: &SigningKey) -> String {
    key.verifying_key().unwrap().key_id().unwrap().to_owned()
}

fn published(keys: &[&SigningKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.verifying_key().unwrap().to_jwk()).collect();
    json!({ "keys": keys }).to_string()
}

fn with_headers(body: &str, headers: &[(&str, &str)]) -> Canned {
    let mut reply = Canned::json(200, body);
    reply.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    reply
}

fn with_authority(server: &TestServer) -> HttpConfig {
    let certificate_authority = Some(server.certificate_authority().to_owned());
    HttpConfig { certificate_authority, ..HttpConfig::default() }
}

fn late(seconds: f64, reply: Canned) -> Canned {
    Canned { delay: Duration::from_secs_f64(seconds), ..reply }
}

fn within(seconds: u64) -> HttpConfig {
    HttpConfig { timeout: Duration::from_secs(seconds), ..HttpConfig::default() }
}

// Metadata.

#[tokio::test]
async fn openid_metadata_is_asked_for_first() {
    let server = TestServer::start().unwrap();
    let body = document(&server.url(""));
    server.canned(OPENID, Canned::json(200, &body));
    server.canned(OAUTH, Canned::json(200, &document("https://other.example")));
    let found = metadata(&server.url("/")).await.unwrap();
    assert_eq!(found.body, body);
    assert_eq!(found.issuer, server.url(""));
    assert_eq!(found.jwks_uri, Some(server.url("/keys")));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", OPENID));
    assert_eq!(requests[0].header("accept"), Some("application/json"));
    assert_eq!(requests[0].header("authorization"), None);
}

/// RFC 8414 section 3.1 puts the well-known part before the issuer's path, OpenID Connect Discovery behind.
#[tokio::test]
async fn oauth_metadata_is_asked_for_where_there_is_none_of_openid() {
    for path in ["", "/tenant", "/a/b/"] {
        let server = TestServer::start().unwrap();
        let tail = path.trim_end_matches('/');
        let oauth = format!("{OAUTH}{tail}");
        server.canned(&oauth, Canned::json(200, &json!({"issuer": server.url(path)}).to_string()));
        let found = metadata(&server.url(path)).await.unwrap();
        assert_eq!(found.issuer, server.url(path));
        assert_eq!(found.jwks_uri, None);
        assert_eq!(paths(&server), [format!("{tail}{OPENID}"), oauth]);
    }
}

#[tokio::test]
async fn a_full_address_is_asked_as_it_is() {
    let server = TestServer::start().unwrap();
    let oauth = format!("{OAUTH}/tenant");
    server.canned(&oauth, Canned::json(200, &document(&server.url("/tenant"))));
    let custom = "/canned/.well-known/smart-configuration";
    server.canned(custom, Canned::json(200, &document("https://any.example")));
    metadata(&server.url(&format!("{oauth}?v=2"))).await.unwrap();
    metadata(&server.url(custom)).await.unwrap();
    // Nowhere else if it is not there.
    let error = metadata(&server.url(OPENID)).await.unwrap_err();
    assert_eq!(error.reply().unwrap().status, 404);
    assert_eq!(paths(&server), [format!("{oauth}?v=2"), custom.into(), OPENID.into()]);
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused() {
    for issuer in [
        json!("https://evil.example"),
        json!("http://127.0.0.1"),
        json!(""),
        json!(null),
        json!(["http://127.0.0.1"]),
    ] {
        let server = TestServer::start().unwrap();
        let body = json!({"issuer": issuer, "jwks_uri": server.url("/jwks")}).to_string();
        server.canned(OPENID, Canned::json(200, &body));
        server.canned(OAUTH, Canned::json(200, &document(&server.url(""))));
        let error = metadata(&server.url("")).await.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::IssuerMismatch, "{issuer}");
        assert_eq!(error.code(), "issuer_mismatch");
        assert_eq!(error.category(), Category::Server);
        // A wrong answer is no missing one.
        assert_eq!(server.requests().len(), 1, "{issuer}");
    }
}

#[tokio::test]
async fn the_template_of_shared_tenants_is_understood() {
    for (tenant, accepted) in
        [("common", true), ("organizations", true), ("consumers", false), ("contoso", false)]
    {
        let server = TestServer::start().unwrap();
        let template = server.url("/{tenantid}/v2.0");
        let path = format!("/{tenant}/v2.0");
        server.canned(&format!("{path}{OPENID}"), Canned::json(200, &document(&template)));
        let found = metadata(&server.url(&path)).await;
        assert_eq!(found.as_ref().ok().map(|found| &found.issuer), accepted.then_some(&template), "{tenant}");
        // The issuer of version 1 is another host's, and only Microsoft's own hosts may name it.
        let path = format!("/{tenant}");
        server.canned(
            &format!("{path}{OPENID}"),
            Canned::json(200, &document("https://sts.windows.net/{tenantid}/")),
        );
        let error = metadata(&server.url(&path)).await.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::IssuerMismatch, "{tenant}");
    }
}

#[test]
fn version_1_of_microsoft_names_its_own_issuer() {
    let id = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";
    let check = |asked: &str, named: &str| {
        let metadata = json!({ "issuer": named });
        let location = MetadataLocation::parse(asked, false).unwrap();
        location.check_issuer(metadata.as_object().unwrap()).is_ok()
    };
    let of_tenant = format!("https://sts.windows.net/{id}/");
    let template = "https://sts.windows.net/{tenantid}/";
    assert!(check("login.microsoftonline.com/common", template));
    let of_personal = "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/";
    assert!(check("login.microsoftonline.com/consumers", of_personal));
    assert!(!check("login.microsoftonline.com/common", of_personal));
    assert!(check(&format!("https://login.microsoftonline.com/{id}"), &of_tenant));
    assert!(check(
        &format!("https://login.microsoftonline.com/{id}/.well-known/openid-configuration"),
        &of_tenant
    ));
    assert!(check("https://login.microsoftonline.us/organizations/", template));
    assert!(check(
        "https://login.partner.microsoftonline.cn/common",
        "https://sts.chinacloudapi.cn/{tenantid}/"
    ));

    assert!(!check("https://login.microsoftonline.com/common", &of_tenant));
    assert!(!check(&format!("https://login.microsoftonline.com/{id}"), template));
    assert!(!check("https://login.microsoftonline.com/other", &of_tenant));
    assert!(!check(
        &format!("https://login.microsoftonline.com/{id}"),
        "https://sts.chinacloudapi.cn/common/"
    ));
    assert!(!check("https://evil.example/common", template));
    assert!(!check("https://login.microsoftonline.com.evil.example/common", template));
    assert!(!check("https://evil.example/https://login.microsoftonline.com/common", template));
}

#[rstest]
#[case::web_page(Canned { body: b"<html>".into(), ..Canned::default() }, ErrorCode::NotJson)]
#[case::nothing(Canned::default(), ErrorCode::NotJson)]
#[case::cut_off(Canned::json(200, r#"{"issuer":"#), ErrorCode::NotJson)]
#[case::list(Canned::json(200, "[]"), ErrorCode::NotJsonObject)]
#[case::text(Canned::json(200, "\"issuer\""), ErrorCode::NotJsonObject)]
#[case::no_issuer(Canned::json(200, "{}"), ErrorCode::IssuerMismatch)]
#[case::forbidden(Canned::json(403, "{}"), ErrorCode::Http)]
#[case::oauth_error(Canned::json(400, r#"{"error":"invalid_request"}"#), ErrorCode::Http)]
#[case::elsewhere(
    Canned { status: 302, headers: vec![("Location".into(), "/canned/other".into())], ..Canned::default() },
    ErrorCode::UnexpectedRedirect
)]
#[tokio::test]
async fn what_is_no_metadata_says_what_it_is(#[case] reply: Canned, #[case] code: ErrorCode) {
    let server = TestServer::start().unwrap();
    server.canned(OPENID, reply);
    let error = metadata(&server.url("")).await.unwrap_err();
    assert_eq!(error.error_code(), code, "{error}");
    assert_eq!(error.endpoint(), Some(&*server.url(OPENID)));
    assert_eq!(paths(&server), [OPENID]);
}

#[tokio::test]
async fn an_issuer_that_is_nowhere_is_an_error() {
    let server = TestServer::start().unwrap();
    let error = metadata(&server.url("/t")).await.unwrap_err();
    assert_eq!(error.reply().unwrap().status, 404);
    assert_eq!(server.requests().len(), 2);

    let closed = ClosedPort::new();
    let location = MetadataLocation::parse(&closed.url("/"), false).unwrap();
    let client = Client::new();
    let (config, location) = (HttpConfig::default(), &location);
    let ask = |recorder: Arc<Recorder>| {
        let client = &client;
        let config = &config;
        async move { client.metadata(location, config, &*recorder).await }
    };
    let (result, _) = without_pauses(ask, |_| {}).await;
    assert_eq!(result.unwrap_err().error_code(), ErrorCode::ConnectFailed);
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again() {
    let server = TestServer::start().unwrap();
    server.canned(OPENID, Canned { status: 503, ..Canned::default() });
    server.canned(OPENID, Canned::json(200, &document(&server.url(""))));
    let location = MetadataLocation::parse(&server.url(""), false).unwrap();
    let client = Client::new();
    let (config, location) = (HttpConfig::default(), &location);
    let ask = |recorder: Arc<Recorder>| {
        let client = &client;
        let config = &config;
        async move { client.metadata(location, config, &*recorder).await }
    };
    let (result, _) = without_pauses(ask, |_| {}).await;
    result.unwrap();
    assert_eq!(paths(&server), [OPENID, OPENID]);
}

// Keys.

#[rstest]
#[case::none(&[], 60)]
#[case::max_age(&[("Cache-Control", "public, max-age=600")], 600)]
#[case::private(&[("Cache-Control", "max-age=600, private")], 600)]
#[case::aged(&[("Cache-Control", "max-age=600"), ("Age", "400")], 200)]
#[case::too_short(&[("Cache-Control", "max-age=1")], 60)]
#[case::too_long(&[("Cache-Control", "max-age=31536000")], 86_400)]
#[case::immutable(&[("Cache-Control", "max-age=900, immutable")], 900)]
#[case::no_store(&[("Cache-Control", "no-store")], 60)]
#[case::no_cache(&[("Cache-Control", "no-cache, max-age=600")], 60)]
#[case::not_a_number(&[("Cache-Control", "max-age=soon")], 60)]
#[case::for_shared_caches(&[("Cache-Control", "s-maxage=600")], 60)]
#[case::expired(&[("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")], 60)]
#[tokio::test]
async fn keys_are_kept_as_long_as_the_headers_say(#[case] headers: &[(&str, &str)], #[case] seconds: u64) {
    let key = new_key();
    let server = TestServer::start().unwrap();
    server.canned(KEYS, with_headers(&published(&[&key]), headers));
    let mut seen = 0;
    let client = Client::new();
    for (later, requests) in [(0, 1), (seconds - 2, 1), (4, 2), (0, 2)] {
        // Only in between: a clock that stands still jumps ahead while a connection is waited for.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(later)).await;
        tokio::time::resume();
        assert!(keys(&client, &server, Some(&name(&key))).await.unwrap().contains(&name(&key)));
        seen += server.requests().len();
        assert_eq!(seen, requests);
    }
}

#[tokio::test]
async fn keys_with_a_date_are_kept_until_then() {
    let server = TestServer::start().unwrap();
    let expires = httpdate::fmt_http_date(SystemTime::now() + Duration::from_mins(30));
    server.canned(KEYS, with_headers(&published(&[&new_key()]), &[("Expires", &expires)]));
    let client = Client::new();
    for (later, requests) in [(0, 1), (1700, 0), (110, 1)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(later)).await;
        tokio::time::resume();
        keys(&client, &server, None).await.unwrap();
        assert_eq!(server.requests().len(), requests);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tokens_ask_once() {
    let key = SigningKey::generate(KeyType::Rsa, None).unwrap();
    let server = TestServer::start().unwrap();
    server.canned(KEYS, Canned::json(200, &published(&[&key])));
    let now = Utc::now();
    let claims = json!({"exp": now.timestamp() + 300});
    let token = jwt::sign(&Header::new(Algorithm::RS256, &key), &claims, &key).unwrap();
    let client = Arc::new(Client::new());
    let url = server.url(KEYS);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (client, url, token) = (client.clone(), url.clone(), token.clone());
            tokio::spawn(async move {
                let token = token.expose_str().unwrap();
                for _ in 0..1250 {
                    let header = jwt::decode_unverified(token).unwrap().header;
                    let key_id = header["kid"].as_str();
                    let keys = client.keys(&url, key_id, &HttpConfig::default(), false, &()).await.unwrap();
                    assert_eq!(Validation::new(JwkSet::clone(&keys)).reasons(token, now), []);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(paths(&server), [KEYS]);
}

#[tokio::test]
async fn a_new_key_is_found_and_an_invented_one_asked_for_once() {
    let (old, new) = (new_key(), new_key());
    let server = TestServer::start().unwrap();
    server.canned(KEYS, with_headers(&published(&[&old]), &[("Cache-Control", "max-age=3600")]));
    server.canned(KEYS, with_headers(&published(&[&new, &old]), &[("Cache-Control", "max-age=3600")]));
    let client = Client::new();
    let before = keys(&client, &server, Some(&name(&old))).await.unwrap();
    let token = jwt::sign(&Header::new(Algorithm::ES256, &new), &json!({}), &new).unwrap();
    verify_signature(token.expose_str().unwrap(), &before).err().unwrap();
    assert_eq!(server.requests().len(), 1);

    let after = keys(&client, &server, Some(&name(&new))).await.unwrap();
    verify_signature(token.expose_str().unwrap(), &after).unwrap();
    assert_eq!(server.requests().len(), 1);

    for number in 0..100 {
        keys(&client, &server, Some(&format!("invented {number}"))).await.unwrap();
    }
    keys(&client, &server, Some(&name(&old))).await.unwrap();
    keys(&client, &server, None).await.unwrap();
    assert!(server.requests().is_empty());
}

/// The keys that are there serve on, and the failing address is left alone for a while.
#[tokio::test]
async fn a_failed_look_for_a_new_key_is_not_repeated_at_once() {
    let key = new_key();
    let server = TestServer::start().unwrap();
    server.canned(KEYS, Canned::json(200, &published(&[&key])));
    server.canned(KEYS, Canned::json(404, "{}"));
    let client = Client::new();
    keys(&client, &server, None).await.unwrap();
    let error = keys(&client, &server, Some("rotated")).await.unwrap_err();
    assert_eq!(error.reply().unwrap().status, 404);
    assert_eq!(server.requests().len(), 2);
    for _ in 0..100 {
        assert!(keys(&client, &server, Some("rotated")).await.unwrap().contains(&name(&key)));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn each_address_has_its_own_keys() {
    let (one, two) = (new_key(), new_key());
    let server = TestServer::start().unwrap();
    server.canned(KEYS, Canned::json(200, &published(&[&one])));
    server.canned("/canned/other", Canned::json(200, &published(&[&two])));
    let client = Client::new();
    for _ in 0..2 {
        assert!(keys(&client, &server, None).await.unwrap().contains(&name(&one)));
        let url = server.url("/canned/other");
        let other = client.keys(&url, None, &HttpConfig::default(), false, &()).await.unwrap();
        assert!(other.contains(&name(&two)) && !other.contains(&name(&one)));
    }
    assert_eq!(server.requests().len(), 2);
}

/// Who sat in between then would otherwise have chosen by which keys later calls judge tokens.
#[rstest]
#[case::without_check(|_: &TestServer| HttpConfig { skip_certificate_check: true, ..HttpConfig::default() })]
#[case::by_an_authority_of_its_own(with_authority)]
#[tokio::test]
async fn keys_fetched_on_less_trust_are_not_used_with_more(#[case] lax: fn(&TestServer) -> HttpConfig) {
    let server = TestServer::start().unwrap();
    let metadata = json!({"issuer": server.tls_url(""), "jwks_uri": server.tls_url(KEYS)});
    server.canned(OPENID, Canned::json(200, &metadata.to_string()));
    server.canned(KEYS, Canned::json(200, &published(&[&new_key()])));
    let (client, lax, strict) = (Client::new(), lax(&server), HttpConfig::default());
    let by_address = async |config| client.keys(&server.tls_url(KEYS), None, config, false, &()).await;
    let by_issuer = async |config| client.issuer_keys(&server.tls_url(""), None, config, false, &()).await;
    for _ in 0..2 {
        by_address(&lax).await.unwrap();
        by_issuer(&lax).await.unwrap();
        assert_eq!(by_address(&strict).await.unwrap_err().error_code(), ErrorCode::TlsFailed);
        assert_eq!(by_issuer(&strict).await.unwrap_err().error_code(), ErrorCode::TlsFailed);
    }
    assert_eq!(paths(&server), [KEYS, OPENID, KEYS]);
}

/// A secret that everyone can read vouches for no one.
#[tokio::test]
async fn published_shared_secrets_are_no_keys() {
    let secret = SigningKey::from_shared_secret("a secret that is published by mistake".into());
    let key = new_key();
    let server = TestServer::start().unwrap();
    server.canned(KEYS, Canned::json(200, &published(&[&secret, &key])));
    let found = keys(&Client::new(), &server, None).await.unwrap();
    assert_eq!(found.keys().iter().map(VerifyingKey::key_type).collect::<Vec<_>>(), [KeyType::P256]);
    let forged = jwt::sign(&Header::new(Algorithm::HS256, &secret), &json!({}), &secret).unwrap();
    let reason = verify_signature(forged.expose_str().unwrap(), &found).err().unwrap();
    assert_eq!(reason.code(), "algorithm_not_allowed");
}

#[rstest]
#[case::web_page(Canned { body: b"<html>".into(), ..Canned::default() }, ErrorCode::NotJson)]
#[case::nothing(Canned::default(), ErrorCode::NotJson)]
#[case::list(Canned::json(200, "[]"), ErrorCode::NotJsonObject)]
#[case::no_set(Canned::json(200, r#"{"issuer":"https://as.example"}"#), ErrorCode::InvalidJwks)]
#[case::keys_is_no_list(Canned::json(200, r#"{"keys":{"kty":"EC"}}"#), ErrorCode::InvalidJwks)]
#[case::a_name_twice(Canned::json(200, r#"{"keys":[],"keys":[]}"#), ErrorCode::InvalidJwks)]
#[case::not_there(Canned::json(404, "{}"), ErrorCode::Http)]
#[case::forbidden(Canned { status: 401, ..Canned::default() }, ErrorCode::Http)]
#[case::elsewhere(
    Canned { status: 301, headers: vec![("Location".into(), "https://evil.example/".into())], ..Canned::default() },
    ErrorCode::UnexpectedRedirect
)]
#[tokio::test]
async fn what_is_no_key_set_says_what_it_is(#[case] reply: Canned, #[case] code: ErrorCode) {
    let server = TestServer::start().unwrap();
    server.canned(KEYS, reply);
    server.canned(KEYS, Canned::json(200, &published(&[&new_key()])));
    let client = Client::new();
    let error = keys(&client, &server, None).await.unwrap_err();
    assert_eq!(error.error_code(), code, "{error}");
    assert_eq!(error.code(), code.as_str());
    // A failure is not kept.
    assert_eq!(keys(&client, &server, None).await.unwrap().keys().len(), 1);
}

#[rstest]
#[case::plain_http("http://as.example/keys", ErrorCode::InsecureEndpoint)]
#[case::relative("/keys", ErrorCode::InvalidEndpoint)]
#[case::another_scheme("file:///etc/passwd", ErrorCode::InvalidEndpoint)]
#[case::a_password("https://user:secret@as.example/keys", ErrorCode::InvalidEndpoint)]
#[tokio::test]
async fn keys_are_fetched_from_safe_addresses_only(#[case] address: &str, #[case] code: ErrorCode) {
    let error = Client::new().keys(address, None, &HttpConfig::default(), false, &()).await.unwrap_err();
    assert_eq!(error.error_code(), code);
}

#[tokio::test]
async fn an_endless_key_set_is_not_read() {
    let server = TestServer::start().unwrap();
    let body = json!({"keys": [], "padding": "a".repeat(64 << 20)}).to_string();
    server.canned(KEYS, Canned::json(200, &body));
    let error = keys(&Client::new(), &server, None).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::ResponseTooLarge);
}

// Keys by the issuer.

async fn issuer_keys(client: &Client, issuer: &str, key_id: Option<&str>) -> Result<Arc<JwkSet>, Error> {
    client.issuer_keys(issuer, key_id, &HttpConfig::default(), false, &()).await
}

#[tokio::test]
async fn the_metadata_of_an_issuer_leads_to_its_keys() {
    let (old, new) = (new_key(), new_key());
    let server = TestServer::start().unwrap();
    let body = json!({"issuer": server.url(""), "jwks_uri": server.url(KEYS)}).to_string();
    server.canned(OPENID, Canned::json(200, &body));
    server.canned(KEYS, with_headers(&published(&[&old]), &[("Cache-Control", "max-age=3600")]));
    server.canned(KEYS, Canned::json(200, &published(&[&new])));
    let client = Client::new();
    for key_id in [None, Some(name(&old)), None] {
        assert!(
            issuer_keys(&client, &server.url(""), key_id.as_deref()).await.unwrap().contains(&name(&old))
        );
    }
    assert_eq!(paths(&server), [OPENID, KEYS]);
    // With the keys, their address may have changed.
    for _ in 0..3 {
        let found = issuer_keys(&client, &server.url(""), Some(&name(&new))).await.unwrap();
        assert!(found.contains(&name(&new)));
    }
    assert_eq!(paths(&server), [OPENID, KEYS]);
}

#[rstest]
#[case::no_keys(json!({}), ErrorCode::InvalidJwks)]
#[case::keys_without_tls(json!({"jwks_uri": "http://as.example/keys"}), ErrorCode::InsecureEndpoint)]
#[case::keys_in_a_file(json!({"jwks_uri": "file:///etc/passwd"}), ErrorCode::InvalidEndpoint)]
#[case::keys_nowhere(json!({"jwks_uri": "keys"}), ErrorCode::InvalidEndpoint)]
#[case::another_issuer(json!({"issuer": "https://evil.example"}), ErrorCode::IssuerMismatch)]
#[tokio::test]
async fn an_issuer_without_usable_keys_is_an_error(#[case] metadata: Value, #[case] code: ErrorCode) {
    let server = TestServer::start().unwrap();
    let mut body = json!({"issuer": server.url("")});
    body.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    server.canned(OPENID, Canned::json(200, &body.to_string()));
    let error = issuer_keys(&Client::new(), &server.url(""), None).await.unwrap_err();
    assert_eq!(error.error_code(), code, "{error}");
    assert_eq!(paths(&server), [OPENID]);
}

/// Whoever is on the way could otherwise put in keys of their own.
#[tokio::test]
async fn an_issuer_with_tls_has_no_keys_without() {
    let server = TestServer::start().unwrap();
    let body = json!({"issuer": server.tls_url(""), "jwks_uri": server.url(KEYS)}).to_string();
    server.canned(OPENID, Canned::json(200, &body));
    let config = with_authority(&server);
    let result = Client::new().issuer_keys(&server.tls_url(""), None, &config, false, &()).await;
    assert_eq!(result.unwrap_err().error_code(), ErrorCode::InsecureEndpoint);
    assert_eq!(paths(&server), [OPENID]);
}

// Time limits.

/// Each answer comes in time, and all of them together do not.
#[tokio::test]
async fn the_requests_of_a_call_share_its_time() {
    let server = TestServer::start().unwrap();
    let (keys, user) = ("/canned/keys", "/canned/user");
    let metadata = json!({"issuer": server.url(""), "jwks_uri": server.url(keys), "userinfo_endpoint": server.url(user)});
    server.canned(OPENID, late(0.7, Canned::json(200, &metadata.to_string())));
    server.canned(keys, Canned::json(200, &published(&[&new_key()])));
    server.canned(user, late(0.7, Canned::json(200, r#"{"sub":"alice"}"#)));
    server.canned("/canned/token", late(0.7, Canned::json(200, r#"{"access_token":"at"}"#)));
    server.canned(&format!("/tenant{OPENID}"), late(0.7, Canned::json(404, "{}")));
    let body = document(&server.url("/tenant"));
    server.canned(&format!("{OAUTH}/tenant"), late(0.7, Canned::json(200, &body)));
    let (client, config) = (Client::new(), within(1));

    let mut request = TokenRequest::new(server.url("/canned/token"), Grant::ClientCredentials);
    request.client_id = Some("app".into());
    request.issuer = Some(server.url(""));
    let error = client.token(&request, &config, &()).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::Timeout, "{error}");

    let request = UserInfoRequest::new(server.url(""), Secret::from("at"));
    let error = client.user_info(&request, &config, &()).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::Timeout, "{error}");

    let location = MetadataLocation::parse(&server.url("/tenant"), false).unwrap();
    let error = client.metadata(&location, &config, &()).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::Timeout, "{error}");
}

/// The token is granted, and spent what it was granted for: the look for a new key does not lose it.
#[tokio::test]
async fn a_granted_token_is_not_lost_because_its_time_is_over() {
    let (old, new) = (new_key(), new_key());
    let server = TestServer::start().unwrap();
    server.canned(OPENID, Canned::json(200, &document(&server.url(""))));
    server.canned("/keys", Canned::json(200, &published(&[&old])));
    server.canned("/keys", late(2.0, Canned::json(200, &published(&[&new]))));
    let now = Utc::now().timestamp();
    let claims = json!({"iss": server.url(""), "aud": "app", "sub": "alice", "iat": now, "exp": now + 300});
    let id_token = jwt::sign(&Header::new(Algorithm::ES256, &new), &claims, &new).unwrap();
    let body = json!({"access_token": "at", "id_token": id_token.expose_str()}).to_string();
    server.canned("/canned/token", late(2.0, Canned::json(200, &body)));
    let mut request = TokenRequest::new(server.url("/canned/token"), Grant::ClientCredentials);
    request.client_id = Some("app".into());
    request.issuer = Some(server.url(""));
    let begun = Instant::now();
    Client::new().token(&request, &within(3), &()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(4), "the time was not over: {:?}", begun.elapsed());
}

/// One after the other would take twenty seconds.
#[tokio::test]
async fn who_waits_for_keys_that_others_fetch_waits_no_longer_than_its_time() {
    let server = TestServer::start().unwrap();
    server.canned(KEYS, late(60.0, Canned::json(200, "{}")));
    let client = Arc::new(Client::new());
    let url = server.url(KEYS);
    let begun = Instant::now();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move { client.keys(&url, None, &within(1), false, &()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().error_code(), ErrorCode::Timeout);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_keys_of_the_test_server_verify_its_tokens() {
    let server = TestServer::start().unwrap();
    let code = CodeRequest {
        client_id: "demo-client".into(),
        scope: Some("openid".into()),
        nonce: Some("n-0S6_WzA2Mj".into()),
        ..CodeRequest::default()
    };
    let code = server.code(code).unwrap().into();
    let grant = Grant::AuthorizationCode { code, code_verifier: None };
    let mut request = TokenRequest::new(server.url("/token"), grant);
    request.client_id = Some("demo-client".into());
    request.authentication = common::basic("demo-secret");
    let client = Client::new();
    let config = HttpConfig::default();
    let answer = client.token(&request, &config, &()).await.unwrap();
    let answer: Value = serde_json::from_slice(answer.body.expose()).unwrap();

    let found = client.keys(&server.url("/jwks"), None, &config, false, &()).await.unwrap();
    let mut validation = Validation::new(JwkSet::clone(&found));
    validation.audiences = vec!["demo-client".into()];
    validation.nonce = Some("n-0S6_WzA2Mj".into());
    assert_eq!(validation.reasons(answer["id_token"].as_str().unwrap(), Utc::now()), []);
}
