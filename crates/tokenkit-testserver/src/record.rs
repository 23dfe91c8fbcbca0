//! The layer around every endpoint: counts and records requests, and stands at the proxy's door.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::proxy;
use crate::state::AppState;

/// Far more than any token request, and little enough to hold many.
const BODY_LIMIT: usize = 4 << 20;

/// The port a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// As in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// Method; `CONNECT` for a tunnel.
    pub method: String,
    /// Path and query; for `CONNECT` the authority.
    pub path: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub http_version: String,
    /// Headers in order of first appearance, names in lower case, one entry for each value.
    pub headers: Vec<(String, String)>,
    /// Body, byte for byte.
    pub body: Vec<u8>,
    /// Whether it was addressed to the server as a proxy: absolute-form or `CONNECT`. What comes through a tunnel is
    /// a request like any other.
    pub via_proxy: bool,
    /// The value of the `Proxy-Authorization` header.
    pub proxy_authorization: Option<String>,
    /// The port it came in by.
    pub scheme: Scheme,
}

impl RecordedRequest {
    fn new(parts: &Parts, scheme: Scheme, body: &Bytes) -> Self {
        let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map_or_else(|| parts.uri.to_string(), ToString::to_string),
            http_version: format!("{:?}", parts.version),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: body.to_vec(),
            // HTTP/2 always names the authority, so it says nothing there; the proxy speaks HTTP/1.1 only.
            via_proxy: parts.uri.authority().is_some() && parts.version <= Version::HTTP_11,
            proxy_authorization: parts.headers.get(header::PROXY_AUTHORIZATION).map(text),
            scheme,
        }
    }

    /// The first value of a header; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// The body's form parameters, in order.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// Counts a request as open until dropped: also when the peer hangs up and the handler is dropped unfinished.
pub(crate) struct Open(Arc<AppState>);

impl Open {
    pub(crate) fn new(state: Arc<AppState>) -> Self {
        state.open.fetch_add(1, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) async fn observe(
    State(state): State<Arc<AppState>>,
    Extension(scheme): Extension<Scheme>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/control/") {
        return next.run(request).await;
    }
    let _open = Open::new(state.clone());
    let (parts, body) = request.into_parts();
    let connect = parts.method == Method::CONNECT;
    // After CONNECT comes the tunnel, not a body.
    let body = if connect { Ok(Bytes::new()) } else { to_bytes(body, BODY_LIMIT).await };
    let Ok(body) = body else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let recorded = RecordedRequest::new(&parts, scheme, &body);
    let (via_proxy, credentials) = (recorded.via_proxy, recorded.proxy_authorization.clone());
    state.store().requests.push(recorded);
    if via_proxy && !proxy::admits(&state, credentials.as_deref()) {
        return proxy::authentication_required();
    }
    let request = Request::from_parts(parts, Body::from(body));
    if connect { proxy::tunnel(&state, request).await } else { next.run(request).await }
}
