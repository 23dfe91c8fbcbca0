//! What a request to the token endpoint looks like before anything is sent.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use std::time::Duration;

use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{ENDPOINT, basic, build, field, grants, header, post, request, vectors};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;
use tokenkit::jwt::{Algorithm, SigningKey};
use tokenkit::{
    AssertionOptions, Attempt, ClientAuthentication, Content, ErrorCode, Field, Grant, HttpRequest, Secret,
    TokenRequest,
};

const SECRET: &str = "7Fjfp0ZBr1KtDRbnfVdmIw-and-a-bit-more";

/// The private key of RFC 7515 appendix A.3.
fn ec_key() -> SigningKey {
    let row = vectors("jws.json").into_iter().find(|row| row["algorithm"] == "ES256").unwrap();
    SigningKey::from_bytes(row["key"].to_string().as_bytes(), None).unwrap()
}

fn secret_jwt(options: AssertionOptions) -> ClientAuthentication {
    ClientAuthentication::SecretJwt { secret: Secret::from(SECRET), options }
}

fn private_key_jwt(key: SigningKey) -> ClientAuthentication {
    ClientAuthentication::PrivateKeyJwt { key, options: AssertionOptions::default() }
}

/// Not of this library's making, and not looked into.
const READY: &str = "e30.e30.cmVhZHk";

fn ready(assertion: &str) -> ClientAuthentication {
    ClientAuthentication::Assertion { assertion: Secret::from(assertion) }
}

fn authentications() -> [(&'static str, ClientAuthentication); 5] {
    let key = ec_key().with_key_id("2026-01").with_certificate(b"hashed, not read");
    [
        ("none", ClientAuthentication::None),
        ("client_secret_basic", basic(SECRET)),
        ("client_secret_post", post(SECRET)),
        ("client_secret_jwt", secret_jwt(AssertionOptions::default())),
        ("private_key_jwt", private_key_jwt(key)),
    ]
}

fn attempt() -> Attempt {
    Attempt {
        now: "2026-01-02T03:04:05Z".parse().unwrap(),
        jti: "00000000-0000-4000-8000-000000000000".into(),
    }
}

/// Header and claims of a JWT, and the length of its signature.
fn decoded(jwt: &str) -> (Value, Value, usize) {
    let parts: Vec<_> = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let [header, claims, signature] = &parts[..] else { panic!("not three parts") };
    (serde_json::from_slice(header).unwrap(), serde_json::from_slice(claims).unwrap(), signature.len())
}

/// A request as it goes to the wire, one line a field, with the client assertion decoded.
fn rendered(request: &HttpRequest) -> String {
    let mut lines = vec![format!("{} {}", request.method.as_str(), request.url)];
    lines.extend(request.headers.iter().map(|h| format!("{}: {}", h.name, h.value.expose_str().unwrap())));
    lines.push(String::new());
    let body = request.body();
    lines.extend(body.expose_str().unwrap().split('&').map(|pair| match pair.split_once('=').unwrap() {
        ("client_assertion", jwt) => {
            let (header, claims, signature) = decoded(jwt);
            format!(
                "client_assertion={header}\n                .{claims}\n                .({signature} bytes)"
            )
        }
        _ => pair.to_owned(),
    }));
    lines.join("\n") + "\n"
}

#[test]
fn every_grant_with_every_authentication() {
    for (name, grant) in grants() {
        let forms = authentications().map(|(method, authentication)| {
            let mut request = TokenRequest::new(ENDPOINT, grant.clone());
            request.client_id = Some("s6BhdRkqt3".into());
            request.authentication = authentication;
            format!("## {method}\n{}", rendered(&request.build(&attempt()).unwrap()))
        });
        insta::assert_snapshot!(name, forms.join("\n"));
    }
}

#[test]
fn a_request_with_everything() {
    let mut request = request("https://as.example/token?tenant=a%20b", post("päss&word"));
    request.redirect_uri = Some("http://127.0.0.1:8400/?x=1&y=2".into());
    request.scope = Some("openid https://api.example/.default".into());
    request.nonce = Some("n-0S6_WzA2Mj".into());
    request.parameters = vec![
        Field::new("resource", "https://one.example/"),
        Field::new("resource", "https://two.example/"),
        Field::new("audience", "a"),
        Field::new("audience", "b"),
        Field::new("empty", ""),
    ];
    request.headers = vec![Field::new("Origin", "http://localhost"), Field::new("accept", "*/*")];
    insta::assert_snapshot!(rendered(&build(&request).unwrap()));
}

// Which field is sent when.

#[rstest]
#[case::given(Some("value"), 1)]
#[case::empty(Some(""), 0)]
#[case::not_given(None, 0)]
fn options_are_sent_with_every_grant_when_they_are_not_empty(
    #[case] value: Option<&str>,
    #[case] times: usize,
) {
    for (_, grant) in grants() {
        let mut request = TokenRequest::new(ENDPOINT, grant);
        request.client_id = value.map(str::to_owned);
        request.redirect_uri = value.map(str::to_owned);
        request.scope = value.map(str::to_owned);
        let http = build(&request).unwrap();
        for name in ["client_id", "redirect_uri", "scope"] {
            assert_eq!(field(&http, name), vec!["value"; times], "{name}");
        }
    }
}

#[test]
fn every_request_has_one_grant_type_and_no_nonce() {
    for (_, grant) in grants() {
        let expected = grant.grant_type();
        let mut request = TokenRequest::new(ENDPOINT, grant);
        request.nonce = Some("n-0S6_WzA2Mj".into());
        let http = build(&request).unwrap();
        assert_eq!(field(&http, "grant_type"), [expected]);
        assert!(!http.body().expose_str().unwrap().contains("n-0S6_WzA2Mj"));
    }
}

#[test]
fn the_code_verifier_is_sent_only_when_there_is_one() {
    let grant = Grant::AuthorizationCode { code: Secret::from("abc"), code_verifier: None };
    let http = build(&TokenRequest::new(ENDPOINT, grant)).unwrap();
    assert_eq!(http.body().expose_str(), Some("grant_type=authorization_code&code=abc"));
}

#[rstest]
#[case(ClientAuthentication::None, &["client_id"])]
#[case(basic(SECRET), &["Authorization"])]
#[case(post(SECRET), &["client_id", "client_secret"])]
#[case(secret_jwt(AssertionOptions::default()), &["client_id", "client_assertion_type", "client_assertion"])]
#[case(private_key_jwt(ec_key()), &["client_id", "client_assertion_type", "client_assertion"])]
#[case(ready(READY), &["client_id", "client_assertion_type", "client_assertion"])]
fn each_authentication_sends_its_own_credentials_and_no_others(
    #[case] authentication: ClientAuthentication,
    #[case] expected: &[&str],
) {
    let http = build(&request(ENDPOINT, authentication)).unwrap();
    let names = http.headers.iter().chain(http.form()).map(|field| field.name.as_str());
    let credentials: Vec<_> =
        names.filter(|name| name.starts_with("client_") || *name == "Authorization").collect();
    assert_eq!(credentials, expected);
}

// client_secret_basic and the form encoding.

#[test]
fn basic_credentials_are_form_encoded_before_base64() {
    for row in vectors("basic.json") {
        let text = |name: &str| row[name].as_str().unwrap();
        let mut request = request(ENDPOINT, basic(text("client_secret")));
        request.client_id = Some(text("client_id").to_owned());
        let http = build(&request).unwrap();
        assert_eq!(header(&http, "authorization"), [text("authorization")], "{}", text("source"));
    }
}

#[test]
fn values_are_encoded_as_in_rfc_6749_appendix_b() {
    for row in vectors("form.json") {
        let mut request = request(ENDPOINT, ClientAuthentication::None);
        request.scope = row["value"].as_str().map(str::to_owned);
        let body = build(&request).unwrap().body();
        let (_, encoded) = body.expose_str().unwrap().split_once("&scope=").unwrap();
        assert_eq!(encoded.split('&').next(), row["encoded"].as_str());
    }
}

proptest! {
    #[test]
    fn any_form_is_read_back_as_it_was(
        fields in prop::collection::vec((any::<String>(), any::<Vec<u8>>()), 1..8),
    ) {
        let mut http = build(&request(ENDPOINT, ClientAuthentication::None)).unwrap();
        let form = fields.iter().map(|(name, value)| Field::new(name, value.clone()));
        http.content = Content::Form(form.collect());
        let body = http.body();
        prop_assert!(body.expose().iter().all(|b| b.is_ascii_alphanumeric() || b"*-._+%&=".contains(b)));
        let read: Vec<_> = form_urlencoded::parse(body.expose()).collect();
        prop_assert_eq!(read.len(), fields.len());
        for ((name, value), (expected_name, expected)) in read.iter().zip(&fields) {
            prop_assert_eq!(name, expected_name);
            prop_assert_eq!(value, &String::from_utf8_lossy(expected));
        }
    }

    #[test]
    fn any_basic_credentials_are_read_back_as_they_were(id in ".+", secret in ".+") {
        let mut request = request(ENDPOINT, basic(&secret));
        request.client_id = Some(id.clone());
        let http = build(&request).unwrap();
        let encoded = header(&http, "authorization")[0].strip_prefix("Basic ").unwrap();
        let pair = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        let pair = String::from_utf8(pair).unwrap();
        let (left, right) = pair.split_once(':').unwrap();
        let read = |text: &str| {
            let (value, _) = form_urlencoded::parse(text.as_bytes()).next().unwrap();
            value.into_owned()
        };
        prop_assert_eq!((read(left), read(right)), (id, secret));
    }
}

// Client assertions.

#[rstest]
#[case(Algorithm::HS256, hmac::HMAC_SHA256)]
#[case(Algorithm::HS384, hmac::HMAC_SHA384)]
#[case(Algorithm::HS512, hmac::HMAC_SHA512)]
fn client_secret_jwt_is_an_hmac_by_the_secret(#[case] algorithm: Algorithm, #[case] kind: hmac::Algorithm) {
    let options = AssertionOptions { algorithm: Some(algorithm), ..AssertionOptions::default() };
    let http = build(&request(ENDPOINT, secret_jwt(options))).unwrap();
    let assertion = field(&http, "client_assertion")[0];
    let (input, tag) = assertion.rsplit_once('.').unwrap();
    let key = hmac::Key::new(kind, SECRET.as_bytes());
    hmac::verify(&key, input.as_bytes(), &URL_SAFE_NO_PAD.decode(tag).unwrap()).unwrap();
    assert_eq!(decoded(assertion).0["alg"], algorithm.as_str());
}

#[test]
fn private_key_jwt_is_signed_with_the_key() {
    let row = vectors("jws.json").into_iter().find(|row| row["algorithm"] == "ES256").unwrap();
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(row["key"][name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let http = build(&request(ENDPOINT, private_key_jwt(ec_key()))).unwrap();
    let (input, tag) = field(&http, "client_assertion")[0].rsplit_once('.').unwrap();
    signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
        .verify(input.as_bytes(), &URL_SAFE_NO_PAD.decode(tag).unwrap())
        .unwrap();
}

#[test]
fn an_assertion_says_who_for_whom_and_how_long() {
    let options = AssertionOptions {
        audience: Some("https://as.example".into()),
        lifetime: Duration::from_millis(90_999),
        ..AssertionOptions::default()
    };
    let mut request = request(ENDPOINT, secret_jwt(options));
    let (_, claims, _) = decoded(field(&request.build(&attempt()).unwrap(), "client_assertion")[0]);
    assert_eq!(claims["aud"], "https://as.example");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 90);

    request.endpoint = format!(" {ENDPOINT}?tenant=a ");
    request.authentication = secret_jwt(AssertionOptions::default());
    let (_, claims, _) = decoded(field(&request.build(&attempt()).unwrap(), "client_assertion")[0]);
    assert_eq!(claims["aud"], format!("{ENDPOINT}?tenant=a"));
    assert_eq!((&claims["iss"], &claims["sub"]), (&Value::from("app"), &Value::from("app")));
}

#[test]
fn no_two_attempts_share_a_jti() {
    let request = request(ENDPOINT, private_key_jwt(ec_key()));
    let jti = || decoded(field(&build(&request).unwrap(), "client_assertion")[0]).1["jti"].clone();
    let (one, two) = (jti(), jti());
    assert_ne!(one, two);
    assert_eq!(one.as_str().unwrap().len(), 36);
}

#[rstest]
#[case::named(Some("app"), &["grant_type", "client_id", "client_assertion_type", "client_assertion"])]
#[case::names_itself(None, &["grant_type", "client_assertion_type", "client_assertion"])]
fn a_ready_assertion_is_sent_as_it_is(#[case] client_id: Option<&str>, #[case] expected: &[&str]) {
    let mut request = request(ENDPOINT, ready(READY));
    request.client_id = client_id.map(str::to_owned);
    let http = build(&request).unwrap();
    let names: Vec<_> = http.form().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, expected);
    assert_eq!(field(&http, "client_assertion"), [READY]);
    assert_eq!(field(&http, "client_assertion_type"), [tokenkit::JWT_BEARER_ASSERTION]);
    assert!(!format!("{request:?} {:?}", http.masked_content()).contains(READY));

    let mut two = request.clone();
    two.parameters = vec![Field::new("client_secret", "another")];
    assert!(refused(&two).contains("two credentials"));
    assert_eq!(refused(&self::request(ENDPOINT, ready(""))), "The client assertion is empty.");
}

// What is refused before anything is sent.

fn refused(request: &TokenRequest) -> String {
    let error = build(request).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::InvalidArgument, "{error}");
    error.to_string()
}

#[rstest]
#[case(basic(SECRET), "client_secret_basic needs a client id.")]
#[case(post(SECRET), "client_secret_post needs a client id.")]
#[case(secret_jwt(AssertionOptions::default()), "client_secret_jwt needs a client id.")]
#[case(private_key_jwt(ec_key()), "private_key_jwt needs a client id.")]
fn authentication_needs_a_client_id(#[case] authentication: ClientAuthentication, #[case] message: &str) {
    for id in [None, Some(String::new())] {
        let mut request = request(ENDPOINT, authentication.clone());
        request.client_id = id;
        assert_eq!(refused(&request), message);
    }
}

#[rstest]
#[case(basic(""))]
#[case(post(""))]
#[case(ClientAuthentication::SecretJwt { secret: Secret::default(), options: AssertionOptions::default() })]
fn empty_secrets_are_refused(#[case] authentication: ClientAuthentication) {
    assert_eq!(refused(&request(ENDPOINT, authentication)), "The client secret is empty.");
}

#[rstest]
#[case(Grant::AuthorizationCode { code: Secret::default(), code_verifier: None }, "code")]
#[case(Grant::AuthorizationCode { code: "a".into(), code_verifier: Some(Secret::default()) }, "code_verifier")]
#[case(Grant::RefreshToken { refresh_token: Secret::default() }, "refresh_token")]
#[case(Grant::Password { username: String::new(), password: "a".into() }, "username")]
#[case(Grant::Password { username: "a".into(), password: Secret::default() }, "password")]
#[case(Grant::DeviceCode { device_code: Secret::default() }, "device_code")]
#[case(Grant::JwtBearer { assertion: Secret::default() }, "assertion")]
fn incomplete_grants_are_refused(#[case] grant: Grant, #[case] missing: &str) {
    let message = refused(&TokenRequest::new(ENDPOINT, grant));
    assert!(message.contains(&format!("needs a {missing},")), "{message}");
}

#[rstest]
#[case("grant_type")]
#[case("code")]
#[case("code_verifier")]
#[case("client_id")]
#[case("scope")]
#[case("redirect_uri")]
fn a_parameter_is_not_sent_twice(#[case] name: &str) {
    let (_, grant) = grants().into_iter().next().unwrap();
    let mut request = TokenRequest::new(ENDPOINT, grant);
    request.client_id = Some("app".into());
    request.scope = Some("a".into());
    request.redirect_uri = Some("http://localhost".into());
    request.parameters = vec![Field::new(name, "another")];
    assert_eq!(refused(&request), format!("The parameter '{name}' would be sent twice."));
}

#[test]
fn two_extra_parameters_of_one_name_are_refused() {
    let mut request = request(ENDPOINT, ClientAuthentication::None);
    request.parameters = vec![Field::new("prompt", "a"), Field::new("prompt", "a")];
    assert_eq!(refused(&request), "The parameter 'prompt' would be sent twice.");
}

#[test]
fn two_credentials_are_refused() {
    for (method, authentication) in authentications() {
        let alone = method == "none";
        for name in ["client_secret", "client_assertion", "client_assertion_type"] {
            let mut request = request(ENDPOINT, authentication.clone());
            request.parameters = vec![Field::new(name, "another")];
            assert_eq!(build(&request).is_ok(), alone, "{method} and {name}");
        }
        for name in ["Authorization", "authorization"] {
            let mut request = request(ENDPOINT, authentication.clone());
            request.headers = vec![Field::new(name, "Bearer another")];
            assert_eq!(build(&request).is_ok(), alone, "{method} and {name}");
        }
    }
}

#[rstest]
#[case("Host")]
#[case("content-length")]
#[case("Transfer-Encoding")]
#[case("CONNECTION")]
#[case("te")]
#[case("upgrade")]
fn headers_of_the_connection_are_refused(#[case] name: &str) {
    let mut request = request(ENDPOINT, ClientAuthentication::None);
    request.headers = vec![Field::new(name, "1")];
    assert!(refused(&request).contains(&format!("'{name}'")));
}

#[test]
fn a_header_replaces_its_namesake_and_leaves_the_others() {
    let mut request = request(ENDPOINT, basic(SECRET));
    request.headers = vec![Field::new("content-type", "application/x-www-form-urlencoded; charset=UTF-8")];
    let given = format!("{:?}", request.headers);
    let http = build(&request).unwrap();
    assert_eq!(header(&http, "Content-Type"), ["application/x-www-form-urlencoded; charset=UTF-8"]);
    assert_eq!(header(&http, "Accept"), ["application/json"]);
    assert_eq!(header(&http, "Authorization").len(), 1);
    // The caller's own list is left as it was.
    assert_eq!(format!("{:?}", request.headers), given);
}

#[rstest]
#[case::no_time(Duration::ZERO)]
#[case::less_than_a_second(Duration::from_millis(999))]
#[case::beyond_integers(Duration::MAX)]
fn assertions_live_at_least_a_second(#[case] lifetime: Duration) {
    let options = AssertionOptions { lifetime, ..AssertionOptions::default() };
    assert!(refused(&request(ENDPOINT, secret_jwt(options))).contains("lifetime"));
}

#[test]
fn an_algorithm_that_does_not_fit_the_key_is_refused() {
    let options = AssertionOptions { algorithm: Some(Algorithm::RS256), ..AssertionOptions::default() };
    let authentication = ClientAuthentication::PrivateKeyJwt { key: ec_key(), options };
    let error = build(&request(ENDPOINT, authentication)).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::UnsupportedKey);
    assert_eq!(error.to_string(), "RS256 needs an RSA key, but a P-256 key was given, which signs ES256.");
}

#[rstest]
#[case("", ErrorCode::InvalidEndpoint)]
#[case("token", ErrorCode::InvalidEndpoint)]
#[case("as.example/token", ErrorCode::InvalidEndpoint)]
#[case("https://", ErrorCode::InvalidEndpoint)]
#[case("https://as.example/token#top", ErrorCode::InvalidEndpoint)]
#[case("https://user@as.example/token", ErrorCode::InvalidEndpoint)]
#[case("https://:hunter2@as.example/token", ErrorCode::InvalidEndpoint)]
#[case("ftp://as.example/token", ErrorCode::InvalidEndpoint)]
#[case("file:///etc/passwd", ErrorCode::InvalidEndpoint)]
#[case("http://as.example/token", ErrorCode::InsecureEndpoint)]
#[case("http://localhost.as.example/token", ErrorCode::InsecureEndpoint)]
#[case("http://192.168.0.1/token", ErrorCode::InsecureEndpoint)]
#[case("http://0.0.0.0/token", ErrorCode::InsecureEndpoint)]
fn unusable_endpoints_are_refused(#[case] endpoint: &str, #[case] code: ErrorCode) {
    let error = build(&request(endpoint, ClientAuthentication::None)).unwrap_err();
    assert_eq!(error.error_code(), code, "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[rstest]
#[case("https://as.example/token")]
#[case("HTTPS://AS.example:8443/token?a=b")]
#[case(" https://as.example/token\n")]
#[case("http://localhost:8080/token")]
#[case("http://as.localhost/token")]
#[case("http://127.0.0.1/token")]
#[case("http://127.8.9.10/token")]
#[case("http://[::1]:8080/token")]
fn https_and_loopback_endpoints_are_accepted(#[case] endpoint: &str) {
    build(&request(endpoint, ClientAuthentication::None)).unwrap();
}

#[test]
fn plain_http_elsewhere_must_be_allowed_explicitly() {
    let mut request = request("http://as.example/token", ClientAuthentication::None);
    request.allow_insecure_http = true;
    build(&request).unwrap();
    request.endpoint = "ftp://as.example/token".into();
    assert_eq!(build(&request).unwrap_err().error_code(), ErrorCode::InvalidEndpoint);
}

// What is shown of a request.

#[test]
fn nothing_shown_of_a_request_holds_a_secret() {
    let secrets = [
        SECRET,
        "SplxlOBeZQQYbYS6WxSbIA",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "tGzv3JOkF0XG5Qx2TlKWIA",
        "A3ddj3w",
        "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "c2lnbmF0dXJl",
        "extra-field-value",
        "extra-header-value",
    ];
    for (_, grant) in grants() {
        for (_, authentication) in authentications() {
            let mut request = request(ENDPOINT, authentication);
            request.grant = grant.clone();
            request.parameters = vec![Field::new("assertion_of_mine", "extra-field-value")];
            request.headers = vec![Field::new("X-Api-Key", "extra-header-value")];
            let http = build(&request).unwrap();
            let shown =
                format!("{request:?} {http:?} {:?} {:?}", http.masked_headers(), http.masked_content());
            for secret in secrets {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
            // The credentials that were made for this request are no less secret.
            for made in header(&http, "authorization").into_iter().chain(field(&http, "client_assertion")) {
                assert!(!shown.contains(made), "{made} in {shown}");
            }
            // Every name is still there, and what is public can be read.
            assert!(shown.contains(r#"("grant_type", ""#), "{shown}");
            assert!(shown.contains(r#"("X-Api-Key", "***")"#), "{shown}");
        }
    }
}
