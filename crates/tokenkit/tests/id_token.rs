//! ID tokens from the token endpoint and through the browser, validated by the keys of their issuer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::jwt::{self, Algorithm, Header, KeyType, SigningKey};
use tokenkit::{
    Answer, AuthorizationRequest, AuthorizationResponse, Category, Client, ClientAuthentication,
    DevicePolling, Error, Field, Grant, HttpConfig, Secret, TokenRequest, TokenResponse,
};
use tokenkit_testserver::{Canned, TestServer};

const METADATA: &str = "/.well-known/openid-configuration";

/// An issuer on loopback with one key.
struct Issuer {
    server: TestServer,
    key: SigningKey,
}

impl Issuer {
    fn new() -> Self {
        Self::with(&json!({}))
    }

    fn with(further: &Value) -> Self {
        let server = TestServer::start().unwrap();
        let key = SigningKey::generate(KeyType::P256, None).unwrap();
        let mut metadata = json!({"issuer": server.url(""), "jwks_uri": server.url("/keys")});
        for (name, value) in further.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        let keys = json!({"keys": [key.verifying_key().unwrap().to_jwk()]});
        server.canned(METADATA, Canned::json(200, &metadata.to_string()));
        server.canned("/keys", Canned::json(200, &keys.to_string()));
        Self { server, key }
    }

    /// A good ID token but for `changes`; `null` takes a claim away.
    fn id_token(&self, changes: &Value) -> String {
        sign(&self.claims(changes), &self.key)
    }

    fn claims(&self, changes: &Value) -> Value {
        let now = Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.server.url(""), "sub": "alice", "aud": "app", "nonce": "no", "iat": now, "exp": now + 300,
            "at_hash": half_hash("at"), "c_hash": half_hash("co"),
        });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().shift_remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    /// Gets `id_token` from the token endpoint.
    async fn token(&self, id_token: &str, grant: Grant) -> Result<TokenResponse, Error> {
        self.ask(id_token, grant, |_| {}).await
    }

    async fn ask(
        &self,
        id_token: &str,
        grant: Grant,
        change: impl FnOnce(&mut TokenRequest),
    ) -> Result<TokenResponse, Error> {
        let body = json!({"access_token": "at", "token_type": "Bearer", "id_token": id_token}).to_string();
        self.server.canned("/canned/token", Canned::json(200, &body));
        let mut request = TokenRequest::new(self.server.url("/canned/token"), grant);
        request.client_id = Some("app".into());
        request.nonce = Some("no".into());
        request.issuer = Some(self.server.url(""));
        change(&mut request);
        Client::new().token(&request, &HttpConfig::default(), &()).await
    }

    /// Gets `answer` through the browser.
    async fn browser(&self, response_type: &str, answer: &str) -> Result<AuthorizationResponse, Error> {
        let mut request = AuthorizationRequest::new("https://as.example/authorize", "app");
        request.redirect_uri = Some("http://127.0.0.1:8400/".into());
        request.response_type = response_type.parse().unwrap();
        request.issuer = Some(self.server.url(""));
        request.parameters = vec![Field::new("state", "st"), Field::new("nonce", "no")];
        let authorization = request.prepare().unwrap();
        let answer = Answer::from_form(format!("{answer}&state=st").as_bytes());
        Client::new().complete_authorization(&authorization, answer, &HttpConfig::default(), &()).await
    }
}

fn sign(claims: &Value, key: &SigningKey) -> String {
    let token = jwt::sign(&Header::new(key.default_algorithm(), key), claims, key).unwrap();
    token.expose_str().unwrap().to_owned()
}

fn half_hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16])
}

fn code() -> Grant {
    Grant::AuthorizationCode { code: Secret::from("co"), code_verifier: None }
}

fn refresh() -> Grant {
    Grant::RefreshToken { refresh_token: Secret::from("r") }
}

fn outcome<T>(result: &Result<T, Error>) -> &str {
    result.as_ref().err().map_or("ok", Error::code)
}

fn past() -> Value {
    json!(Utc::now().timestamp() - 3600)
}

fn future() -> Value {
    json!(Utc::now().timestamp() + 3600)
}

#[rstest]
#[case::good(json!({}), "ok")]
#[case::issuer(json!({"iss": "https://evil.example"}), "id_token_wrong_issuer")]
#[case::no_issuer(json!({"iss": null}), "id_token_wrong_issuer")]
#[case::audience(json!({"aud": "other"}), "id_token_wrong_audience")]
#[case::no_audience(json!({"aud": null}), "id_token_wrong_audience")]
#[case::malformed_audience(json!({"aud": 7}), "id_token_wrong_audience")]
#[case::one_of_several_without_party(json!({"aud": ["app", "other"]}), "id_token_wrong_audience")]
#[case::one_of_several(json!({"aud": ["app", "other"], "azp": "app"}), "ok")]
#[case::list_of_one(json!({"aud": ["app"]}), "ok")]
#[case::party(json!({"azp": "other"}), "id_token_wrong_audience")]
#[case::nonce(json!({"nonce": "NO"}), "nonce_mismatch")]
#[case::no_nonce(json!({"nonce": null}), "nonce_mismatch")]
#[case::expired(json!({"exp": past()}), "id_token_expired")]
#[case::never_expires(json!({"exp": null}), "malformed_id_token")]
#[case::expires_at_a_text(json!({"exp": "soon"}), "malformed_id_token")]
#[case::not_yet(json!({"nbf": future()}), "id_token_not_yet_valid")]
#[case::issued_in_future(json!({"iat": future()}), "id_token_not_yet_valid")]
#[case::no_time_of_issue(json!({"iat": null}), "malformed_id_token")]
#[case::no_subject(json!({"sub": null}), "malformed_id_token")]
#[case::empty_subject(json!({"sub": ""}), "malformed_id_token")]
#[case::at_hash(json!({"at_hash": half_hash("other")}), "id_token_wrong_hash")]
#[case::no_at_hash(json!({"at_hash": null}), "ok")]
#[case::c_hash(json!({"c_hash": half_hash("other")}), "id_token_wrong_hash")]
#[case::no_c_hash(json!({"c_hash": null}), "ok")]
#[tokio::test]
async fn of_the_token_endpoint(#[case] changes: Value, #[case] expected: &str) {
    let issuer = Issuer::new();
    let result = issuer.token(&issuer.id_token(&changes), code()).await;
    assert_eq!(outcome(&result), expected, "{result:?}");
    if let Err(error) = result {
        assert_eq!(error.category(), Category::Token);
        assert_eq!(error.endpoint(), Some(issuer.server.url("/canned/token").as_str()));
        assert!(!error.is_retryable());
    }
}

#[rstest]
#[case::no_nonce(json!({"nonce": null}), "ok")]
#[case::same_nonce(json!({}), "ok")]
#[case::other_nonce(json!({"nonce": "other"}), "nonce_mismatch")]
#[case::other_issuer(json!({"iss": "https://evil.example"}), "id_token_wrong_issuer")]
#[tokio::test]
async fn of_a_refresh(#[case] changes: Value, #[case] expected: &str) {
    let issuer = Issuer::new();
    assert_eq!(outcome(&issuer.token(&issuer.id_token(&changes), refresh()).await), expected);
}

#[rstest]
#[case::hybrid("code id_token", "code=co", json!({}), "ok")]
#[case::hybrid_needs_c_hash("code id_token", "code=co", json!({"c_hash": null}), "id_token_wrong_hash")]
#[case::hybrid_other_code("code id_token", "code=other", json!({}), "id_token_wrong_hash")]
#[case::hybrid_needs_no_at_hash("code id_token", "code=co", json!({"at_hash": null}), "ok")]
#[case::implicit("id_token token", "access_token=at", json!({"c_hash": null}), "ok")]
#[case::implicit_needs_at_hash("id_token token", "access_token=at", json!({"at_hash": null}), "id_token_wrong_hash")]
#[case::implicit_other_token("id_token token", "access_token=other", json!({}), "id_token_wrong_hash")]
#[case::id_token_alone("id_token", "x=1", json!({"at_hash": null, "c_hash": null}), "ok")]
#[case::nonce("id_token", "x=1", json!({"nonce": "other"}), "nonce_mismatch")]
#[case::audience("id_token", "x=1", json!({"aud": "other"}), "id_token_wrong_audience")]
#[case::expired("id_token", "x=1", json!({"exp": past()}), "id_token_expired")]
#[tokio::test]
async fn through_the_browser(
    #[case] response_type: &str,
    #[case] answer: &str,
    #[case] changes: Value,
    #[case] expected: &str,
) {
    let issuer = Issuer::new();
    let answer = format!("{answer}&id_token={}", issuer.id_token(&changes));
    let result = issuer.browser(response_type, &answer).await;
    assert_eq!(outcome(&result), expected, "{result:?}");
}

#[tokio::test]
async fn the_issuer_signs_and_nobody_else() {
    let issuer = Issuer::new();
    let good = issuer.id_token(&json!({}));
    let claims = issuer.claims(&json!({}));
    let other = sign(&claims, &SigningKey::generate(KeyType::P256, None).unwrap());
    let secret = SigningKey::from_shared_secret(Secret::from("a secret of at least thirty-two bytes"));
    let by_secret = sign(&claims, &secret);
    let unsigned =
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), good.split('.').nth(1).unwrap());
    let parts: Vec<_> = good.split('.').collect();
    let of_bob = URL_SAFE_NO_PAD.encode(issuer.claims(&json!({"sub": "bob"})).to_string());
    let tampered = format!("{}.{of_bob}.{}", parts[0], parts[2]);
    let rows = [
        (other, "id_token_wrong_signature"),
        (by_secret, "id_token_wrong_signature"),
        (unsigned, "id_token_wrong_signature"),
        (tampered, "id_token_wrong_signature"),
        ("opaque".into(), "malformed_id_token"),
        ("e30.a.b.c.d".into(), "malformed_id_token"),
        (good, "ok"),
    ];
    for (id_token, expected) in rows {
        let result = issuer.token(&id_token, code()).await;
        assert_eq!(outcome(&result), expected, "{id_token}");
    }
}

#[tokio::test]
async fn a_client_secret_may_sign_too() {
    let text = "a secret of at least thirty-two bytes";
    let issuer = Issuer::new();
    let claims = issuer.claims(&json!({}));
    for (signer, expected) in
        [(text, "ok"), ("another secret of thirty-two bytes or more", "id_token_wrong_signature")]
    {
        let key = SigningKey::from_shared_secret(Secret::from(signer));
        let token = jwt::sign(&Header::new(Algorithm::HS256, &key), &claims, &key).unwrap();
        let result = issuer
            .ask(token.expose_str().unwrap(), code(), |request| {
                request.authentication = ClientAuthentication::SecretPost { secret: Secret::from(text) };
            })
            .await;
        assert_eq!(outcome(&result), expected);
    }
}

#[tokio::test]
async fn an_issuer_out_of_reach_costs_no_code() {
    let issuer = Issuer::new();
    let id_token = issuer.id_token(&json!({}));
    let result =
        issuer.ask(&id_token, code(), |request| request.issuer = Some(issuer.server.url("/nobody"))).await;
    assert_eq!(outcome(&result), "http_error");
    assert!(issuer.server.requests().iter().all(|request| request.path != "/canned/token"));

    let result = issuer.ask(&id_token, code(), |request| request.client_id = None).await;
    assert_eq!(outcome(&result), "invalid_argument");
    assert!(issuer.server.requests().is_empty());
}

#[tokio::test]
async fn without_an_issuer_only_the_nonce_counts() {
    let issuer = Issuer::new();
    let id_token = issuer.id_token(&json!({"aud": "other"}));
    assert_eq!(outcome(&issuer.ask(&id_token, code(), |request| request.issuer = None).await), "ok");
    let other = issuer.id_token(&json!({"nonce": "other"}));
    assert_eq!(outcome(&issuer.ask(&other, code(), |request| request.issuer = None).await), "nonce_mismatch");
}

#[tokio::test]
async fn an_answer_without_an_id_token_has_nothing_to_validate() {
    let issuer = Issuer::new();
    let body = r#"{"access_token":"at","token_type":"Bearer"}"#;
    issuer.server.canned("/canned/plain", Canned::json(200, body));
    let result = issuer
        .ask("unused", refresh(), |request| request.endpoint = issuer.server.url("/canned/plain"))
        .await;
    assert_eq!(outcome(&result), "ok");
}

#[tokio::test]
async fn a_device_gets_a_validated_id_token_too() {
    let issuer = Issuer::new();
    let id_token = issuer.id_token(&json!({"aud": "other"}));
    let body = json!({"access_token": "at", "id_token": id_token}).to_string();
    issuer.server.canned("/canned/token", Canned::json(200, &body));
    let mut request = TokenRequest::new(
        issuer.server.url("/canned/token"),
        Grant::DeviceCode { device_code: Secret::from("d") },
    );
    request.client_id = Some("app".into());
    request.issuer = Some(issuer.server.url(""));
    let polling =
        DevicePolling { interval: std::time::Duration::ZERO, expires_in: std::time::Duration::from_mins(1) };
    let result = Client::new().device_token(&request, polling, &HttpConfig::default(), &()).await;
    assert_eq!(outcome(&result), "id_token_wrong_audience");
    let asked =
        issuer.server.requests().into_iter().filter(|request| request.path == "/canned/token").count();
    assert_eq!(asked, 1, "a device code is spent once");
}

#[tokio::test]
async fn the_issuer_of_a_browser_answer_must_be_named_where_that_is_announced() {
    let issuer = Issuer::with(&json!({"authorization_response_iss_parameter_supported": true}));
    assert_eq!(outcome(&issuer.browser("code", "code=co").await), "issuer_mismatch");
    assert_eq!(
        outcome(&issuer.browser("code", "code=co&iss=https%3A%2F%2Fevil.example").await),
        "issuer_mismatch"
    );
    let own = format!("code=co&iss={}", issuer.server.url(""));
    assert_eq!(outcome(&issuer.browser("code", &own).await), "ok");
}
