//! Tokens and keys.

use std::sync::OnceLock;

use chrono::Utc;
use serde_json::Value;
use tokenkit::jwt::{
    JwkSet, SigningKey, Validation, VerifyingKey, decode_unverified, thumbprint, verify_signature,
};
use tokenkit::{Category, Error, Secret};

/// Published signatures with their keys.
const SIGNATURES: &str = include_str!("../../../tests/vectors/jws.json");

/// What the keys of `SIGNATURES` have signed: nothing else passes by them.
struct Signed {
    keys: JwkSet,
    inputs: Vec<String>,
}

fn signed() -> &'static Signed {
    static SIGNED: OnceLock<Signed> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let rows: Vec<Value> = serde_json::from_str(SIGNATURES).unwrap_or_default();
        let keys: Vec<_> = rows.iter().map(|row| row["key"].clone()).collect();
        let set = serde_json::json!({ "keys": keys }).to_string();
        let keys = JwkSet::from_json(set.as_bytes()).unwrap_or_default();
        assert_eq!(keys.keys().len(), rows.len());
        let inputs = rows.iter().filter_map(|row| row["signing_input"].as_str()).map(str::to_owned).collect();
        Signed { keys, inputs }
    })
}

/// A signed token (RFC 7515 section 7.1).
pub(crate) fn jwt(data: &[u8]) {
    let token = String::from_utf8_lossy(data);
    let Signed { keys, inputs } = signed();
    let verified = verify_signature(&token, keys);
    if let Ok(jwt) = &verified {
        let (input, _) = token.trim().rsplit_once('.').unwrap_or_default();
        assert!(inputs.iter().any(|known| known == input), "a forged token passes: {:?}", jwt.header);
    }
    if decode_unverified(&token).is_err() {
        assert!(verified.is_err(), "what cannot be read cannot be right");
    }
    let mut validation = Validation::new(keys.clone());
    validation.issuer = Some("https://as.example".into());
    validation.audiences = vec!["app".into()];
    assert!(!validation.reasons(&token, Utc::now()).is_empty(), "no published token has these claims");
}

/// A JWK Set or a JWK (RFC 7517).
pub(crate) fn jwk_set(data: &[u8]) {
    match JwkSet::from_json(data) {
        Ok(keys) => keys.keys().iter().for_each(stays_itself),
        Err(error) => assert_eq!(error.category(), Category::InvalidInput, "{error}"),
    }
    if let Ok(thumbprint) = thumbprint(data) {
        assert_eq!(thumbprint.len(), 43, "SHA-256 in base64url");
    }
}

/// A key in any form, without and with a password.
pub(crate) fn key(data: &[u8]) {
    for password in [None, Some(Secret::from("password"))] {
        match SigningKey::from_bytes(data, password.as_ref()) {
            Ok(key) => {
                let again = key.to_private_jwk().and_then(|jwk| SigningKey::from_bytes(jwk.expose(), None));
                assert_eq!(again.map(|key| key.key_type()).ok(), Some(key.key_type()));
            }
            Err(error) => is_about_the_key(&error),
        }
        match VerifyingKey::from_bytes(data, password.as_ref()) {
            Ok(key) => stays_itself(&key),
            Err(error) => is_about_the_key(&error),
        }
    }
}

/// Written as JWK and read again, a key is the same.
fn stays_itself(key: &VerifyingKey) {
    let jwk = Value::Object(key.to_jwk());
    let again = JwkSet::from_json(jwk.to_string().as_bytes()).unwrap_or_default();
    let [again] = again.keys() else { unreachable!("{jwk} is not read again") };
    assert_eq!(Value::Object(again.to_jwk()), jwk);
}

fn is_about_the_key(error: &Error) {
    assert_eq!(error.category(), Category::InvalidInput, "{error}");
}
