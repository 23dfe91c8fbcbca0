//! A JWT that a client makes to be known or to act for someone (RFC 7523 section 3).

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client_auth::Attempt;
use crate::error::{Error, ErrorCode};
use crate::jwt::{self, Algorithm, Header, SigningKey};
use crate::secret::Secret;

/// What an assertion says.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// `iss`: who makes it.
    pub issuer: String,
    /// `sub`: whom it is about.
    pub subject: String,
    /// `aud`: who is to accept it.
    pub audience: String,
    /// Time from `iat` and `nbf`, which are now, to `exp`. Whole seconds are used.
    pub lifetime: Duration,
    /// The signature algorithm; the usual one of the key's type when `None`.
    pub algorithm: Option<Algorithm>,
    /// Further claims. One with the name of a claim above replaces it; `null` takes it away.
    pub claims: Map<String, Value>,
}

/// An assertion and what is in it.
#[derive(Debug)]
pub struct SignedAssertion {
    /// The JWT in compact form.
    pub token: Secret,
    /// Its header as JSON.
    pub header: String,
    /// Its claims as JSON.
    pub claims: String,
}

impl Assertion {
    /// Signs the assertion. `attempt` has its time, and the `jti` it gets.
    ///
    /// # Errors
    /// The lifetime is shorter than a second, or the key does not sign.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokenkit::{Assertion, Attempt, Secret, jwt::SigningKey};
    ///
    /// let assertion = Assertion {
    ///     issuer: "app".into(),
    ///     subject: "app".into(),
    ///     audience: "https://as.example/token".into(),
    ///     lifetime: Duration::from_mins(5),
    ///     algorithm: None,
    ///     claims: serde_json::Map::new(),
    /// };
    /// let key = SigningKey::from_shared_secret(Secret::from("a secret of at least thirty-two bytes"));
    /// let signed = assertion.sign(&key, &Attempt::now())?;
    /// assert_eq!(signed.header, r#"{"alg":"HS256","typ":"JWT"}"#);
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn sign(&self, key: &SigningKey, attempt: &Attempt) -> Result<SignedAssertion, Error> {
        let lifetime = i64::try_from(self.lifetime.as_secs()).ok().filter(|seconds| *seconds > 0);
        let lifetime = lifetime.ok_or_else(|| {
            Error::invalid(ErrorCode::InvalidArgument, "The lifetime of an assertion is at least one second.")
        })?;
        let now = attempt.now.timestamp();
        let mut claims = Map::from_iter([
            ("iss".into(), json!(self.issuer)),
            ("sub".into(), json!(self.subject)),
            ("aud".into(), json!(self.audience)),
            ("jti".into(), json!(attempt.jti)),
            ("iat".into(), json!(now)),
            ("nbf".into(), json!(now)),
            ("exp".into(), json!(now.saturating_add(lifetime))),
        ]);
        for (name, value) in &self.claims {
            if value.is_null() {
                claims.shift_remove(name);
            } else {
                claims.insert(name.clone(), value.clone());
            }
        }
        let header = Header::new(self.algorithm.unwrap_or(key.default_algorithm()), key);
        let token = jwt::sign(&header, &claims, key)?;
        let header = json!(header).to_string();
        Ok(SignedAssertion { token, header, claims: Value::Object(claims).to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::{KeyType, decode_unverified};

    fn sign(claims: Value, lifetime: Duration) -> Result<SignedAssertion, Error> {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        let assertion = Assertion {
            issuer: "i".into(),
            subject: "s".into(),
            audience: "a".into(),
            lifetime,
            algorithm: None,
            claims,
        };
        let attempt = Attempt { now: chrono::DateTime::UNIX_EPOCH, jti: "j".into() };
        assertion.sign(&SigningKey::generate(KeyType::P256, None)?, &attempt)
    }

    #[test]
    fn the_claims_are_those_of_rfc_7523() {
        let signed = sign(json!({}), Duration::from_mins(5)).unwrap();
        assert_eq!(signed.claims, r#"{"iss":"i","sub":"s","aud":"a","jti":"j","iat":0,"nbf":0,"exp":300}"#);
        let token = decode_unverified(signed.token.expose_str().unwrap()).unwrap();
        assert_eq!(Value::Object(token.claims).to_string(), signed.claims);
        assert_eq!(Value::Object(token.header).to_string(), signed.header);
    }

    #[test]
    fn further_claims_are_added_and_replace() {
        let claims = json!({"aud": ["x", "y"], "nbf": null, "deep": {"a": [{"b": {"c": 1}}]}});
        let signed = sign(claims, Duration::from_secs(1)).unwrap();
        let expected =
            r#"{"iss":"i","sub":"s","aud":["x","y"],"jti":"j","iat":0,"exp":1,"deep":{"a":[{"b":{"c":1}}]}}"#;
        assert_eq!(signed.claims, expected);
    }

    #[test]
    fn an_assertion_lives_for_a_second_at_least() {
        let error = sign(json!({}), Duration::from_millis(999)).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidArgument);
    }
}
