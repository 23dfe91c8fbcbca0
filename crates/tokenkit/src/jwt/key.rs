//! Keys that sign: read from every common form, or kept outside behind [`ExternalSigner`].

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p12_keystore::Pkcs12Archive;
use pem::Pem;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Decode as _;
use pkcs8::pkcs5::pbes2::Kdf;

use super::public_key::{PublicMaterial, VerifyingKey};
use super::{Algorithm, is_pem, jwk};
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// The most rounds of PBKDF2 behind a password; RFC 8018 section 4.2 calls these fit for critical keys.
const MAX_ROUNDS: u32 = 10_000_000;

/// The most memory that scrypt may work through, in bytes.
const MAX_SCRYPT_WORK: u64 = 256 * 1024 * 1024;

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
    /// The one algorithm it may be used with, when its JWK names one (RFC 7517 section 4.4).
    algorithm: Option<Algorithm>,
    certificate: Option<Arc<[u8]>>,
}

pub(super) enum Material {
    Symmetric(Secret),
    Rsa(RsaKeyPair),
    Ec(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    External(Arc<dyn ExternalSigner>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(super) fn key_type(self) -> KeyType {
        match self {
            Self::P256 => KeyType::P256,
            Self::P384 => KeyType::P384,
            Self::P521 => KeyType::P521,
        }
    }

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
            let (material, key_id, algorithm) = jwk::parse(text)?;
            let key = Self { key_id, algorithm, ..Self::from_material(material) };
            return match algorithm.filter(|algorithm| algorithm.key_type() != key.key_type()) {
                Some(other) => Err(invalid(format!("The JWK is for {other}, but it is {}.", key.key_type()))),
                None => Ok(key),
            };
        }
        if is_pem(text) {
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
            Material::Ec(curve, _) => curve.key_type(),
            Material::Ed25519(_) => KeyType::Ed25519,
            Material::External(signer) => signer.key_type(),
        }
    }

    /// The algorithm used when none is asked for: the one that its JWK names, or the usual one of its type.
    #[must_use]
    pub fn default_algorithm(&self) -> Algorithm {
        if let Some(algorithm) = self.algorithm {
            return algorithm;
        }
        match self.key_type() {
            KeyType::Symmetric => Algorithm::HS256,
            KeyType::Rsa => Algorithm::RS256,
            KeyType::P256 => Algorithm::ES256,
            KeyType::P384 => Algorithm::ES384,
            KeyType::P521 => Algorithm::ES512,
            KeyType::Ed25519 => Algorithm::EdDSA,
        }
    }

    /// The public half, or the shared secret itself.
    ///
    /// # Errors
    /// [`ErrorCode::UnsupportedKey`] for an external key: its public half is not known here.
    pub fn verifying_key(&self) -> Result<VerifyingKey, Error> {
        let material = match &*self.material {
            Material::Symmetric(secret) => PublicMaterial::Symmetric(secret.clone()),
            Material::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = pair.public_key().into();
                PublicMaterial::Rsa { n, e }
            }
            Material::Ec(curve, pair) => PublicMaterial::Ec(*curve, pair.public_key().as_ref().to_vec()),
            Material::Ed25519(pair) => PublicMaterial::Ed25519(pair.public_key().as_ref().to_vec()),
            Material::External(_) => {
                let message = "The public half of a key outside this library is not known.";
                return Err(Error::invalid(ErrorCode::UnsupportedKey, message));
            }
        };
        VerifyingKey::new(material, self.key_id.clone(), self.algorithm)
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
        if let Some(only) = self.algorithm.filter(|only| *only != algorithm) {
            let message = format!("The key is for {only}, by its JWK, and not for {algorithm}.");
            return Err(Error::invalid(ErrorCode::UnsupportedKey, message));
        }
        let failed = |_| Error::Internal {
            code: ErrorCode::SigningFailed,
            message: format!("The key did not sign with {algorithm}."),
        };
        match &*self.material {
            Material::Symmetric(secret) => {
                let key = hmac::Key::new(algorithm.hmac(), secret.expose());
                Ok(hmac::sign(&key, message).as_ref().to_vec())
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

    pub(super) fn material(&self) -> &Material {
        &self.material
    }

    pub(super) fn from_material(material: Material) -> Self {
        Self { material: Arc::new(material), key_id: None, algorithm: None, certificate: None }
    }

    /// Keeps the certificate that holds the public half of this key; a chain may stand around it.
    fn with_own_certificate<'a>(self, mut certificates: impl Iterator<Item = &'a [u8]>) -> Self {
        let public = match &*self.material {
            Material::Rsa(pair) => pair.public_key().as_ref(),
            Material::Ec(_, pair) => pair.public_key().as_ref(),
            Material::Ed25519(pair) => pair.public_key().as_ref(),
            Material::Symmetric(_) | Material::External(_) => return self,
        };
        match certificates.find(|der| der.windows(public.len()).any(|window| window == public)) {
            Some(der) => self.with_certificate(der),
            None => self,
        }
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
        let certificates = blocks.iter().filter(|block| block.tag() == "CERTIFICATE").map(Pem::contents);
        Ok(Self::from_material(material).with_own_certificate(certificates))
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
                return Err(invalid_password(if password.is_empty() {
                    "The PKCS#12 data needs its password. If it was made without one, make it anew with a password, or as PEM."
                } else {
                    "The password of the PKCS#12 data is wrong."
                }));
            }
            Err(p12_keystore::error::Error::DerError(_)) => return Ok(None),
            Err(error) => return Err(invalid(format!("The PKCS#12 data cannot be read: {error}."))),
        };
        let key = archive.keys.first().ok_or_else(|| invalid("The PKCS#12 data holds no private key."))?;
        let certificates = archive.certs.iter().map(|bag| bag.cert.as_der());
        let signing_key = Self::from_material(private_key(key.key.as_der())?);
        Ok(Some(signing_key.with_own_certificate(certificates)))
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
    if !is_bearable(encrypted) {
        return Err(invalid("The encryption of the private key asks for more work than any tool sets."));
    }
    let document = encrypted.decrypt(password.expose()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs8::pkcs5::Error::AlgorithmParametersInvalid { .. }
            | pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. },
        ) => invalid(format!("The encryption of the private key is not supported: {error}.")),
        _ => invalid_password("The password of the private key is wrong."),
    })?;
    Ok(Secret::from(document.as_bytes()))
}

/// Whether the work between password and key has bounds. OpenSSL asks for 2048 rounds, or for 16 MiB.
fn is_bearable(encrypted: &EncryptedPrivateKeyInfoRef<'_>) -> bool {
    let derivation = encrypted.encryption_algorithm.pbes2().map(|parameters| &parameters.kdf);
    let rounds = derivation.and_then(Kdf::pbkdf2).map_or(0, |pbkdf2| pbkdf2.iteration_count);
    // RFC 7914 section 2: scrypt needs 128 * N * r bytes, and p times the work for that.
    let work = derivation.and_then(Kdf::scrypt).map_or(0, |scrypt| {
        let factors = [scrypt.cost_parameter, scrypt.block_size.into(), scrypt.parallelization.into()];
        factors.into_iter().fold(128, u64::saturating_mul)
    });
    rounds <= MAX_ROUNDS && work <= MAX_SCRYPT_WORK
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidKey, message)
}

fn invalid_password(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidKeyPassword, message)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::UnparsedPublicKey;
    use rstest::rstest;
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    /// A row of `tests/vectors/jws.json`.
    #[derive(Deserialize)]
    struct Row {
        source: String,
        algorithm: String,
        key: Value,
        signing_input: String,
        signature: String,
    }

    fn rows() -> Vec<Row> {
        serde_json::from_str(include_str!("../../../../tests/vectors/jws.json")).unwrap()
    }

    impl Row {
        fn algorithm(&self) -> Algorithm {
            self.algorithm.parse().unwrap()
        }

        fn key(&self) -> SigningKey {
            SigningKey::from_bytes(self.key.to_string().as_bytes(), None).unwrap()
        }

        fn octets(&self, member: &str) -> Vec<u8> {
            URL_SAFE_NO_PAD.decode(self.key[member].as_str().unwrap()).unwrap()
        }

        fn sign(&self, algorithm: Algorithm) -> Vec<u8> {
            self.key().sign(algorithm, self.signing_input.as_bytes()).unwrap()
        }
    }

    #[test]
    fn deterministic_algorithms_give_exactly_the_published_signature() {
        let rows = rows();
        let deterministic = rows.iter().filter(|row| !row.algorithm.starts_with("ES"));
        let mut seen = Vec::new();
        for row in deterministic {
            let signature = URL_SAFE_NO_PAD.encode(row.sign(row.algorithm()));
            assert_eq!(signature, row.signature, "{} {}", row.source, row.algorithm);
            seen.push(row.algorithm.as_str());
        }
        assert_eq!(seen, ["HS256", "HS384", "HS512", "RS256", "EdDSA"]);
    }

    #[rstest]
    #[case(Algorithm::ES256, &signature::ECDSA_P256_SHA256_FIXED, 64)]
    #[case(Algorithm::ES512, &signature::ECDSA_P521_SHA512_FIXED, 132)]
    fn ecdsa_signatures_are_r_and_s_side_by_side(
        #[case] algorithm: Algorithm,
        #[case] verification: &'static dyn signature::VerificationAlgorithm,
        #[case] length: usize,
    ) {
        let rows = rows();
        let row = rows.iter().find(|row| row.algorithm() == algorithm).unwrap();
        let point = [&[4], &*row.octets("x"), &*row.octets("y")].concat();
        let public = UnparsedPublicKey::new(verification, point);
        let published = URL_SAFE_NO_PAD.decode(&row.signature).unwrap();
        public.verify(row.signing_input.as_bytes(), &published).unwrap();
        // Often enough that an r or s with a leading zero byte is among them and must have been padded.
        for _ in 0..300 {
            let signature = row.sign(algorithm);
            assert_eq!(signature.len(), length);
            public.verify(row.signing_input.as_bytes(), &signature).unwrap();
        }
    }

    #[rstest]
    #[case(Algorithm::RS256, &signature::RSA_PKCS1_2048_8192_SHA256)]
    #[case(Algorithm::RS384, &signature::RSA_PKCS1_2048_8192_SHA384)]
    #[case(Algorithm::RS512, &signature::RSA_PKCS1_2048_8192_SHA512)]
    // These accept no salt but one as long as the hash.
    #[case(Algorithm::PS256, &signature::RSA_PSS_2048_8192_SHA256)]
    #[case(Algorithm::PS384, &signature::RSA_PSS_2048_8192_SHA384)]
    #[case(Algorithm::PS512, &signature::RSA_PSS_2048_8192_SHA512)]
    fn rsa_signatures_verify_with_the_public_half(
        #[case] algorithm: Algorithm,
        #[case] verification: &'static signature::RsaParameters,
    ) {
        let rows = rows();
        let row = rows.iter().find(|row| row.algorithm == "RS256").unwrap();
        let public = aws_lc_rs::rsa::PublicKeyComponents { n: row.octets("n"), e: row.octets("e") };
        public.verify(verification, row.signing_input.as_bytes(), &row.sign(algorithm)).unwrap();
    }

    #[test]
    fn a_key_signs_with_its_own_algorithms_only() {
        for row in rows() {
            let key = row.key();
            assert_eq!(key.default_algorithm().key_type(), key.key_type());
            for algorithm in Algorithm::ALL {
                let result = key.sign(algorithm, b"message");
                if algorithm.key_type() == key.key_type() {
                    assert!(result.is_ok(), "{algorithm} with {}", key.key_type());
                } else {
                    let error = result.unwrap_err();
                    assert_eq!(error.error_code(), ErrorCode::UnsupportedKey);
                    assert!(error.to_string().starts_with(&format!("{algorithm} needs ")), "{error}");
                }
            }
        }
    }

    #[test]
    fn debug_shows_the_type_of_a_key_and_nothing_of_it() {
        let shown: Vec<_> = rows().iter().map(|row| format!("{:?}", row.key())).collect();
        assert_eq!(
            shown,
            [
                "SigningKey(a shared secret)",
                "SigningKey(a shared secret)",
                "SigningKey(a shared secret)",
                "SigningKey(an RSA key)",
                "SigningKey(a P-256 key)",
                "SigningKey(a P-521 key)",
                "SigningKey(an Ed25519 key)",
            ]
        );
    }
}
