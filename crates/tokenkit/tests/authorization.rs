//! Requests to the authorization endpoint, and reading its answers. No network.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

use std::collections::HashSet;

use chrono::{TimeZone as _, Utc};
use rstest::rstest;
use tokenkit::jwt::{self, Algorithm, Header, SigningKey};
use tokenkit::{
    Answer, Authorization, AuthorizationRequest, AuthorizationResponse, Category, Error, Field, Metadata,
    ResponseMode, Secret,
};
use url::Url;

const ENDPOINT: &str = "https://as.example/authorize";
const REDIRECT: &str = "http://127.0.0.1:8400/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn request(response_type: &str) -> AuthorizationRequest {
    let mut request = AuthorizationRequest::new(ENDPOINT, "app");
    request.response_type = response_type.parse().unwrap();
    request.redirect_uri = Some(REDIRECT.into());
    request
}

/// With parameters that are the same each time.
fn fixed(response_type: &str) -> AuthorizationRequest {
    let mut request = request(response_type);
    request.parameters =
        vec![Field::new("state", "st"), Field::new("nonce", "no"), Field::new("code_verifier", VERIFIER)];
    request
}

fn pairs(url: &str) -> Vec<(String, String)> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn value(authorization: &Authorization, name: &str) -> Option<String> {
    let mut values = pairs(authorization.url()).into_iter().filter(|(own, _)| own == name);
    let value = values.next().map(|(_, value)| value);
    assert_eq!(values.next(), None, "{name} is sent twice");
    value
}

fn refused(request: &AuthorizationRequest) -> String {
    let error = request.prepare().unwrap_err();
    assert_eq!(error.category(), Category::InvalidInput);
    error.to_string()
}

// The address.

#[rstest]
#[case::code("code", None)]
#[case::code_openid("code", Some("openid mail"))]
#[case::token("token", Some("mail"))]
#[case::id_token("id_token", None)]
#[case::implicit("id_token token", Some("openid"))]
#[case::hybrid("code id_token", Some("mail  calendar"))]
#[case::hybrid_of_all("token code id_token", Some("openid"))]
#[case::code_token("code token", Some("openid"))]
fn addresses(#[case] response_type: &str, #[case] scope: Option<&str>) {
    let mut request = fixed(response_type);
    request.scope = scope.map(str::to_owned);
    let authorization = request.prepare().unwrap();
    let warnings = authorization.warnings().join("\n");
    let name =
        format!("address_{}", response_type.replace(' ', "_")) + if scope.is_some() { "_scope" } else { "" };
    insta::assert_snapshot!(name, format!("{}\n{warnings}", authorization.url().replace('&', "\n&")));
}

#[test]
fn everything_is_encoded_and_a_query_of_the_endpoint_stays() {
    let mut request = fixed("code");
    request.endpoint = "https://as.example/authorize?p=B2C_1&x=a%20b".into();
    request.client_id = "app&id=1".into();
    request.redirect_uri = Some("http://127.0.0.1:8400/a b?x=1&y=ü".into());
    request.scope = Some("openid https://api.example/.default".into());
    request.response_mode = Some(ResponseMode::FormPost);
    request.parameters.extend([
        Field::new("login_hint", "anna+test@bücher.example"),
        Field::new("resource", "urn:a"),
        Field::new("resource", "urn:b"),
    ]);
    insta::assert_snapshot!(request.prepare().unwrap().url().replace('&', "\n&"));
}

#[rstest]
#[case::in_the_endpoint("https://as.example/authorize?state=1", &[], "'state'")]
#[case::of_the_caller(ENDPOINT, &["client_id"], "'client_id'")]
#[case::twice(ENDPOINT, &["prompt", "prompt"], "'prompt'")]
#[case::own_twice(ENDPOINT, &["nonce", "nonce"], "'nonce'")]
#[case::the_type(ENDPOINT, &["response_type"], "'response_type'")]
fn nothing_is_sent_twice(#[case] endpoint: &str, #[case] further: &[&str], #[case] named: &str) {
    let mut request = request("code");
    request.endpoint = endpoint.into();
    request.parameters = further.iter().map(|name| Field::new(*name, "x")).collect();
    let message = refused(&request);
    assert!(message.contains(named) && message.contains("twice"), "{message}");
}

#[rstest]
#[case::no_url("authorize", "http://127.0.0.1/", "no absolute URL")]
#[case::plain_http("http://as.example/authorize", "http://127.0.0.1/", "plain http")]
#[case::fragment("https://as.example/authorize#x", "http://127.0.0.1/", "fragment")]
#[case::redirect_is_no_uri(ENDPOINT, "localhost", "no absolute URI")]
#[case::redirect_with_fragment(ENDPOINT, "http://127.0.0.1/#x", "fragment")]
fn unusable_addresses_are_refused(#[case] endpoint: &str, #[case] redirect: &str, #[case] part: &str) {
    let mut request = request("code");
    request.endpoint = endpoint.into();
    request.redirect_uri = Some(redirect.into());
    let message = refused(&request);
    assert!(message.contains(part), "{message}");
}

#[rstest]
#[case("code", "code")]
#[case("", "code")]
#[case("token", "token")]
#[case("token id_token code", "code id_token token")]
#[case(" id_token   code ", "code id_token")]
fn response_types_are_sets(#[case] text: &str, #[case] usual: &str) {
    assert_eq!(text.parse::<tokenkit::ResponseType>().unwrap().to_string(), usual);
}

#[rstest]
#[case("none")]
#[case("Code")]
#[case("code code")]
#[case("code,token")]
fn other_response_types_are_refused(#[case] text: &str) {
    let error = text.parse::<tokenkit::ResponseType>().unwrap_err();
    assert_eq!(error.code(), "invalid_argument");
}

#[test]
fn state_nonce_and_verifier_are_random() {
    let mut request = request("code");
    request.scope = Some("openid".into());
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let authorization = request.prepare().unwrap();
        let verifier = authorization.code_verifier().unwrap().expose_str().unwrap();
        let state = authorization.state().expose_str().unwrap();
        let nonce = authorization.nonce().unwrap();
        assert_eq!(value(&authorization, "state").as_deref(), Some(state));
        assert_eq!(value(&authorization, "nonce").as_deref(), Some(nonce));
        for text in [verifier, state, nonce] {
            assert_eq!(text.len(), 43);
            assert!(seen.insert(text.to_owned()), "{text} came before");
        }
        assert!(!authorization.url().contains(verifier));
    }
}

#[rstest]
#[case::of_code("code", true, true)]
#[case::of_hybrid("code id_token", true, true)]
#[case::turned_off("code", false, false)]
#[case::of_token("token", true, false)]
#[case::of_id_token("id_token", true, false)]
fn pkce_binds_every_code(#[case] response_type: &str, #[case] pkce: bool, #[case] expected: bool) {
    let mut request = request(response_type);
    request.pkce = pkce;
    let authorization = request.prepare().unwrap();
    assert_eq!(value(&authorization, "code_challenge").is_some(), expected);
    assert_eq!(value(&authorization, "code_challenge_method"), expected.then(|| "S256".to_owned()));
    assert_eq!(authorization.code_verifier().is_some(), expected);
}

#[rstest]
#[case::verifier_alone(&[("code_verifier", VERIFIER)], Some(CHALLENGE), "S256", true, 0)]
#[case::both(&[("code_verifier", VERIFIER), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")], Some(CHALLENGE), "S256", true, 0)]
#[case::challenge_alone(&[("code_challenge", "own")], Some("own"), "S256", false, 1)]
#[case::plain(&[("code_verifier", "v"), ("code_challenge", "v"), ("code_challenge_method", "plain")], Some("v"), "plain", true, 0)]
#[case::method_alone(&[("code_challenge_method", "S256")], None, "S256", true, 0)]
fn a_callers_own_pkce_counts(
    #[case] own: &[(&str, &str)],
    #[case] challenge: Option<&str>,
    #[case] method: &str,
    #[case] has_verifier: bool,
    #[case] warnings: usize,
) {
    let mut request = request("code");
    request.parameters = own.iter().map(|(name, value)| Field::new(*name, *value)).collect();
    let authorization = request.prepare().unwrap();
    let sent = value(&authorization, "code_challenge").unwrap();
    assert!(challenge.is_none_or(|challenge| challenge == sent), "{sent}");
    assert_eq!(value(&authorization, "code_challenge_method").as_deref(), Some(method));
    assert_eq!(value(&authorization, "code_verifier"), None);
    assert_eq!(authorization.code_verifier().is_some(), has_verifier);
    assert_eq!(authorization.warnings().len(), warnings);
}

#[rstest]
#[case::other_verifier(&[("code_verifier", VERIFIER), ("code_challenge", "own")])]
#[case::short_verifier(&[("code_verifier", "short")])]
#[case::plain_for_a_generated_one(&[("code_challenge_method", "plain")])]
#[case::empty_state(&[("state", "")])]
fn own_parameters_that_cannot_work_are_refused(#[case] own: &[(&str, &str)]) {
    let mut request = request("code");
    request.parameters = own.iter().map(|(name, value)| Field::new(*name, *value)).collect();
    refused(&request);
}

#[test]
fn a_nonce_is_for_openid_only() {
    let mut request = fixed("token");
    request.scope = Some("mail".into());
    let authorization = request.prepare().unwrap();
    assert_eq!((value(&authorization, "nonce"), authorization.nonce()), (None, None));
    request.response_type = "code".parse().unwrap();
    assert_eq!(request.prepare().unwrap().nonce(), None);
    request.scope = Some("mail openid".into());
    assert_eq!(request.prepare().unwrap().nonce(), Some("no"));
}

#[rstest]
#[case("code", None, None, ResponseMode::Query)]
#[case("code id_token", None, None, ResponseMode::Fragment)]
#[case("token", None, None, ResponseMode::Fragment)]
#[case("code", Some(ResponseMode::Fragment), None, ResponseMode::Fragment)]
#[case("code", None, Some("form_post"), ResponseMode::FormPost)]
fn the_response_mode_is_sent_when_given(
    #[case] response_type: &str,
    #[case] given: Option<ResponseMode>,
    #[case] further: Option<&str>,
    #[case] expected: ResponseMode,
) {
    let mut request = request(response_type);
    request.response_mode = given;
    request.parameters.extend(further.map(|mode| Field::new("response_mode", mode)));
    let authorization = request.prepare().unwrap();
    let is_given = given.is_some() || further.is_some();
    assert_eq!(value(&authorization, "response_mode"), is_given.then(|| expected.as_str().to_owned()));
    assert_eq!(authorization.response_mode(), expected);
}

#[test]
fn unknown_response_modes_are_refused() {
    let mut request = request("code");
    request.parameters.push(Field::new("response_mode", "query.jwt"));
    assert!(refused(&request).contains("query.jwt"));
}

#[test]
fn the_masked_address_keeps_what_is_public() {
    let mut request = fixed("code");
    request.endpoint = "https://as.example/authorize?key=hunter2".into();
    request.scope = Some("openid".into());
    request.parameters.extend([Field::new("login_hint", "anna@example.com"), Field::new("prompt", "login")]);
    let authorization = request.prepare().unwrap();
    insta::assert_snapshot!(authorization.masked_url().replace('&', "\n&"));
    let debug = format!("{authorization:?}");
    for hidden in ["state=st", "hunter2", "anna", VERIFIER, CHALLENGE] {
        assert!(!debug.contains(hidden), "{debug}");
    }
}

// The answer.

fn openid(response_type: &str) -> Authorization {
    let mut request = fixed(response_type);
    request.scope = Some("openid".into());
    request.prepare().unwrap()
}

fn read(authorization: &Authorization, answer: &str) -> Result<AuthorizationResponse, Error> {
    let now = Utc.timestamp_opt(1_700_000_000, 0).unwrap();
    authorization.read(Answer::from_form(answer.as_bytes()), None, now)
}

fn id_token(claims: &str) -> String {
    let key = SigningKey::from_shared_secret(Secret::from("a secret of at least thirty-two bytes"));
    let claims: serde_json::Value = serde_json::from_str(claims).unwrap();
    let token = jwt::sign(&Header::new(Algorithm::HS256, &key), &claims, &key).unwrap();
    token.expose_str().unwrap().to_owned()
}

fn shown(response: &AuthorizationResponse) -> String {
    let parameters = response.parameters.iter();
    let shown: Vec<_> =
        parameters.map(|field| format!("{}={}", field.name, field.value.expose_str().unwrap())).collect();
    shown.join("&")
}

#[rstest]
#[case::code("code", "code=SplxlOBeZQQYbYS6WxSbIA&state=st", "code=SplxlOBeZQQYbYS6WxSbIA")]
#[case::issuer_is_left_out("code", "iss=https%3A%2F%2Fas.example&code=c&state=st", "code=c")]
#[case::further_parameters("code", "code=c&session_state=s.1&state=st", "code=c&session_state=s.1")]
#[case::raw_equals_sign("code", "code=a=b==&state=st", "code=a=b==")]
#[case::form_encoding("code", "code=a%2Bb+c%3D&state=st", "code=a+b c=")]
#[case::token(
    "token",
    "access_token=t&token_type=bearer&expires_in=60&state=st",
    "access_token=t&token_type=bearer&expires_in=60"
)]
fn answers(#[case] response_type: &str, #[case] answer: &str, #[case] expected: &str) {
    assert_eq!(shown(&read(&fixed(response_type).prepare().unwrap(), answer).unwrap()), expected);
}

#[test]
fn the_lifetime_of_an_access_token_is_told() {
    let authorization = fixed("token").prepare().unwrap();
    let response = read(&authorization, "access_token=t&expires_in=60&state=st").unwrap();
    assert_eq!(response.expires_in, Some(60));
    assert_eq!(response.expires_at.unwrap().timestamp(), 1_700_000_060);
    let response = read(&authorization, "access_token=t&expires_in=soon&state=st").unwrap();
    assert_eq!((response.expires_in, response.expires_at), (None, None));
}

#[rstest]
#[case::none("code", "code=c", "state_mismatch")]
#[case::other("code", "code=c&state=ST", "state_mismatch")]
#[case::longer("code", "code=c&state=st2", "state_mismatch")]
#[case::empty("code", "code=c&state=", "state_mismatch")]
#[case::twice("code", "code=c&state=st&state=st", "state_mismatch")]
#[case::of_an_error("code", "error=access_denied&state=x", "state_mismatch")]
#[case::error_without_state("code", "error=access_denied", "state_mismatch")]
#[case::nothing("code", "", "state_mismatch")]
#[case::two_codes("code", "code=a&code=b&state=st", "unusable_answer")]
#[case::code_and_no_code("code", "state=st&foo=1", "missing_code")]
#[case::empty_code("code", "code=&state=st", "missing_code")]
#[case::token_is_missing("token", "code=c&state=st", "missing_access_token")]
#[case::id_token_is_missing("id_token", "access_token=t&state=st", "missing_id_token")]
#[case::hybrid_without_id_token("code id_token", "code=c&state=st", "missing_id_token")]
#[case::unreadable_id_token("id_token", "id_token=x&state=st", "malformed_id_token")]
#[case::malformed_error("code", "error=%22%0a&state=st", "unusable_answer")]
fn unusable_answers(#[case] response_type: &str, #[case] answer: &str, #[case] code: &str) {
    let error = read(&openid(response_type), answer).unwrap_err();
    assert_eq!(error.code(), code);
    assert_eq!(error.category(), Category::Token);
    assert_eq!(error.endpoint(), Some(ENDPOINT));
}

#[rstest]
#[case(r#"{"nonce":"no"}"#, None)]
#[case(r#"{"nonce":"NO"}"#, Some("nonce_mismatch"))]
#[case(r#"{"nonce":["no"]}"#, Some("nonce_mismatch"))]
#[case("{}", Some("nonce_mismatch"))]
fn the_nonce_is_compared_exactly(#[case] claims: &str, #[case] code: Option<&str>) {
    let answer = format!("id_token={}&state=st", id_token(claims));
    let result = read(&openid("id_token"), &answer);
    assert_eq!(result.as_ref().err().map(Error::code), code);
}

#[test]
fn errors_of_the_server_keep_what_they_say() {
    let answer = "error=access_denied&error_description=The+user+said+%22no%22&error_uri=https%3A%2F%2Fas.example%2Fe&state=st";
    let error = read(&openid("code"), answer).unwrap_err();
    assert_eq!(
        (error.code(), error.category(), error.is_retryable()),
        ("access_denied", Category::Server, false)
    );
    let oauth = error.oauth().unwrap();
    assert_eq!(oauth.description.as_deref(), Some("The user said \"no\""));
    assert_eq!(oauth.uri.as_deref(), Some("https://as.example/e"));
    assert_eq!(
        error.to_string(),
        "https://as.example/authorize answered access_denied: The user said \"no\""
    );
    assert_eq!(error.reply().map(|reply| reply.status), None);

    let error = read(&openid("code"), "error=temporarily_unavailable&state=st").unwrap_err();
    assert!(error.is_retryable());
    let error = read(&openid("code"), "error=login_required&state=st").unwrap_err();
    assert!(error.advice().contains("prompt"));
}

#[rstest]
#[case::same("https://as.example", true, "&iss=https://as.example", None)]
#[case::other("https://as.example", false, "&iss=https://evil.example", Some("issuer_mismatch"))]
#[case::slash("https://as.example", false, "&iss=https://as.example/", Some("issuer_mismatch"))]
#[case::announced_and_missing("https://as.example", true, "", Some("issuer_mismatch"))]
#[case::not_announced("https://as.example", false, "", None)]
#[case::tenant(
    "https://x/{tenantid}/v2.0",
    false,
    "&iss=https://x/f8cdef31-a31e-4b4a-93e4-5f571e91255a/v2.0",
    None
)]
#[case::no_tenant("https://x/{tenantid}/v2.0", false, "&iss=https://x/../v2.0", Some("issuer_mismatch"))]
fn the_issuer_of_the_answer_is_compared(
    #[case] issuer: &str,
    #[case] is_announced: bool,
    #[case] iss: &str,
    #[case] code: Option<&str>,
    #[values("code=c", "error=access_denied")] answer: &str,
) {
    let metadata = Metadata {
        body: String::new(),
        issuer: issuer.into(),
        jwks_uri: None,
        userinfo_endpoint: None,
        names_issuer_in_answers: is_announced,
    };
    let answer = Answer::from_form(format!("{answer}&state=st{iss}").as_bytes());
    let is_error = answer_is_error(&answer);
    let result = openid("code").read(answer, Some(&metadata), Utc::now());
    let expected = code.or(is_error.then_some("access_denied"));
    assert_eq!(result.as_ref().err().map(Error::code), expected);
}

fn answer_is_error(answer: &Answer) -> bool {
    format!("{answer:?}").contains("\"error\"")
}

// An address that the user brought.

#[rstest]
#[case::as_it_is("http://127.0.0.1:8400/callback?code=c&state=st")]
#[case::with_a_fragment("http://127.0.0.1:8400/callback?code=c&state=st#_=_")]
#[case::quoted(" \"http://127.0.0.1:8400/callback?code=c&state=st\"\r\n")]
#[case::in_angle_brackets("<http://127.0.0.1:8400/callback?state=st&code=c>")]
#[case::of_the_same_place("HTTP://127.0.0.1:8400/callback?state=st&code=c")]
fn brought_addresses(#[case] pasted: &str) {
    let authorization = fixed("code").prepare().unwrap();
    let answer = authorization.read_redirect(pasted).unwrap();
    assert_eq!(shown(&authorization.read(answer, None, Utc::now()).unwrap()), "code=c");
}

#[rstest]
#[case::empty("  ", "malformed_answer", "No address")]
#[case::code_alone("SplxlOBeZQQYbYS6WxSbIA", "malformed_answer", "whole address")]
#[case::query_alone("?code=c&state=st", "malformed_answer", "whole address")]
#[case::pairs_alone("code=c&state=st", "malformed_answer", "whole address")]
#[case::without_scheme("127.0.0.1:8400/callback?code=c&state=st", "malformed_answer", "whole address")]
#[case::other_scheme("https://127.0.0.1:8400/callback?code=c&state=st", "malformed_answer", "redirect URI")]
#[case::other_host("http://localhost:8400/callback?code=c&state=st", "malformed_answer", "redirect URI")]
#[case::other_port("http://127.0.0.1:8401/callback?code=c&state=st", "malformed_answer", "redirect URI")]
#[case::other_path("http://127.0.0.1:8400/Callback?code=c&state=st", "malformed_answer", "redirect URI")]
#[case::longer_path("http://127.0.0.1:8400/callback/?code=c&state=st", "malformed_answer", "redirect URI")]
#[case::no_answer("http://127.0.0.1:8400/callback", "malformed_answer", "no answer")]
#[case::wrong_state("http://127.0.0.1:8400/callback?code=c&state=x", "state_mismatch", "another sign-in")]
#[case::no_state("http://127.0.0.1:8400/callback?code=c", "state_mismatch", "another sign-in")]
#[case::answer_in_the_fragment(
    "http://127.0.0.1:8400/callback#code=c&state=st",
    "malformed_answer",
    "no answer"
)]
fn other_addresses_are_refused(#[case] pasted: &str, #[case] code: &str, #[case] part: &str) {
    let error = fixed("code").prepare().unwrap().read_redirect(pasted).unwrap_err();
    assert_eq!(error.code(), code);
    assert!(error.to_string().contains(part), "{error}");
    assert!(!error.to_string().contains("code=c"), "{error}");
}

#[test]
fn the_address_that_starts_the_sign_in_is_told_apart() {
    let authorization = fixed("code").prepare().unwrap();
    let error = authorization.read_redirect(authorization.url()).unwrap_err();
    assert!(error.to_string().contains("starts the sign-in"), "{error}");
}

#[test]
fn fragments_and_errors_in_the_query_are_read() {
    let authorization = openid("id_token");
    let pasted = format!("{REDIRECT}#id_token={}&state=st", id_token(r#"{"nonce":"no"}"#));
    let answer = authorization.read_redirect(&pasted).unwrap();
    assert!(shown(&authorization.read(answer, None, Utc::now()).unwrap()).starts_with("id_token=ey"));

    let answer = authorization.read_redirect(&format!("{REDIRECT}?error=access_denied&state=st")).unwrap();
    assert_eq!(authorization.read(answer, None, Utc::now()).unwrap_err().code(), "access_denied");
    // Only errors may be in the other place.
    let token = id_token(r#"{"nonce":"no"}"#);
    let error = authorization.read_redirect(&format!("{REDIRECT}?id_token={token}&state=st")).unwrap_err();
    assert_eq!(error.code(), "malformed_answer");
}

#[rstest]
#[case("https://localhost")]
#[case("https://login.microsoftonline.com/common/oauth2/nativeclient")]
#[case("myapp://auth")]
#[case("com.example.app:/callback")]
fn any_redirect_uri_can_be_brought(#[case] redirect_uri: &str) {
    let mut request = fixed("code");
    request.redirect_uri = Some(redirect_uri.into());
    let authorization = request.prepare().unwrap();
    let answer = authorization.read_redirect(&format!("{redirect_uri}?code=c&state=st")).unwrap();
    assert_eq!(shown(&authorization.read(answer, None, Utc::now()).unwrap()), "code=c");
    assert!(authorization.read_redirect("https://evil.example/?code=c&state=st").is_err());
}

#[test]
fn a_query_of_the_redirect_uri_is_no_part_of_the_answer() {
    let mut request = fixed("code");
    request.redirect_uri = Some(format!("{REDIRECT}?tab=1&x=%20"));
    let authorization = request.prepare().unwrap();
    let answer = authorization.read_redirect(&format!("{REDIRECT}?tab=1&x=+&code=c&state=st")).unwrap();
    assert_eq!(shown(&authorization.read(answer, None, Utc::now()).unwrap()), "code=c");
}

#[test]
fn a_posted_answer_cannot_be_brought() {
    let mut request = fixed("code");
    request.response_mode = Some(ResponseMode::FormPost);
    let error = request.prepare().unwrap().read_redirect(&format!("{REDIRECT}?code=c&state=st")).unwrap_err();
    assert!(error.to_string().contains("form_post"), "{error}");
}
