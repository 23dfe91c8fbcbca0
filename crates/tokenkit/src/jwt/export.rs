//! Keys written out: as JWK and as PEM.

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _};
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pem::Pem;
use pkcs1::RsaPrivateKeyRef;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::Decode as _;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::key::{Curve, Material, SigningKey};
use super::public_key::{PublicMaterial, VerifyingKey};
use super::thumbprint;
use crate::error::{Error, ErrorCode};
use crate::reply::wipe;
use crate::secret::Secret;

impl VerifyingKey {
    /// The key as JWK (RFC 7517), with its thumbprint (RFC 7638) as `kid` unless it has a name. A shared secret
    /// is written out too: it has no public half.
    ///
    /// ```
    /// use tokenkit::jwt::{KeyType, SigningKey};
    ///
    /// let jwk = SigningKey::generate(KeyType::P256, None)?.verifying_key()?.to_jwk();
    /// assert_eq!(jwk["crv"], "P-256");
    /// assert!(!jwk.contains_key("d"));
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    #[must_use]
    pub fn to_jwk(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, text: String| members.insert(name.to_owned(), Value::String(text));
        match &self.material {
            PublicMaterial::Symmetric(secret) => {
                put("kty", "oct".into());
                put("k", encode(secret.expose()));
            }
            PublicMaterial::Rsa { n, e } => {
                put("kty", "RSA".into());
                put("n", encode(n));
                put("e", encode(e));
            }
            PublicMaterial::Ec(curve, point) => {
                // After the 0x04 of an uncompressed point come x and y, of equal length.
                let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
                put("kty", "EC".into());
                put("crv", curve.jwk_name().into());
                put("x", encode(x));
                put("y", encode(y));
            }
            PublicMaterial::Ed25519(point) => {
                put("kty", "OKP".into());
                put("crv", "Ed25519".into());
                put("x", encode(point));
            }
        }
        let key_id = self.key_id.clone().or_else(|| {
            let text = Zeroizing::new(serde_json::to_vec(&members).unwrap_or_default());
            thumbprint(&text).ok()
        });
        let named = [("kid", key_id), ("alg", self.algorithm.map(|algorithm| algorithm.to_string()))];
        for (name, text) in named {
            if let Some(text) = text {
                members.insert(name.to_owned(), Value::String(text));
            }
        }
        members
    }
}

impl SigningKey {
    /// The key with its private members as JWK in JSON.
    ///
    /// # Errors
    /// [`ErrorCode::UnsupportedKey`] for an external key.
    pub fn to_private_jwk(&self) -> Result<Secret, Error> {
        let mut members = self.verifying_key()?.to_jwk();
        let mut put =
            |name: &str, bytes: &[u8]| members.insert(name.to_owned(), Value::String(encode(bytes)));
        match self.material() {
            Material::Symmetric(_) => {}
            Material::Rsa(pair) => {
                let der = rsa_pkcs8(pair)?;
                let info = PrivateKeyInfoRef::try_from(der.expose()).map_err(|_| unwritable())?;
                let key =
                    RsaPrivateKeyRef::from_der(info.private_key.as_bytes()).map_err(|_| unwritable())?;
                put("d", key.private_exponent.as_bytes());
                put("p", key.prime1.as_bytes());
                put("q", key.prime2.as_bytes());
                put("dp", key.exponent1.as_bytes());
                put("dq", key.exponent2.as_bytes());
                put("qi", key.coefficient.as_bytes());
            }
            Material::Ec(_, pair) => {
                let private = pair.private_key().as_be_bytes().map_err(|_| unwritable())?;
                put("d", private.as_ref());
            }
            Material::Ed25519(pair) => {
                let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(|_| unwritable())?;
                put("d", seed.as_ref());
            }
            Material::External(_) => return Err(external()),
        }
        // A grown buffer would leave unwiped copies behind; RSA keys of 8192 bits need 9 KiB.
        let mut text = Vec::with_capacity(16 * 1024);
        let written = serde_json::to_writer(&mut text, &members).map_err(|_| unwritable());
        wipe(Value::Object(members));
        written.map(|()| Secret::from(text))
    }

    /// The private key as PKCS#8 (RFC 5958) in PEM.
    ///
    /// # Errors
    /// [`ErrorCode::UnsupportedKey`] for an external key or a shared secret.
    pub fn to_pem(&self) -> Result<Secret, Error> {
        let pem = Pem::new("PRIVATE KEY", self.to_pkcs8()?.expose());
        Ok(Secret::from(pem::encode_config(
            &pem,
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        )))
    }

    pub(super) fn to_pkcs8(&self) -> Result<Secret, Error> {
        match self.material() {
            Material::Rsa(pair) => rsa_pkcs8(pair),
            Material::Ec(_, pair) => Ok(Secret::from(pair.to_pkcs8v1().map_err(|_| unwritable())?.as_ref())),
            Material::Ed25519(pair) => {
                Ok(Secret::from(pair.to_pkcs8v1().map_err(|_| unwritable())?.as_ref()))
            }
            Material::Symmetric(_) => {
                Err(Error::invalid(ErrorCode::UnsupportedKey, "A shared secret has no PEM form."))
            }
            Material::External(_) => Err(external()),
        }
    }
}

impl Curve {
    fn jwk_name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }
}

fn rsa_pkcs8(pair: &RsaKeyPair) -> Result<Secret, Error> {
    Ok(Secret::from(pair.as_der().map_err(|_| unwritable())?.as_ref()))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn external() -> Error {
    Error::invalid(ErrorCode::UnsupportedKey, "A key outside this library cannot be written out.")
}

fn unwritable() -> Error {
    Error::internal("The private key cannot be written out.")
}
