//! JSON Web Tokens: algorithms, signing keys, signing and reading (RFC 7515, 7517, 7518, 7519, 8037).

mod algorithm;
mod decode;
mod export;
mod generate;
mod jwk;
mod key;
mod public_key;
mod unique;
mod validate;

pub use algorithm::Algorithm;
pub use decode::{DecodeError, UnverifiedJwt, decode_unverified};
pub use jwk::{JwkSet, thumbprint};
pub use key::{ExternalSigner, KeyType, SigningKey};
pub use public_key::VerifyingKey;
pub(crate) use validate::check_signature;
pub use validate::{Reason, Validation, verify_signature};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// The JOSE header of a signed token (RFC 7515 section 4.1).
#[derive(Debug, Clone, Serialize)]
pub struct Header {
    /// Signature algorithm.
    pub alg: Algorithm,
    /// Media type of the whole: `JWT`.
    pub typ: &'static str,
    /// Which of the signer's keys it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// SHA-1 thumbprint of the certificate, base64url (RFC 7515 section 4.1.7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
    /// SHA-256 thumbprint of the certificate, base64url (RFC 7515 section 4.1.8).
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t_s256: Option<String>,
}

impl Header {
    /// The header of a JWT that `key` signs with `algorithm`: `kid` and thumbprints are the key's own.
    #[must_use]
    pub fn new(algorithm: Algorithm, key: &SigningKey) -> Self {
        Self {
            alg: algorithm,
            typ: "JWT",
            kid: key.key_id().map(str::to_owned),
            x5t: key.certificate_sha1(),
            x5t_s256: key.certificate_sha256(),
        }
    }
}

/// Signs `claims` and returns the token in compact form (RFC 7515 section 3.1).
///
/// # Errors
/// The key cannot sign with the header's algorithm, or its signer fails.
///
/// ```
/// use tokenkit::Secret;
/// use tokenkit::jwt::{self, Algorithm, Header, SigningKey};
///
/// let key = SigningKey::from_shared_secret(Secret::from("a secret of at least thirty-two bytes"));
/// let token = jwt::sign(&Header::new(Algorithm::HS256, &key), &serde_json::json!({"sub": "alice"}), &key)?;
/// assert_eq!(token.expose_str().map(|text| text.split('.').count()), Some(3));
/// # Ok::<(), tokenkit::Error>(())
/// ```
pub fn sign<C: Serialize>(header: &Header, claims: &C, key: &SigningKey) -> Result<Secret, Error> {
    let mut token = URL_SAFE_NO_PAD.encode(json(header)?);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(json(claims)?, &mut token);
    let signature = key.sign(header.alg, token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(Secret::from(token))
}

/// Whether the data is PEM (RFC 7468), where DER or JSON could stand, too.
pub(crate) fn is_pem(data: &[u8]) -> bool {
    data.windows(11).any(|window| window == b"-----BEGIN ")
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        Error::invalid(ErrorCode::InvalidArgument, format!("The claims cannot be written as JSON: {error}"))
    })
}
