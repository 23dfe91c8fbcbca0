//! The grants a client can present at the token endpoint: one variant each.

use crate::error::{Error, ErrorCode};
use crate::secret::Secret;

/// What the client gives in exchange for a token.
#[derive(Debug, Clone)]
pub enum Grant {
    /// A code from the authorization endpoint (RFC 6749 section 4.1.3).
    AuthorizationCode {
        /// The code. It can be used once.
        code: Secret,
        /// The PKCE verifier behind the challenge that was sent (RFC 7636 section 4.5).
        code_verifier: Option<Secret>,
    },
    /// The client's own authority (RFC 6749 section 4.4).
    ClientCredentials,
    /// A refresh token (RFC 6749 section 6). The server may replace it with a new one.
    RefreshToken {
        /// The token.
        refresh_token: Secret,
    },
    /// The resource owner's name and password (RFC 6749 section 4.3). Legacy: RFC 9700 section 2.4 forbids
    /// it for new designs.
    Password {
        /// The resource owner's name.
        username: String,
        /// The resource owner's password.
        password: Secret,
    },
    /// A device code whose user signs in elsewhere (RFC 8628 section 3.4).
    DeviceCode {
        /// The code from the device authorization endpoint.
        device_code: Secret,
    },
    /// A signed assertion as authorization grant (RFC 7523 section 2.1).
    JwtBearer {
        /// The assertion: a JWT in compact form.
        assertion: Secret,
    },
}

impl Grant {
    /// The value of `grant_type`.
    #[must_use]
    pub fn grant_type(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken { .. } => "refresh_token",
            Self::Password { .. } => "password",
            Self::DeviceCode { .. } => "urn:ietf:params:oauth:grant-type:device_code",
            Self::JwtBearer { .. } => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }

    /// Whether the server may have consumed the credential once it has seen it: a code, a rotating refresh
    /// token, or an assertion whose `jti` is remembered. Such a request is not repeated after it may have
    /// arrived.
    #[must_use]
    pub fn is_one_time(&self) -> bool {
        match self {
            Self::AuthorizationCode { .. }
            | Self::RefreshToken { .. }
            | Self::DeviceCode { .. }
            | Self::JwtBearer { .. } => true,
            Self::ClientCredentials | Self::Password { .. } => false,
        }
    }

    /// The grant's own form fields after `grant_type`, in the order of its RFC.
    ///
    /// ```
    /// use tokenkit::{Grant, Secret};
    ///
    /// let grant = Grant::RefreshToken { refresh_token: Secret::from("tGzv3JOkF0XG5Qx2TlKWIA") };
    /// assert_eq!(grant.grant_type(), "refresh_token");
    /// assert_eq!(grant.fields()?[0].0, "refresh_token");
    /// # Ok::<(), tokenkit::Error>(())
    /// ```
    pub fn fields(&self) -> Result<Vec<(&'static str, &[u8])>, Error> {
        let fields = match self {
            Self::AuthorizationCode { code, code_verifier } => {
                let mut fields = vec![("code", code.expose())];
                fields.extend(code_verifier.as_ref().map(|verifier| ("code_verifier", verifier.expose())));
                fields
            }
            Self::ClientCredentials => vec![],
            Self::RefreshToken { refresh_token } => vec![("refresh_token", refresh_token.expose())],
            Self::Password { username, password } => {
                vec![("username", username.as_bytes()), ("password", password.expose())]
            }
            Self::DeviceCode { device_code } => vec![("device_code", device_code.expose())],
            Self::JwtBearer { assertion } => vec![("assertion", assertion.expose())],
        };
        match fields.iter().find(|(_, value)| value.is_empty()) {
            Some((name, _)) => Err(Error::invalid(
                ErrorCode::InvalidArgument,
                format!("The grant {} needs a {name}, and it is empty.", self.grant_type()),
            )),
            None => Ok(fields),
        }
    }
}
