//! The token endpoints of `AvePoint` Cloud Governance, at the root and below `/governance`. Every header, member and value
//! that is not in the contract is refused.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::clients::equal;
use crate::error::OAuthError;
use crate::state::{AppState, Store, random_token};

/// What a delegated user is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `ClientSecret`
    pub client_secret: &'static str,
    /// `UserPrincipalName`
    pub user_principal_name: &'static str,
}

/// Every credential. In headers and bodies they count alike.
pub const CREDENTIALS: [Credential; 3] = [
    // Those of the service's own documentation.
    Credential { client_secret: "MyClientSecret", user_principal_name: "MyUserPrincipalName" },
    Credential { client_secret: "eyJ...", user_principal_name: "someone@example.com" },
    // Whoever does not send UTF-8, or does not escape as JSON asks, is not known as this one.
    Credential { client_secret: "p\"a\\s/s wörd", user_principal_name: "jürgen@example.com" },
];

/// Headers that every call may have, beside those that begin with `x-`.
const HEADERS: [&str; 9] = [
    "accept",
    "accept-encoding",
    "authorization",
    "clientsecret",
    "content-length",
    "host",
    "user-agent",
    "userprincipalname",
    "x-cloud-governance-jsoncontract",
];
/// What `Duration` says of every token.
const DURATION: u32 = 3600;

/// What the service remembers.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Refresh tokens that can be used, each once, and whose they are.
    refresh_tokens: HashMap<String, &'static str>,
    access_tokens: HashSet<String>,
}

/// A refusal: the service's own result object, with a status that says error.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "Value": null, "IsSuccess": false, "ErrorMsg": self.1 });
        (self.0, Json(body)).into_response()
    }
}

impl From<aws_lc_rs::error::Unspecified> for Refusal {
    fn from(error: aws_lc_rs::error::Unspecified) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, OAuthError::from(error).description)
    }
}

type Answer = Result<Response, Refusal>;

pub(crate) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/auth/token/delegate", post(delegate).fallback(wrong_method))
        .route("/auth/token/refresh", post(refresh).fallback(wrong_method))
        .route("/admin/auth/token/cache", delete(delete_cache).fallback(wrong_method))
}

async fn wrong_method() -> Refusal {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, "wrong method".to_owned())
}

/// `POST /auth/token/delegate`
async fn delegate(State(state): State<Arc<AppState>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let text_wanted = check(&state, &uri, &headers, &["content-type"])?;
    let user = credential(&headers, &body)?;
    issue(&state, user, text_wanted)
}

/// `POST /auth/token/refresh`: the token is a header, and there is no body.
async fn refresh(State(state): State<Arc<AppState>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let text_wanted = check(&state, &uri, &headers, &["refresh_token"])?;
    if !body.is_empty() {
        return Err(bad("refresh takes no body"));
    }
    let token = text(&headers, "refresh_token")?.ok_or_else(|| bad("the header refresh_token is missing"))?;
    let user = state.store().governance.refresh_tokens.remove(token);
    let user = user.ok_or_else(|| unauthorized("the refresh token is unknown or was used already"))?;
    issue(&state, user, text_wanted)
}

/// `DELETE /admin/auth/token/cache`: forgets the tokens of a user.
async fn delete_cache(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    if check(&state, &uri, &headers, &["content-type"])? {
        return Err(bad("Accept must be application/json here"));
    }
    let user = credential(&headers, &body)?;
    state.store().governance.refresh_tokens.retain(|_, owner| *owner != user);
    Ok(StatusCode::OK.into_response())
}

/// Checks what all calls have in common. Whether text is wanted, and not JSON.
fn check(state: &AppState, uri: &Uri, headers: &HeaderMap, further: &[&str]) -> Result<bool, Refusal> {
    if uri.query().is_some() {
        return Err(bad("there is no query"));
    }
    for name in headers.keys().map(header::HeaderName::as_str) {
        if !HEADERS.contains(&name) && !further.contains(&name) && !name.starts_with("x-") {
            return Err(bad(format!("the header {name} does not belong here")));
        }
        if headers.get_all(name).iter().count() > 1 {
            return Err(bad(format!("the header {name} is given more than once")));
        }
    }
    if text(headers, "x-cloud-governance-jsoncontract")? != Some("PascalCase") {
        return Err(bad("X-CLOUD-GOVERNANCE-JSONCONTRACT must be PascalCase"));
    }
    let agent = text(headers, "user-agent")?.unwrap_or_default();
    let version = agent.strip_prefix("(sdk/powershell/").and_then(|rest| rest.strip_suffix(')'));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if version.is_none_or(|version| version.split('.').count() != 3 || !version.split('.').all(is_number)) {
        return Err(bad("User-Agent must be (sdk/powershell/<version>)"));
    }
    match (text(headers, "clientsecret")?, text(headers, "userprincipalname")?) {
        (None, None) => {}
        (Some(secret), Some(name)) => {
            known(secret, name).ok_or_else(|| unauthorized("the headers name no known credential"))?;
        }
        _ => return Err(unauthorized("clientSecret and userPrincipalName belong together")),
    }
    if let Some(authorization) = text(headers, "authorization")? {
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        if !state.store().governance.access_tokens.contains(token) {
            return Err(unauthorized("Authorization holds no access token of this service"));
        }
    }
    match text(headers, "accept")? {
        Some("application/json") => Ok(false),
        Some("text/plain") => Ok(true),
        _ => Err(bad("Accept must be application/json or text/plain")),
    }
}

/// Whose credential the body is.
fn credential(headers: &HeaderMap, body: &[u8]) -> Result<&'static str, Refusal> {
    const MEMBERS: [&str; 2] = ["ClientSecret", "UserPrincipalName"];
    let media_type = text(headers, "content-type")?.unwrap_or_default();
    if media_type.split(';').next() != Some("application/json") {
        let message = "Content-Type must be application/json".to_owned();
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| bad(format!("the body is no JSON object: {error}")))?;
    if let Some(name) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(bad(format!("the member {name} does not belong here")));
    }
    let [Some(secret), Some(name)] = MEMBERS.map(|member| members.get(member).and_then(Value::as_str)) else {
        return Err(bad("ClientSecret and UserPrincipalName must be texts"));
    };
    known(secret, name).ok_or_else(|| unauthorized("the credential is unknown"))
}

/// Accepts a refresh token that this server did not issue, as the first user's.
pub(crate) fn accept(store: &mut Store, refresh_token: String) {
    store.governance.refresh_tokens.insert(refresh_token, CREDENTIALS[0].user_principal_name);
}

fn known(secret: &str, name: &str) -> Option<&'static str> {
    let credential = CREDENTIALS.iter().find(|credential| credential.user_principal_name == name)?;
    equal(credential.client_secret, secret).then_some(credential.user_principal_name)
}

fn issue(state: &AppState, user: &'static str, text_wanted: bool) -> Answer {
    let (access_token, refresh_token) = (random_token()?, random_token()?);
    let body = json!({
        "Value": { "AccessToken": access_token, "RefreshToken": refresh_token, "Duration": DURATION },
        "IsSuccess": true,
        "ErrorMsg": null,
    });
    let service = &mut state.store().governance;
    service.access_tokens.insert(access_token);
    service.refresh_tokens.insert(refresh_token, user);
    Ok(if text_wanted { body.to_string().into_response() } else { Json(body).into_response() })
}

/// A header in UTF-8, as clients write what is not ASCII.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let value = headers.get(name).map(|value| std::str::from_utf8(value.as_bytes()));
    value.transpose().map_err(|_| bad(format!("the header {name} is not UTF-8")))
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, message.into())
}

fn unauthorized(message: &str) -> Refusal {
    Refusal(StatusCode::UNAUTHORIZED, message.to_owned())
}
