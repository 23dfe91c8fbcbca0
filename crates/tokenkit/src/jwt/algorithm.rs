use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use serde::{Serialize, Serializer};

use super::key::KeyType;
use crate::error::{Error, ErrorCode};

/// A signature algorithm of JWS (RFC 7518 section 3.1, RFC 8037 section 3.1). `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256 and a salt as long as the hash.
    PS256,
    /// RSASSA-PSS with SHA-384 and a salt as long as the hash.
    PS384,
    /// RSASSA-PSS with SHA-512 and a salt as long as the hash.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Edwards-curve signature; here with Ed25519.
    EdDSA,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 13] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The name as it stands in `alg`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The one type of key that can make and check this signature (RFC 8725 section 3.1).
    #[must_use]
    pub fn key_type(self) -> KeyType {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => KeyType::Symmetric,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => KeyType::Rsa,
            Self::ES256 => KeyType::P256,
            Self::ES384 => KeyType::P384,
            Self::ES512 => KeyType::P521,
            Self::EdDSA => KeyType::Ed25519,
        }
    }

    /// Reads the name as it stands in a token or a JWK, where RFC 9864 calls `Ed25519` what RFC 8037 calls
    /// `EdDSA`.
    pub(super) fn read(name: &str) -> Result<Self, Error> {
        if name == "Ed25519" { Ok(Self::EdDSA) } else { name.parse() }
    }

    /// The MAC behind an HMAC algorithm.
    pub(super) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::HS384 => hmac::HMAC_SHA384,
            Self::HS512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    /// Reads the exact name; JOSE names are case-sensitive (RFC 7515 section 4.1.1).
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.into_iter().map(Self::as_str).collect();
            Error::invalid(
                ErrorCode::InvalidArgument,
                format!("'{name}' is no supported signature algorithm. Supported: {}.", known.join(", ")),
            )
        })
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_exactly() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse::<Algorithm>().unwrap(), algorithm);
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.to_string());
            assert!(algorithm.key_type().algorithms().any(|own| own == algorithm));
        }
    }

    #[test]
    fn nothing_else_is_an_algorithm() {
        for name in ["", "none", "None", "rs256", " RS256", "ES256K", "Ed25519", "RSA-OAEP"] {
            let error = name.parse::<Algorithm>().unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::InvalidArgument, "{name}");
        }
    }
}
