//! What is made of an answer of the token endpoint.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use common::{ENDPOINT, basic, build, grants, post, request, visible};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use tokenkit::{
    AssertionOptions, Category, ClientAuthentication, Error, ErrorCode, Field, Grant, HttpRequest,
    HttpResponse, Secret, TokenRequest, TokenResponse,
};

fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn answer(status: u16, content_type: &str, body: &[u8]) -> HttpResponse {
    HttpResponse {
        status,
        headers: vec![("content-type".into(), content_type.into())],
        body: Secret::from(body),
    }
}

/// Lets `request` read an answer of the content type JSON.
fn parse(request: &TokenRequest, status: u16, body: impl AsRef<[u8]>) -> Result<TokenResponse, Error> {
    request.parse(&build(request).unwrap(), answer(status, "application/json", body.as_ref()), now())
}

fn client_credentials() -> TokenRequest {
    request(ENDPOINT, post("s3cr3t-of-the-client"))
}

fn with_expiry(expires_in: &str) -> String {
    format!(r#"{{"access_token":"at","token_type":"Bearer","expires_in":{expires_in}}}"#)
}

// Token responses.

#[rstest]
#[case::number("3600", Some(3600), Some("2026-01-02T04:04:05Z"))]
#[case::text(r#""3599""#, Some(3599), Some("2026-01-02T04:04:04Z"))]
#[case::text_with_spaces(r#"" 3599 ""#, Some(3599), Some("2026-01-02T04:04:04Z"))]
#[case::one("1", Some(1), Some("2026-01-02T03:04:06Z"))]
#[case::zero("0", Some(0), None)]
#[case::zero_text(r#""0""#, Some(0), None)]
#[case::last_of_the_calendar("251634977754", Some(251_634_977_754), Some("9999-12-31T23:59:59Z"))]
#[case::beyond_the_calendar("251634977755", Some(251_634_977_755), None)]
#[case::beyond_every_calendar("9223372036854775807", Some(i64::MAX.unsigned_abs()), None)]
#[case::beyond_signed("18446744073709551615", Some(u64::MAX), None)]
#[case::beyond_integers("18446744073709551616", None, None)]
#[case::negative("-1", None, None)]
#[case::negative_text(r#""-1""#, None, None)]
#[case::float("3600.5", None, None)]
#[case::huge_float("1e300", None, None)]
#[case::words(r#""an hour""#, None, None)]
#[case::empty_text(r#""""#, None, None)]
#[case::null("null", None, None)]
#[case::list("[3600]", None, None)]
#[case::boolean("true", None, None)]
fn the_expiry_is_read_from_numbers_and_numeric_texts(
    #[case] expires_in: &str,
    #[case] seconds: Option<u64>,
    #[case] expires_at: Option<&str>,
) {
    let body = with_expiry(expires_in);
    let token = parse(&client_credentials(), 200, &body).unwrap();
    assert_eq!(token.expires_in, seconds);
    assert_eq!(token.expires_at, expires_at.map(|time| time.parse().unwrap()));
    assert_eq!(token.body.expose_str(), Some(body.as_str()));
}

#[rstest]
#[case::order(r#"{"z":1,"access_token":"at","a":2,"expires_in":1}"#)]
#[case::spaces("\r\n { \"access_token\" :\t\"at\" }\n\n")]
#[case::escapes(r#"{"access_token":"\u0061\/t","x":"é😀\u00e9"}"#)]
#[case::numbers(r#"{"access_token":"at","n":1.0,"m":1e2,"b":12345678901234567890123}"#)]
#[case::duplicates(r#"{"access_token":"first","access_token":"second"}"#)]
#[case::without_token_type(r#"{"access_token":"at"}"#)]
#[case::nested(r#"{"access_token":"at","authorization_details":[{"type":"x","actions":["read"]}]}"#)]
#[case::byte_order_mark("\u{feff}{\"access_token\":\"at\"}")]
#[case::error_beside_a_token(r#"{"access_token":"at","error":"none"}"#)]
fn the_body_is_kept_byte_for_byte(#[case] body: &str) {
    let token = parse(&client_credentials(), 200, body).unwrap();
    assert_eq!(token.body.expose_str(), Some(body));
    assert_eq!((token.status, token.headers.len()), (200, 1));
}

#[test]
fn every_success_status_and_content_type_is_accepted() {
    let request = client_credentials();
    let sent = build(&request).unwrap();
    for (status, content_type) in [(200, "text/plain"), (201, "application/json"), (299, "text/html")] {
        let answer = answer(status, content_type, br#"{"access_token":"at"}"#);
        assert_eq!(request.parse(&sent, answer, now()).unwrap().status, status);
    }
}

#[rstest]
#[case(r#"{"access_token":"a\/t\u00e9"}"#, "a/té")]
#[case("\u{feff}{\"access_token\":\"at\"}", "at")]
fn the_access_token_can_be_had_alone(#[case] body: &str, #[case] expected: &str) {
    let token = parse(&client_credentials(), 200, body).unwrap();
    assert_eq!(token.access_token().expose_str(), Some(expected));
}

#[test]
fn debug_of_a_token_response_shows_no_token() {
    let token = parse(&client_credentials(), 200, r#"{"access_token":"eyJhbGciOiJub25lIn0"}"#).unwrap();
    assert!(!format!("{token:?}").contains("eyJhbGciOiJub25lIn0"));
}

// OAuth errors.

#[rstest]
#[case(400, "invalid_request", false)]
#[case(401, "invalid_client", false)]
#[case(400, "invalid_grant", false)]
#[case(400, "unauthorized_client", false)]
#[case(400, "unsupported_grant_type", false)]
#[case(400, "invalid_scope", false)]
#[case(403, "access_denied", false)]
#[case(400, "authorization_pending", true)]
#[case(400, "slow_down", true)]
#[case(503, "temporarily_unavailable", true)]
#[case(400, "temporarily_unavailable", true)]
#[case(429, "invalid_request", true)]
#[case(500, "server_error", true)]
#[case(501, "server_error", false)]
#[case(505, "server_error", false)]
#[case(200, "bad_verification_code", false)]
#[case(302, "login_required", false)]
fn oauth_errors_keep_their_code(#[case] status: u16, #[case] code: &str, #[case] retryable: bool) {
    let body = json!({"error": code, "error_description": "why", "error_uri": "https://as.example/why"});
    let error = parse(&client_credentials(), status, body.to_string()).unwrap_err();
    assert_eq!((error.error_code(), error.code()), (ErrorCode::OAuth, code));
    assert_eq!((error.category(), error.is_retryable()), (Category::Server, retryable));
    let oauth = error.oauth().unwrap();
    assert_eq!(oauth.description.as_deref(), Some("why"));
    assert_eq!(oauth.uri.as_deref(), Some("https://as.example/why"));
    assert_eq!(error.reply().unwrap().status, status);
    assert_eq!(serde_json::from_str::<Value>(&error.reply().unwrap().body).unwrap(), body);
    assert_eq!(error.to_string(), format!("{ENDPOINT} answered {code}: why (HTTP {status})"));
    assert_eq!(error.endpoint(), Some(ENDPOINT));
    assert!(error.advice().ends_with('.'));
}

#[test]
fn an_unauthorized_answer_keeps_its_challenge() {
    let request = client_credentials();
    let mut answer = answer(401, "application/json", br#"{"error":"invalid_client"}"#);
    answer.headers.push(("www-authenticate".into(), r#"Basic realm="as""#.into()));
    answer.headers.push(("www-authenticate".into(), "Bearer".into()));
    let error = request.parse(&build(&request).unwrap(), answer, now()).unwrap_err();
    let headers = &error.reply().unwrap().headers;
    let challenges: Vec<_> = headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
    assert_eq!(challenges.len(), 2);
    assert_eq!(challenges[0].1, r#"Basic realm="as""#);
    assert_eq!(error.to_string(), format!("{ENDPOINT} answered invalid_client (HTTP 401)"));
}

// Error answers that hold no OAuth error.

#[rstest]
#[case::other_json(
    r#"{"message":"no such tenant"}"#,
    "holds no OAuth error; it begins: {\"message\":\"no such tenant\"}"
)]
#[case::error_object(r#"{"error":{"code":"x"}}"#, "holds no OAuth error")]
#[case::error_number(r#"{"error":42}"#, "holds no OAuth error")]
#[case::empty_error(r#"{"error":""}"#, "holds no OAuth error")]
#[case::error_of_two_lines("{\"error\":\"a\\nb\"}", "holds no OAuth error")]
#[case::error_not_ascii(r#"{"error":"ungültig"}"#, "holds no OAuth error")]
#[case::error_is_a_text(r#"{"error":"He said \"no\""}"#, "holds no OAuth error")]
#[case::html(
    "<html>\n<body>\t<h1>Bad\u{0}   gateway</h1></body></html>",
    "not JSON (application/json): expected value at line 1 column 1; it begins: <html> <body> <h1>Bad gateway</h1></body></html>"
)]
#[case::empty("", "the answer is empty")]
#[case::blank(" \r\n", "the answer is empty")]
#[case::only_a_mark("\u{feff}", "the answer is empty")]
#[case::array("[]", "an array and not an object")]
#[case::text(r#""down""#, "a text and not an object")]
#[case::number("42", "a bare value and not an object")]
#[case::null("null", "a bare value and not an object")]
#[case::cut_off(r#"{"error":"invalid_gra"#, "EOF while parsing")]
fn other_error_answers_keep_their_status(#[case] body: &str, #[case] message: &str) {
    for (status, retryable) in
        [(400, false), (404, false), (429, true), (500, true), (501, false), (503, true)]
    {
        let error = parse(&client_credentials(), status, body).unwrap_err();
        assert_eq!((error.error_code(), error.is_retryable()), (ErrorCode::Http, retryable), "{status}");
        assert_eq!(error.reply().unwrap().body, body);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().starts_with(&format!("{ENDPOINT} answered HTTP {status}: ")), "{error}");
    }
}

#[test]
fn an_endless_error_code_is_none() {
    let body = json!({"error": "x".repeat(201)}).to_string();
    assert_eq!(parse(&client_credentials(), 400, body).unwrap_err().error_code(), ErrorCode::Http);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let error = parse(&client_credentials(), 502, b"bad \xff\xfe gateway").unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::Http);
    assert_eq!(error.reply().unwrap().body, "bad \u{fffd}\u{fffd} gateway");
}

#[rstest]
#[case("https://login.example/signin?client_secret=s3cr3t#x", "https://login.example/signin;")]
#[case("/elsewhere?code=1", "https://as.example/elsewhere;")]
#[case("https://user:hunter2@login.example/", "https://login.example/;")]
#[case("https://[", "another place;")]
fn redirects_are_errors_that_say_where_to(#[case] location: &str, #[case] target: &str) {
    for status in [301, 302, 303, 307, 308] {
        let request = client_credentials();
        let mut answer = answer(status, "text/html", b"<a href=...>moved</a>");
        answer.headers.push(("location".into(), location.into()));
        let error = request.parse(&build(&request).unwrap(), answer, now()).unwrap_err();
        assert_eq!((error.error_code(), error.is_retryable()), (ErrorCode::UnexpectedRedirect, false));
        let message = error.to_string();
        assert!(message.contains(&format!("wants the request sent to {target}")), "{message}");
        assert!(!message.contains("hunter2") && !message.contains("s3cr3t"), "{message}");
    }
}

#[test]
fn a_redirect_to_nowhere_is_a_plain_error() {
    let error = parse(&client_credentials(), 304, "").unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::Http);
}

// Successes that are no token response.

#[rstest]
#[case::html("<html>Sign in</html>", ErrorCode::NotJson)]
#[case::empty("", ErrorCode::NotJson)]
#[case::form("access_token=at&token_type=bearer", ErrorCode::NotJson)]
#[case::cut_off(r#"{"access_token":"at""#, ErrorCode::NotJson)]
#[case::two_objects(r#"{"access_token":"at"}{}"#, ErrorCode::NotJson)]
#[case::array(r#"[{"access_token":"at"}]"#, ErrorCode::NotJsonObject)]
#[case::text(r#""at""#, ErrorCode::NotJsonObject)]
#[case::empty_object("{}", ErrorCode::MissingAccessToken)]
#[case::empty_token(r#"{"access_token":""}"#, ErrorCode::MissingAccessToken)]
#[case::null_token(r#"{"access_token":null}"#, ErrorCode::MissingAccessToken)]
#[case::token_is_an_object(r#"{"access_token":{"value":"at"}}"#, ErrorCode::MissingAccessToken)]
#[case::other_case(r#"{"Access_Token":"at"}"#, ErrorCode::MissingAccessToken)]
fn unusable_successes_are_told_apart(#[case] body: &str, #[case] code: ErrorCode) {
    let error = parse(&client_credentials(), 200, body).unwrap_err();
    assert_eq!((error.error_code(), error.is_retryable()), (code, false));
    // Such an answer may hold tokens: it does not leave the library.
    assert_eq!(error.reply().unwrap().body, "");
    assert_eq!(error.reply().unwrap().headers.len(), 1);
}

#[test]
fn a_success_without_access_token_names_its_members_and_no_values() {
    let body = r#"{"refresh_token":"value-of-rt","id_token":"value-of-id","expires_in":424242}"#;
    let error = parse(&client_credentials(), 200, body).unwrap_err();
    assert!(error.to_string().ends_with("its members are: refresh_token, id_token, expires_in"), "{error}");
    for value in ["value-of-rt", "value-of-id", "424242"] {
        assert!(!visible(&error).contains(value), "{error}");
    }
}

#[test]
fn the_list_of_members_has_an_end() {
    let members = (0..1000).map(|n| (format!("member_{n}"), Value::from(n))).collect();
    let error = parse(&client_credentials(), 200, Value::Object(members).to_string()).unwrap_err();
    assert!(error.to_string().len() < 400, "{error}");
}

#[test]
fn a_quoted_page_has_an_end_and_shows_no_token() {
    let page =
        format!("<p>{}</p> token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.sig {}", "word ".repeat(10), "x ".repeat(900));
    let message = parse(&client_credentials(), 500, &page).unwrap_err().to_string();
    assert!(message.contains("it begins: <p>word word") && message.ends_with('…'), "{message}");
    assert!(message.contains(" *** x x"), "{message}");
    assert!(message.len() < 400, "{message}");
}

#[rstest]
#[case::cut_off(r#"{"access_token":"SHORT","expires_in"#)]
#[case::two_objects(r#"{"access_token":"SHORT"}{}"#)]
#[case::form("access_token=SHORT&token_type=bearer")]
#[case::array(r#"[{"access_token":"SHORT"}]"#)]
#[case::text(r#""SHORT""#)]
#[case::bare("SHORT")]
#[case::page("<input name=access_token value=SHORT>")]
fn nothing_of_an_unusable_success_is_quoted(#[case] body: &str) {
    // Too short to be taken for a token by its looks.
    let error =
        parse(&client_credentials(), 200, body.replace("SHORT", "2YotnFZFEjr1zCsicMWpAA")).unwrap_err();
    assert!(!visible(&error).contains("2YotnFZF"), "{error}");
}

#[test]
fn deep_nesting_ends_in_an_error() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep =
            format!(r#"{{"access_token":"at","x":{}1{}}}"#, open.repeat(100_000), close.repeat(100_000));
        assert_eq!(parse(&client_credentials(), 200, deep).unwrap_err().error_code(), ErrorCode::NotJson);
    }
}

// The nonce.

const NONCE: &str = "n-0S6_WzA2Mj";

fn id_token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "none"})), part(claims))
}

fn nonce_error(grant: &str, scope: &str, id_token: Option<&str>) -> Option<ErrorCode> {
    let (_, grant) = grants().into_iter().find(|(name, _)| *name == grant).unwrap();
    let mut request = TokenRequest::new(ENDPOINT, grant);
    request.scope = Some(scope.into());
    request.nonce = Some(NONCE.into());
    let mut body = json!({"access_token": "at-of-the-answer"});
    if let Some(id_token) = id_token {
        body["id_token"] = id_token.into();
    }
    let error = parse(&request, 200, body.to_string()).err()?;
    assert_eq!((error.category(), error.is_retryable()), (Category::Token, false));
    assert!(!visible(&error).contains("at-of-the-answer"));
    assert_eq!(error.endpoint(), Some(ENDPOINT));
    Some(error.error_code())
}

#[rstest]
#[case::same(json!({"nonce": NONCE}), None)]
#[case::other(json!({"nonce": "other"}), Some(ErrorCode::NonceMismatch))]
#[case::other_case(json!({"nonce": NONCE.to_lowercase()}), Some(ErrorCode::NonceMismatch))]
#[case::longer(json!({"nonce": format!("{NONCE} ")}), Some(ErrorCode::NonceMismatch))]
#[case::beginning(json!({"nonce": "n-0S6"}), Some(ErrorCode::NonceMismatch))]
#[case::empty(json!({"nonce": ""}), Some(ErrorCode::NonceMismatch))]
#[case::null(json!({"nonce": null}), Some(ErrorCode::NonceMismatch))]
#[case::list(json!({"nonce": [NONCE]}), Some(ErrorCode::NonceMismatch))]
#[case::none(json!({"sub": "alice"}), Some(ErrorCode::NonceMismatch))]
#[case::other_name(json!({"Nonce": NONCE}), Some(ErrorCode::NonceMismatch))]
fn the_nonce_of_the_id_token_is_the_one_sent(#[case] claims: Value, #[case] expected: Option<ErrorCode>) {
    for grant in ["authorization_code", "device_code", "password"] {
        for scope in ["", "openid"] {
            assert_eq!(nonce_error(grant, scope, Some(&id_token(&claims))), expected, "{grant} {scope}");
        }
    }
}

#[rstest]
#[case::without(json!({"sub": "alice"}), None)]
#[case::same(json!({"nonce": NONCE}), None)]
#[case::other(json!({"nonce": "other"}), Some(ErrorCode::NonceMismatch))]
#[case::null(json!({"nonce": null}), Some(ErrorCode::NonceMismatch))]
fn a_refreshed_id_token_needs_no_nonce(#[case] claims: Value, #[case] expected: Option<ErrorCode>) {
    assert_eq!(nonce_error("refresh_token", "openid", Some(&id_token(&claims))), expected);
}

#[rstest]
#[case("authorization_code", "openid", Some(ErrorCode::MissingIdToken))]
#[case("authorization_code", "profile openid email", Some(ErrorCode::MissingIdToken))]
#[case("authorization_code", "profile", None)]
#[case("authorization_code", "openid2", None)]
#[case("authorization_code", "", None)]
#[case("refresh_token", "openid", None)]
fn an_id_token_must_come_when_openid_was_asked_for(
    #[case] grant: &str,
    #[case] scope: &str,
    #[case] expected: Option<ErrorCode>,
) {
    assert_eq!(nonce_error(grant, scope, None), expected);
    assert_eq!(nonce_error(grant, scope, Some("")), expected);
}

#[rstest]
#[case::opaque("opaque")]
#[case::encrypted("a.b.c.d.e")]
#[case::no_json("e30.eyI.c2ln")]
#[case::a_list("e30.W10.c2ln")]
#[case::two_nonces("e30.eyJub25jZSI6ImEiLCJub25jZSI6Im4tMFM2X1d6QTJNaiJ9.c2ln")]
fn an_unreadable_id_token_is_refused_when_a_nonce_was_sent(#[case] id_token: &str) {
    for grant in ["authorization_code", "refresh_token"] {
        assert_eq!(nonce_error(grant, "", Some(id_token)), Some(ErrorCode::MalformedIdToken));
    }
}

#[rstest]
#[case(None)]
#[case(Some(""))]
fn without_a_nonce_the_id_token_is_not_looked_at(#[case] nonce: Option<&str>) {
    let mut request = client_credentials();
    request.nonce = nonce.map(str::to_owned);
    parse(&request, 200, r#"{"access_token":"at","id_token":"opaque"}"#).unwrap();
}

// Servers that echo.

/// Every secret of `request`, and of what was made of it.
fn secrets(request: &TokenRequest, sent: &HttpRequest) -> Vec<String> {
    let public = ["accept", "content-type", "grant_type", "client_id", "client_assertion_type"];
    let fields = sent.headers.iter().chain(sent.form());
    let secret = fields.filter(|field| !public.iter().any(|name| field.name.eq_ignore_ascii_case(name)));
    let mut secrets: Vec<_> = secret.map(|field| field.value.expose_str().unwrap().to_owned()).collect();
    secrets.extend(common::header(sent, "authorization").into_iter().map(|value| value[6..].to_owned()));
    if let ClientAuthentication::SecretBasic { secret } | ClientAuthentication::SecretJwt { secret, .. } =
        &request.authentication
    {
        secrets.push(secret.expose_str().unwrap().to_owned());
    }
    secrets
}

#[test]
fn what_a_server_echoes_is_masked() {
    let secret = || Secret::from("p\"ss w/rd+&<é>");
    let authentications = [
        ClientAuthentication::None,
        ClientAuthentication::SecretBasic { secret: secret() },
        ClientAuthentication::SecretPost { secret: secret() },
        ClientAuthentication::SecretJwt { secret: secret(), options: AssertionOptions::default() },
    ];
    for (name, grant) in grants() {
        for authentication in &authentications {
            let mut request = request(ENDPOINT, authentication.clone());
            request.grant = grant.clone();
            request.parameters = vec![Field::new("extra", "extra-value")];
            request.headers = vec![Field::new("x-api-key", "api-key-value")];
            let sent = build(&request).unwrap();
            let secrets = secrets(&request, &sent);
            let echo = secrets.join(" | ");
            let json =
                json!({"error": "invalid_request", "error_description": echo, "error_uri": echo}).to_string();
            let answers = [
                (400, json.clone()),
                (200, json),
                (500, echo.clone()),
                (200, echo.clone()),
                (500, json!({"sent": secrets}).to_string()),
                (200, json!({&*echo: 1}).to_string()),
            ];
            for (status, body) in answers {
                let mut answer = answer(status, &echo, body.as_bytes());
                answer.headers.push(("x-echo".into(), echo.clone()));
                let error = request.parse(&sent, answer, now()).unwrap_err();
                let shown = visible(&error);
                for secret in &secrets {
                    assert!(!shown.contains(secret.as_str()), "{name}: {secret} in {shown}");
                    let escaped = Value::from(secret.as_str()).to_string();
                    assert!(!shown.contains(escaped.trim_matches('"')), "{name}: {secret} in {shown}");
                }
            }
        }
    }
}

#[test]
fn a_secret_that_is_part_of_another_leaves_no_rest() {
    let mut request = request(ENDPOINT, post("abcd-and-more"));
    request.grant = Grant::RefreshToken { refresh_token: Secret::from("abcd") };
    let error = parse(&request, 500, "sent abcd-and-more and abcd").unwrap_err();
    assert_eq!(error.reply().unwrap().body, "sent *** and ***");
}

#[test]
fn public_values_and_short_ones_stay_readable() {
    let mut request = request(ENDPOINT, post("abc"));
    request.scope = Some("api.read".into());
    request.redirect_uri = Some("http://localhost/".into());
    let body = "client app may not ask for api.read at http://localhost/ (abc)";
    assert_eq!(parse(&request, 500, body).unwrap_err().reply().unwrap().body, body);
}

/// Ways in which a server may write down what it was sent.
fn spellings(secret: &str) -> Vec<String> {
    let utf16: Vec<_> = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let json = Value::from(secret).to_string();
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent: Vec<_> = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let html: Vec<_> = secret.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect();
    let inner = json[1..json.len() - 1].to_owned();
    let slashes = inner.replace('/', "\\/");
    vec![
        secret.to_owned(),
        inner,
        slashes,
        utf16.concat(),
        form.replace('+', "%20"),
        form,
        percent.concat(),
        html.concat(),
    ]
}

proptest! {
    #[test]
    fn no_spelling_of_a_secret_gets_through(
        // Letters that stand in no message, so that finding them means a leak.
        secret in r#"[QXZ"\\/+&%<> éß😀]{3,12}Q"#,
        status in prop::sample::select(vec![200_u16, 400, 401, 500]),
        before in "[a-z {}\\[\\]\":,<>&%+\\\\]{0,20}",
        after in "[a-z {}\\[\\]\":,<>&%+]{0,20}",
    ) {
        let authentications = [basic(&secret), post(&secret)];
        for authentication in authentications {
            let request = request(ENDPOINT, authentication);
            for spelling in spellings(&secret) {
                let body = format!("{before} {spelling} {after}");
                let shown = visible(&parse(&request, status, body).unwrap_err());
                prop_assert!(!shown.contains(&spelling), "{} in {}", spelling, shown);
                let inside = json!({"error": "x", "error_description": format!("{before} {secret} {after}")});
                let shown = visible(&parse(&request, status, inside.to_string()).unwrap_err());
                prop_assert!(!shown.contains(&secret), "{} in {}", secret, shown);
            }
            let encoded = STANDARD.encode(format!("app:{}", spellings(&secret)[5]));
            let shown = visible(&parse(&request, status, format!("Basic {encoded}")).unwrap_err());
            if matches!(request.authentication, ClientAuthentication::SecretBasic { .. }) {
                prop_assert!(!shown.contains(&encoded), "{} in {}", encoded, shown);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        status in 100_u16..600,
        content_type in any::<String>(),
        body in any::<Vec<u8>>(),
    ) {
        let request = client_credentials();
        let sent = build(&request).unwrap();
        let _ = request.parse(&sent, answer(status, &content_type, &body), now());
    }

    #[test]
    fn any_json_is_read_or_refused(
        status in prop::sample::select(vec![200_u16, 302, 400, 503]),
        body in json_value(),
    ) {
        let mut request = client_credentials();
        request.nonce = Some(NONCE.into());
        let text = body.to_string();
        let result = parse(&request, status, &text);
        if let Ok(token) = result {
            prop_assert!(body["access_token"].is_string());
            prop_assert_eq!(status, 200);
            prop_assert_eq!(token.body.expose_str(), Some(text.as_str()));
        }
    }
}

/// JSON values whose members often have the names that matter.
fn json_value() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("access_token".to_owned()),
        Just("error".to_owned()),
        Just("error_description".to_owned()),
        Just("expires_in".to_owned()),
        Just("id_token".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
