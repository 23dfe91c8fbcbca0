//! The userinfo endpoint (OpenID Connect Core section 5.3): who the user of an access token is. Nothing here touches
//! the network.

use std::iter::Peekable;
use std::str::Chars;

use chrono::Utc;
use serde_json::Value;
use url::Url;

use crate::client_request::add_headers;
use crate::discovery::{Metadata, MetadataLocation};
use crate::error::{Error, ErrorCode, OAuthError};
use crate::jwt::{DecodeError, JwkSet, Validation, decode_unverified};
use crate::message::{Content, Field, HttpRequest, HttpResponse, Method, display_url};
use crate::reply::{is_error_code, oauth_failure, oauth_success};
use crate::secret::Secret;
use crate::token::endpoint_url;
use crate::verification::{KeySource, Verdict, Verification};

/// A question to the userinfo endpoint.
#[derive(Debug, Clone)]
pub struct UserInfoRequest {
    /// The userinfo endpoint; that of the issuer's metadata when `None`.
    pub endpoint: Option<String>,
    /// The issuer, or the full address of its metadata: where the endpoint is, and who may sign the answer.
    pub issuer: Option<String>,
    /// The access token.
    pub access_token: Secret,
    /// The client: the audience of a signed answer. Not compared when `None`.
    pub client_id: Option<String>,
    /// The subject of the ID token, which the answer must be about (section 5.3.2). Not compared when `None`.
    pub subject: Option<String>,
    /// Further headers. They replace this library's own of the same name.
    pub headers: Vec<Field>,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
}

/// Who the user is.
#[derive(Debug, Clone)]
pub struct UserInfo {
    /// The claims: a JSON object in text.
    pub claims: String,
    /// Whether they came in a JWT that the issuer signed, and whose signature was verified.
    pub is_signed: bool,
}

/// An answer that has been read, not yet checked.
#[derive(Debug, Clone)]
pub enum UserInfoAnswer {
    /// Claims: a JSON object in text.
    Plain(String),
    /// A JWT with claims.
    Signed(Secret),
}

impl UserInfoRequest {
    /// A question to the issuer's userinfo endpoint.
    #[must_use]
    pub fn new(issuer: impl Into<String>, access_token: Secret) -> Self {
        Self {
            endpoint: None,
            issuer: Some(issuer.into()),
            access_token,
            client_id: None,
            subject: None,
            headers: Vec::new(),
            allow_insecure_http: false,
        }
    }

    pub(crate) fn issuer_location(&self) -> Result<MetadataLocation, Error> {
        let issuer = self
            .issuer
            .as_deref()
            .ok_or_else(|| invalid("Either the userinfo endpoint or the issuer has to be given."))?;
        MetadataLocation::parse(issuer, self.allow_insecure_http)
    }

    pub(crate) fn endpoint_of(&self, metadata: &Metadata) -> Result<Url, Error> {
        let endpoint = metadata.userinfo_endpoint.as_deref().ok_or_else(|| {
            let message = format!("The metadata of {} names no userinfo_endpoint.", metadata.issuer);
            Error::invalid(ErrorCode::InvalidEndpoint, message)
        })?;
        endpoint_url(endpoint, self.allow_insecure_http)
    }

    /// The HTTP request to `endpoint`, with the token in its header (RFC 6750 section 2.1).
    ///
    /// # Errors
    /// The token or a header cannot be sent.
    pub fn build(&self, endpoint: Url) -> Result<HttpRequest, Error> {
        let token = self.access_token.expose_str().unwrap_or_default();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(is_allowed) {
            return Err(invalid("The access token is empty, or has characters that a header cannot carry."));
        }
        let mut headers = vec![
            Field::new("Accept", "application/json, application/jwt"),
            Field::bearer(&self.access_token),
        ];
        if self.headers.iter().any(|header| header.name.eq_ignore_ascii_case("authorization")) {
            return Err(invalid("The header Authorization carries the access token."));
        }
        add_headers(&mut headers, &self.headers)?;
        let hidden = vec![self.access_token.clone()];
        Ok(HttpRequest { method: Method::Get, url: endpoint, headers, content: Content::None, hidden })
    }

    /// How a signed answer is checked: by the issuer's keys, and by its issuer and audience (section 5.3.2).
    pub(crate) fn verification(&self, token: &Secret, endpoint: &Url) -> Result<Verification, Error> {
        let issuer = self.issuer.clone().ok_or_else(|| {
            invalid("The answer is signed. Give the issuer, so that its signature can be verified.")
        })?;
        let location = self.issuer_location()?;
        let jwt = decode_unverified(token.expose_str().unwrap_or_default()).map_err(|error| {
            let code = match error {
                DecodeError::Encrypted => ErrorCode::EncryptedToken,
                _ => ErrorCode::MalformedUserInfo,
            };
            unusable(code, &error.to_string(), endpoint)
        })?;
        // The issuer's name in its own spelling, where it is known.
        let named = jwt.claims.get("iss").and_then(Value::as_str).map(str::to_owned);
        let is_same = named
            .as_deref()
            .zip(location.issuer.as_deref())
            .is_some_and(|(one, two)| one.trim_end_matches('/') == two.trim_end_matches('/'));
        Ok(Verification {
            source: KeySource::Issuer(issuer),
            claims: Some(Validation {
                issuer: if is_same { named } else { location.issuer },
                audiences: self.client_id.iter().cloned().collect(),
                ..Validation::new(JwkSet::default())
            }),
            with_content: true,
            allow_insecure_http: self.allow_insecure_http,
            now: Utc::now(),
        })
    }

    /// Compares the subject (section 5.3.2: without that, the claims must not be used).
    pub(crate) fn check_subject(&self, answer: &UserInfo, endpoint: &Url) -> Result<(), Error> {
        let claims: Value = serde_json::from_str(&answer.claims).unwrap_or_default();
        match (claims.get("sub").and_then(Value::as_str), &self.subject) {
            (None | Some(""), _) => {
                Err(unusable(ErrorCode::MalformedUserInfo, "it names no subject (sub)", endpoint))
            }
            (Some(found), Some(expected)) if found != expected => Err(unusable(
                ErrorCode::SubjectMismatch,
                "it is about another subject (sub) than expected",
                endpoint,
            )),
            _ => Ok(()),
        }
    }
}

impl UserInfoAnswer {
    /// Reads the answer: claims as JSON, or a JWT with claims.
    ///
    /// # Errors
    /// [`Error::Server`]; with the error of the `Bearer` challenge, if there is one (RFC 6750 section 3).
    pub fn read(request: &HttpRequest, response: &HttpResponse) -> Result<Self, Error> {
        let headers = || response.headers.iter().filter(|(name, _)| name == "www-authenticate");
        if !(200..300).contains(&response.status)
            && let Some(oauth) = headers().find_map(|(_, challenges)| bearer_error(challenges))
        {
            let redacted = |text: Option<String>| text.map(|text| request.redact(&text));
            let oauth = OAuthError {
                error: request.redact(&oauth.error),
                description: redacted(oauth.description),
                uri: redacted(oauth.uri),
            };
            return Err(oauth_failure(request, response, oauth));
        }
        let kind = response.headers.iter().find(|(name, _)| name == "content-type");
        let kind = kind.and_then(|(_, kind)| kind.split(';').next()).unwrap_or_default().trim();
        if (200..300).contains(&response.status) && kind.eq_ignore_ascii_case("application/jwt") {
            return Ok(Self::Signed(Secret::from(response.body.expose().trim_ascii().to_vec())));
        }
        let claims = oauth_success(request, response)?;
        Ok(Self::Plain(Value::Object(claims).to_string()))
    }
}

/// The claims of a signed answer that was checked.
pub(crate) fn verified(verdicts: Vec<Verdict>, endpoint: &Url) -> Result<String, Error> {
    let Some(verdict) = verdicts.into_iter().next() else { return Ok(String::new()) };
    // Unlike an ID token, it need not expire.
    let problems = verdict.findings.iter().filter(|finding| finding.code != "missing_exp");
    let texts: Vec<_> = problems.map(|finding| finding.text.as_str()).collect();
    match verdict.claims {
        Some(claims) if texts.is_empty() => Ok(claims),
        _ => Err(unusable(ErrorCode::MalformedUserInfo, &texts.join("; "), endpoint)),
    }
}

/// The error that a `Bearer` challenge of a WWW-Authenticate header names (RFC 6750 section 3, RFC 9110 section
/// 11.6.1).
fn bearer_error(challenges: &str) -> Option<OAuthError> {
    let mut error = OAuthError { error: String::new(), description: None, uri: None };
    let mut is_bearer = false;
    let mut text = challenges.chars().peekable();
    loop {
        skip(&mut text, |c| c == ',' || c.is_ascii_whitespace());
        let name = take(&mut text, is_token);
        if name.is_empty() {
            break;
        }
        let has_space = skip(&mut text, |c| c.is_ascii_whitespace());
        // A name before `=` is a parameter; one before a space is the scheme of the next challenge.
        if text.next_if_eq(&'=').is_none() {
            if is_bearer && !error.error.is_empty() {
                break;
            }
            is_bearer =
                (has_space || text.peek().is_none_or(|c| *c == ',')) && name.eq_ignore_ascii_case("bearer");
            continue;
        }
        skip(&mut text, |c| c.is_ascii_whitespace());
        let value = if text.next_if_eq(&'"').is_some() {
            quoted(&mut text)
        } else {
            take(&mut text, |c| c != ',' && !c.is_ascii_whitespace())
        };
        match name.to_ascii_lowercase().as_str() {
            "error" if is_bearer => error.error = value,
            "error_description" if is_bearer => error.description = Some(value),
            "error_uri" if is_bearer => error.uri = Some(value),
            _ => {}
        }
    }
    is_error_code(&error.error).then_some(error)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn skip(text: &mut Peekable<Chars<'_>>, what: impl Fn(char) -> bool) -> bool {
    !take(text, what).is_empty()
}

fn take(text: &mut Peekable<Chars<'_>>, what: impl Fn(char) -> bool) -> String {
    std::iter::from_fn(|| text.next_if(|c| what(*c))).collect()
}

/// The rest of a quoted string, with its escapes resolved.
fn quoted(text: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    while let Some(next) = text.next() {
        match next {
            '"' => break,
            '\\' => value.extend(text.next()),
            other => value.push(other),
        }
    }
    value
}

fn unusable(code: ErrorCode, what: &str, endpoint: &Url) -> Error {
    let message = format!("The answer of the userinfo endpoint must not be used: {what}.");
    Error::Token { code, message, endpoint: display_url(endpoint) }
}

fn invalid(message: &str) -> Error {
    Error::invalid(ErrorCode::InvalidArgument, message)
}
