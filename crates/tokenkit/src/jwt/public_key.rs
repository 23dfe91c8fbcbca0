//! Keys that check signatures.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents,
};
use aws_lc_rs::{constant_time, hmac};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::key::{Curve, KeyType, SigningKey};
use super::{Algorithm, is_pem, jwk};
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// The sizes of RSA keys that can be used at all, in bits.
const RSA_BITS: RangeInclusive<usize> = 1024..=8192;

/// RFC 7518 sections 3.3 and 3.5 ask for RSA keys of this many bits or more.
const STRONG_RSA_BITS: usize = 2048;

/// A key that checks signatures, with what its JWK said about it.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(super) material: PublicMaterial,
    pub(super) key_id: Option<String>,
    /// The one algorithm it may be used with, when its JWK names one (RFC 7517 section 4.4).
    pub(super) algorithm: Option<Algorithm>,
    /// The key made ready for each algorithm it may be used with, except HMAC: doing that for every signature
    /// takes up to a fifth of the time of an RSA one.
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

#[derive(Clone)]
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
    /// # Errors
    /// [`ErrorCode::InvalidKey`] when the numbers are no key, or none that `algorithm` is for.
    pub(super) fn new(
        material: PublicMaterial,
        key_id: Option<String>,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, Error> {
        let key_type = material.key_type();
        if let Some(algorithm) = algorithm.filter(|algorithm| algorithm.key_type() != key_type) {
            return Err(invalid(format!("The JWK is for {algorithm}, but it is {key_type}.")));
        }
        let mut verifiers = Vec::new();
        for own in key_type.algorithms().filter(|own| algorithm.is_none_or(|only| only == *own)) {
            if let Some(parsed) = material.parsed(own)? {
                verifiers.push((own, parsed));
            }
        }
        Ok(Self { material, key_id, algorithm, verifiers })
    }

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
        let der = if is_pem(text) {
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
            Some(material) => Self::new(material?, None, None),
            None => SigningKey::from_bytes(data, password)?.verifying_key(),
        }
    }

    /// A shared secret for the HMAC algorithms.
    #[must_use]
    pub fn from_shared_secret(secret: Secret) -> Self {
        let material = PublicMaterial::Symmetric(secret);
        Self { material, key_id: None, algorithm: None, verifiers: Vec::new() }
    }

    /// What the key is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.material.key_type()
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
            PublicMaterial::Rsa { n, .. } if bits(n) < STRONG_RSA_BITS => Some(format!(
                "The RSA key has {} bits; RFC 7518 section 3.3 asks for {STRONG_RSA_BITS} or more.",
                bits(n)
            )),
            PublicMaterial::Symmetric(secret) => {
                let algorithm = self.algorithm.unwrap_or(Algorithm::HS256);
                let needed = algorithm.hmac().digest_algorithm().output_len();
                (secret.expose().len() < needed).then(|| {
                    format!("The secret is shorter than {needed} bytes, which RFC 7518 section 3.2 asks for.")
                })
            }
            _ => None,
        }
    }

    /// Whether signatures of `algorithm` cannot be checked because the RSA key is short: under 2048 bits, only
    /// RS256 and RS512 can.
    pub(super) fn is_too_short_for(&self, algorithm: Algorithm) -> bool {
        matches!(&self.material, PublicMaterial::Rsa { n, .. } if bits(n) < STRONG_RSA_BITS)
            && !matches!(algorithm, Algorithm::RS256 | Algorithm::RS512)
    }

    /// Whether `signature` is one of `message` by this key with `algorithm`. A key that does not
    /// [allow](Self::allows) the algorithm never matches.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.allows(algorithm) {
            return false;
        }
        if let PublicMaterial::Symmetric(secret) = &self.material {
            let tag = hmac::sign(&hmac::Key::new(algorithm.hmac(), secret.expose()), message);
            return constant_time::verify_slices_are_equal(tag.as_ref(), signature).is_ok();
        }
        let verifier = self.verifiers.iter().find(|(own, _)| *own == algorithm);
        verifier.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.key_type())
    }
}

impl PublicMaterial {
    fn key_type(&self) -> KeyType {
        match self {
            Self::Symmetric(_) => KeyType::Symmetric,
            Self::Rsa { .. } => KeyType::Rsa,
            Self::Ec(curve, _) => curve.key_type(),
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// The key made ready for `algorithm`; `None` for a shared secret.
    fn parsed(&self, algorithm: Algorithm) -> Result<Option<ParsedPublicKey>, Error> {
        let parsed = match self {
            Self::Symmetric(_) => return Ok(None),
            Self::Rsa { n, .. } if !RSA_BITS.contains(&bits(n)) => {
                let message = format!("An RSA key of {} bits is not supported.", bits(n));
                return Err(invalid(message));
            }
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa_parameters(algorithm))
            }
            // The length first: the library would take other forms of a key, too.
            Self::Ec(curve, point) if point.len() == 1 + 2 * curve.coordinate_len() => {
                ParsedPublicKey::new(curve.verification(), point)
            }
            Self::Ed25519(point) if point.len() == 32 => ParsedPublicKey::new(&signature::ED25519, point),
            Self::Ec(..) | Self::Ed25519(_) => {
                return Err(invalid("The public key has the wrong length for its curve."));
            }
        };
        parsed.map(Some).map_err(|error| invalid(format!("The public key is not valid: {error}.")))
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

    /// The length of a coordinate, and of the private key, in bytes.
    pub(super) fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
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

fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// The length of a number without leading zero bytes.
fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| 8 * number.len() - first.leading_zeros() as usize)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(ErrorCode::InvalidKey, message)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use pem::Pem;
    use serde_json::{Value, json};

    use super::*;

    fn rows(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    fn decode(text: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
    }

    /// Checks a published signature, and that another message or signature is refused.
    fn assert_verifies(jwk: &Value, algorithm: &Value, input: &str, signature: &[u8]) {
        let key = VerifyingKey::from_bytes(jwk.to_string().as_bytes(), None).unwrap();
        let algorithm: Algorithm = algorithm.as_str().unwrap().parse().unwrap();
        assert!(key.verify(algorithm, input.as_bytes(), signature), "{algorithm}");
        assert!(!key.verify(algorithm, &input.as_bytes()[1..], signature), "{algorithm}");
        let mut other = signature.to_vec();
        other[signature.len() / 3] ^= 1;
        assert!(!key.verify(algorithm, input.as_bytes(), &other), "{algorithm}");
        for another in Algorithm::ALL.into_iter().filter(|another| *another != algorithm) {
            assert!(!key.verify(another, input.as_bytes(), signature), "{algorithm} as {another}");
        }
    }

    #[test]
    fn the_published_signatures_verify() {
        for row in rows(include_str!("../../../../tests/vectors/jws.json")) {
            let mut jwk = row["key"].clone();
            jwk.as_object_mut().unwrap().remove("d");
            let input = row["signing_input"].as_str().unwrap();
            assert_verifies(&jwk, &row["algorithm"], input, &decode(&row["signature"]));
        }
    }

    #[test]
    fn the_tokens_of_rfc_7520_verify() {
        for row in rows(include_str!("../../../../tests/vectors/rfc7520.json")) {
            let (input, signature) = row["token"].as_str().unwrap().rsplit_once('.').unwrap();
            assert_verifies(&row["key"], &row["algorithm"], input, &decode(&json!(signature)));
        }
    }

    /// Elliptic curve and length are checked before a key is taken: what is no point fails no signature but is no key.
    #[test]
    fn points_are_checked_when_they_are_read() {
        // A SubjectPublicKeyInfo (RFC 5480): P-256 and this point.
        let info = |point: &[u8]| {
            let mut der = vec![
                0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
                1, 7,
            ];
            let length = u8::try_from(point.len()).unwrap();
            der.extend([3, length + 1, 0]);
            der.extend(point);
            let length = u8::try_from(der.len()).unwrap();
            [vec![0x30, length], der].concat()
        };
        let key = SigningKey::generate(KeyType::P256, None).unwrap().verifying_key().unwrap();
        let PublicMaterial::Ec(_, point) = &key.material else { panic!("an EC key") };
        let read = |point: &[u8]| VerifyingKey::from_bytes(&info(point), None).map(|key| key.to_jwk());
        assert_eq!(read(point).unwrap(), key.to_jwk());
        let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
        let off = [&point[..64], &[point[64] ^ 1]].concat();
        for other in [&compressed[..], &off, &point[..64], &[0], &[], &[point, &[0][..]].concat()] {
            assert_eq!(read(other).unwrap_err().error_code(), ErrorCode::InvalidKey);
        }
    }

    #[test]
    fn public_keys_are_read_from_pem_with_text_around() {
        let key = SigningKey::generate(KeyType::Rsa, None).unwrap();
        let certificate = key.self_signed_certificate("app", std::time::Duration::from_hours(1)).unwrap();
        let pem = pem::encode(&Pem::new("CERTIFICATE", certificate));
        let read = VerifyingKey::from_bytes(format!("Subject: app\n{pem}\n").as_bytes(), None).unwrap();
        assert_eq!(read.to_jwk(), key.verifying_key().unwrap().to_jwk());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for data in
            ["", "{}", "key", "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----", "-----BEGIN "]
        {
            let error = VerifyingKey::from_bytes(data.as_bytes(), None).unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::InvalidKey, "{data}");
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let key = VerifyingKey::from_shared_secret(Secret::from("s3cr3t"));
        assert_eq!(format!("{key:?}"), "VerifyingKey(a shared secret)");
    }

    #[test]
    fn sizes_are_counted_in_bits() {
        assert_eq!([bits(&[]), bits(&[1]), bits(&[0x80]), bits(&[1, 0])], [0, 1, 8, 9]);
    }
}
