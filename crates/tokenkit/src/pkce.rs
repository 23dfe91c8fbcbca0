//! Proof Key for Code Exchange (RFC 7636).

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// As RFC 7636 section 4.1 recommends for a verifier.
const RANDOM_BYTES: usize = 32;

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
        Self::from_verifier(random_text()?)
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

/// 43 characters from the system's random generator: a verifier, a state or a nonce.
pub(crate) fn random_text() -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    rand::fill(&mut *bytes).map_err(|_| Error::internal("The system has no random numbers."))?;
    Ok(Secret::from(URL_SAFE_NO_PAD.encode(*bytes)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let rows: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/vectors/pkce.json")).unwrap();
        for row in rows {
            let pkce = PkceChallenge::from_verifier(row["code_verifier"].as_str().unwrap().into()).unwrap();
            assert_eq!(pkce.code_challenge, row["code_challenge"]);
        }
    }

    #[test]
    fn generated_verifiers_are_long_valid_and_different() {
        let (one, two) = (PkceChallenge::generate().unwrap(), PkceChallenge::generate().unwrap());
        assert_eq!(one.code_verifier.expose().len(), 43);
        assert!(!one.code_verifier.matches(&two.code_verifier));
        let again = PkceChallenge::from_verifier(one.code_verifier).unwrap();
        assert_eq!(again.code_challenge, one.code_challenge);
    }

    #[rstest]
    #[case::shortest(&"a".repeat(43), true)]
    #[case::longest(&"~".repeat(128), true)]
    #[case::too_short(&"a".repeat(42), false)]
    #[case::too_long(&"a".repeat(129), false)]
    #[case::reserved_character(&format!("{}+", "a".repeat(43)), false)]
    #[case::not_ascii(&"ä".repeat(43), false)]
    fn verifiers_have_43_to_128_unreserved_characters(#[case] verifier: &str, #[case] valid: bool) {
        let result = PkceChallenge::from_verifier(Secret::from(verifier));
        assert_eq!(result.is_ok(), valid);
        if let Err(error) = result {
            assert_eq!(error.error_code(), ErrorCode::InvalidArgument);
            assert!(!error.to_string().contains(verifier));
        }
    }
}
