//! Checking a token: its signature, and what its claims say (RFC 7515 section 5.2, RFC 7519 section 4.1,
//! RFC 8725, OpenID Connect Core section 3.1.3.7).

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Algorithm, DecodeError, JwkSet, UnverifiedJwt, VerifyingKey, decode_unverified};
use crate::secret::Secret;

/// What a token is held against. Times are always checked; the rest where a value is given.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The issuer's keys, or the one key.
    pub keys: JwkSet,
    /// `iss`, exactly.
    pub issuer: Option<String>,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// `nonce`, exactly.
    pub nonce: Option<String>,
    /// `azp`: the client it was issued to.
    pub authorized_party: Option<String>,
    /// The access token whose hash is in `at_hash` (OpenID Connect Core section 3.1.3.6).
    pub access_token: Option<Secret>,
    /// The code whose hash is in `c_hash` (OpenID Connect Core section 3.3.2.11).
    pub code: Option<Secret>,
    /// How far the clocks may be apart.
    pub clock_skew: Duration,
}

impl Validation {
    /// A check by `keys` with a minute of clock skew.
    #[must_use]
    pub fn new(keys: JwkSet) -> Self {
        Self {
            keys,
            issuer: None,
            audiences: Vec::new(),
            nonce: None,
            authorized_party: None,
            access_token: None,
            code: None,
            clock_skew: Duration::from_mins(1),
        }
    }

    /// Everything that speaks against `token` at the time `now`; nothing when it is valid. A token whose
    /// signature does not hold has that one reason only: its claims mean nothing.
    #[must_use]
    pub fn reasons(&self, token: &str, now: DateTime<Utc>) -> Vec<Reason> {
        match decode_unverified(token) {
            Ok(jwt) => self.reasons_against(&jwt, &self.keys, now),
            Err(error) => vec![error.into()],
        }
    }

    /// The same for a token that has been read, by other keys than the check's own.
    pub(crate) fn reasons_against(
        &self,
        jwt: &UnverifiedJwt<'_>,
        keys: &JwkSet,
        now: DateTime<Utc>,
    ) -> Vec<Reason> {
        match check_signature(jwt, keys) {
            Ok(()) => self.claims(jwt, now),
            Err(reason) => vec![reason],
        }
    }

    fn claims(&self, jwt: &UnverifiedJwt<'_>, now: DateTime<Utc>) -> Vec<Reason> {
        let claims = &jwt.claims;
        let mut reasons = Vec::new();
        let mut expect = |name: &'static str, expected: Option<&str>| {
            if let Some(expected) = expected {
                match claims.get(name) {
                    Some(Value::String(found)) if found == expected => {}
                    Some(_) => reasons.push(Reason::Mismatch(name)),
                    None => reasons.push(Reason::Missing(name)),
                }
            }
        };
        expect("iss", self.issuer.as_deref());
        expect("nonce", self.nonce.as_deref());
        expect("azp", self.authorized_party.as_deref());
        expect("at_hash", self.access_token.as_ref().and_then(|token| half_hash(token, jwt)).as_deref());
        expect("c_hash", self.code.as_ref().and_then(|code| half_hash(code, jwt)).as_deref());
        if !self.audiences.is_empty() {
            match claims.get("aud").map(audiences) {
                Some(Some(found))
                    if found.iter().any(|audience| self.audiences.iter().any(|own| own == audience)) => {}
                Some(Some(_)) => reasons.push(Reason::Mismatch("aud")),
                Some(None) => reasons.push(Reason::Malformed("aud")),
                None => reasons.push(Reason::Missing("aud")),
            }
        }
        reasons.extend(self.times(claims, now));
        reasons
    }

    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    fn times(&self, claims: &Map<String, Value>, now: DateTime<Utc>) -> Vec<Reason> {
        let now = now.timestamp() as f64;
        let skew = self.clock_skew.as_secs_f64();
        let mut reasons = Vec::new();
        let mut check =
            |name: &'static str, reason: Reason, holds: &dyn Fn(f64) -> bool| match claims.get(name) {
                // RFC 7519 section 2: a NumericDate may have a fraction.
                Some(value) => match value.as_f64() {
                    Some(time) if holds(time) => {}
                    Some(_) => reasons.push(reason),
                    None => reasons.push(Reason::Malformed(name)),
                },
                None if name == "exp" => reasons.push(Reason::Missing("exp")),
                None => {}
            };
        check("exp", Reason::Expired, &|exp| now < exp + skew);
        check("nbf", Reason::NotYetValid, &|nbf| now >= nbf - skew);
        check("iat", Reason::IssuedInTheFuture, &|iat| now >= iat - skew);
        reasons
    }
}

/// Why a token is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] DecodeError),
    /// `alg` is missing, `none`, or unknown.
    #[error("the header names no supported signature algorithm")]
    UnsupportedAlgorithm,
    /// The header has extensions that must be understood and are not (RFC 7515 section 4.1.11).
    #[error("the header demands an extension (crit) that is not supported")]
    CriticalExtension,
    /// The payload is not encoded (RFC 7797), which a JWT must not have.
    #[error("the header says that the payload is not base64url-encoded (b64), which a JWT must not have")]
    UnencodedPayload,
    /// None of the keys has its `kid`.
    #[error("no key has the kid of the token")]
    UnknownKey,
    /// The keys that could fit are for other algorithms.
    #[error("no key is for the algorithm of the token")]
    AlgorithmNotAllowed,
    /// The RSA key is too short for the algorithm.
    #[error("the RSA key has fewer than 2048 bits, which is too short for the algorithm of the token")]
    WeakKey,
    /// The signature is not by the key.
    #[error("the signature is wrong")]
    WrongSignature,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is not reached.
    #[error("the token is not valid yet (nbf)")]
    NotYetValid,
    /// `iat` is later than now.
    #[error("the token was issued in the future (iat)")]
    IssuedInTheFuture,
    /// A claim that is needed for the check is not there.
    #[error("the token has no {0}")]
    Missing(&'static str),
    /// A claim has another value than expected.
    #[error("the {0} of the token is not the expected one")]
    Mismatch(&'static str),
    /// A claim has the wrong type.
    #[error("the {0} of the token is malformed")]
    Malformed(&'static str),
}

impl Reason {
    /// The reason as a stable code.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Unreadable(DecodeError::Encrypted) => "encrypted".into(),
            Self::Unreadable(_) => "malformed_token".into(),
            Self::UnsupportedAlgorithm => "unsupported_algorithm".into(),
            Self::CriticalExtension => "unsupported_crit".into(),
            Self::UnencodedPayload => "unencoded_payload".into(),
            Self::UnknownKey => "unknown_kid".into(),
            Self::AlgorithmNotAllowed => "algorithm_not_allowed".into(),
            Self::WeakKey => "weak_key".into(),
            Self::WrongSignature => "invalid_signature".into(),
            Self::Expired => "expired".into(),
            Self::NotYetValid => "not_yet_valid".into(),
            Self::IssuedInTheFuture => "issued_in_future".into(),
            Self::Missing(claim) => format!("missing_{claim}"),
            Self::Mismatch(claim) => format!("wrong_{claim}"),
            Self::Malformed(claim) => format!("malformed_{claim}"),
        }
    }
}

/// Checks the signature of a token by one of `keys`, and nothing else. The key decides which algorithms can
/// hold, not the token (RFC 8725 section 3.1).
///
/// # Errors
/// The one reason why it does not hold.
///
/// ```
/// use tokenkit::Secret;
/// use tokenkit::jwt::{self, Algorithm, Header, JwkSet, SigningKey, verify_signature};
///
/// let key = SigningKey::from_shared_secret(Secret::from("a secret of at least thirty-two bytes"));
/// let token = jwt::sign(&Header::new(Algorithm::HS256, &key), &serde_json::json!({"sub": "alice"}), &key)?;
/// let keys = JwkSet::from(key.verifying_key()?);
/// assert!(verify_signature(token.expose_str().unwrap_or_default(), &keys).is_ok());
/// # Ok::<(), tokenkit::Error>(())
/// ```
pub fn verify_signature<'a>(token: &'a str, keys: &JwkSet) -> Result<UnverifiedJwt<'a>, Reason> {
    let jwt = decode_unverified(token)?;
    check_signature(&jwt, keys)?;
    Ok(jwt)
}

/// [`verify_signature`] for a token that has been read.
pub(crate) fn check_signature(jwt: &UnverifiedJwt<'_>, keys: &JwkSet) -> Result<(), Reason> {
    // RFC 7797 section 3: true is what holds without it.
    if jwt.header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
        return Err(Reason::UnencodedPayload);
    }
    // No extension is understood here, and an empty or malformed list is an error too.
    if jwt.header.contains_key("crit") {
        return Err(Reason::CriticalExtension);
    }
    let algorithm = algorithm(&jwt.header).ok_or(Reason::UnsupportedAlgorithm)?;
    let key_id = match jwt.header.get("kid") {
        None => None,
        Some(Value::String(key_id)) => Some(key_id.as_str()),
        Some(_) => return Err(Reason::Malformed("kid")),
    };
    // A single key needs no name; of several, the named one counts, and keys without a name may be it.
    let named = |key: &&VerifyingKey| {
        keys.keys().len() == 1 || key_id.is_none() || key.key_id().is_none() || key.key_id() == key_id
    };
    let mut candidates = keys.keys().iter().filter(named).peekable();
    if candidates.peek().is_none() {
        return Err(Reason::UnknownKey);
    }
    let mut reason = Reason::AlgorithmNotAllowed;
    for key in candidates.filter(|key| key.allows(algorithm)) {
        if key.verify(algorithm, jwt.signing_input.as_bytes(), &jwt.signature) {
            return Ok(());
        }
        reason = if key.is_too_short_for(algorithm) { Reason::WeakKey } else { Reason::WrongSignature };
    }
    Err(reason)
}

fn algorithm(header: &Map<String, Value>) -> Option<Algorithm> {
    Algorithm::read(header.get("alg")?.as_str()?).ok()
}

fn audiences(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => several.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The left half of the hash that belongs to the token's algorithm, in base64url.
fn half_hash(value: &Secret, jwt: &UnverifiedJwt<'_>) -> Option<String> {
    let hash = match algorithm(&jwt.header)? {
        Algorithm::HS256 | Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => &digest::SHA256,
        Algorithm::HS384 | Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        // Ed25519 is defined over SHA-512.
        _ => &digest::SHA512,
    };
    let hash = digest::digest(hash, value.expose());
    Some(URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::{KeyType, SigningKey};

    #[test]
    fn the_name_of_rfc_9864_is_understood() {
        let key = SigningKey::generate(KeyType::Ed25519, None).unwrap();
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"Ed25519"}"#), URL_SAFE_NO_PAD.encode("{}"));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(Algorithm::EdDSA, input.as_bytes()).unwrap());
        let token = format!("{input}.{signature}");
        assert!(verify_signature(&token, &key.verifying_key().unwrap().into()).is_ok());

        let other = SigningKey::generate(KeyType::P256, None).unwrap();
        let reason = verify_signature(&token, &other.verifying_key().unwrap().into()).err();
        assert_eq!(reason, Some(Reason::AlgorithmNotAllowed));
    }
}
