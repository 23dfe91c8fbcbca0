//! The registered clients and the one user, and how a client authenticates (RFC 6749 section 2.3).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::OAuthError;
use crate::form::{FormRequest, decode};

/// A registered client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`
    pub id: &'static str,
    /// `client_secret`, sent by `client_secret_basic` or `client_secret_post`; a public client has none.
    pub secret: Option<&'static str>,
    /// Whether each refresh gives a new refresh token, and using an old one revokes them all (RFC 9700 section 4.14.2).
    pub rotates: bool,
}

/// Every registered client.
pub const CLIENTS: [Client; 4] = [
    Client { id: "demo-client", secret: Some("demo-secret"), rotates: false },
    Client { id: "rotating-client", secret: Some("rotating-secret"), rotates: true },
    Client { id: "public-client", secret: None, rotates: false },
    // Whoever skips the form-encoding of RFC 6749 section 2.3.1 cannot authenticate as this one.
    Client { id: "special client:1", secret: Some("p@ss:w+rd/%41&=ü"), rotates: false },
];

/// The user of the password grant, and the subject of every token that a user agreed to.
pub const USERNAME: &str = "alice";
/// The password of [`USERNAME`].
pub const PASSWORD: &str = "wonderland";

/// The client with this `client_id`.
#[must_use]
pub fn find(id: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.id == id)
}

/// The client that made the request, authenticated if it has a secret; nothing if the request names no client.
pub(crate) fn authenticate(request: &FormRequest) -> Result<Option<&'static Client>, OAuthError> {
    let basic = request.authorization.as_deref().map(basic_credentials).transpose()?;
    let body_id = request.get("client_id");
    let body_secret = request.get("client_secret");
    let assertion = request.get("client_assertion").or(request.get("client_assertion_type"));
    let methods = [basic.is_some(), body_secret.is_some(), assertion.is_some()];
    if methods.into_iter().filter(|used| *used).count() > 1 {
        return Err(OAuthError::invalid_request("more than one client authentication"));
    }
    if assertion.is_some() {
        return Err(OAuthError::invalid_client("client assertions are not registered for any client"));
    }
    let (id, secret) = match (&basic, body_id) {
        (Some((id, _)), Some(body_id)) if id != body_id => {
            return Err(OAuthError::invalid_request("client_id is not the authenticated client"));
        }
        (Some((id, secret)), _) => (id.as_str(), Some(secret.as_str())),
        (None, Some(id)) => (id, body_secret),
        (None, None) if body_secret.is_some() => {
            return Err(OAuthError::invalid_client("client_secret without client_id"));
        }
        (None, None) => return Ok(None),
    };
    let client = find(id).ok_or_else(|| OAuthError::invalid_client("unknown client"))?;
    match (client.secret, secret) {
        (None, None) => Ok(Some(client)),
        (Some(right), Some(given)) if equal(right, given) => Ok(Some(client)),
        (Some(_), Some(_)) => Err(OAuthError::invalid_client("wrong client secret")),
        (Some(_), None) => Err(OAuthError::invalid_client("this client must authenticate")),
        (None, Some(_)) => Err(OAuthError::invalid_client("this client has no secret")),
    }
}

/// Id and secret of `client_secret_basic`: each form-encoded, joined with a colon, in base64 (RFC 6749 section 2.3.1).
fn basic_credentials(authorization: &str) -> Result<(String, String), OAuthError> {
    let malformed =
        || OAuthError::invalid_client("Authorization is not Basic with form-encoded id and secret");
    let (scheme, credentials) = authorization.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(credentials).map_err(|_| malformed())?;
    let colon = decoded.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
    let id = decode(&decoded[..colon]).filter(|id| !id.is_empty()).ok_or_else(malformed)?;
    let secret = decode(&decoded[colon + 1..]).ok_or_else(malformed)?;
    Ok((id, secret))
}

pub(crate) fn equal(right: &str, given: &str) -> bool {
    verify_slices_are_equal(right.as_bytes(), given.as_bytes()).is_ok()
}
