//! Requests of the token and device authorization endpoints: a form, read without mercy.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Uri, header};

use crate::error::OAuthError;
use crate::record::Scheme;

/// Parameters that must be in the body, never in the URL (RFC 6749 section 2.3.1 and 3.2).
const BODY_ONLY: [&str; 12] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "code",
    "code_verifier",
    "refresh_token",
    "username",
    "password",
    "assertion",
    "device_code",
    "scope",
];

/// A well-formed form request.
#[derive(Debug)]
pub(crate) struct FormRequest {
    fields: BTreeMap<String, String>,
    /// The value of the `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// Scheme and authority that the client addressed, without a slash at the end.
    pub(crate) origin: String,
}

impl FormRequest {
    /// The value of a parameter. One without a value counts as absent (RFC 6749 section 3.2).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// Refuses every parameter that is not one of these.
    pub(crate) fn only(&self, names: &[&str]) -> Result<(), OAuthError> {
        match self.fields.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(OAuthError::invalid_request(format!("{name} does not belong here"))),
            None => Ok(()),
        }
    }

    /// The requested scope, if it has the syntax of RFC 6749 section 3.3.
    pub(crate) fn scope(&self) -> Result<Option<String>, OAuthError> {
        let token_char = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        match self.get("scope") {
            None => Ok(None),
            Some(scope) if scope.split(' ').all(|t| !t.is_empty() && t.chars().all(token_char)) => {
                Ok(Some(scope.to_owned()))
            }
            Some(_) => {
                Err(OAuthError::new("invalid_scope", "scope is a list of words with one space between"))
            }
        }
    }

    /// A number of seconds in a parameter that only tests send.
    pub(crate) fn seconds(&self, name: &str, default: u32) -> Result<u64, OAuthError> {
        let seconds = self.get(name).map_or(Ok(default), str::parse);
        seconds.map(u64::from).map_err(|_| OAuthError::invalid_request(format!("{name} is not a number")))
    }
}

impl<S: Send + Sync> FromRequest<S> for FormRequest {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        let scheme = request.extensions().get::<Scheme>().copied().unwrap_or(Scheme::Http);
        let origin = origin(scheme, request.uri(), request.headers())?;
        check_query(request.uri())?;
        let content_type = single(request.headers(), &header::CONTENT_TYPE)?.unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OAuthError::invalid_request(
                "Content-Type must be application/x-www-form-urlencoded",
            ));
        }
        let authorization = single(request.headers(), &header::AUTHORIZATION)?;
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| OAuthError::invalid_request(error.body_text()))?;
        Ok(Self { fields: fields(&body)?, authorization, origin })
    }
}

/// The form's parameters, each once (RFC 6749 section 3.2).
fn fields(body: &[u8]) -> Result<BTreeMap<String, String>, OAuthError> {
    let mut fields = BTreeMap::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
        let (Some(name), Some(value)) = (decode(name), decode(value)) else {
            return Err(OAuthError::invalid_request("the body is not form-urlencoded UTF-8"));
        };
        if fields.contains_key(&name) {
            return Err(OAuthError::invalid_request(format!("{name} is given more than once")));
        }
        fields.insert(name, value);
    }
    Ok(fields)
}

/// Undoes `application/x-www-form-urlencoded` for one name or value (RFC 6749 appendix B). A byte that no encoder
/// leaves as it is, a broken escape or bytes that are not UTF-8 give nothing.
pub(crate) fn decode(encoded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &tail[2..];
            }
            byte if byte.is_ascii_alphanumeric() || b"-._~!*'()".contains(byte) => bytes.push(*byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

fn check_query(uri: &Uri) -> Result<(), OAuthError> {
    let query = uri.query().unwrap_or_default();
    match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| BODY_ONLY.contains(&name.as_ref())) {
        Some((name, _)) => Err(OAuthError::invalid_request(format!("{name} must not be in the URL"))),
        None => Ok(()),
    }
}

fn origin(scheme: Scheme, uri: &Uri, headers: &HeaderMap) -> Result<String, OAuthError> {
    let authority = match uri.authority() {
        Some(authority) => authority.to_string(),
        None => {
            single(headers, &header::HOST)?.ok_or_else(|| OAuthError::invalid_request("Host is missing"))?
        }
    };
    Ok(format!("{}://{authority}", scheme.as_str()))
}

fn single(headers: &HeaderMap, name: &header::HeaderName) -> Result<Option<String>, OAuthError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(|text| Some(text.to_owned()))
            .map_err(|_| OAuthError::invalid_request(format!("header {name} is not ASCII"))),
        (Some(_), Some(_)) => {
            Err(OAuthError::invalid_request(format!("header {name} is given more than once")))
        }
    }
}
