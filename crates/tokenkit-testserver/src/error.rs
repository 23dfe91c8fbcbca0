//! Error responses of the token and device authorization endpoints (RFC 6749 section 5.2).

use aws_lc_rs::error::Unspecified;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error code of a token or device authorization endpoint, and what to tell the developer.
#[derive(Debug)]
pub(crate) struct OAuthError {
    pub(crate) code: &'static str,
    pub(crate) description: String,
}

impl OAuthError {
    pub(crate) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) fn invalid_client(description: impl Into<String>) -> Self {
        Self::new("invalid_client", description)
    }

    pub(crate) fn no_client() -> Self {
        Self::invalid_client("the request names no client")
    }

    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }
}

impl From<Unspecified> for OAuthError {
    fn from(_: Unspecified) -> Self {
        Self::new("server_error", "the system has no randomness to give")
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let status = match self.code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({ "error": self.code, "error_description": self.description });
        let mut response = (status, no_store(), Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // Every 401 carries a challenge (RFC 9110 section 15.5.2), not only the answer to a failed Basic attempt.
            let challenge = header::HeaderValue::from_static("Basic realm=\"tokenkit-testserver\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Headers of every response that may hold a token (RFC 6749 section 5.1).
pub(crate) fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

/// Answers any method but POST (RFC 6749 section 3.2).
pub(crate) async fn post_only() -> Response {
    let body = json!({ "error": "invalid_request", "error_description": "use POST" });
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], no_store(), Json(body)).into_response()
}
