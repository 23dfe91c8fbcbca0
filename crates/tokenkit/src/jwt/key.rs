//! Keys that sign: read from every common form, or kept outside behind [`ExternalSigner`].

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p12_keystore::Pkcs12Archive;
use pem::Pem;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Decode as _;

use super::{Algorithm, jwk};
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// What a key is, which decides what it may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// A shared secret.
    Symmetric,
    /// RSA.
    Rsa,
    /// Elliptic curve P-256.
    P256,
    /// Elliptic curve P-384.
    P384,
    /// Elliptic curve P-521.
    P521,
    /// Edwards curve 25519.
    Ed25519,
}

impl KeyType {
    /// The algorithms such a key can sign with, the usual one first.
    pub fn algorithms(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| algorithm.key_type() == self)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Symmetric => "a shared secret",
            Self::Rsa => "an RSA key",
            Self::P256 => "a P-256 key",
            Self::P384 => "a P-384 key",
            Self::P521 => "a P-521 key",
            Self::Ed25519 => "an Ed25519 key",
        })
    }
}

/// A private key that cannot leave its place: a key store, a smart card, another runtime.
pub trait ExternalSigner: Send + Sync {
    /// What the key is.
    fn key_type(&self) -> KeyType;

    /// Signs `message` and returns the signature in JWS form (RFC 7518 section 3): for ECDSA the two
    /// integers r and s side by side. May block, and runs on a thread where that is allowed.
    ///
    /// # Errors
    /// A text for people that holds no secret.
    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String>;
}

/// A key that signs tokens, with the `kid` and certificate that name it.
#[derive(Clone)]
pub struct SigningKey {
    material: Arc<Material>,
    key_id: Option<String>,
    certificate: Option<Arc<[u8]>>,
}

pub(super) enum Material {
    Symmetric(Secret),
    Rsa(RsaKeyPair),
    Ec(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    External(Arc<dyn ExternalSigner>),
}

#[derive(Clone, Copy)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(super) fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    pub(super) fn from_jwk_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }
}

impl SigningKey {
    /// Reads a private key from PEM (PKCS#8, also encrypted, PKCS#1, SEC1), DER of the same, PKCS#12 (PFX),
    /// or a JWK. A certificate beside the key, in PEM or PKCS#12, is kept for the thumbprints.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidKey`] when it is none of these, [`ErrorCode::InvalidKeyPassword`] when the
    /// password is missing or wrong. No message quotes the key.
    pub fn from_bytes(data: &[u8], password: Option<&Secret>) -> Result<Self, Error> {
        let text = data.trim_ascii();
        if text.starts_with(b"{") {
            let (material, key_id) = jwk::parse(text)?;
            return Ok(Self { material: Arc::new(material), key_id, certificate: None });
        }
        if text.windows(11).any(|window| window == b"-----BEGIN ") {
            return Self::from_pem(text, password);
        }
        if let Some(key) = Self::from_pkcs12(data, password)? {
            return Ok(key);
        }
        let material = match EncryptedPrivateKeyInfoRef::from_der(data) {
            Ok(encrypted) => private_key(decrypt(&encrypted, password)?.expose()),
            Err(_) => private_key(data),
        }?;
        Ok(Self::from_material(material))
    }

    /// A shared secret for the HMAC algorithms.
    #[must_use]
    pub fn from_shared_secret(secret: Secret) -> Self {
        Self::from_material(Material::Symmetric(secret))
    }

    /// A key that stays outside.
    #[must_use]
    pub fn external(signer: Arc<dyn ExternalSigner>) -> Self {
        Self::from_material(Material::External(signer))
    }

    /// The same key, named by `key_id` in the header `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The same key, named by the thumbprints of its X.509 certificate, given as DER.
    #[must_use]
    pub fn with_certificate(mut self, der: &[u8]) -> Self {
        self.certificate = Some(Arc::from(der));
        self
    }

    /// What the key is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match &*self.material {
            Material::Symmetric(_) => KeyType::Symmetric,
            Material::Rsa(_) => KeyType::Rsa,
            Material::Ec(Curve::P256, _) => KeyType::P256,
            Material::Ec(Curve::P384, _) => KeyType::P384,
            Material::Ec(Curve::P521, _) => KeyType::P521,
            Material::Ed25519(_) => KeyType::Ed25519,
            Material::External(signer) => signer.key_type(),
        }
    }

    /// The algorithm used when none is asked for.
    #[must_use]
    pub fn default_algorithm(&self) -> Algorithm {
        match self.key_type() {
            KeyType::Symmetric => Algorithm::HS256,
            KeyType::Rsa => Algorithm::RS256,
            KeyType::P256 => Algorithm::ES256,
            KeyType::P384 => Algorithm::ES384,
            KeyType::P521 => Algorithm::ES512,
            KeyType::Ed25519 => Algorithm::EdDSA,
        }
    }

    /// Whether signing may block for long, as a smart card that asks for a PIN does.
    #[must_use]
    pub fn is_external(&self) -> bool {
        matches!(*self.material, Material::External(_))
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn certificate_sha1(&self) -> Option<String> {
        self.thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)
    }

    pub(super) fn certificate_sha256(&self) -> Option<String> {
        self.thumbprint(&digest::SHA256)
    }

    fn thumbprint(&self, algorithm: &'static digest::Algorithm) -> Option<String> {
        self.certificate.as_ref().map(|der| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, der)))
    }

    /// Signs `message`; the result is the signature in JWS form.
    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        if algorithm.key_type() != self.key_type() {
            let fitting: Vec<_> = self.key_type().algorithms().map(Algorithm::as_str).collect();
            return Err(Error::invalid(
                ErrorCode::UnsupportedKey,
                format!(
                    "{algorithm} needs {}, but {} was given, which signs {}.",
                    algorithm.key_type(),
                    self.key_type(),
                    fitting.join(", ")
                ),
            ));
        }
        let failed = |_| Error::Internal {
            code: ErrorCode::SigningFailed,
            message: format!("The key did not sign with {algorithm}."),
        };
        match &*self.material {
            Material::Symmetric(secret) => {
                let kind = match algorithm {
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                Ok(hmac::sign(&hmac::Key::new(kind, secret.expose()), message).as_ref().to_vec())
            }
            Material::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match algorithm {
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut out).map_err(failed)?;
                Ok(out)
            }
            Material::Ec(_, pair) => {
                Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec())
            }
            Material::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Material::External(signer) => signer
                .sign(algorithm, message)
                .map_err(|message| Error::Internal { code: ErrorCode::SigningFailed, message }),
        }
    }

    fn from_material(material: Material) -> Self {
        Self { material: Arc::new(material), key_id: None, certificate: None }
    }

    fn from_pem(text: &[u8], password: Option<&Secret>) -> Result<Self, Error> {
        let blocks =
            pem::parse_many(text).map_err(|error| invalid(format!("The PEM text is damaged: {error}.")))?;
        let key = blocks
            .iter()
            .find(|block| block.tag().ends_with("PRIVATE KEY"))
            .ok_or_else(|| invalid("The PEM text holds no private key."))?;
        let material = match key.tag() {
            "ENCRYPTED PRIVATE KEY" => {
                let encrypted = EncryptedPrivateKeyInfoRef::from_der(key.contents())
                    .map_err(|error| invalid(format!("The encrypted private key is damaged: {error}.")))?;
                private_key(decrypt(&encrypted, password)?.expose())
            }
            _ if key.headers().get("DEK-Info").is_some() => {
                return Err(invalid(
                    "The PEM text uses the encryption of old OpenSSL versions, which is weak. \
                     Convert it once with: openssl pkcs8 -topk8 -in old.pem -out new.pem",
                ));
            }
            _ => private_key(key.contents()),
        }?;
        let mut key = Self::from_material(material);
        key.certificate =
            blocks.iter().find(|block| block.tag() == "CERTIFICATE").map(Pem::contents).map(Arc::from);
        Ok(key)
    }

    /// `None` when the data is no PKCS#12 at all.
    fn from_pkcs12(data: &[u8], password: Option<&Secret>) -> Result<Option<Self>, Error> {
        let password = match password.map(Secret::expose_str) {
            None => "",
            Some(Some(text)) => text,
            Some(None) => return Err(invalid_password("The password is not text.")),
        };
        let archive = match Pkcs12Archive::from_pkcs12(data, password) {
            Ok(archive) => archive,
            Err(p12_keystore::error::Error::MacError(_)) => {
                return Err(invalid_password("The password of the PKCS#12 data is missing or wrong."));
            }
            Err(p12_keystore::error::Error::DerError(_)) => return Ok(None),
            Err(error) => return Err(invalid(format!("The PKCS#12 data cannot be read: {error}."))),
        };
        let key = archive.keys.first().ok_or_else(|| invalid("The PKCS#12 data holds no private key."))?;
        let key_id = key.local_key_id.as_ref().map(|id| id.0.as_slice());
        let certificate = archive
            .certs
            .iter()
            .find(|bag| bag.local_key_id.as_deref().is_some_and(|id| Some(id) == key_id))
            .or(archive.certs.first());
        let mut signing_key = Self::from_material(private_key(key.key.as_der())?);
        signing_key.certificate = certificate.map(|bag| Arc::from(bag.cert.as_der()));
        Ok(Some(signing_key))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.key_type())
    }
}

fn private_key(der: &[u8]) -> Result<Material, Error> {
    // The library recognises PKCS#8 and PKCS#1 (RSA) or SEC1 (EC) itself; what it refuses is another type.
    let rsa = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
    if let Ok(pair) = rsa {
        return Ok(Material::Rsa(pair));
    }
    for curve in Curve::ALL {
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve.signing(), der) {
            return Ok(Material::Ec(curve, pair));
        }
    }
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Material::Ed25519).map_err(|_| {
        invalid("The data is no private key of a supported type: RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519.")
    })
}

fn decrypt(encrypted: &EncryptedPrivateKeyInfoRef<'_>, password: Option<&Secret>) -> Result<Secret, Error> {
    let password =
        password.ok_or_else(|| invalid_password("The private key is encrypted and needs its password."))?;
    let document = encrypted.decrypt(password.expose()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs8::pkcs5::Error::AlgorithmParametersInvalid { .. }
            | pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. },
        ) => invalid(format!("The encryption of the private key is not supported: {error}.")),
        _ => invalid_password("The password of the private key is wrong."),
    })?;
    Ok(Secret::from(document.as_bytes()))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidKey, message)
}

fn invalid_password(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidKeyPassword, message)
}
