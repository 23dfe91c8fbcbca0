//! Reading a token strictly, without checking its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::unique;
use crate::error::{Error, ErrorCode};

/// Longer tokens are refused before any work is done on them. In HTTP headers they would not fit by far.
const MAX_LENGTH: usize = 64 * 1024;

/// The parts of a JWS in compact form (RFC 7515 section 3.1). Nothing about it has been checked.
#[derive(Clone)]
pub struct UnverifiedJwt<'a> {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// The bytes that are signed: header and payload as they stand in the token.
    pub(super) signing_input: &'a str,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

/// Why a text is no readable JWT.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More than 64 KiB.
    #[error("the token is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Five parts: an encrypted token (RFC 7516).
    #[error("the token is encrypted (JWE) and can be read by its recipient only")]
    Encrypted,
    /// Neither three nor five parts, as with opaque tokens.
    #[error("the token is not a JWT: it does not consist of three parts with dots between them")]
    NotAJwt,
    /// A part is not base64url without padding, in the one canonical spelling.
    #[error("the {0} of the token is not canonical base64url")]
    Encoding(&'static str),
    /// A part is not a JSON object with unique names.
    #[error("the {0} of the token is not a JSON object with unique names")]
    Json(&'static str),
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        let code = match error {
            DecodeError::Encrypted => ErrorCode::EncryptedToken,
            _ => ErrorCode::MalformedToken,
        };
        // Every text begins with "the".
        Self::invalid(code, error.to_string().replacen('t', "T", 1) + ".")
    }
}

/// Reads header and claims of a signed token. The signature is **not** checked: use the claims only when
/// they came over a connection to the issuer itself (OpenID Connect Core section 3.1.3.7, item 6), or for
/// display.
///
/// # Errors
/// The text is no JWS in compact form.
///
/// ```
/// use tokenkit::jwt::{DecodeError, decode_unverified};
///
/// let jwt = decode_unverified("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl")?;
/// assert_eq!(jwt.claims["sub"], "alice");
/// assert_eq!(decode_unverified("opaque").err(), Some(DecodeError::NotAJwt));
/// # Ok::<(), DecodeError>(())
/// ```
pub fn decode_unverified(token: &str) -> Result<UnverifiedJwt<'_>, DecodeError> {
    if token.len() > MAX_LENGTH {
        return Err(DecodeError::TooLong);
    }
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return Err(if parts.len() == 5 { DecodeError::Encrypted } else { DecodeError::NotAJwt });
    };
    let decode = |name, part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| DecodeError::Encoding(name));
    let object = |name, part| unique::object(&decode(name, part)?).map_err(|_| DecodeError::Json(name));
    Ok(UnverifiedJwt {
        header: object("header", header)?,
        claims: object("payload", claims)?,
        signing_input: &token[..header.len() + 1 + claims.len()],
        signature: decode("signature", signature)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn header_and_claims_are_read_without_the_key() {
        // RFC 7515 appendix A.1.
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let jwt = decode_unverified(token).unwrap();
        assert_eq!(Value::Object(jwt.header).to_string(), r#"{"typ":"JWT","alg":"HS256"}"#);
        assert_eq!(
            Value::Object(jwt.claims).to_string(),
            r#"{"iss":"joe","exp":1300819380,"http://example.com/is_root":true}"#
        );
    }

    #[rstest]
    #[case::empty("", DecodeError::NotAJwt)]
    #[case::one_part("eyJ9", DecodeError::NotAJwt)]
    #[case::two_parts("e30.e30", DecodeError::NotAJwt)]
    #[case::four_parts("e30.e30..", DecodeError::NotAJwt)]
    #[case::six_parts("e30.e30....", DecodeError::NotAJwt)]
    #[case::encrypted("e30.a.b.c.d", DecodeError::Encrypted)]
    #[case::header_of_the_other_alphabet("e3+.e30.", DecodeError::Encoding("header"))]
    #[case::padded_header("e30=.e30.", DecodeError::Encoding("header"))]
    #[case::stray_bits("e31.e30.", DecodeError::Encoding("header"))]
    #[case::signature_with_a_space("e30.e30.c2ln ", DecodeError::Encoding("signature"))]
    #[case::header_is_a_list("W10.e30.", DecodeError::Json("header"))]
    #[case::empty_payload("e30..", DecodeError::Json("payload"))]
    #[case::payload_is_cut_off("e30.eyI.", DecodeError::Json("payload"))]
    #[case::payload_is_a_text("e30.Ing.", DecodeError::Json("payload"))]
    #[case::payload_is_no_utf8("e30.eyL_Ijox.", DecodeError::Json("payload"))]
    #[case::more_than_an_object("e30.e30x.", DecodeError::Json("payload"))]
    #[case::duplicate_claim("e30.eyJhIjoxLCJhIjoyfQ.", DecodeError::Json("payload"))]
    #[case::duplicate_deeper_down("e30.eyJhIjp7ImIiOjEsImIiOjJ9fQ.", DecodeError::Json("payload"))]
    fn what_is_no_signed_jwt_is_told_apart(#[case] token: &str, #[case] expected: DecodeError) {
        assert_eq!(decode_unverified(token).err(), Some(expected));
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        let deep = URL_SAFE_NO_PAD.encode(format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200)));
        let token = format!("e30.{deep}.");
        assert_eq!(decode_unverified(&token).err(), Some(DecodeError::Json("payload")));
    }

    #[test]
    fn endless_tokens_are_not_looked_at() {
        let token = "a".repeat(64 * 1024 + 1);
        assert_eq!(decode_unverified(&token).err(), Some(DecodeError::TooLong));
        assert_eq!(decode_unverified(&token[1..]).err(), Some(DecodeError::NotAJwt));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(token in any::<String>()) {
            let _ = decode_unverified(&token);
        }

        #[test]
        fn any_parts_are_read_or_refused(parts in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
            let token = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect::<Vec<_>>().join(".");
            let _ = decode_unverified(&token);
        }
    }
}
