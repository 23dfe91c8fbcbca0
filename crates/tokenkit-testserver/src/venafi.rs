//! The parts of Venafi's service that give tokens and say whose they are: the token endpoint of a service account, and
//! `GET /v1/useraccounts`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clients::equal;
use crate::error::{self, OAuthError, no_store};
use crate::form::FormRequest;
use crate::id_token::unix_time;
use crate::state::{AppState, random_token};

/// The one tenant: its token endpoint is `/v1/oauth2/v2.0/{TENANT}/token`.
pub const TENANT: &str = "2222c771-61f3-11ec-8a47-490a1e43c222";
/// The API key of the one user.
pub const API_KEY: &str = "7d4a2f1e-3c5b-4a8d-9e6f-0b1c2d3e4f5a";

const ISSUER: &str = "https://identity.example";
const SUBJECT: &str = "repo:example/pipeline";
const AUDIENCE: &str = "https://api.venafi.cloud";
const FIELDS: [&str; 3] = ["grant_type", "client_assertion_type", "client_assertion"];
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What access tokens are like from now on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VenafiTokens {
    /// Seconds until they expire.
    pub lifetime: u64,
    /// Whether they are JWTs with `exp`, and not opaque.
    pub jwt: bool,
    /// How the answer says the lifetime.
    pub expires_in: ExpiresIn,
}

/// How an answer says the lifetime of its token.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ExpiresIn {
    /// As a number.
    Number,
    /// As a number in text.
    Text,
    /// Not at all.
    Absent,
}

/// What a workload's JWT says.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VenafiJwt {
    /// Seconds from now to `exp`; it may be over.
    pub expires_in: i64,
    /// Seconds from now to `nbf`; absent, there is none.
    pub not_before: Option<i64>,
    /// `sub`; the service account accepts one only.
    pub subject: String,
}

impl Default for VenafiTokens {
    fn default() -> Self {
        Self { lifetime: 3600, jwt: false, expires_in: ExpiresIn::Number }
    }
}

impl Default for VenafiJwt {
    fn default() -> Self {
        Self { expires_in: 600, not_before: None, subject: SUBJECT.to_owned() }
    }
}

/// What the service remembers.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) tokens: VenafiTokens,
    /// When each access token expires, in Unix time.
    issued: HashMap<String, u64>,
}

pub(crate) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/oauth2/v2.0/{tenant}/token", post(token).fallback(error::post_only))
        .route("/v1/useraccounts", get(user_accounts).fallback(get_only))
}

/// A JWT as the identity provider of the workload makes it.
pub(crate) fn jwt(state: &AppState, request: &VenafiJwt) -> Result<String, OAuthError> {
    let now = unix_time();
    let mut claims = json!({
        "iss": ISSUER, "sub": request.subject, "aud": AUDIENCE,
        "iat": now, "exp": now.saturating_add_signed(request.expires_in),
    });
    if let Some(not_before) = request.not_before {
        claims["nbf"] = now.saturating_add_signed(not_before).into();
    }
    Ok(state.signer.sign(&claims)?)
}

/// `POST /v1/oauth2/v2.0/{tenant}/token`: the grant `client_credentials` with a client assertion (RFC 7523 section 2.2)
/// and nothing else.
async fn token(
    State(state): State<Arc<AppState>>,
    Path(tenant): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    request: FormRequest,
) -> Result<Response, OAuthError> {
    if tenant != TENANT {
        return Err(OAuthError::invalid_request("unknown tenant"));
    }
    if uri.query().is_some() {
        return Err(OAuthError::invalid_request("the token endpoint has no query"));
    }
    if request.authorization.is_some() || headers.contains_key("tppl-api-key") {
        return Err(OAuthError::invalid_request("the assertion is the only credential of this endpoint"));
    }
    request.only(&FIELDS)?;
    if request.require("grant_type")? != "client_credentials" {
        return Err(OAuthError::new("unsupported_grant_type", "grant_type must be client_credentials"));
    }
    if request.require("client_assertion_type")? != ASSERTION_TYPE {
        return Err(OAuthError::invalid_request(format!("client_assertion_type must be {ASSERTION_TYPE}")));
    }
    let claims =
        state.signer.verify(request.require("client_assertion")?).map_err(OAuthError::invalid_client)?;
    accept(&claims).map_err(OAuthError::invalid_client)?;

    let now = unix_time();
    let mut store = state.store();
    let VenafiTokens { lifetime, jwt, expires_in } = store.venafi.tokens;
    let access_token = if jwt {
        // The random member tells two tokens of one second apart.
        let claims = json!({ "sub": SUBJECT, "iat": now, "exp": now + lifetime, "jti": random_token()? });
        state.signer.sign(&claims)?
    } else {
        random_token()?
    };
    store.venafi.issued.insert(access_token.clone(), now + lifetime);
    let mut body = json!({ "access_token": access_token, "token_type": "Bearer" });
    match expires_in {
        ExpiresIn::Number => body["expires_in"] = lifetime.into(),
        ExpiresIn::Text => body["expires_in"] = lifetime.to_string().into(),
        ExpiresIn::Absent => {}
    }
    Ok((no_store(), Json(body)).into_response())
}

/// What the service account asks of a JWT.
fn accept(claims: &Value) -> Result<(), String> {
    for (name, expected) in [("iss", ISSUER), ("sub", SUBJECT), ("aud", AUDIENCE)] {
        if claims[name] != expected {
            return Err(format!("{name} of the assertion is not {expected}"));
        }
    }
    let now = unix_time();
    if claims["exp"].as_u64().is_none_or(|expiry| expiry <= now) {
        return Err("exp of the assertion is missing or over".to_owned());
    }
    if claims.get("nbf").is_some_and(|start| start.as_u64().is_none_or(|start| start > now)) {
        return Err("nbf of the assertion is not over".to_owned());
    }
    Ok(())
}

/// `GET /v1/useraccounts`: by API key or access token.
async fn user_accounts(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if uri.query().is_some() || !body.is_empty() {
        return failure(StatusCode::BAD_REQUEST, 10_003, "useraccounts takes neither a query nor a body");
    }
    let key: Vec<_> = headers.get_all("tppl-api-key").iter().collect();
    let token: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().collect();
    let known = match (&key[..], &token[..]) {
        ([key], []) => key.to_str().is_ok_and(|key| equal(API_KEY, key)),
        ([], [token]) => {
            let token = token.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            let store = state.store();
            token.and_then(|token| store.venafi.issued.get(token)).is_some_and(|expiry| *expiry > unix_time())
        }
        _ => {
            let message = "exactly one of tppl-api-key and Authorization is needed";
            return failure(StatusCode::UNAUTHORIZED, 10_501, message);
        }
    };
    if !known {
        return failure(StatusCode::UNAUTHORIZED, 10_501, "unknown or expired credential");
    }
    Json(json!({
        "user": {
            "username": "ada@example.com",
            "id": "9b1f6a60-0f0e-11ee-8c5c-3f1a2b3c4d5e",
            "companyId": TENANT,
            "firstname": "Ada",
            "userStatus": "ACTIVE",
        },
        "company": { "id": TENANT, "name": "Example" },
    }))
    .into_response()
}

async fn get_only() -> Response {
    let failure = failure(StatusCode::METHOD_NOT_ALLOWED, 10_405, "use GET");
    ([(header::ALLOW, "GET")], failure).into_response()
}

fn failure(status: StatusCode, code: u32, message: &str) -> Response {
    (status, Json(json!({ "errors": [{ "code": code, "message": message }] }))).into_response()
}
