//! `/control/…`: JSON in, JSON out, for tests that do not run in this process.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::canned::{Canned, Queue};
use crate::device::{self, UserAction};
use crate::fault::{self, Fault};
use crate::record::RecordedRequest;
use crate::state::{AppState, Store};
use crate::{governance, proxy, token, venafi};

pub(crate) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/code", post(code))
        .route("/device", post(device))
        .route("/requests", get(requests))
        .route("/canned", put(canned))
        .route("/entra", get(entra).put(configure_entra))
        .route("/fault", put(fault))
        .route("/open", get(open))
        .route("/venafi", post(venafi_tokens))
        .route("/venafi/jwt", post(venafi_jwt))
        .route("/governance/refresh_token", post(governance_refresh_token))
        .route("/proxy", post(require_proxy_credentials))
        .route("/reset", post(reset))
}

/// A control request that makes no sense: 400 with a reason.
struct BadControl(String);

impl IntoResponse for BadControl {
    fn into_response(self) -> Response {
        let body = json!({ "error": "bad_control_request", "error_description": self.0 });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}

type Reply = Result<Json<Value>, BadControl>;

async fn code(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    let code = token::mint_code(&state, parse(&body)?).map_err(|error| BadControl(error.description))?;
    Ok(Json(json!({ "code": code })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    user_code: String,
    action: UserAction,
}

async fn device(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    let Decision { user_code, action } = parse(&body)?;
    if device::act(&mut state.store(), &user_code, action) {
        Ok(Json(json!({})))
    } else {
        Err(BadControl("unknown user_code".to_owned()))
    }
}

async fn requests(State(state): State<Arc<AppState>>) -> Json<Value> {
    let requests = std::mem::take(&mut state.store().requests);
    Json(json!({ "requests": requests.iter().map(describe).collect::<Vec<_>>() }))
}

fn describe(request: &RecordedRequest) -> Value {
    json!({
        "method": request.method,
        "path": request.path,
        "http_version": request.http_version,
        "scheme": request.scheme.as_str(),
        "headers": request.headers,
        "body": String::from_utf8_lossy(&request.body),
        "body_base64": STANDARD.encode(&request.body),
        "via_proxy": request.via_proxy,
        "proxy_authorization": request.proxy_authorization,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CannedReplies {
    path: String,
    replies: Vec<CannedReply>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CannedReply {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    times: Option<u32>,
}

fn ok() -> u16 {
    200
}

impl CannedReply {
    fn build(self) -> Result<Canned, BadControl> {
        let body = match (self.body, self.body_base64) {
            (Some(_), Some(_)) => {
                return Err(BadControl("body and body_base64 exclude each other".to_owned()));
            }
            (Some(text), None) => text.into_bytes(),
            (None, Some(encoded)) => {
                STANDARD.decode(encoded).map_err(|error| BadControl(error.to_string()))?
            }
            (None, None) => Vec::new(),
        };
        let delay = Duration::from_millis(self.delay_ms);
        Ok(Canned { status: self.status, headers: self.headers, body, delay, times: self.times })
    }
}

/// Replaces the replies of a path.
async fn canned(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    let CannedReplies { path, replies } = parse(&body)?;
    let mut queue = Queue::default();
    for reply in replies {
        queue.push(reply.build()?);
    }
    state.store().canned.insert(path, queue);
    Ok(Json(json!({})))
}

async fn entra(State(state): State<Arc<AppState>>) -> Json<Value> {
    Json(state.store().entra.describe())
}

/// Replaces all settings; those that are absent take their defaults.
async fn configure_entra(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    state.store().entra.configure(parse(&body)?);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultAt {
    name: String,
    fault: Fault,
    #[serde(default)]
    body: String,
}

/// Sets the fault of a name, and tells its URL.
async fn fault(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    let FaultAt { name, fault, body } = parse(&body)?;
    let url =
        fault::set(&state, &name, fault, body.into_bytes()).map_err(|error| BadControl(error.to_string()))?;
    Ok(Json(json!({ "url": url })))
}

async fn open(State(state): State<Arc<AppState>>) -> Json<Value> {
    Json(json!({ "open": state.open.load(Ordering::SeqCst) }))
}

async fn venafi_tokens(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    state.store().venafi.tokens = parse(&body)?;
    Ok(Json(json!({})))
}

async fn venafi_jwt(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    let jwt = venafi::jwt(&state, &parse(&body)?).map_err(|error| BadControl(error.description))?;
    Ok(Json(json!({ "jwt": jwt })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GovernanceRefreshToken {
    refresh_token: String,
}

async fn governance_refresh_token(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    let GovernanceRefreshToken { refresh_token } = parse(&body)?;
    governance::accept(&mut state.store(), refresh_token);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyCredentials {
    username: String,
    password: String,
}

async fn require_proxy_credentials(State(state): State<Arc<AppState>>, body: Bytes) -> Reply {
    let ProxyCredentials { username, password } = parse(&body)?;
    state.store().proxy = Some(proxy::credentials(&username, &password));
    Ok(Json(json!({})))
}

async fn reset(State(state): State<Arc<AppState>>) -> Json<Value> {
    *state.store() = Store::default();
    Json(json!({}))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadControl> {
    serde_json::from_slice(body).map_err(|error| BadControl(error.to_string()))
}
