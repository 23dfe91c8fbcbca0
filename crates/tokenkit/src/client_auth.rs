//! The ways a client proves to the token endpoint who it is: one variant each.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::Map;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::assertion::Assertion;
use crate::error::{Error, ErrorCode};
use crate::jwt::{Algorithm, KeyType, SigningKey};
use crate::message::Field;
use crate::secret::Secret;

/// `client_assertion_type` of a JWT (RFC 7523 section 2.2).
pub const JWT_BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How the client authenticates (OpenID Connect Core section 9).
#[derive(Debug, Clone, Default)]
pub enum ClientAuthentication {
    /// Not at all: a public client names itself with `client_id` only.
    #[default]
    None,
    /// `client_secret_basic`: id and secret, form-encoded each, in the header (RFC 6749 section 2.3.1).
    SecretBasic {
        /// The client secret.
        secret: Secret,
    },
    /// `client_secret_post`: the secret as form field (RFC 6749 section 2.3.1).
    SecretPost {
        /// The client secret.
        secret: Secret,
    },
    /// `client_secret_jwt`: an assertion with an HMAC by the secret (RFC 7523 section 2.2).
    SecretJwt {
        /// The client secret.
        secret: Secret,
        /// What the assertion says.
        options: AssertionOptions,
    },
    /// `private_key_jwt`: an assertion signed with the client's private key (RFC 7523 section 2.2).
    PrivateKeyJwt {
        /// The private key.
        key: SigningKey,
        /// What the assertion says.
        options: AssertionOptions,
    },
    /// A JWT that somebody else made, as the identity of a workload (RFC 7523 section 2.2). It names the client
    /// itself, so no `client_id` is needed (RFC 7521 section 4.2).
    Assertion {
        /// The JWT in compact form.
        assertion: Secret,
    },
}

/// What a client assertion says beyond who the client is.
#[derive(Debug, Clone)]
pub struct AssertionOptions {
    /// The signature algorithm; the usual one of the key's type when `None`.
    pub algorithm: Option<Algorithm>,
    /// The audience; the token endpoint when `None`. Some servers want their issuer here (RFC 7523
    /// section 3, item 3).
    pub audience: Option<String>,
    /// Time from `iat` to `exp`. Whole seconds are used.
    pub lifetime: Duration,
}

impl Default for AssertionOptions {
    fn default() -> Self {
        Self { algorithm: None, audience: None, lifetime: Duration::from_mins(5) }
    }
}

/// Time and identity of one attempt. Each attempt has its own: a server refuses a `jti` it has seen.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The time of the attempt.
    pub now: DateTime<Utc>,
    /// The identifier that its assertion will carry.
    pub jti: String,
}

impl Attempt {
    /// An attempt made now, with a random identifier.
    #[must_use]
    pub fn now() -> Self {
        Self { now: Utc::now(), jti: Uuid::new_v4().to_string() }
    }
}

/// What the authentication adds to a request.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) headers: Vec<Field>,
    pub(crate) form: Vec<Field>,
    /// What an answer must not show, beside the values of the fields.
    pub(crate) hidden: Vec<Secret>,
}

impl ClientAuthentication {
    /// Whether an assertion is signed by a key outside this library, which may block.
    #[must_use]
    pub fn signs_externally(&self) -> bool {
        matches!(self, Self::PrivateKeyJwt { key, .. } if key.is_external())
    }

    /// Why the key of an assertion is weaker than RFC 7518 asks for, if it is and that is known.
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        match self {
            Self::SecretJwt { secret, .. } => {
                SigningKey::from_shared_secret(secret.clone()).verifying_key().ok()?.weakness()
            }
            Self::PrivateKeyJwt { key, .. } => key.verifying_key().ok()?.weakness(),
            Self::None | Self::SecretBasic { .. } | Self::SecretPost { .. } | Self::Assertion { .. } => None,
        }
    }

    /// Whether the server may refuse to see the same credential again: it may remember the `jti` of a ready
    /// assertion (RFC 7523 section 3, item 7). All others are made anew for each attempt, or stay good.
    #[must_use]
    pub fn is_one_time(&self) -> bool {
        matches!(self, Self::Assertion { .. })
    }

    /// Header and fields for `client_id` at `endpoint`. `client_id` itself is a field for every way but
    /// Basic, whose header names the client already.
    pub(crate) fn credentials(
        &self,
        client_id: Option<&str>,
        endpoint: &str,
        attempt: &Attempt,
    ) -> Result<Credentials, Error> {
        let named = |method: &str| {
            client_id.filter(|id| !id.is_empty()).ok_or_else(|| {
                Error::invalid(ErrorCode::InvalidArgument, format!("{method} needs a client id."))
            })
        };
        let mut credentials = Credentials::default();
        if let (Some(id), false) = (client_id, matches!(self, Self::SecretBasic { .. })) {
            credentials.form.push(Field::new("client_id", id));
        }
        match self {
            Self::None => {}
            Self::SecretBasic { secret } => {
                let id = named("client_secret_basic")?;
                let secret = not_empty(secret)?;
                let mut pair: Zeroizing<String> =
                    Zeroizing::new(String::with_capacity(3 * (id.len() + secret.expose().len()) + 1));
                pair.extend(form_urlencoded::byte_serialize(id.as_bytes()));
                pair.push(':');
                pair.extend(form_urlencoded::byte_serialize(secret.expose()));
                let mut value = String::with_capacity(10 + pair.len() * 4 / 3);
                value.push_str("Basic ");
                STANDARD.encode_string(pair.as_bytes(), &mut value);
                credentials.hidden = vec![secret.clone(), Secret::from(&value["Basic ".len()..])];
                credentials.headers.push(Field::new("Authorization", value));
            }
            Self::SecretPost { secret } => {
                named("client_secret_post")?;
                credentials.form.push(Field::new("client_secret", not_empty(secret)?.clone()));
            }
            Self::SecretJwt { secret, options } => {
                let key = SigningKey::from_shared_secret(not_empty(secret)?.clone());
                credentials.hidden = vec![secret.clone()];
                let id = named("client_secret_jwt")?;
                credentials.form.extend(assertion(id, endpoint, &key, options, attempt)?);
            }
            Self::PrivateKeyJwt { key, options } => {
                let id = named("private_key_jwt")?;
                if key.key_type() == KeyType::Symmetric {
                    let message =
                        "private_key_jwt needs a private key; a shared secret is for client_secret_jwt.";
                    return Err(Error::invalid(ErrorCode::UnsupportedKey, message));
                }
                credentials.form.extend(assertion(id, endpoint, key, options, attempt)?);
            }
            Self::Assertion { assertion } => {
                if assertion.is_empty() {
                    return Err(Error::invalid(ErrorCode::InvalidArgument, "The client assertion is empty."));
                }
                credentials.form.extend(assertion_fields(assertion.clone()));
            }
        }
        Ok(credentials)
    }
}

fn not_empty(secret: &Secret) -> Result<&Secret, Error> {
    if secret.is_empty() {
        return Err(Error::invalid(ErrorCode::InvalidArgument, "The client secret is empty."));
    }
    Ok(secret)
}

fn assertion(
    client_id: &str,
    endpoint: &str,
    key: &SigningKey,
    options: &AssertionOptions,
    attempt: &Attempt,
) -> Result<[Field; 2], Error> {
    let assertion = Assertion {
        issuer: client_id.to_owned(),
        subject: client_id.to_owned(),
        audience: options.audience.as_deref().unwrap_or(endpoint).to_owned(),
        lifetime: options.lifetime,
        algorithm: options.algorithm,
        claims: Map::new(),
    };
    Ok(assertion_fields(assertion.sign(key, attempt)?.token))
}

fn assertion_fields(assertion: Secret) -> [Field; 2] {
    [Field::new("client_assertion_type", JWT_BEARER_ASSERTION), Field::new("client_assertion", assertion)]
}
