//! Venafi's service (TLS Protect Cloud, "VC"): its regions, the access tokens of service accounts, and the user
//! behind a credential.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;

use super::join;
use crate::client::Client;
use crate::client_auth::ClientAuthentication;
use crate::error::{Error, ErrorCode};
use crate::event::{Event, Observer};
use crate::grant::Grant;
use crate::http::{HttpConfig, Replay};
use crate::message::{Field, HttpRequest, HttpResponse, masked_members};
use crate::renewal::JwtLifetime;
use crate::reply;
use crate::secret::Secret;
use crate::token::{TokenRequest, TokenResponse, endpoint_url};

/// A place that the service runs at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Its name, such as `eu`.
    pub name: &'static str,
    /// Its address.
    pub server: &'static str,
}

/// Every region; the first one is the usual one.
pub const REGIONS: [Region; 6] = [
    Region { name: "us", server: "https://api.venafi.cloud" },
    Region { name: "eu", server: "https://api.eu.venafi.cloud" },
    Region { name: "au", server: "https://api.au.venafi.cloud" },
    Region { name: "uk", server: "https://api.uk.venafi.cloud" },
    Region { name: "sg", server: "https://api.sg.venafi.cloud" },
    Region { name: "ca", server: "https://api.ca.venafi.cloud" },
];

impl Region {
    /// The region of this name, in any case.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for an unknown name.
    ///
    /// ```
    /// use tokenkit::providers::venafi::Region;
    ///
    /// assert_eq!(Region::named("EU")?.server, "https://api.eu.venafi.cloud");
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self, Error> {
        let known = REGIONS.into_iter().find(|region| region.name.eq_ignore_ascii_case(name.trim()));
        known.ok_or_else(|| {
            let names = REGIONS.map(|region| region.name).join(", ");
            let message = format!("'{name}' is no region. The regions are {names}.");
            Error::invalid(ErrorCode::InvalidArgument, message)
        })
    }

    /// The region whose server has this address, if any.
    #[must_use]
    pub fn at(server: &str) -> Option<Self> {
        let server = Url::parse(server.trim()).ok()?;
        REGIONS
            .into_iter()
            .find(|region| Url::parse(region.server).is_ok_and(|address| address.origin() == server.origin()))
    }
}

/// The server that a token endpoint belongs to: its scheme, host and port.
///
/// # Errors
/// The endpoint cannot be used, as for [`TokenRequest::build`].
///
/// ```
/// use tokenkit::providers::venafi::server_of;
///
/// let endpoint = "https://api.venafi.cloud/v1/oauth2/v2.0/2222c771-61f3-11ec-8a47-490a1e43c222/token";
/// assert_eq!(server_of(endpoint, false)?, "https://api.venafi.cloud");
/// # Ok::<(), tokenkit::Error>(())
/// ```
pub fn server_of(endpoint: &str, allow_insecure_http: bool) -> Result<String, Error> {
    Ok(endpoint_url(endpoint, allow_insecure_http)?.origin().ascii_serialization())
}

/// A service account, and the JWT by which a workload is known to it (RFC 7523 section 2.2).
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// Its token endpoint, `{server}/v1/oauth2/v2.0/{tenant}/token`.
    pub endpoint: String,
    /// The JWT in compact form, made by the identity provider of the workload.
    pub jwt: Secret,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
}

/// An access token of a service account.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// When it expires by this machine's clock: as `expires_in` says, else as the token itself does if it is a
    /// JWT; `None` when nobody says.
    pub expires_at: Option<DateTime<Utc>>,
}

impl ServiceAccount {
    /// The token request at the time `now`.
    ///
    /// # Errors
    /// The JWT cannot be read, has expired, or is not valid yet: then nothing is to be sent.
    pub fn token_request(&self, now: DateTime<Utc>) -> Result<TokenRequest, Error> {
        JwtLifetime::read(self.jwt.expose_str().unwrap_or_default())?.check(now)?;
        let mut request = TokenRequest::new(&self.endpoint, Grant::ClientCredentials);
        request.authentication = ClientAuthentication::Assertion { assertion: self.jwt.clone() };
        request.allow_insecure_http = self.allow_insecure_http;
        Ok(request)
    }
}

impl AccessToken {
    /// Takes the token out of an answer.
    #[must_use]
    pub fn of(response: &TokenResponse) -> Self {
        let token = response.access_token();
        let own = || JwtLifetime::read(token.expose_str()?).ok()?.expires_at;
        Self { expires_at: response.expires_at.or_else(own), token }
    }
}

/// What a caller of the service is known by.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The API key of a user.
    ApiKey(Secret),
    /// The access token of a service account.
    AccessToken(Secret),
}

impl Credential {
    /// The request for the account behind the credential at `server`.
    ///
    /// # Errors
    /// The address or the credential cannot be used.
    pub fn user_request(&self, server: &str, allow_insecure_http: bool) -> Result<HttpRequest, Error> {
        let mut request = HttpRequest::get(join(server, "/v1/useraccounts", allow_insecure_http)?);
        let (secret, header) = match self {
            Self::ApiKey(key) => (key, Field::new("tppl-api-key", key.clone())),
            Self::AccessToken(token) => (token, Field::bearer(token)),
        };
        if secret.is_empty() {
            return Err(Error::invalid(ErrorCode::InvalidArgument, "The API key or access token is empty."));
        }
        request.headers.push(header);
        request.hidden.push(secret.clone());
        Ok(request)
    }
}

/// The user of an answer as JSON object, `id` renamed to `userId` and put first.
fn user(request: &HttpRequest, response: &HttpResponse) -> Result<String, Error> {
    let mut answer = reply::success(request, response)?;
    let Some(Value::Object(mut user)) = answer.shift_remove("user") else {
        let what = "the JSON object has no member user";
        return Err(reply::unusable(request, response, ErrorCode::UnexpectedAnswer, what));
    };
    let mut renamed = Map::new();
    if let Some(id) = user.shift_remove("id") {
        renamed.insert("userId".into(), id);
    }
    renamed.extend(user);
    Ok(Value::Object(renamed).to_string())
}

impl Client {
    /// Gets an access token for a service account of Venafi's service.
    ///
    /// # Errors
    /// As [`ServiceAccount::token_request`] and [`Client::token`].
    pub async fn venafi_token(
        &self,
        account: &ServiceAccount,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<AccessToken, Error> {
        let request = account.token_request(Utc::now())?;
        let response = self.token(&request, config, observer).await?;
        let members = response.members();
        observer.event(Event::Answer { members: masked_members(&members) });
        reply::wipe(Value::Object(members));
        Ok(AccessToken::of(&response))
    }

    /// Asks Venafi's service for the user behind a credential: a JSON object that begins with `userId`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn venafi_user(
        &self,
        server: &str,
        credential: &Credential,
        allow_insecure_http: bool,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<String, Error> {
        let request = credential.user_request(server, allow_insecure_http)?;
        let build = || async { Ok(request.clone()) };
        let read = |sent: &HttpRequest, response| user(sent, &response);
        self.http.send(config, &request.url, Replay::Allowed, observer, build, read).await
    }
}
