//! The one type that carries secrets: client secrets, passwords, codes, tokens and private keys.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes that must not be seen: wiped on drop, and hidden from `Debug`.
///
/// On purpose there is no `Display`, no `Serialize`, no `Deref` and no `PartialEq`: reading a secret is
/// always spelled [`expose`](Secret::expose), and comparing two is [`matches`](Secret::matches), in constant
/// time.
///
/// ```
/// use tokenkit::Secret;
///
/// let secret = Secret::from("correct horse");
/// assert_eq!(format!("{secret:?}"), "Secret(***)");
/// assert_eq!(secret.expose(), b"correct horse");
/// ```
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes. Whoever calls this keeps them out of logs, errors and long-lived copies.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, or `None` when they are not UTF-8.
    #[must_use]
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in time that depends on the lengths only.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        #[derive(Debug)]
        #[allow(dead_code, reason = "only printed")]
        struct Holder {
            secret: Secret,
        }
        let holder = Holder { secret: Secret::from("hunter2") };
        assert_eq!(format!("{holder:?}"), "Holder { secret: Secret(***) }");
        assert_eq!(format!("{:?}", Secret::default()), "Secret(***)");
    }

    #[test]
    fn matches_compares_contents() {
        assert!(Secret::from("a").matches(&Secret::from("a")));
        assert!(!Secret::from("a").matches(&Secret::from("b")));
        assert!(!Secret::from("a").matches(&Secret::from("ab")));
    }

    #[test]
    fn bytes_that_are_not_text_are_kept() {
        let secret = Secret::from(&[0xff, 0x00][..]);
        assert_eq!(secret.expose(), [0xff, 0x00]);
        assert_eq!(secret.expose_str(), None);
    }
}
