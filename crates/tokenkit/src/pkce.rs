//! Proof Key for Code Exchange (RFC 7636).

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// Random bytes behind a verifier: 43 characters, as RFC 7636 section 4.1 recommends.
const VERIFIER_BYTES: usize = 32;

/// A verifier to keep and the challenge to send, always with the method `S256`.
#[derive(Debug, Clone)]
pub struct PkceChallenge {
    /// `code_verifier`, for the token request.
    pub code_verifier: Secret,
    /// `code_challenge`, for the authorization request.
    pub code_challenge: String,
}

impl PkceChallenge {
    /// `code_challenge_method`. `plain` is never used (RFC 7636 section 7.2).
    pub const METHOD: &str = "S256";

    /// A fresh verifier from the system's random generator, and its challenge.
    ///
    /// # Errors
    /// The generator fails.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; VERIFIER_BYTES];
        rand::fill(&mut bytes).map_err(|_| Error::Internal {
            code: ErrorCode::Internal,
            message: "The system has no random numbers.".into(),
        })?;
        Self::from_verifier(Secret::from(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The challenge to a verifier that already exists (RFC 7636 section 4.2).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when the verifier does not have 43 to 128 unreserved characters.
    ///
    /// ```
    /// use tokenkit::{PkceChallenge, Secret};
    ///
    /// let pkce = PkceChallenge::from_verifier(Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))?;
    /// assert_eq!(pkce.code_challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn from_verifier(code_verifier: Secret) -> Result<Self, Error> {
        let verifier = code_verifier.expose();
        let is_unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        if !(43..=128).contains(&verifier.len()) || !verifier.iter().all(is_unreserved) {
            return Err(Error::invalid(
                ErrorCode::InvalidArgument,
                "A code verifier has 43 to 128 characters out of A-Z, a-z, 0-9 and -._~ (RFC 7636 section 4.1).",
            ));
        }
        let code_challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier));
        Ok(Self { code_verifier, code_challenge })
    }
}
