//! JSON Web Tokens on one core: signature checks by the cryptography crate alone, and those of the core crate.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use serde_json::{Value, json};
use tokenkit::jwt::{self, Algorithm, Header, JwkSet, KeyType, SigningKey, Validation, decode_unverified};

use crate::{Outcome, timed};

/// The tokens of one algorithm and the key to all of them.
struct Signed {
    jwk: Value,
    tokens: Vec<String>,
}

pub(crate) struct Jwts {
    folder: PathBuf,
    known: HashMap<String, Signed>,
}

impl Jwts {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, known: HashMap::new() }
    }

    /// Writes `<algorithm>.txt` with tokens, one a line, and `<algorithm>.jwk` with the public key.
    pub(crate) fn make(&self, count: usize) -> Outcome<Duration> {
        for (algorithm, key_type) in [
            (Algorithm::RS256, KeyType::Rsa),
            (Algorithm::ES256, KeyType::P256),
            (Algorithm::EdDSA, KeyType::Ed25519),
        ] {
            let key = SigningKey::generate(key_type, None)?;
            let jwk = Value::Object(key.verifying_key()?.to_jwk());
            let now = Utc::now().timestamp();
            let mut tokens = String::new();
            for number in 0..count {
                let claims = json!({
                    "iss": "https://as.example", "sub": format!("user-{number}"), "aud": "api://bench",
                    "iat": now, "exp": now + 24 * 60 * 60, "scope": "api.read api.write",
                });
                let token = jwt::sign(&Header::new(algorithm, &key), &claims, &key)?;
                tokens.push_str(token.expose_str().unwrap_or_default());
                tokens.push('\n');
            }
            fs::write(self.folder.join(format!("{algorithm}.txt")), tokens)?;
            fs::write(self.folder.join(format!("{algorithm}.jwk")), jwk.to_string())?;
        }
        Ok(Duration::ZERO)
    }

    /// Checks signatures, and nothing else.
    pub(crate) fn signatures(&mut self, count: usize, algorithm: &str) -> Outcome<Duration> {
        let signed = self.signed(algorithm)?;
        let member = |name: &str| -> Outcome<Vec<u8>> {
            Ok(URL_SAFE_NO_PAD.decode(signed.jwk[name].as_str().unwrap_or_default())?)
        };
        let key = match algorithm {
            "RS256" => RsaPublicKeyComponents { n: member("n")?, e: member("e")? }
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .map_err(|_| "no RSA key")?,
            "ES256" => ParsedPublicKey::new(
                &ECDSA_P256_SHA256_FIXED,
                [vec![4], member("x")?, member("y")?].concat(),
            )?,
            _ => ParsedPublicKey::new(&ED25519, member("x")?)?,
        };
        let split = |token: &String| -> Outcome<(Vec<u8>, Vec<u8>)> {
            let (message, signature) = token.rsplit_once('.').ok_or("no token")?;
            Ok((message.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature)?))
        };
        let parts = signed.tokens.iter().map(split).collect::<Outcome<Vec<_>>>()?;
        timed(count, |number| {
            let (message, signature) = &parts[number % parts.len()];
            Ok(key.verify_sig(message, signature)?)
        })
    }

    /// Checks tokens whole: form, signature, claims.
    pub(crate) fn verify(&mut self, count: usize, algorithm: &str) -> Outcome<Duration> {
        let signed = self.signed(algorithm)?;
        let validation = Validation::new(JwkSet::from_json(signed.jwk.to_string().as_bytes())?);
        let now = Utc::now();
        timed(count, |number| {
            let reasons = validation.reasons(&signed.tokens[number % signed.tokens.len()], now);
            if reasons.is_empty() { Ok(()) } else { Err(format!("{reasons:?}").into()) }
        })
    }

    /// Reads tokens without checking them.
    pub(crate) fn decode(&mut self, count: usize) -> Outcome<Duration> {
        let signed = self.signed("ES256")?;
        timed(count, |number| {
            decode_unverified(&signed.tokens[number % signed.tokens.len()])?;
            Ok(())
        })
    }

    fn signed(&mut self, algorithm: &str) -> Outcome<&Signed> {
        if !self.known.contains_key(algorithm) {
            let read = |ending: &str| fs::read_to_string(self.folder.join(format!("{algorithm}.{ending}")));
            let tokens = read("txt")?.lines().map(str::to_owned).collect();
            let jwk = serde_json::from_str(&read("jwk")?)?;
            self.known.insert(algorithm.to_owned(), Signed { jwk, tokens });
        }
        Ok(&self.known[algorithm])
    }
}
