//! New keys.

use std::time::Duration;

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use rcgen::{CertificateParams, DnType, KeyUsagePurpose};

use super::key::{Curve, KeyType, Material, SigningKey};
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

impl SigningKey {
    /// Makes a private key of this type, named by its thumbprint (RFC 7638). RSA keys have 2048 bits unless
    /// `rsa_bits` is 3072 or 4096.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for another size, or for a shared secret: that is no key pair.
    ///
    /// ```
    /// use tokenkit::jwt::{KeyType, SigningKey};
    ///
    /// let key = SigningKey::generate(KeyType::Ed25519, None)?;
    /// assert!(key.to_pem()?.expose().starts_with(b"-----BEGIN PRIVATE KEY-----"));
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn generate(key_type: KeyType, rsa_bits: Option<u32>) -> Result<Self, Error> {
        let invalid = |message: &str| Error::invalid(ErrorCode::InvalidArgument, message);
        let material = match key_type {
            KeyType::Rsa => {
                let size = match rsa_bits {
                    None | Some(2048) => KeySize::Rsa2048,
                    Some(3072) => KeySize::Rsa3072,
                    Some(4096) => KeySize::Rsa4096,
                    Some(_) => return Err(invalid("An RSA key has 2048, 3072 or 4096 bits.")),
                };
                Material::Rsa(RsaKeyPair::generate(size).map_err(|_| failed())?)
            }
            KeyType::P256 => elliptic(Curve::P256)?,
            KeyType::P384 => elliptic(Curve::P384)?,
            KeyType::P521 => elliptic(Curve::P521)?,
            KeyType::Ed25519 => Material::Ed25519(Ed25519KeyPair::generate().map_err(|_| failed())?),
            KeyType::Symmetric => return Err(invalid("A shared secret is no key pair.")),
        };
        let key = Self::from_material(material);
        let jwk = key.verifying_key()?.to_jwk();
        let key_id = jwk.get("kid").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Ok(key.with_key_id(key_id))
    }

    /// A certificate for this key, signed with it, as DER: for servers that register a client by its
    /// certificate.
    ///
    /// # Errors
    /// [`ErrorCode::UnsupportedKey`] for an external key or a shared secret; [`ErrorCode::InvalidArgument`] for a
    /// lifetime past the year 9999.
    pub fn self_signed_certificate(&self, common_name: &str, lifetime: Duration) -> Result<Vec<u8>, Error> {
        let refused =
            |error: rcgen::Error| Error::internal(format!("The certificate cannot be made: {error}."));
        let algorithm = match self.key_type() {
            KeyType::Rsa => &rcgen::PKCS_RSA_SHA256,
            KeyType::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyType::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyType::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            _ => &rcgen::PKCS_ED25519,
        };
        let pkcs8: Secret = self.to_pkcs8()?;
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.expose().into(), algorithm)
            .map_err(refused)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = std::time::SystemTime::now().into();
        let lifetime = lifetime.try_into().ok();
        params.not_after =
            lifetime.and_then(|lifetime| params.not_before.checked_add(lifetime)).ok_or_else(|| {
                Error::invalid(
                    ErrorCode::InvalidArgument,
                    "The certificate would be valid past the year 9999.",
                )
            })?;
        Ok(params.self_signed(&pair).map_err(refused)?.der().to_vec())
    }
}

fn elliptic(curve: Curve) -> Result<Material, Error> {
    Ok(Material::Ec(curve, EcdsaKeyPair::generate(curve.signing()).map_err(|_| failed())?))
}

fn failed() -> Error {
    Error::internal("The key could not be generated.")
}
