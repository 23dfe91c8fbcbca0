//! The http port as a forward proxy (RFC 9110 section 7.3.2), whose one destination is the server itself.

use std::net::Ipv4Addr;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::state::AppState;

/// The `Proxy-Authorization` value for these credentials (RFC 7617).
pub(crate) fn credentials(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

/// Whether a proxied request with this `Proxy-Authorization` may pass.
pub(crate) fn admits(state: &AppState, given: Option<&str>) -> bool {
    state.store().proxy.as_deref().is_none_or(|required| given == Some(required))
}

pub(crate) fn authentication_required() -> Response {
    let challenge = [(header::PROXY_AUTHENTICATE, "Basic realm=\"tokenkit-testserver\"")];
    (StatusCode::PROXY_AUTHENTICATION_REQUIRED, challenge).into_response()
}

/// Answers `CONNECT` to the https port and carries bytes both ways until one side closes; refuses any other place.
pub(crate) async fn tunnel(state: &AppState, request: Request) -> Response {
    let own = ["localhost", "127.0.0.1"].map(|host| format!("{host}:{}", state.https_port));
    if !request.uri().authority().is_some_and(|authority| own.iter().any(|own| own == authority.as_str())) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Ok(mut upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, state.https_port)).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    tokio::spawn(async move {
        if let Ok(client) = hyper::upgrade::on(request).await {
            // An error only says that one side hung up, which ends the tunnel either way.
            let _ = copy_bidirectional(&mut TokioIo::new(client), &mut upstream).await;
        }
    });
    StatusCode::OK.into_response()
}
