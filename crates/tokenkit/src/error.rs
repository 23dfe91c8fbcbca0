//! One error type for the whole crate, with stable codes.

use std::fmt;

/// What went wrong, by who is at fault.
///
/// Every variant has a stable [`code`](Error::code); messages are for people and may change. No message
/// holds a secret that was sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's input cannot be used. Nothing was sent.
    #[error("{message}")]
    InvalidInput {
        /// What kind of input it was.
        code: ErrorCode,
        /// What is wrong with it.
        message: String,
    },
    /// The server answered, and its answer is an error or cannot be used.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// The authorization endpoint sent the user back with an error (RFC 6749 section 4.1.2.1).
    #[error("{endpoint} answered {oauth}")]
    Authorization {
        /// The authorization endpoint.
        endpoint: String,
        /// What it says.
        oauth: Box<OAuthError>,
    },
    /// No complete answer came.
    #[error("{0}")]
    Transport(Box<TransportError>),
    /// The server answered with a token that must not be used.
    #[error("{message}")]
    Token {
        /// Which check failed.
        code: ErrorCode,
        /// What was expected.
        message: String,
        /// The endpoint that issued it.
        endpoint: String,
    },
    /// The store on this machine cannot be used as asked.
    #[error("{message}")]
    Store {
        /// What stands in the way.
        code: ErrorCode,
        /// What happened, with the path.
        message: String,
    },
    /// A fault in this library or in a signer its caller supplied.
    #[error("{message}")]
    Internal {
        /// What failed.
        code: ErrorCode,
        /// As much as is known.
        message: String,
    },
}

/// An answer that is an error (RFC 6749 section 5.2) or not usable as a token response (section 5.1).
#[derive(Debug)]
pub struct ServerError {
    /// What kind of answer it was.
    pub code: ErrorCode,
    /// What is wrong with it, without the endpoint and status.
    pub message: String,
    /// The endpoint that answered, without user information, query and fragment.
    pub endpoint: String,
    /// The OAuth error, when the answer held one.
    pub oauth: Option<OAuthError>,
    /// The answer itself.
    pub reply: Reply,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

/// The members of an OAuth error response (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    /// `error`: a single ASCII code such as `invalid_grant`.
    pub error: String,
    /// `error_description`: text for the developer.
    pub description: Option<String>,
    /// `error_uri`: a page about the error.
    pub uri: Option<String>,
}

/// The HTTP answer behind an error.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body with every secret of the request masked. Empty when the status says success: such a body
    /// may hold tokens.
    pub body: String,
}

/// A request that got no complete answer.
#[derive(Debug)]
pub struct TransportError {
    /// At which step it failed.
    pub code: ErrorCode,
    /// What happened, without the endpoint.
    pub message: String,
    /// The endpoint, without user information, query and fragment.
    pub endpoint: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What a person can do about it.
    pub advice: &'static str,
}

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// The caller.
    InvalidInput,
    /// The server.
    Server,
    /// The network between.
    Transport,
    /// The token that came.
    Token,
    /// The store on this machine.
    Store,
    /// This library.
    Internal,
}

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $advice:literal;)+) => {
        /// The stable codes of this library's own errors. A code is never reused for another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl ErrorCode {
            /// Every code, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as text, such as `tls_failed`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What a person can do about it.
            #[must_use]
            pub fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

error_codes! {
    /// A value that is missing or malformed.
    InvalidArgument = "invalid_argument", "Correct the value that the message names.";
    /// The endpoint is no usable URL.
    InvalidEndpoint = "invalid_endpoint", "Give an absolute https URL without user name and fragment.";
    /// The endpoint would send secrets in clear text.
    InsecureEndpoint = "insecure_endpoint", "Use the https address of the server. Plain http is accepted for loopback addresses only, unless it is allowed explicitly.";
    /// A key file or text that cannot be read.
    InvalidKey = "invalid_key", "Give a private key as PEM (PKCS#8, PKCS#1, SEC1), DER, PKCS#12 or JWK.";
    /// An encrypted key with a wrong or missing password.
    InvalidKeyPassword = "invalid_key_password", "Give the password that protects the private key.";
    /// A key that cannot do what is asked.
    UnsupportedKey = "unsupported_key", "Choose an algorithm that fits the key, or a key that fits the algorithm.";
    /// A text that is no readable signed JWT.
    MalformedToken = "malformed_token", "Give a whole JWT in compact form: three parts with dots between them.";
    /// A JWT that only its recipient can read.
    EncryptedToken = "encrypted_token", "Only the recipient of an encrypted token (JWE) can read it; let it do so.";
    /// A ready assertion that is over (RFC 7523 section 3, item 4).
    AssertionExpired = "assertion_expired", "Get a new JWT from where this one came from: it is no longer accepted.";
    /// A ready assertion that is not valid yet (RFC 7523 section 3, item 5).
    AssertionNotYetValid = "assertion_not_yet_valid", "Wait until then, and check the clock of this machine.";
    /// The address that all calls begin with is not set.
    MissingBaseUrl = "missing_base_url", "Set BaseUrl to the address that the service has for your environment.";
    /// The extra certificate authority file cannot be used.
    InvalidCertificateAuthority = "invalid_certificate_authority", "Give a readable file with certificates in PEM or DER form, and with lists of revoked certificates only in PEM.";
    /// The proxy setting cannot be used.
    InvalidProxy = "invalid_proxy", "Give the proxy as http://host:port or https://host:port.";
    /// A request that was only to be shown.
    NotSent = "not_sent", "Make the call without the rehearsal to send the request.";
    /// The server answered with an OAuth error.
    OAuth = "oauth_error", "Read the error description of the server.";
    /// The server answered with an HTTP error that is no OAuth error.
    Http = "http_error", "Check the endpoint address, and the server's log for this request.";
    /// The server wants the request sent elsewhere.
    UnexpectedRedirect = "unexpected_redirect", "Use the final address of the endpoint: credentials are not sent on to another place.";
    /// The answer is not JSON.
    NotJson = "not_json", "Check that the address is that of the endpoint and not of a web page.";
    /// The answer is JSON but no object.
    NotJsonObject = "not_json_object", "Check that the address is that of a token endpoint.";
    /// The answer is an object without a token.
    MissingAccessToken = "missing_access_token", "Check that the address is that of a token endpoint, and that the grant yields an access token.";
    /// The answer is JSON but not what was asked for.
    UnexpectedAnswer = "unexpected_answer", "Check that the address is that of the service.";
    /// The metadata (RFC 8414 section 3.3) or the answer of a sign-in (RFC 9207 section 2.4) is of another issuer.
    IssuerMismatch = "issuer_mismatch", "Ask the issuer by the exact address that its tokens name, and do not trust this answer.";
    /// The answer is no JWK Set (RFC 7517 section 5).
    InvalidJwks = "invalid_jwks", "Check that the address is that of the issuer's keys (jwks_uri).";
    /// The answer is larger than allowed.
    ResponseTooLarge = "response_too_large", "Check that the address is that of the endpoint.";
    /// The host name has no address.
    DnsFailed = "dns_failed", "Check the host name and the name servers of this machine.";
    /// No connection could be made.
    ConnectFailed = "connect_failed", "Check the address, the firewall, and whether a proxy is needed.";
    /// No secure connection could be made.
    TlsFailed = "tls_failed", "Check that the address is that of a server that speaks TLS 1.2 or newer, and that no proxy or firewall answers in its place.";
    /// The proxy did not let the request through.
    ProxyFailed = "proxy_failed", "Check the proxy address and its user name and password.";
    /// The time allowed is over.
    Timeout = "timeout", "Try again, or allow more time.";
    /// The connection ended before the answer was complete.
    ConnectionLost = "connection_lost", "Try again. A one-time credential that was sent may have been consumed.";
    /// The server ended the request before it worked on it (RFC 9113 section 8.7).
    RequestRefused = "request_refused", "Try again: the server has not worked on the request.";
    /// The device code is no longer valid (RFC 8628 section 3.5).
    DeviceCodeExpired = "expired_token", "Start the device flow again and finish the sign-in in time.";
    /// The ID token's nonce is not the one sent (OpenID Connect Core section 3.1.3.7).
    NonceMismatch = "nonce_mismatch", "Do not use the tokens: the answer does not belong to this sign-in. Sign in again.";
    /// A nonce was given but no ID token came to hold it against.
    MissingIdToken = "missing_id_token", "Ask for the scope openid, or leave the nonce out.";
    /// The ID token cannot be read.
    MalformedIdToken = "malformed_id_token", "Do not use the tokens, and report the answer to the server's operator.";
    /// The answer of a sign-in has another state than the one sent (RFC 6749 section 10.12).
    StateMismatch = "state_mismatch", "Sign in again, in one go and from the newest browser window. If it happens each time, the server changes the state.";
    /// The answer of a sign-in is not as it has to be (RFC 6749 section 4.1.2).
    UnusableAnswer = "unusable_answer", "Do not use the answer, and report it to the server's operator.";
    /// What was given as the answer of a sign-in is none.
    MalformedAnswer = "malformed_answer", "Give the whole address from the browser's address bar after the sign-in, from its https:// or http:// on.";
    /// The answer of a sign-in has no code, though one was asked for.
    MissingCode = "missing_code", "Check that the response type is enabled for the client at the server.";
    /// The port of the redirect URI is taken.
    PortInUse = "port_in_use", "End the program that uses the port, such as another sign-in, or give a redirect URI without a port.";
    /// The redirect URI cannot be listened on.
    CannotListen = "cannot_listen", "Give a redirect URI with another port, or bring the answer by hand.";
    /// No browser was started, and nobody is there to show the address to.
    BrowserNotStarted = "browser_not_started", "Show the address of the prepared request to the user, and complete it with the address that the browser ends at.";
    /// The ID token is of another issuer.
    IdTokenWrongIssuer = "id_token_wrong_issuer", "Do not use the tokens. Check that the issuer is the one of this server.";
    /// The ID token is for another client.
    IdTokenWrongAudience = "id_token_wrong_audience", "Do not use the tokens: they were issued to another client. Check the client id.";
    /// The ID token has expired.
    IdTokenExpired = "id_token_expired", "Check the clock of this machine, and sign in again.";
    /// The ID token is from the future.
    IdTokenNotYetValid = "id_token_not_yet_valid", "Check the clock of this machine, and sign in again.";
    /// The signature of the ID token does not hold.
    IdTokenWrongSignature = "id_token_wrong_signature", "Do not use the tokens: the issuer has not signed the ID token, or with a key or algorithm that it does not publish.";
    /// The ID token belongs to another access token or code (`at_hash`, `c_hash`).
    IdTokenWrongHash = "id_token_wrong_hash", "Do not use the tokens: they do not belong together. Sign in again.";
    /// The claims are about another user (OpenID Connect Core section 5.3.2).
    SubjectMismatch = "subject_mismatch", "Do not use the claims: they are about another user than the ID token.";
    /// The answer of the userinfo endpoint is not as it has to be.
    MalformedUserInfo = "malformed_userinfo", "Check that the address is that of the userinfo endpoint, and that the access token has the scope openid.";
    /// The answer of the device authorization endpoint is not as it has to be (RFC 8628 section 3.2).
    MalformedDeviceAuthorization = "malformed_device_authorization", "Check that the address is that of the device authorization endpoint.";
    /// The client was neither given nor stored.
    MissingClientId = "missing_client_id", "Give the client id with the call, or store it once.";
    /// The address of the LCS API was neither given nor stored.
    MissingLcsApiUri = "missing_lcs_api_uri", "Give the address of the LCS API with the call, or store it once.";
    /// The refresh token was neither given nor stored.
    MissingRefreshToken = "missing_refresh_token", "Give the refresh token with the call, or sign in again and store the tokens.";
    /// A name that no section of a store can have.
    InvalidSection = "invalid_section", "Use 1 to 64 of the characters a-z, 0-9, - and _.";
    /// Settings to take over that cannot be read.
    InvalidImport = "invalid_import", "Give the JSON file of PSFramework, or an export of its registry key.";
    /// Another process holds a lock for longer than one wants to wait.
    StoreLocked = "store_locked", "Wait for the process that is named, or end it; its lock then goes with it.";
    /// Somebody else owns the store, or could have put something in its place.
    StoreNotPrivate = "store_not_private", "Use a folder of your own that holds nothing else.";
    /// The operating system refused to read or write the store.
    StoreIo = "store_io", "Check the path, the free space and the permissions, or choose another folder.";
    /// The store is of a later version.
    StoreVersion = "store_version", "Update TokenKit: a later version has written this store.";
    /// The store is sealed, and its key was not given.
    StoreKeyMissing = "store_key_missing", "Give the key that seals the store, or move the store away and begin a new one.";
    /// The key of a store cannot be read, or is none.
    InvalidStoreKey = "invalid_store_key", "Give 32 random bytes in base64, as `openssl rand -base64 32` makes them.";
    /// A key was given, but it is not that of the store.
    StoreKeyWrong = "store_key_wrong", "Give the key with which the store was sealed. Nothing was changed.";
    /// The key is in the keyring of the operating system, and that does not answer.
    StoreKeyring = "store_keyring", "Unlock the keyring or sign in to the desktop, and try again. Or move the store to another backend where the keyring answers.";
    /// A signer outside this library failed.
    SigningFailed = "signing_failed", "Check that the private key is present, and that this user may use it.";
    /// A fault in this library.
    Internal = "internal_error", "This is a defect in TokenKit: please report it.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.oauth {
            Some(oauth) => write!(f, "{} answered {oauth} (HTTP {})", self.endpoint, self.reply.status),
            None => write!(f, "{} answered HTTP {}: {}", self.endpoint, self.reply.status, self.message),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.message)
    }
}

impl Error {
    pub(crate) fn invalid(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::InvalidInput { code, message: message.into() }
    }

    pub(crate) fn store(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Store { code, message: message.into() }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Internal { code: ErrorCode::Internal, message: message.into() }
    }

    /// Who is at fault.
    #[must_use]
    pub fn category(&self) -> Category {
        match self {
            Self::InvalidInput { .. } => Category::InvalidInput,
            Self::Server(_) | Self::Authorization { .. } => Category::Server,
            Self::Transport(_) => Category::Transport,
            Self::Token { .. } => Category::Token,
            Self::Store { .. } => Category::Store,
            Self::Internal { .. } => Category::Internal,
        }
    }

    /// The OAuth error code when the server gave one (`invalid_client`), else this library's own.
    #[must_use]
    pub fn code(&self) -> &str {
        self.oauth().map_or_else(|| self.error_code().as_str(), |oauth| &oauth.error)
    }

    /// This library's own code: [`ErrorCode::OAuth`] for every OAuth error.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::InvalidInput { code, .. }
            | Self::Token { code, .. }
            | Self::Store { code, .. }
            | Self::Internal { code, .. } => *code,
            Self::Server(error) => error.code,
            Self::Authorization { .. } => ErrorCode::OAuth,
            Self::Transport(error) => error.code,
        }
    }

    /// The OAuth error the server gave, if any.
    #[must_use]
    pub fn oauth(&self) -> Option<&OAuthError> {
        match self {
            Self::Server(error) => error.oauth.as_ref(),
            Self::Authorization { oauth, .. } => Some(oauth),
            _ => None,
        }
    }

    /// The answer of the server, if there was one.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Server(error) => Some(&error.reply),
            _ => None,
        }
    }

    /// The endpoint it happened at, without user information, query and fragment.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Server(error) => Some(&error.endpoint),
            Self::Transport(error) => Some(&error.endpoint),
            Self::Token { endpoint, .. } | Self::Authorization { endpoint, .. } => Some(endpoint),
            Self::InvalidInput { .. } | Self::Store { .. } | Self::Internal { .. } => None,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Server(error) => error.retryable,
            Self::Transport(error) => error.retryable,
            // RFC 6749 section 4.1.2.1: both stand for a status of 500 or 503, which a redirect cannot have.
            Self::Authorization { oauth, .. } => {
                matches!(oauth.error.as_str(), "server_error" | "temporarily_unavailable")
            }
            Self::Store { code, .. } => *code == ErrorCode::StoreLocked,
            _ => false,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        if let Self::Transport(error) = self {
            return error.advice;
        }
        match self.oauth().map(|oauth| oauth.error.as_str()) {
            Some("invalid_client") => {
                "Check the client id, its secret or key, and that the server has this way of client authentication enabled for it."
            }
            Some("invalid_grant") => {
                "The code, refresh token, password or assertion is wrong, expired or already used, or belongs to another client or redirect URI. Get a new one."
            }
            Some("unauthorized_client") => "Enable this grant for the client at the server.",
            Some("invalid_scope") => "Ask for scopes that the server has registered for this client.",
            Some("unsupported_grant_type") => "The server does not offer this grant at this endpoint.",
            Some("invalid_request") => "Check the parameters against the error description.",
            Some("access_denied") => {
                "The user or a policy of the server declined. Ask again, or ask for less."
            }
            Some("authorization_pending") => {
                "The user has not finished signing in. Ask again after the interval."
            }
            Some("slow_down") => "Wait 5 seconds longer between two requests.",
            Some(
                "login_required" | "interaction_required" | "consent_required" | "account_selection_required",
            ) => "The user has to take part: ask without prompt=none.",
            Some("unsupported_response_type") => {
                "Enable this response type for the client at the server, or use code."
            }
            Some("invalid_token") => "The access token is wrong, expired or revoked. Get a new one.",
            Some("insufficient_scope") => {
                "Ask for an access token with the scope that the server wants, such as openid."
            }
            Some("expired_token") => ErrorCode::DeviceCodeExpired.advice(),
            _ => self.error_code().advice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_one_form() {
        let mut seen = HashSet::new();
        for code in ErrorCode::ALL {
            let text = code.as_str();
            assert!(seen.insert(text), "{text} stands twice");
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{text}");
            assert!(code.advice().ends_with('.'), "{text} gives no advice");
        }
    }

    #[test]
    fn a_server_error_reads_as_one_sentence() {
        let error = Error::Server(Box::new(ServerError {
            code: ErrorCode::OAuth,
            message: String::new(),
            endpoint: "https://as.example/token".into(),
            oauth: Some(OAuthError {
                error: "invalid_client".into(),
                description: Some("unknown client".into()),
                uri: None,
            }),
            reply: Reply { status: 401, ..Reply::default() },
            retryable: false,
        }));
        assert_eq!(
            error.to_string(),
            "https://as.example/token answered invalid_client: unknown client (HTTP 401)"
        );
        assert_eq!(error.code(), "invalid_client");
        assert_eq!(error.category(), Category::Server);
    }
}
