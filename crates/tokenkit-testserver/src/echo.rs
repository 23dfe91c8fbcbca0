//! Endpoints that give a token to everyone: one tells what it was sent, one takes its time.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{OAuthError, no_store};
use crate::state::random_token;

/// `/echo-token`
pub(crate) async fn echo_token(
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let headers =
        headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes())));
    let form = form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value));
    let mut response = token_response()?;
    response["received"] = json!({
        "method": method.as_str(),
        "headers": grouped(headers),
        "form": grouped(form),
        "raw": String::from_utf8_lossy(&body),
    });
    Ok((no_store(), Json(response)).into_response())
}

/// The query of `/slow`.
#[derive(Deserialize)]
pub(crate) struct Delay {
    /// Milliseconds.
    ms: u64,
}

/// `/slow?ms=N`
pub(crate) async fn slow(Query(delay): Query<Delay>) -> Result<Response, OAuthError> {
    tokio::time::sleep(Duration::from_millis(delay.ms)).await;
    Ok((no_store(), Json(token_response()?)).into_response())
}

fn token_response() -> Result<Value, OAuthError> {
    Ok(json!({ "access_token": random_token()?, "token_type": "Bearer", "expires_in": 3600 }))
}

/// An object of arrays, so that nothing said twice is lost.
fn grouped(pairs: impl Iterator<Item = (String, impl Into<String>)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in pairs {
        let values = object.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(Value::String(value.into()));
        }
    }
    object
}
