//! The token endpoint: a [`TokenRequest`] becomes a plain HTTP request, the answer a [`TokenResponse`]
//! (RFC 6749 sections 4 and 5). Nothing here touches the network.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use url::{Host, Url};

use crate::client_auth::{Attempt, ClientAuthentication};
use crate::error::{Error, ErrorCode, OAuthError};
use crate::grant::Grant;
use crate::jwt;
use crate::message::{Field, HttpRequest, HttpResponse, Method, display_url};
use crate::reply::{http_error, is_retryable, json_object, server_error, shortened, unusable, wipe};
use crate::secret::Secret;

/// Headers that belong to the connection; a caller's own would break the framing of the request.
const CONNECTION_HEADERS: &[&str] =
    &["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];

/// Form fields that prove who the client is.
const CREDENTIAL_PARAMETERS: &[&str] = &["client_assertion", "client_assertion_type", "client_secret"];

/// One request to a token endpoint.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The token endpoint. It may have a query (RFC 6749 section 3.2), which is kept.
    pub endpoint: String,
    /// The client.
    pub client_id: Option<String>,
    /// What is given in exchange.
    pub grant: Grant,
    /// How the client proves who it is.
    pub authentication: ClientAuthentication,
    /// The redirect URI that the authorization request had.
    pub redirect_uri: Option<String>,
    /// The permissions asked for, separated by spaces (RFC 6749 section 3.3).
    pub scope: Option<String>,
    /// The nonce of the authorization request. It is not sent but held against the ID token (OpenID
    /// Connect Core section 3.1.3.7, item 11).
    pub nonce: Option<String>,
    /// Further form fields, such as `resource` (RFC 8707).
    pub parameters: Vec<Field>,
    /// Further headers. They replace this library's own of the same name.
    pub headers: Vec<Field>,
    /// Whether http is accepted for a host that is not loopback. The secrets then travel in clear text.
    pub allow_insecure_http: bool,
}

/// What the token endpoint granted (RFC 6749 section 5.1).
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The server's JSON object, untouched and in its order.
    pub body: Secret,
    /// `expires_in` in seconds, whether the server wrote a number or a numeric text.
    pub expires_in: Option<u64>,
    /// When the access token expires by this machine's clock; `None` without a positive `expires_in`.
    pub expires_at: Option<DateTime<Utc>>,
}

impl TokenRequest {
    /// A request with neither authentication nor options.
    ///
    /// ```
    /// use tokenkit::{ClientAuthentication, Grant, Secret, TokenRequest};
    ///
    /// let mut request = TokenRequest::new("https://as.example/token", Grant::ClientCredentials);
    /// request.client_id = Some("app".into());
    /// request.authentication = ClientAuthentication::SecretPost { secret: Secret::from("s3cr3t") };
    /// request.scope = Some("api.read".into());
    /// ```
    pub fn new(endpoint: impl Into<String>, grant: Grant) -> Self {
        Self {
            endpoint: endpoint.into(),
            client_id: None,
            grant,
            authentication: ClientAuthentication::None,
            redirect_uri: None,
            scope: None,
            nonce: None,
            parameters: Vec::new(),
            headers: Vec::new(),
            allow_insecure_http: false,
        }
    }

    /// The HTTP request of one attempt.
    ///
    /// # Errors
    /// Input that cannot make a valid request; signing that fails.
    pub fn build(&self, attempt: &Attempt) -> Result<HttpRequest, Error> {
        let url = endpoint_url(&self.endpoint, self.allow_insecure_http)?;
        let client_id = self.client_id.as_deref().filter(|id| !id.is_empty());
        let credentials = self.authentication.credentials(client_id, self.endpoint.trim(), attempt)?;
        let authenticates = !matches!(self.authentication, ClientAuthentication::None);

        let mut form = vec![Field::new("grant_type", self.grant.grant_type())];
        form.extend(self.grant.fields()?.into_iter().map(|(name, value)| Field::new(name, value)));
        let options = [("redirect_uri", &self.redirect_uri), ("scope", &self.scope)];
        for (name, value) in options {
            form.extend(
                value.iter().filter(|value| !value.is_empty()).map(|value| Field::new(name, value.as_str())),
            );
        }
        form.extend(credentials.form);
        for parameter in &self.parameters {
            // RFC 6749 section 3.2: a parameter must not be included more than once. `resource` may
            // (RFC 8707 section 2), and so may `audience` (RFC 8693 section 2.1).
            let name = parameter.name.as_str();
            if authenticates && CREDENTIAL_PARAMETERS.contains(&name) {
                return Err(two_credentials(&format!("The parameter '{name}'")));
            }
            let repeatable = matches!(name, "resource" | "audience");
            if !repeatable && form.iter().any(|field| field.name == name) {
                return Err(invalid(format!("The parameter '{name}' would be sent twice.")));
            }
            form.push(parameter.clone());
        }

        let mut headers = vec![
            Field::new("Accept", "application/json"),
            Field::new("Content-Type", "application/x-www-form-urlencoded"),
        ];
        headers.extend(credentials.headers);
        for header in &self.headers {
            let name = header.name.to_ascii_lowercase();
            if CONNECTION_HEADERS.contains(&name.as_str()) {
                return Err(invalid(format!(
                    "The header '{}' cannot be set: the connection decides it.",
                    header.name
                )));
            }
            if name == "authorization" && authenticates {
                return Err(two_credentials("A header Authorization"));
            }
            headers.retain(|own| !own.name.eq_ignore_ascii_case(&name));
            headers.push(header.clone());
        }
        Ok(HttpRequest { method: Method::Post, url, headers, form, hidden: credentials.hidden })
    }

    /// Reads the answer to `request`, received at `now`.
    ///
    /// # Errors
    /// [`Error::Server`] for an error answer or one that is no token response, [`Error::Token`] when the
    /// nonce does not fit.
    pub fn parse(
        &self,
        request: &HttpRequest,
        response: HttpResponse,
        now: DateTime<Utc>,
    ) -> Result<TokenResponse, Error> {
        let success = (200..300).contains(&response.status);
        let object = match json_object(&response) {
            Ok(object) => object,
            Err((_, what)) if !success => return Err(http_error(request, &response, &what)),
            Err((code, what)) => return Err(unusable(request, &response, code, &what)),
        };
        let expires_in = object.get("expires_in").and_then(seconds);
        let result = if success && text(&object, "access_token").is_some() {
            self.check_nonce(request, &object)
        } else if let Some(oauth) = oauth_error(request, &object) {
            Err(oauth_failure(request, &response, oauth))
        } else if success {
            let names: Vec<_> = object.keys().map(String::as_str).collect();
            let names = shortened(&request.redact(&names.join(", ")));
            let what = format!("the JSON object has no access_token; its members are: {names}");
            Err(unusable(request, &response, ErrorCode::MissingAccessToken, &what))
        } else {
            Err(http_error(request, &response, "the JSON object holds no OAuth error"))
        };
        wipe(Value::Object(object));
        result?;
        Ok(TokenResponse {
            status: response.status,
            headers: response.headers,
            body: response.body,
            expires_in,
            expires_at: expires_in.filter(|seconds| *seconds > 0).and_then(|seconds| {
                now.checked_add_signed(TimeDelta::try_seconds(i64::try_from(seconds).ok()?)?)
            }),
        })
    }

    fn check_nonce(&self, request: &HttpRequest, object: &Map<String, Value>) -> Result<(), Error> {
        let Some(expected) = self.nonce.as_deref().filter(|nonce| !nonce.is_empty()) else {
            return Ok(());
        };
        let failed = |code, message: &str| {
            Err(Error::Token { code, message: message.to_owned(), endpoint: display_url(&request.url) })
        };
        let is_refresh = matches!(self.grant, Grant::RefreshToken { .. });
        let Some(id_token) = text(object, "id_token") else {
            let asked = self.scope.as_deref().unwrap_or_default().split(' ').any(|scope| scope == "openid");
            // A refresh need not yield an ID token (OpenID Connect Core section 12.1).
            return if asked && !is_refresh {
                failed(
                    ErrorCode::MissingIdToken,
                    "A nonce was given and openid asked for, but no ID token came.",
                )
            } else {
                Ok(())
            };
        };
        let Ok(token) = jwt::decode_unverified(id_token) else {
            return failed(
                ErrorCode::MalformedIdToken,
                "The ID token cannot be read, so its nonce cannot be checked.",
            );
        };
        match token.claims.get("nonce") {
            Some(Value::String(nonce)) if Secret::from(nonce.as_str()).matches(&Secret::from(expected)) => {
                Ok(())
            }
            // A refreshed ID token should have none (OpenID Connect Core section 12.2).
            None if is_refresh => Ok(()),
            None => failed(ErrorCode::NonceMismatch, "The ID token has no nonce, though one was sent."),
            Some(_) => {
                failed(ErrorCode::NonceMismatch, "The nonce of the ID token is not the one that was sent.")
            }
        }
    }
}

/// Reads and checks the address of an endpoint that secrets are sent to.
pub(crate) fn endpoint_url(endpoint: &str, allow_insecure_http: bool) -> Result<Url, Error> {
    let refuse = |message: String| Error::invalid(ErrorCode::InvalidEndpoint, message);
    let url = Url::parse(endpoint.trim())
        .map_err(|error| refuse(format!("The endpoint is no absolute URL: {error}.")))?;
    let shown = display_url(&url);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse(format!("The endpoint {shown} has a user name or password in its address.")));
    }
    if url.fragment().is_some() {
        return Err(refuse(format!(
            "The endpoint {shown} has a fragment, which RFC 6749 section 3.2 forbids."
        )));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_insecure_http || is_loopback(&url) => Ok(url),
        "http" => Err(Error::invalid(
            ErrorCode::InsecureEndpoint,
            format!("The endpoint {shown} is plain http: the secrets would be readable on the way."),
        )),
        other => Err(refuse(format!("The endpoint {shown} has the scheme '{other}', which is not https."))),
    }
}

/// Whether the host is this machine: `localhost` names and the loopback addresses.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidArgument, message)
}

fn two_credentials(what: &str) -> Error {
    invalid(format!(
        "{what} beside the client authentication would send two credentials (RFC 6749 section 2.3)."
    ))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// `expires_in` as a number, or as a text that holds one (as the v1 endpoints of Entra ID write it).
fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    }
}

fn oauth_error(request: &HttpRequest, object: &Map<String, Value>) -> Option<OAuthError> {
    let error = text(object, "error")?;
    // RFC 6749 section 5.2 allows these characters; anything else is not an error code.
    let is_code = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if error.len() > 200 || !error.bytes().all(is_code) {
        return None;
    }
    let member = |name| text(object, name).map(|text| request.redact(text));
    Some(OAuthError {
        error: request.redact(error),
        description: member("error_description"),
        uri: member("error_uri"),
    })
}

fn oauth_failure(request: &HttpRequest, response: &HttpResponse, oauth: OAuthError) -> Error {
    let retryable = is_retryable(response.status)
        || matches!(oauth.error.as_str(), "temporarily_unavailable" | "authorization_pending" | "slow_down");
    server_error(request, response, ErrorCode::OAuth, "", Some(oauth), retryable)
}
