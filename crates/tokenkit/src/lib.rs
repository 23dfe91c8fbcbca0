//! OAuth 2.0 and OpenID Connect tokens: signed in for, requested, authenticated, refreshed and checked.
//!
//! A request is built and an answer read without any network ([`TokenRequest::build`],
//! [`TokenRequest::parse`]); [`Client`] adds the sending. What can go wrong is one enum, [`Error`], with
//! stable codes. Secrets are [`Secret`]s: wiped on drop and never shown. What is special to one vendor is in
//! [`providers`].
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
//! assert_eq!(http.masked_content()[1], ("refresh_token".into(), "***".into()));
//! # Ok::<(), tokenkit::Error>(())
//! ```
//!
//! A user signs in with a browser on this machine ([`AuthorizationRequest`], [`LoopbackListener`],
//! [`Client::authorize`]), with one elsewhere ([`Authorization::read_redirect`]), or on another device
//! ([`DeviceAuthorizationRequest`]):
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use tokenkit::{AuthorizationRequest, Browser, Client, HttpConfig, Loopback, LoopbackListener};
//!
//! # async fn example() -> Result<(), tokenkit::Error> {
//! let Loopback::Listening(listener) = LoopbackListener::bind(None)? else { return Ok(()) };
//! let mut request = AuthorizationRequest::new("https://as.example/authorize", "s6BhdRkqt3");
//! request.redirect_uri = Some(listener.redirect_uri().into());
//! request.scope = Some("openid".into());
//! request.issuer = Some("https://as.example".into());
//! let authorization = request.prepare()?;
//!
//! let (client, browser, config) = (Client::new(), Browser::default(), HttpConfig::default());
//! let minutes = Duration::from_mins(5);
//! let answer = client.authorize(&authorization, listener, &browser, minutes, &config, &()).await?;
//! let code = answer.get("code");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod assertion;
mod authorization;
mod browser;
mod client;
mod client_auth;
mod client_request;
mod device;
mod discovery;
mod error;
mod event;
mod grant;
mod http;
mod id_token;
pub mod jwt;
mod keys;
mod message;
mod pkce;
pub mod providers;
mod qr;
mod refresh;
mod renewal;
mod reply;
mod secret;
mod spelling;
pub mod store;
mod tls;
mod token;
mod userinfo;
mod verification;

pub use assertion::{Assertion, SignedAssertion};
pub use authorization::loopback::{Loopback, LoopbackListener};
pub use authorization::{
    Answer, Authorization, AuthorizationRequest, AuthorizationResponse, ResponseMode, ResponseType,
};
pub use browser::Browser;
pub use client::Client;
pub use client_auth::{AssertionOptions, Attempt, ClientAuthentication, JWT_BEARER_ASSERTION};
pub use device::{DeviceAuthorizationRequest, DeviceAuthorizationResponse, DevicePolling};
pub use discovery::{Metadata, MetadataLocation};
pub use error::{Category, Error, ErrorCode, OAuthError, Reply, ServerError, TransportError};
pub use event::{Event, Observer};
pub use grant::Grant;
pub use http::{HttpConfig, Proxy};
pub use message::{Content, Field, HttpRequest, HttpResponse, Method};
pub use pkce::PkceChallenge;
pub use qr::qr_code;
pub use refresh::KeptToken;
pub use renewal::{JwtLifetime, Renewal};
pub use secret::Secret;
pub use token::{TokenRequest, TokenResponse};
pub use userinfo::{UserInfo, UserInfoAnswer, UserInfoRequest};
pub use verification::{Finding, KeySource, Verdict, Verification};
