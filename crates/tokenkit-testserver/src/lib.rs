//! An OAuth 2.0 authorization server on loopback, for `TokenKit`'s demo, tests and benches.
//!
//! It is the other side of the wire, written from the RFCs and sharing no code with the client: what a client gets
//! wrong, it refuses. [`TestServer`] serves the same endpoints over http (HTTP/1.1) and https (HTTP/1.1 and HTTP/2):
//!
//! | path | what it is |
//! |---|---|
//! | `POST /token` | token endpoint, RFC 6749 section 3.2; the clients are in [`clients`] |
//! | `POST /device_authorization` | RFC 8628; `test_interval` and `test_expires_in` (seconds) shorten the waiting |
//! | `GET /userinfo` | `OpenID` Connect Core section 5.3, for access tokens with the scope `openid` |
//! | `POST /{tenant}/oauth2/token`, `/{tenant}/oauth2/v2.0/token` | as Microsoft Entra answers a public client; see [`entra`] |
//! | `GET /jwks` | the public key that verifies ID tokens |
//! | `POST /v1/oauth2/v2.0/{tenant}/token`, `GET /v1/useraccounts` | Venafi's service: [`venafi`] |
//! | `POST /auth/token/delegate`, `POST /auth/token/refresh`, `DELETE /admin/auth/token/cache`, also below `/governance` | Cloud Governance: [`governance`] |
//! | `/echo-token` | a token response that repeats the request in its member `received` |
//! | `/slow?ms=N` | a token response after N milliseconds |
//! | `/control/…` | how tests in other languages steer the server |
//! | `/<name>` on other ports | the fault that was set with [`TestServer::fault`] |
//! | anything else | the replies registered with [`TestServer::canned`], by custom under `/canned/` |
//!
//! The endpoints of the two services give replies registered for their paths first, and answer themselves again when
//! these are used up.
//!
//! The http port is a forward proxy to the server itself, too: it answers absolute-form requests for any host, and
//! tunnels `CONNECT` to the https port.

#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::routing::{any, get, post};
use axum::{Extension, Router, middleware};
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use tokio::runtime::Runtime;

mod assertion;
mod canned;
pub mod clients;
mod control;
mod device;
mod echo;
pub mod entra;
mod error;
mod fault;
mod form;
pub mod governance;
mod id_token;
mod proxy;
mod record;
mod state;
mod tls;
mod token;
mod userinfo;
pub mod venafi;

pub use canned::Canned;
pub use device::UserAction;
pub use fault::{Fault, Place};
pub use record::{RecordedRequest, Scheme};
pub use token::CodeRequest;
pub use venafi::{ExpiresIn, VenafiJwt, VenafiTokens};

use state::AppState;
use tls::Certificates;

/// A running server. Dropping it closes both ports and removes the certificate file.
#[derive(Debug)]
pub struct TestServer {
    state: Arc<AppState>,
    certificates: Certificates,
    http_port: u16,
    /// Taken by `drop` only: a runtime may not be dropped the ordinary way inside an asynchronous test.
    runtime: Option<Runtime>,
}

impl TestServer {
    /// Starts the server on two free ports of 127.0.0.1, with a fresh private certificate authority.
    ///
    /// # Errors
    ///
    /// A port cannot be bound, the certificate file cannot be written, or keys cannot be made.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("tokenkit-testserver")
            .enable_all()
            .build()?;
        let certificates = Certificates::issue()?;
        let http = bind()?;
        let https = bind()?;
        let http_port = http.local_addr()?.port();
        let context = runtime.enter();
        let (fault_ports, fault_sockets) = fault::bind()?;
        let state = Arc::new(AppState::new(https.local_addr()?.port(), fault_ports)?);
        fault::serve(fault_sockets, &state, certificates.server_config()?);
        let server = axum_server::from_tcp(http)?.acceptor(NoDelayAcceptor::new());
        runtime.spawn(server.serve(router(state.clone(), Scheme::Http).into_make_service()));
        let tls = RustlsAcceptor::new(RustlsConfig::from_config(certificates.server_config()?.into()));
        let server = axum_server::from_tcp(https)?.acceptor(tls.acceptor(NoDelayAcceptor::new()));
        runtime.spawn(server.serve(router(state.clone(), Scheme::Https).into_make_service()));
        drop(context);

        Ok(Self { state, certificates, http_port, runtime: Some(runtime) })
    }

    /// The http URL of `path`, which starts with a slash. With an empty path, the URL to use as a proxy.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http_port)
    }

    /// The https URL of `path`, which starts with a slash.
    #[must_use]
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.state.https_port)
    }

    /// The PEM file of the private authority that signed the certificate for localhost, 127.0.0.1 and `::1`.
    #[must_use]
    pub fn certificate_authority(&self) -> &Path {
        self.certificates.authority_file()
    }

    /// How many TLS handshakes resumed a session of an earlier connection (RFC 8446 section 2.2).
    #[must_use]
    pub fn resumed_handshakes(&self) -> usize {
        self.certificates.resumed()
    }

    /// Takes the requests seen since the last call, in order of arrival. Those to `/control/` are not among them.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.state.store().requests)
    }

    /// How many requests are being answered at this moment. A client that hangs up stops being counted.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// Adds a reply for `path`, after those that it already has. The last one stays.
    ///
    /// A path with an endpoint of its own (`/token`, …) keeps that endpoint: use one under `/canned/`. At the endpoints
    /// of the two services each reply is used up, and then the endpoint answers.
    pub fn canned(&self, path: &str, reply: Canned) {
        self.state.store().canned.entry(path.to_owned()).or_default().push(reply);
    }

    /// Makes every path with the segment `name` end in a fault, and returns the URL of `/name`: on a port of its own.
    /// `body` is the body of the answer that is spoilt.
    ///
    /// # Errors
    ///
    /// The port is not there any more.
    pub fn fault(&self, name: &str, fault: Fault, body: impl Into<Vec<u8>>) -> io::Result<String> {
        fault::set(&self.state, name, fault, body.into())
    }

    /// Issues an authorization code, as the authorization endpoint would after the user has agreed.
    ///
    /// # Errors
    ///
    /// The client is not in the table of [`clients`], or the system has no randomness to give.
    pub fn code(&self, request: CodeRequest) -> io::Result<String> {
        token::mint_code(&self.state, request).map_err(|error| io::Error::other(error.description))
    }

    /// Acts as the user, or as time, on the device that shows this user code; false if there is none.
    pub fn act_on_device(&self, user_code: &str, action: UserAction) -> bool {
        device::act(&mut self.state.store(), user_code, action)
    }

    /// Says what access tokens of Venafi's service are like from now on.
    pub fn venafi_tokens(&self, tokens: VenafiTokens) {
        self.state.store().venafi.tokens = tokens;
    }

    /// Makes a JWT for the service account at Venafi's service, as the identity provider of a workload does.
    ///
    /// # Errors
    ///
    /// The system has no randomness to give.
    pub fn venafi_jwt(&self, jwt: &VenafiJwt) -> io::Result<String> {
        venafi::jwt(&self.state, jwt).map_err(|error| io::Error::other(error.description))
    }

    /// Lets Cloud Governance accept a refresh token that it did not issue, once.
    pub fn governance_refresh_token(&self, refresh_token: &str) {
        governance::accept(&mut self.state.store(), refresh_token.to_owned());
    }

    /// Changes how the endpoints of [`entra`] behave.
    pub fn configure_entra(&self, settings: entra::Settings) {
        self.state.store().entra.configure(settings);
    }

    /// What the endpoints of [`entra`] have counted: `passwords`, `refreshes`, `reuses`, `invalid_grants`, and the
    /// `newest` refresh token.
    #[must_use]
    pub fn entra(&self) -> serde_json::Value {
        self.state.store().entra.describe()
    }

    /// Asks for these credentials (`Basic`, RFC 9110 section 11.7) on every proxied request from now on.
    pub fn require_proxy_credentials(&self, username: &str, password: &str) {
        self.state.store().proxy = Some(proxy::credentials(username, password));
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn bind() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn router(state: Arc<AppState>, scheme: Scheme) -> Router {
    let services = venafi::router()
        .merge(governance::router())
        .nest("/governance", governance::router())
        .route_layer(middleware::from_fn_with_state(state.clone(), canned::before));
    Router::new()
        .merge(services)
        .route("/token", post(token::token).fallback(error::post_only))
        .route("/device_authorization", post(device::authorize).fallback(error::post_only))
        .route("/userinfo", get(userinfo::userinfo))
        .route("/{tenant}/oauth2/token", post(entra::v1).fallback(error::post_only))
        .route("/{tenant}/oauth2/v2.0/token", post(entra::v2).fallback(error::post_only))
        .route("/jwks", get(id_token::jwks))
        .route("/echo-token", any(echo::echo_token))
        .route("/slow", any(echo::slow))
        .nest("/control", control::router())
        .fallback(canned::reply)
        .layer(middleware::from_fn_with_state(state.clone(), record::observe))
        .layer(Extension(scheme))
        .with_state(state)
}
