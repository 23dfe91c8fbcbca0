//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, de};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Algorithm;
use super::key::{Curve, KeyType, Material};
use super::public_key::{self, PublicMaterial, VerifyingKey};
use super::unique;
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// A base64url member; wiped on drop since most of them are private.
#[derive(Default)]
struct Octets(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Read as any value first: an error about a wrong type would quote it.
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => Zeroizing::new(text),
            _ => return Err(de::Error::custom("a member is not a text")),
        };
        let bytes = URL_SAFE_NO_PAD
            .decode(text.as_bytes())
            .map_err(|_| de::Error::custom("a member is not base64url without padding"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Octets {
    /// The bytes as a number: without leading zeros, which some issuers write though RFC 7518 section 2 forbids it.
    fn number(&self) -> &[u8] {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        &self.0[zeros..]
    }

    /// The number in exactly `length` bytes, as RFC 7518 section 6.2.1.2 asks; some issuers strip its zeros.
    fn padded(&self, length: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
        let number = self.number();
        let zeros = length
            .checked_sub(number.len())
            .ok_or_else(|| invalid("A number of the JWK is too long for its curve."))?;
        let mut padded = Zeroizing::new(vec![0; length]);
        padded[zeros..].copy_from_slice(number);
        Ok(padded)
    }
}

/// The uncompressed point of SEC 1 section 2.3.3: 0x04, x, y.
fn point(curve: Curve, x: &Octets, y: &Octets) -> Result<Vec<u8>, Error> {
    let length = curve.coordinate_len();
    Ok([&[4], x.padded(length)?.as_slice(), y.padded(length)?.as_slice()].concat())
}

#[derive(Deserialize)]
#[serde(tag = "kty")]
#[allow(clippy::large_enum_variant, reason = "lives for one call")]
enum PrivateJwk {
    #[serde(rename = "RSA")]
    Rsa {
        n: Octets,
        e: Octets,
        d: Octets,
        p: Option<Octets>,
        q: Option<Octets>,
        dp: Option<Octets>,
        dq: Option<Octets>,
        qi: Option<Octets>,
    },
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
    alg: Option<String>,
}

/// Reads a private or symmetric JWK: the key, its `kid`, and its `alg` if that is a signature algorithm.
pub(super) fn parse(text: &[u8]) -> Result<(Material, Option<String>, Option<Algorithm>), Error> {
    let common: Common =
        serde_json::from_slice(text).map_err(|error| invalid(format!("The JWK cannot be read: {error}")))?;
    let jwk: PrivateJwk = serde_json::from_slice(text)
        .map_err(|error| invalid(format!("The JWK is no complete private key: {error}")))?;
    let rejected = |error| invalid(format!("The JWK is no valid private key: {error}"));
    let material = match jwk {
        PrivateJwk::Rsa { n, e, d, p: Some(p), q: Some(q), dp: Some(dp), dq: Some(dq), qi: Some(qi) } => {
            let components = KeyPairComponents {
                public_key: PublicKeyComponents { n: n.number(), e: e.number() },
                d: d.number(),
                p: p.number(),
                q: q.number(),
                dP: dp.number(),
                dQ: dq.number(),
                qInv: qi.number(),
            };
            Material::Rsa(RsaKeyPair::from_components(&components).map_err(rejected)?)
        }
        // RFC 7518 section 6.3.2 makes them optional.
        PrivateJwk::Rsa { .. } => {
            return Err(invalid(
                "The JWK of the RSA key lacks some of the members 'p', 'q', 'dp', 'dq' and 'qi', which are needed here.",
            ));
        }
        PrivateJwk::Ec { crv, x, y, d } => {
            let curve = Curve::from_jwk_name(&crv)
                .ok_or_else(|| invalid(format!("The curve '{crv}' of the JWK is not supported.")))?;
            let (private, public) = (d.padded(curve.coordinate_len())?, point(curve, &x, &y)?);
            let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), &private, &public)
                .map_err(rejected)?;
            Material::Ec(curve, pair)
        }
        PrivateJwk::Okp { crv, x, d } if crv == "Ed25519" => Material::Ed25519(
            Ed25519KeyPair::from_seed_and_public_key(d.as_ref(), x.as_ref()).map_err(rejected)?,
        ),
        PrivateJwk::Okp { crv, .. } => {
            return Err(invalid(format!("The curve '{crv}' of the JWK is not supported.")));
        }
        PrivateJwk::Oct { k } if k.as_ref().is_empty() => {
            return Err(invalid("The symmetric key of the JWK is empty."));
        }
        PrivateJwk::Oct { k } => Material::Symmetric(Secret::from(k.as_ref())),
    };
    // The name of an encryption algorithm says nothing about signatures.
    let algorithm = common.alg.as_deref().and_then(|name| algorithm(name).ok());
    Ok((material, common.kid, algorithm))
}

/// The public side of a JWK, or of a private one, whose further members are not read.
#[derive(Deserialize)]
struct PublicJwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    public_key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<Octets>,
    e: Option<Octets>,
    crv: Option<String>,
    x: Option<Octets>,
    y: Option<Octets>,
    k: Option<Octets>,
    x5c: Option<Vec<String>>,
}

/// Reads a JWK as a key that checks signatures.
pub(super) fn parse_public(text: &[u8]) -> Result<VerifyingKey, Error> {
    let object =
        unique::object(text).map_err(|error| invalid(format!("The JWK cannot be read: {error}.")))?;
    from_value(Value::Object(object))
}

fn from_value(jwk: Value) -> Result<VerifyingKey, Error> {
    let jwk: PublicJwk =
        serde_json::from_value(jwk).map_err(|error| invalid(format!("The JWK cannot be read: {error}.")))?;
    // RFC 7517 sections 4.2 and 4.3.
    if jwk.public_key_use.as_deref().is_some_and(|purpose| purpose != "sig") {
        return Err(invalid("The JWK is not for signatures, by its member 'use'."));
    }
    if jwk
        .key_ops
        .as_ref()
        .is_some_and(|operations| !operations.iter().any(|op| op == "verify" || op == "sign"))
    {
        return Err(invalid("The JWK is not for signatures, by its member 'key_ops'."));
    }
    let algorithm = jwk.alg.as_deref().map(algorithm).transpose()?;
    let curve = jwk.crv.as_deref();
    let material = match (jwk.kty.as_str(), jwk.n, jwk.e, jwk.x, jwk.y, jwk.k) {
        ("RSA", Some(n), Some(e), ..) => {
            PublicMaterial::Rsa { n: n.number().to_vec(), e: e.number().to_vec() }
        }
        ("EC", _, _, Some(x), Some(y), _) => {
            let curve = curve.and_then(Curve::from_jwk_name);
            let curve = curve.ok_or_else(|| invalid("The curve of the JWK is not supported."))?;
            PublicMaterial::Ec(curve, point(curve, &x, &y)?)
        }
        ("OKP", _, _, Some(x), ..) if curve == Some("Ed25519") => {
            PublicMaterial::Ed25519(x.as_ref().to_vec())
        }
        ("oct", _, _, _, _, Some(k)) if !k.as_ref().is_empty() => {
            PublicMaterial::Symmetric(Secret::from(k.as_ref()))
        }
        (kind @ ("RSA" | "EC" | "OKP"), ..) => match jwk.x5c.as_ref().and_then(|chain| chain.first()) {
            // RFC 7517 section 4.7: standard base64, the key's own certificate first.
            Some(first) => {
                let certificate = STANDARD.decode(first);
                let certificate =
                    certificate.map_err(|_| invalid("The member 'x5c' of the JWK is not base64."))?;
                let material = public_key::from_certificate(&certificate)?;
                let fits = match material {
                    PublicMaterial::Rsa { .. } => kind == "RSA",
                    PublicMaterial::Ec(..) => kind == "EC",
                    _ => kind == "OKP",
                };
                if !fits {
                    return Err(invalid(format!("The certificate of the JWK is not of its type, {kind}.")));
                }
                material
            }
            None => return Err(invalid(format!("The JWK of type {kind} lacks members of its public key."))),
        },
        (kind, ..) => return Err(invalid(format!("The key type '{kind}' of the JWK is not supported."))),
    };
    VerifyingKey::new(material, jwk.kid, algorithm)
}

/// The signature algorithm behind the member `alg`.
fn algorithm(name: &str) -> Result<Algorithm, Error> {
    Algorithm::read(name).map_err(|_| {
        invalid(format!("The JWK is for the algorithm '{name}', which makes no signatures known here."))
    })
}

/// A JWK Set (RFC 7517 section 5): the signature keys of an issuer. Clones share the keys.
#[derive(Debug, Clone, Default)]
pub struct JwkSet {
    keys: Arc<[VerifyingKey]>,
}

impl JwkSet {
    /// Reads a JWK Set, or a single JWK as a set of one. Keys of a set that are for another use or of an
    /// unknown type are passed over, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidKey`] when the text is neither.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        let mut object =
            unique::object(text).map_err(|error| invalid(format!("The JWK Set cannot be read: {error}.")))?;
        match object.remove("keys") {
            Some(Value::Array(keys)) => {
                Ok(Self { keys: keys.into_iter().filter_map(|key| from_value(key).ok()).collect() })
            }
            Some(_) => Err(invalid("The member 'keys' of the JWK Set is no array.")),
            None => Ok(from_value(Value::Object(object))?.into()),
        }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The set without shared secrets.
    pub(crate) fn public_only(self) -> Self {
        let is_public = |key: &&VerifyingKey| key.key_type() != KeyType::Symmetric;
        Self { keys: self.keys.iter().filter(is_public).cloned().collect() }
    }

    /// Whether a key has this `kid`.
    #[must_use]
    pub fn contains(&self, key_id: &str) -> bool {
        self.keys.iter().any(|key| key.key_id() == Some(key_id))
    }
}

impl From<VerifyingKey> for JwkSet {
    fn from(key: VerifyingKey) -> Self {
        Self { keys: Arc::new([key]) }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidKey, message)
}

/// The SHA-256 thumbprint of a JWK in base64url (RFC 7638): the same for a key and its public half.
///
/// # Errors
/// The text is no JWK, or lacks a member that the thumbprint is made of.
pub fn thumbprint(jwk: &[u8]) -> Result<String, Error> {
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::jwt::SigningKey;

    fn rows(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_private_keys_of_rfc_7517_load_and_keep_their_names() {
        for row in rows(include_str!("../../../../tests/vectors/jwk.json")) {
            let key = SigningKey::from_bytes(row["key"].to_string().as_bytes(), None).unwrap();
            assert_eq!(key.key_id(), row["kid"].as_str());
            assert_eq!(key.default_algorithm().as_str(), row["default_algorithm"]);
        }
    }

    #[test]
    fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
        for row in rows(include_str!("../../../../tests/vectors/thumbprint.json")) {
            assert_eq!(thumbprint(row["key"].to_string().as_bytes()).unwrap(), row["thumbprint"]);
        }
    }

    #[test]
    fn a_private_key_has_the_thumbprint_of_its_public_half() {
        let public = ["crv", "e", "kty", "n", "x", "y"];
        for row in rows(include_str!("../../../../tests/vectors/jws.json")) {
            let mut key = row["key"].clone();
            let whole = thumbprint(key.to_string().as_bytes()).unwrap();
            if key["kty"] != "oct" {
                key.as_object_mut().unwrap().retain(|name, _| public.contains(&name.as_str()));
            }
            assert_eq!(thumbprint(key.to_string().as_bytes()).unwrap(), whole);
        }
    }

    #[rstest]
    #[case::not_json("{", "cannot be read")]
    #[case::empty("{}", "no member 'kty'")]
    #[case::kty_is_no_text(r#"{"kty":1}"#, "no member 'kty'")]
    #[case::unknown_kty(r#"{"kty":"AKP"}"#, "key type 'AKP'")]
    #[case::no_modulus(r#"{"kty":"RSA","e":"AQAB"}"#, "no member 'n'")]
    fn no_thumbprint_without_the_required_members(#[case] jwk: &str, #[case] message: &str) {
        let error = thumbprint(jwk.as_bytes()).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidKey);
        assert!(error.to_string().contains(message), "{error}");
    }

    /// The EC key of RFC 7515 appendix A.3 with one member changed, or removed where the value is null.
    fn changed(member: &str, value: Value) -> String {
        let rows = rows(include_str!("../../../../tests/vectors/jws.json"));
        let mut jwk = rows.into_iter().find(|row| row["algorithm"] == "ES256").unwrap()["key"].take();
        let members = jwk.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(member);
        } else {
            members.insert(member.to_owned(), value);
        }
        jwk.to_string()
    }

    #[rstest]
    #[case::public_only("d", Value::Null)]
    #[case::no_curve("crv", Value::Null)]
    #[case::other_curve("crv", json!("P-384"))]
    #[case::unsupported_curve("crv", json!("secp256k1"))]
    #[case::unknown_type("kty", json!("AKP"))]
    #[case::no_base64url("d", json!("jpsQnnGQmL+YBIffH1136cspYG6/0iY7X1fCE9+E9LI"))]
    #[case::padded("d", json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI="))]
    #[case::not_of_this_point("d", json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"))]
    #[case::too_short("d", json!("jpsQ"))]
    #[case::number("d", json!(7_150_315_012_345_678_u64))]
    #[case::list("d", json!(["jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"]))]
    fn unusable_keys_are_refused_without_being_quoted(#[case] member: &str, #[case] value: Value) {
        let text = changed(member, value.clone());
        let error = SigningKey::from_bytes(text.as_bytes(), None).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidKey);
        let message = error.to_string();
        for secret in ["jpsQ", "870M", "7150315012345678"] {
            assert!(!message.contains(secret), "{message}");
        }
        assert!(message.starts_with("The "), "{message}");
    }

    #[test]
    fn a_curve_that_cannot_sign_is_named() {
        let jwk = br#"{"kty":"OKP","crv":"X25519","x":"AA","d":"AA"}"#;
        let error = SigningKey::from_bytes(jwk, None).unwrap_err();
        assert_eq!(error.to_string(), "The curve 'X25519' of the JWK is not supported.");
    }

    #[test]
    fn an_empty_symmetric_key_is_refused() {
        let error = SigningKey::from_bytes(br#"{"kty":"oct","k":""}"#, None).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidKey);
    }
}
