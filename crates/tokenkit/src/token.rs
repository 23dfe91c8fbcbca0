//! The token endpoint: a [`TokenRequest`] becomes a plain HTTP request, the answer a [`TokenResponse`]
//! (RFC 6749 sections 4 and 5). Nothing here touches the network.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::{Host, Url};

use crate::client_auth::{Attempt, ClientAuthentication};
use crate::client_request::{ClientRequest, optional};
use crate::error::{Error, ErrorCode};
use crate::grant::Grant;
use crate::id_token::{self, ExpectedIdToken};
use crate::message::{Field, HttpRequest, HttpResponse, display_url};
use crate::reply::{
    expiry, http_error, json, json_object, oauth_error, oauth_failure, seconds, shortened, text, unusable,
    wipe,
};
use crate::secret::Secret;

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
    /// The issuer, or the full address of its metadata. An ID token in the answer is then validated fully
    /// (OpenID Connect Core section 3.1.3.7); of its nonce alone this says nothing, see `nonce`.
    pub issuer: Option<String>,
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
            issuer: None,
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
        let mut form = vec![Field::new("grant_type", self.grant.grant_type())];
        form.extend(self.grant.fields()?.into_iter().map(|(name, value)| Field::new(name, value)));
        form.extend(optional("redirect_uri", self.redirect_uri.as_deref()));
        form.extend(optional("scope", self.scope.as_deref()));
        let client = ClientRequest {
            endpoint: &self.endpoint,
            client_id: self.client_id.as_deref(),
            authentication: &self.authentication,
            parameters: &self.parameters,
            headers: &self.headers,
            allow_insecure_http: self.allow_insecure_http,
        };
        client.build(form, attempt)
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
            expires_at: expiry(now, expires_in),
        })
    }

    /// The ID token of an answer and what it is held against, if both the token and its issuer are known.
    pub(crate) fn expected_id_token(
        &self,
        response: &TokenResponse,
    ) -> Option<(Secret, ExpectedIdToken<'_>)> {
        let issuer = self.issuer.as_deref()?;
        let body = json(&response.body).ok()?;
        let member =
            |name| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Secret::from);
        let (id_token, access_token) = (member("id_token"), member("access_token"));
        wipe(body);
        let code = match &self.grant {
            Grant::AuthorizationCode { code, .. } => Some(code.clone()),
            _ => None,
        };
        let secret = match &self.authentication {
            ClientAuthentication::SecretBasic { secret }
            | ClientAuthentication::SecretPost { secret }
            | ClientAuthentication::SecretJwt { secret, .. } => Some(secret),
            _ => None,
        };
        let expected = ExpectedIdToken {
            issuer,
            client_id: self.client_id.as_deref().unwrap_or_default(),
            nonce: self.nonce.as_deref().filter(|nonce| !nonce.is_empty()),
            is_refresh: matches!(self.grant, Grant::RefreshToken { .. }),
            access_token,
            code,
            from_browser: false,
            secret,
            endpoint: Url::parse(&self.endpoint).map(|url| display_url(&url)).unwrap_or_default(),
            allow_insecure_http: self.allow_insecure_http,
        };
        Some((id_token?, expected))
    }

    fn check_nonce(&self, request: &HttpRequest, object: &Map<String, Value>) -> Result<(), Error> {
        let Some(expected) = self.nonce.as_deref().filter(|nonce| !nonce.is_empty()) else {
            return Ok(());
        };
        let failed = |(code, message): (ErrorCode, &str)| Error::Token {
            code,
            message: message.to_owned(),
            endpoint: display_url(&request.url),
        };
        let is_refresh = matches!(self.grant, Grant::RefreshToken { .. });
        if let Some(id_token) = text(object, "id_token") {
            return id_token::check_nonce(id_token, expected, is_refresh).map_err(failed);
        }
        let asked = self.scope.as_deref().unwrap_or_default().split(' ').any(|scope| scope == "openid");
        // A refresh need not yield an ID token (OpenID Connect Core section 12.1).
        if asked && !is_refresh {
            let message = "A nonce was given and openid asked for, but no ID token came.";
            return Err(failed((ErrorCode::MissingIdToken, message)));
        }
        Ok(())
    }
}

impl TokenResponse {
    /// `access_token` of the body.
    #[must_use]
    pub fn access_token(&self) -> Secret {
        let members = self.members();
        let token = Secret::from(text(&members, "access_token").unwrap_or_default());
        wipe(Value::Object(members));
        token
    }

    /// The body's members. Whoever asks for them wipes them.
    pub(crate) fn members(&self) -> Map<String, Value> {
        match json(&self.body) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
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
