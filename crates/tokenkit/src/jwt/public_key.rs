//! Keys that check signatures.

use std::borrow::Cow;

use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use aws_lc_rs::{constant_time, hmac};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::key::{Curve, KeyType, SigningKey};
use super::{Algorithm, jwk};
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// A key that checks signatures, with what its JWK said about it.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    pub(super) material: PublicMaterial,
    pub(super) key_id: Option<String>,
    /// The one algorithm it may be used with, when its JWK names one (RFC 7517 section 4.4).
    pub(super) algorithm: Option<Algorithm>,
}

#[derive(Debug, Clone)]
pub(super) enum PublicMaterial {
    Symmetric(Secret),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
}

impl VerifyingKey {
    /// Reads a public key from PEM or DER (`SubjectPublicKeyInfo`, PKCS#1), an X.509 certificate, a JWK, or
    /// takes the public half of any form that [`SigningKey::from_bytes`] reads.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidKey`] when it is none of these; as [`SigningKey::from_bytes`] for private keys.
    pub fn from_bytes(data: &[u8], password: Option<&Secret>) -> Result<Self, Error> {
        let text = data.trim_ascii();
        if text.starts_with(b"{") {
            return jwk::parse_public(text);
        }
        let der = if text.windows(11).any(|window| window == b"-----BEGIN ") {
            let blocks = pem::parse_many(text)
                .map_err(|error| invalid(format!("The PEM text is damaged: {error}.")))?;
            let public =
                |block: &&pem::Pem| matches!(block.tag(), "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE");
            match blocks.iter().find(public) {
                Some(block) => Cow::Owned(block.contents().to_vec()),
                None => return SigningKey::from_bytes(data, password)?.verifying_key(),
            }
        } else {
            Cow::Borrowed(data)
        };
        match public_material(&der) {
            Some(material) => Ok(Self { material: material?, key_id: None, algorithm: None }),
            None => SigningKey::from_bytes(data, password)?.verifying_key(),
        }
    }

    /// A shared secret for the HMAC algorithms.
    #[must_use]
    pub fn from_shared_secret(secret: Secret) -> Self {
        Self { material: PublicMaterial::Symmetric(secret), key_id: None, algorithm: None }
    }

    /// What the key is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self.material {
            PublicMaterial::Symmetric(_) => KeyType::Symmetric,
            PublicMaterial::Rsa { .. } => KeyType::Rsa,
            PublicMaterial::Ec(curve, _) => curve.key_type(),
            PublicMaterial::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// The `kid` of its JWK.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the key may check signatures of `algorithm`: its type fits (RFC 8725 section 3.1), and its JWK
    /// names no other algorithm.
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        algorithm.key_type() == self.key_type() && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Why the key is weaker than RFC 7518 asks for, if it is: RSA below 2048 bits (section 3.3), or a secret
    /// shorter than its hash (section 3.2).
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        match &self.material {
            PublicMaterial::Rsa { n, .. } if n.len() < 256 => Some(format!(
                "The RSA key has {} bits; RFC 7518 section 3.3 asks for 2048 or more.",
                n.len() * 8
            )),
            PublicMaterial::Symmetric(secret) if secret.expose().len() < 32 => {
                Some("The secret is shorter than 32 bytes, which RFC 7518 section 3.2 asks for.".into())
            }
            _ => None,
        }
    }

    /// Whether `signature` is one of `message` by this key with `algorithm`. A key that does not
    /// [allow](Self::allows) the algorithm never matches.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.allows(algorithm) {
            return false;
        }
        match &self.material {
            PublicMaterial::Symmetric(secret) => {
                let tag = hmac::sign(&hmac::Key::new(algorithm.hmac(), secret.expose()), message);
                constant_time::verify_slices_are_equal(tag.as_ref(), signature).is_ok()
            }
            PublicMaterial::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(rsa_parameters(algorithm), message, signature).is_ok()
            }
            PublicMaterial::Ec(curve, point) => {
                UnparsedPublicKey::new(curve.verification(), point).verify(message, signature).is_ok()
            }
            PublicMaterial::Ed25519(point) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signature).is_ok()
            }
        }
    }
}

impl Curve {
    fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        }
    }

    fn from_oid(oid: &str) -> Option<Self> {
        match oid {
            "1.2.840.10045.3.1.7" => Some(Self::P256),
            "1.3.132.0.34" => Some(Self::P384),
            "1.3.132.0.35" => Some(Self::P521),
            _ => None,
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    }
}

/// `None` when the data is neither a certificate, nor a `SubjectPublicKeyInfo`, nor a PKCS#1 public key.
fn public_material(der: &[u8]) -> Option<Result<PublicMaterial, Error>> {
    if let Ok((_, certificate)) = X509Certificate::from_der(der) {
        return Some(from_public_key_info(certificate.public_key()));
    }
    if let Ok((_, info)) = SubjectPublicKeyInfo::from_der(der) {
        return Some(from_public_key_info(&info));
    }
    let (rest, key) = RSAPublicKey::from_der(der).ok()?;
    rest.is_empty().then(|| Ok(rsa(&key)))
}

/// The public key of a certificate in DER form.
pub(super) fn from_certificate(der: &[u8]) -> Result<PublicMaterial, Error> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|error| invalid(format!("The certificate cannot be read: {error}.")))?;
    from_public_key_info(certificate.public_key())
}

fn from_public_key_info(info: &SubjectPublicKeyInfo<'_>) -> Result<PublicMaterial, Error> {
    const ED25519: &str = "1.3.101.112";
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => Ok(rsa(&key)),
        Ok(PublicKey::EC(point)) => {
            let oid = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
            let curve = oid.and_then(|oid| Curve::from_oid(&oid.to_id_string()));
            let curve = curve.ok_or_else(|| invalid("The elliptic curve of the key is not supported."))?;
            Ok(PublicMaterial::Ec(curve, point.data().to_vec()))
        }
        _ if info.algorithm.algorithm.to_id_string() == ED25519 => {
            Ok(PublicMaterial::Ed25519(info.subject_public_key.data.to_vec()))
        }
        _ => Err(invalid("The type of the public key is not supported.")),
    }
}

fn rsa(key: &RSAPublicKey<'_>) -> PublicMaterial {
    PublicMaterial::Rsa { n: without_leading_zeros(key.modulus), e: without_leading_zeros(key.exponent) }
}

pub(super) fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidKey, message)
}
