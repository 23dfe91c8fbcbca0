//! Sealing: AES-256-GCM under a key that is derived anew for each write, so that no nonce can meet its key twice.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// Size of keys and salts in bytes.
const SIZE: usize = 32;
const ALGORITHM: &str = "A256GCM";
const NONCE: usize = 12;
/// Size of a key's name in bytes.
const KEY_ID: usize = 8;

/// A key that seals a store.
#[derive(Clone)]
pub(super) struct SealKey {
    /// The name of the key: made from it, and telling nothing about it.
    pub(super) id: String,
    secret: Secret,
}

/// What is written beside a sealed text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// The name of the key.
    pub(super) key_id: String,
    salt: Vec<u8>,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SealKey {
    pub(super) fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; SIZE]);
        aws_lc_rs::rand::fill(&mut *bytes)
            .map_err(|_| Error::internal("The system has no randomness to give."))?;
        Self::from_bytes(&*bytes)
    }

    /// The key in a text: base64 or base64url, with white space around it.
    pub(super) fn from_text(text: &Secret) -> Result<Self, Error> {
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let text = text.expose().trim_ascii();
        let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let alphabet = if url_safe { alphabet::URL_SAFE } else { alphabet::STANDARD };
        let bytes = GeneralPurpose::new(&alphabet, config).decode(text).map(Zeroizing::new);
        bytes.ok().as_ref().and_then(|bytes| Self::from_bytes(bytes).ok()).ok_or_else(|| {
            let message = "The key of the store is not 32 bytes in base64.";
            Error::invalid(ErrorCode::InvalidStoreKey, message)
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != SIZE {
            return Err(Error::internal("A key of a store has another size."));
        }
        let secret = Secret::from(bytes);
        let mut id = [0; KEY_ID];
        derive(&secret, b"tokenkit store: name of a key", &[], &mut id)?;
        Ok(Self { id: hex::encode(id), secret })
    }

    /// The key as text.
    pub(super) fn to_text(&self) -> Secret {
        Secret::from(STANDARD.encode(self.secret.expose()))
    }

    /// Seals `plain` for the place `context`.
    pub(super) fn seal(&self, context: &str, plain: &[u8]) -> Result<(Seal, String), Error> {
        let mut salt = vec![0; SIZE];
        aws_lc_rs::rand::fill(&mut salt)
            .map_err(|_| Error::internal("The system has no randomness to give."))?;
        let key = self.file_key(&salt)?;
        let failed = |_| Error::internal("The store cannot be sealed.");
        let mut text = Vec::with_capacity(NONCE + plain.len() + AES_256_GCM.tag_len());
        let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
        body.extend_from_slice(plain);
        let nonce = key.seal_in_place_append_tag(Aad::from(context), &mut *body).map_err(failed)?;
        text.extend_from_slice(nonce.as_ref());
        text.extend_from_slice(&body);
        Ok((Seal { key_id: self.id.clone(), salt }, STANDARD.encode(text)))
    }

    /// Opens what [`seal`](Self::seal) made for the same place; `None` when it is not that any more.
    pub(super) fn open(&self, context: &str, seal: &Seal, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.file_key(&seal.salt).ok()?;
        let mut body = Zeroizing::new(STANDARD.decode(sealed).ok()?);
        let (nonce, body_text) = body.split_at_mut_checked(NONCE)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = key.open_in_place(nonce, Aad::from(context), body_text).ok()?.len();
        body.truncate(NONCE + length);
        body.drain(..NONCE);
        Some(body)
    }

    fn file_key(&self, salt: &[u8]) -> Result<RandomizedNonceKey, Error> {
        let mut bytes = Zeroizing::new([0; SIZE]);
        derive(&self.secret, b"tokenkit store: seal of a file", salt, &mut *bytes)?;
        RandomizedNonceKey::new(&AES_256_GCM, &*bytes)
            .map_err(|_| Error::internal("The store cannot be sealed."))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealKey").field(&self.id).finish()
    }
}

impl Seal {
    pub(super) fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("algorithm".into(), ALGORITHM.into());
        members.insert("key".into(), self.key_id.as_str().into());
        members.insert("salt".into(), STANDARD.encode(&self.salt).into());
        Value::Object(members)
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |name| value.get(name).and_then(Value::as_str);
        let salt = STANDARD.decode(text("salt")?).ok()?;
        let key_id = text("key")?;
        let known = text("algorithm")? == ALGORITHM && salt.len() == SIZE && is_key_id(key_id);
        known.then_some(Self { key_id: key_id.to_owned(), salt })
    }
}

/// Whether a text can be the name of a key: what is none was damaged.
pub(super) fn is_key_id(text: &str) -> bool {
    text.len() == 2 * KEY_ID && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// HKDF with SHA-256 (RFC 5869).
fn derive(secret: &Secret, purpose: &[u8], salt: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let key = Salt::new(HKDF_SHA256, salt).extract(secret.expose());
    let info = [purpose];
    let expanded = key.expand(&info, Length(out.len()));
    expanded.and_then(|expanded| expanded.fill(out)).map_err(|_| Error::internal("A key cannot be derived."))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const SALT: &str = "paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=";

    fn key(text: &str) -> SealKey {
        SealKey::from_text(&Secret::from(text)).unwrap()
    }

    fn seal() -> Seal {
        let key_id = "5a2551c2ebc3788e".into();
        Seal { key_id, salt: STANDARD.decode(SALT).unwrap() }
    }

    /// Made with another implementation of HKDF and AES-GCM (Python's cryptography 48).
    #[rstest]
    #[case(
        r#"["tokenkit store",1,"d365lcs"]"#,
        "ZGVmZ2hpamtsbW5v/8Eyx8XN+w2X5qP7HI6FI4QZBNbD555zkE8O+9vZQlg4WQ7XFvEqVsV7V+/R7/Vz/Ber0x5qGsR/mXGb7Q==",
        r#"{"values":{},"secrets":{"refreshtoken":"r0"}}"#
    )]
    #[case(r#"["tokenkit store",1,"refresh/ab"]"#, "ZGVmZ2hpamtsbW5vZ/8fjxAFkPfVd1reOxsofg==", "")]
    fn another_implementation_seals_alike(#[case] context: &str, #[case] sealed: &str, #[case] plain: &str) {
        assert_eq!(key(KEY).id, "5a2551c2ebc3788e");
        assert_eq!(key(KEY).open(context, &seal(), sealed).unwrap().as_slice(), plain.as_bytes());
        assert!(key(KEY).open("elsewhere", &seal(), sealed).is_none());
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_place_only() {
        let key = SealKey::generate().unwrap();
        let (seal, sealed) = key.seal("here", b"t0p").unwrap();
        assert_eq!(Seal::from_json(&seal.to_json()).unwrap(), seal);
        assert_eq!(key.open("here", &seal, &sealed).unwrap().as_slice(), b"t0p");
        assert!(key.open("there", &seal, &sealed).is_none());
        assert!(SealKey::generate().unwrap().open("here", &seal, &sealed).is_none());

        let mut bytes = STANDARD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(key.open("here", &seal, &STANDARD.encode(&bytes)).is_none(), "byte {at}");
            bytes[at] ^= 1;
        }
        for length in 0..bytes.len() {
            assert!(key.open("here", &seal, &STANDARD.encode(&bytes[..length])).is_none(), "{length} bytes");
        }
        let (other, again) = key.seal("here", b"t0p").unwrap();
        assert_ne!((other.salt, again), (seal.salt, sealed));
    }

    #[rstest]
    #[case(KEY)]
    #[case("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    #[case("\r\n AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= \n")]
    fn keys_are_read_as_people_keep_them(#[case] text: &str) {
        assert_eq!(key(text).id, key(KEY).id);
        assert_eq!(key(text).to_text().expose_str(), Some(KEY));
    }

    #[test]
    fn base64url_is_a_key_too() {
        let text = STANDARD.encode([0xfb; 32]);
        assert_eq!(key(&text.replace('+', "-").replace('/', "_")).id, key(&text).id);
    }

    #[rstest]
    #[case("")]
    #[case("AAEC")]
    #[case("not base64, and as long as a key would be ..")]
    #[case("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI=")]
    fn other_texts_are_no_keys(#[case] text: &str) {
        let error = SealKey::from_text(&Secret::from(text)).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidStoreKey);
        assert!(text.is_empty() || !error.to_string().contains(text));
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", key(KEY)), "SealKey(\"5a2551c2ebc3788e\")");
    }
}
