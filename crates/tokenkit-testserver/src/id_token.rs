//! ID tokens and other JWTs, signed with a key made at start (ES256, RFC 7518 section 3.4).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::state::AppState;

const KEY_ID: &str = "testserver-es256";

/// The key that signs ID tokens.
#[derive(Debug)]
pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self)
    }

    /// A JWS in compact form over these claims.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": KEY_ID });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), input.as_bytes())?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a JWS that this key has signed.
    pub(crate) fn verify(&self, token: &str) -> Result<Value, &'static str> {
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "the JWT is not base64url");
        let (input, signature) = token.rsplit_once('.').ok_or("the JWT has no three parts")?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0.public_key())
            .verify(input.as_bytes(), &decode(signature)?)
            .map_err(|_| "the signature of the JWT is not that of the identity provider")?;
        let (_, claims) = input.split_once('.').ok_or("the JWT has no three parts")?;
        serde_json::from_slice(&decode(claims)?).map_err(|_| "the claims of the JWT are not JSON")
    }
}

/// The public key as a JWK set (RFC 7517).
pub(crate) async fn jwks(State(state): State<Arc<AppState>>) -> Json<Value> {
    // An uncompressed point: 0x04, then x and y of 32 bytes each.
    let (x, y) = state.signer.0.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let key =
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID, "x": x, "y": y });
    Json(json!({ "keys": [key] }))
}

/// Seconds since 1970-01-01T00:00:00Z.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
