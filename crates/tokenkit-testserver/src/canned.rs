//! Replies fixed by the test.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::state::AppState;

/// A fixed reply. `Canned::default()` is 200 with nothing in it.
#[derive(Clone, Debug)]
pub struct Canned {
    /// HTTP status code.
    pub status: u16,
    /// Headers, in order; a name may come more than once.
    pub headers: Vec<(String, String)>,
    /// Body, as it goes over the wire.
    pub body: Vec<u8>,
    /// Time to wait before the status line.
    pub delay: Duration,
    /// How many requests it answers before the path's next reply takes over: one, unless given.
    pub times: Option<u32>,
}

impl Default for Canned {
    fn default() -> Self {
        Self { status: 200, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, times: None }
    }
}

impl Canned {
    /// A reply with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.as_bytes().to_vec(), ..Self::default() }
    }
}

/// The replies of one path.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    replies: Vec<Canned>,
    /// How often the first reply was used.
    used: u32,
}

impl Queue {
    pub(crate) fn push(&mut self, reply: Canned) {
        self.replies.push(reply);
    }

    /// The reply for the next request; the last one stays.
    fn next(&mut self) -> Option<Canned> {
        while self.replies.len() > 1 && self.used >= self.replies[0].times.unwrap_or(1) {
            self.replies.remove(0);
            self.used = 0;
        }
        self.used = self.used.saturating_add(1);
        self.replies.first().cloned()
    }

    /// The reply for the next request; each is used up.
    fn take(&mut self) -> Option<Canned> {
        let reply = self.replies.first().cloned()?;
        self.used = self.used.saturating_add(1);
        if self.used >= reply.times.unwrap_or(1) {
            self.replies.remove(0);
            self.used = 0;
        }
        Some(reply)
    }
}

/// Answers a path without an endpoint of its own.
pub(crate) async fn reply(State(state): State<Arc<AppState>>, uri: Uri) -> Response {
    let canned = state.store().canned.get_mut(uri.path()).and_then(Queue::next);
    if let Some(canned) = canned {
        return respond(canned).await;
    }
    let body = json!({ "error": "not_found", "error_description": format!("no reply for {}", uri.path()) });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

/// Stands before endpoints whose service is to fail for a while: they answer when the replies are used up.
pub(crate) async fn before(State(state): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let canned = state.store().canned.get_mut(request.uri().path()).and_then(Queue::take);
    match canned {
        Some(canned) => respond(canned).await,
        None => next.run(request).await,
    }
}

async fn respond(canned: Canned) -> Response {
    tokio::time::sleep(canned.delay).await;
    let mut response = Response::builder().status(canned.status);
    for (name, value) in canned.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(canned.body)).unwrap_or_else(|error| {
        let body = json!({ "error": "bad_canned_reply", "error_description": error.to_string() });
        (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
    })
}
