//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::key::{Curve, Material};
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// A base64url member; wiped on drop since most of them are private.
#[derive(Default)]
struct Octets(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = URL_SAFE_NO_PAD
            .decode(text.as_bytes())
            .map_err(|_| serde::de::Error::custom("a member is not base64url without padding"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(tag = "kty")]
#[allow(clippy::large_enum_variant, reason = "lives for one call")]
enum PrivateJwk {
    #[serde(rename = "RSA")]
    Rsa { n: Octets, e: Octets, d: Octets, p: Octets, q: Octets, dp: Octets, dq: Octets, qi: Octets },
    #[serde(rename = "EC")]
    Ec { crv: String, x: Octets, y: Octets, d: Octets },
    #[serde(rename = "OKP")]
    Okp { crv: String, x: Octets, d: Octets },
    #[serde(rename = "oct")]
    Oct { k: Octets },
}

#[derive(Deserialize)]
struct Common {
    kid: Option<String>,
}

/// Reads a private or symmetric JWK: the key and its `kid`.
pub(super) fn parse(text: &[u8]) -> Result<(Material, Option<String>), Error> {
    let invalid = |message: String| Error::invalid(ErrorCode::InvalidKey, message);
    let common: Common =
        serde_json::from_slice(text).map_err(|error| invalid(format!("The JWK cannot be read: {error}")))?;
    let jwk: PrivateJwk = serde_json::from_slice(text)
        .map_err(|error| invalid(format!("The JWK is no complete private key: {error}")))?;
    let rejected = |error| invalid(format!("The JWK is no valid private key: {error}"));
    let material = match jwk {
        PrivateJwk::Rsa { n, e, d, p, q, dp, dq, qi } => {
            let components = KeyPairComponents {
                public_key: PublicKeyComponents { n, e },
                d,
                p,
                q,
                dP: dp,
                dQ: dq,
                qInv: qi,
            };
            Material::Rsa(RsaKeyPair::from_components(&components).map_err(rejected)?)
        }
        PrivateJwk::Ec { crv, x, y, d } => {
            let curve = Curve::from_jwk_name(&crv)
                .ok_or_else(|| invalid(format!("The curve '{crv}' of the JWK is not supported.")))?;
            // SEC 1 section 2.3.3: an uncompressed point is 0x04, x, y.
            let point = [&[4], x.as_ref(), y.as_ref()].concat();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), d.as_ref(), &point)
                .map_err(rejected)?;
            Material::Ec(curve, pair)
        }
        PrivateJwk::Okp { crv, x, d } if crv == "Ed25519" => Material::Ed25519(
            Ed25519KeyPair::from_seed_and_public_key(d.as_ref(), x.as_ref()).map_err(rejected)?,
        ),
        PrivateJwk::Okp { crv, .. } => {
            return Err(invalid(format!("The curve '{crv}' of the JWK is not supported.")));
        }
        PrivateJwk::Oct { k } => Material::Symmetric(Secret::from(k.as_ref())),
    };
    Ok((material, common.kid))
}

/// The SHA-256 thumbprint of a JWK in base64url (RFC 7638): the same for a key and its public half.
///
/// # Errors
/// The text is no JWK, or lacks a member that the thumbprint is made of.
pub fn thumbprint(jwk: &[u8]) -> Result<String, Error> {
    let invalid = |message: String| Error::invalid(ErrorCode::InvalidKey, message);
    let members: BTreeMap<String, Value> =
        serde_json::from_slice(jwk).map_err(|error| invalid(format!("The JWK cannot be read: {error}")))?;
    let text = |name: &str| {
        let value = members.get(name).and_then(Value::as_str);
        value.ok_or_else(|| invalid(format!("The JWK has no member '{name}'.")))
    };
    // RFC 7638 section 3.2 and RFC 8037 section 2: the required members, in the order of their names.
    let required: &[&str] = match text("kty")? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "oct" => &["k", "kty"],
        other => return Err(invalid(format!("The key type '{other}' of the JWK is not supported."))),
    };
    let canonical: BTreeMap<&str, &str> =
        required.iter().map(|name| Ok((*name, text(name)?))).collect::<Result<_, Error>>()?;
    let canonical = Zeroizing::new(super::json(&canonical)?);
    Ok(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &canonical)))
}
