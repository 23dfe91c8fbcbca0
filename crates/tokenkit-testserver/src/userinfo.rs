//! `GET /userinfo`: who the user of an access token is (`OpenID` Connect Core section 5.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::state::AppState;

/// Answers the bearer of a token that was granted with the scope `openid`.
pub(crate) async fn userinfo(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let bearer = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")),
        _ => None,
    };
    let Some(bearer) = bearer else {
        // Without authentication there is nothing to explain (RFC 6750 section 3.1).
        return challenge("Bearer realm=\"tokenkit-testserver\"");
    };
    let Some(subject) = state.store().subjects.get(bearer).cloned() else {
        return challenge(
            "Bearer realm=\"tokenkit-testserver\", error=\"invalid_token\", error_description=\"The access token is unknown, or has not the scope openid\"",
        );
    };
    let claims = json!({ "sub": subject, "name": "Alice Liddell", "email": "alice@example.com" });
    ([(header::CACHE_CONTROL, "no-store")], Json(claims)).into_response()
}

fn challenge(text: &'static str) -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, text)]).into_response()
}
