//! OAuth 2.0 and OpenID Connect tokens: requested, authenticated, refreshed and checked.
//!
//! A request is built and an answer read without any network ([`TokenRequest::build`],
//! [`TokenRequest::parse`]); [`Client`] adds the sending. What can go wrong is one enum, [`Error`], with
//! stable codes. Secrets are [`Secret`]s: wiped on drop and never shown.
//!
//! ```
//! use tokenkit::{Attempt, ClientAuthentication, Grant, Secret, TokenRequest};
//!
//! let mut request = TokenRequest::new(
//!     "https://as.example/token",
//!     Grant::RefreshToken { refresh_token: Secret::from("tGzv3JOkF0XG5Qx2TlKWIA") },
//! );
//! request.client_id = Some("s6BhdRkqt3".into());
//! request.authentication = ClientAuthentication::SecretBasic { secret: Secret::from("7Fjfp0ZBr1KtDRbnfVdmIw") };
//!
//! let http = request.build(&Attempt::now())?;
//! assert_eq!(http.body().expose_str(), Some("grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"));
//! assert_eq!(http.masked_form()[1], ("refresh_token".into(), "***".into()));
//! # Ok::<(), tokenkit::Error>(())
//! ```

#![forbid(unsafe_code)]

mod assertion;
mod client;
mod client_auth;
mod device;
mod discovery;
mod error;
mod event;
mod grant;
mod http;
pub mod jwt;
mod keys;
mod message;
mod pkce;
mod reply;
mod secret;
mod spelling;
mod token;
mod verification;

pub use assertion::{Assertion, SignedAssertion};
pub use client::Client;
pub use client_auth::{AssertionOptions, Attempt, ClientAuthentication, JWT_BEARER_ASSERTION};
pub use device::DevicePolling;
pub use discovery::{Metadata, MetadataLocation};
pub use error::{Category, Error, ErrorCode, OAuthError, Reply, ServerError, TransportError};
pub use event::{Event, Observer};
pub use grant::Grant;
pub use http::{HttpConfig, Proxy};
pub use message::{Field, HttpRequest, HttpResponse, Method};
pub use pkce::PkceChallenge;
pub use secret::Secret;
pub use token::{TokenRequest, TokenResponse};
pub use verification::{Finding, KeySource, Verdict, Verification};
