//! Reading a token without checking its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The parts of a JWS in compact form (RFC 7515 section 3.1). Nothing about it has been checked.
#[derive(Debug, Clone)]
pub struct UnverifiedJwt {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// Why a text is no readable JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Five parts: an encrypted token (RFC 7516).
    #[error("the token is encrypted")]
    Encrypted,
    /// Neither three nor five parts.
    #[error("the token is not a JWT")]
    NotAJwt,
    /// A part is not base64url of a JSON object.
    #[error("the {0} of the token is not base64url of a JSON object")]
    Malformed(&'static str),
}

/// Reads header and claims of a signed token. The signature is **not** checked: use the claims only when
/// they came over a connection to the issuer itself (OpenID Connect Core section 3.1.3.7, item 6).
///
/// # Errors
/// The text is no JWS in compact form.
pub fn decode_unverified(token: &str) -> Result<UnverifiedJwt, DecodeError> {
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, _signature] = parts[..] else {
        return Err(if parts.len() == 5 { DecodeError::Encrypted } else { DecodeError::NotAJwt });
    };
    let object = |name, part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| DecodeError::Malformed(name))?;
        serde_json::from_slice(&bytes).map_err(|_| DecodeError::Malformed(name))
    };
    Ok(UnverifiedJwt { header: object("header", header)?, claims: object("payload", claims)? })
}
