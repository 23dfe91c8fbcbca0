//! The device authorization grant (RFC 8628).

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::clients::{self, Client};
use crate::error::{OAuthError, no_store};
use crate::form::FormRequest;
use crate::state::{AppState, Store, random_token};

const INTERVAL: u32 = 1;
const EXPIRES_IN: u32 = 600;
/// What `slow_down` adds to the interval (RFC 8628 section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// A poll may come this much early: the network delays some requests more than others.
const TOLERANCE: Duration = Duration::from_millis(100);
/// Letters without vowels, so that no user code is a word (RFC 8628 section 6.1).
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A device waiting for its user.
#[derive(Debug)]
pub(crate) struct Device {
    user_code: String,
    client: &'static Client,
    scope: Option<String>,
    interval: Duration,
    expires: Instant,
    last_poll: Option<Instant>,
    action: Option<UserAction>,
}

/// What becomes of a device's request.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum UserAction {
    /// The user agrees.
    Approve,
    /// The user says no.
    Deny,
    /// Nobody came in time.
    Expire,
}

/// `POST /device_authorization` (RFC 8628 section 3.1)
pub(crate) async fn authorize(
    State(state): State<Arc<AppState>>,
    request: FormRequest,
) -> Result<Response, OAuthError> {
    let client = clients::authenticate(&request)?.ok_or_else(OAuthError::no_client)?;
    let scope = request.scope()?;
    let interval = request.seconds("test_interval", INTERVAL)?;
    let expires_in = request.seconds("test_expires_in", EXPIRES_IN)?;
    let (device_code, user_code) = (random_token()?, user_code()?);
    let device = Device {
        user_code: user_code.clone(),
        client,
        scope,
        interval: Duration::from_secs(interval),
        expires: Instant::now() + Duration::from_secs(expires_in),
        last_poll: None,
        action: None,
    };
    state.store().devices.insert(device_code.clone(), device);
    let body = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": format!("{}/device", request.origin),
        "verification_uri_complete": format!("{}/device?user_code={user_code}", request.origin),
        "expires_in": expires_in,
        "interval": interval,
    });
    Ok((no_store(), Json(body)).into_response())
}

/// Takes the scope of an approved device code, or says why there is none yet (RFC 8628 section 3.5).
pub(crate) fn redeem(store: &mut Store, code: &str, client: &Client) -> Result<Option<String>, OAuthError> {
    let device = store.devices.get_mut(code).filter(|device| device.client == client);
    let device = device.ok_or_else(|| OAuthError::invalid_grant("unknown device code"))?;
    let now = Instant::now();
    if now >= device.expires || device.action == Some(UserAction::Expire) {
        return Err(OAuthError::new("expired_token", "the device code is over"));
    }
    match device.action {
        Some(UserAction::Approve) => Ok(store.devices.remove(code).and_then(|device| device.scope)),
        Some(UserAction::Deny) => Err(OAuthError::new("access_denied", "the user said no")),
        _ => {
            let waited = device.last_poll.replace(now).map(|last| now - last);
            if waited.is_some_and(|waited| waited + TOLERANCE < device.interval) {
                device.interval += SLOW_DOWN;
                return Err(OAuthError::new("slow_down", "polled faster than the interval"));
            }
            Err(OAuthError::new("authorization_pending", "the user has not answered yet"))
        }
    }
}

/// Acts for the user on the device with this code; false if there is none.
pub(crate) fn act(store: &mut Store, user_code: &str, action: UserAction) -> bool {
    let device = store.devices.values_mut().find(|device| device.user_code == user_code);
    device.map(|device| device.action = Some(action)).is_some()
}

fn user_code() -> Result<String, OAuthError> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes)?;
    let letters =
        bytes.map(|byte| char::from(USER_CODE_LETTERS[usize::from(byte) % USER_CODE_LETTERS.len()]));
    let (left, right) = letters.split_at(4);
    Ok(format!("{}-{}", String::from_iter(left), String::from_iter(right)))
}
