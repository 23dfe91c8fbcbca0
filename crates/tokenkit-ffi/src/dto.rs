//! Requests and responses as both doors see them: in .NET they travel as `Wire`, in C as JSON. The core's own
//! types are made from them here.
//!
//! In JSON a secret is a text, absent members take their defaults, and unknown members are refused.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interoptopus::ffi;
use serde::{Deserialize, Serialize};
use tokenkit::jwt::SigningKey;
use tokenkit::{DevicePolling, Error, ErrorCode, HttpConfig, Secret};
use zeroize::Zeroize as _;

use crate::panic;
use crate::signer::{CallbackSigner, SignCallback};
use crate::slots::Slots;

/// A text that may be secret.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(from = "String")]
pub struct SecretInput {
    /// The slot that holds it; counts when there is no text. .NET puts secrets into slots, because a request's
    /// buffer passes through memory that is not wiped.
    pub slot: u64,
    /// The text itself.
    pub text: Option<String>,
}

/// A form field or header of a request.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value before any encoding; `value` in JSON.
    #[serde(rename = "value")]
    pub content: SecretInput,
}

/// A header of an answer.
#[ffi]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Its name in lower case.
    pub name: String,
    /// Its value; `value` in JSON.
    #[serde(rename = "value")]
    pub content: String,
}

/// A request for a token.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The token endpoint. With `panic:` the call fails with an internal error, to try how a host bears it.
    pub endpoint: String,
    /// The client.
    pub client_id: Option<String>,
    /// What is given in exchange.
    pub grant: Grant,
    /// How the client proves who it is.
    #[serde(default)]
    pub authentication: ClientAuthentication,
    /// The redirect URI that the authorization request had.
    pub redirect_uri: Option<String>,
    /// The permissions asked for, separated by spaces.
    pub scope: Option<String>,
    /// The nonce of the authorization request; held against the ID token.
    pub nonce: Option<String>,
    /// The issuer, or the full address of its metadata: an ID token that comes is then validated fully.
    pub issuer: Option<String>,
    /// Further form fields.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Further headers.
    #[serde(default)]
    pub headers: Vec<Parameter>,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// A request that is repeated until the user of a device flow has finished (RFC 8628 section 3.5).
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceTokenRequest {
    /// The request; its grant is a device code.
    pub request: TokenRequest,
    /// Least seconds between two requests; 5 when absent.
    pub interval: Option<u32>,
    /// Seconds until the device code expires.
    pub expires_in: u32,
}

/// What is given in exchange for a token; in JSON the member `type` says which.
#[ffi]
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Grant {
    /// A code from the authorization endpoint (RFC 6749 section 4.1.3).
    AuthorizationCode(AuthorizationCodeGrant),
    /// The client's own authority (RFC 6749 section 4.4).
    ClientCredentials,
    /// A refresh token (RFC 6749 section 6).
    RefreshToken(RefreshTokenGrant),
    /// The resource owner's name and password (RFC 6749 section 4.3).
    Password(PasswordGrant),
    /// A device code (RFC 8628 section 3.4).
    DeviceCode(DeviceCodeGrant),
    /// A signed assertion (RFC 7523 section 2.1).
    JwtBearer(JwtBearerGrant),
}

/// The credentials of [`Grant::AuthorizationCode`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationCodeGrant {
    /// The code.
    pub code: SecretInput,
    /// The PKCE verifier (RFC 7636 section 4.5).
    pub code_verifier: Option<SecretInput>,
}

/// The credentials of [`Grant::RefreshToken`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshTokenGrant {
    /// The refresh token.
    pub refresh_token: SecretInput,
}

/// The credentials of [`Grant::Password`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordGrant {
    /// The resource owner's name.
    pub username: String,
    /// The resource owner's password.
    pub password: SecretInput,
}

/// The credentials of [`Grant::DeviceCode`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceCodeGrant {
    /// The code from the device authorization endpoint.
    pub device_code: SecretInput,
}

/// The credentials of [`Grant::JwtBearer`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtBearerGrant {
    /// A JWT in compact form.
    pub assertion: SecretInput,
}

/// How the client proves who it is; in JSON the member `method` says which, by its name in OpenID Connect Core
/// section 9.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(tag = "method")]
pub enum ClientAuthentication {
    /// Not at all: a public client.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Id and secret in the header (RFC 6749 section 2.3.1).
    #[serde(rename = "client_secret_basic")]
    SecretBasic(SharedSecret),
    /// The secret as form field (RFC 6749 section 2.3.1).
    #[serde(rename = "client_secret_post")]
    SecretPost(SharedSecret),
    /// An assertion with an HMAC by the secret (RFC 7523 section 2.2).
    #[serde(rename = "client_secret_jwt")]
    SecretJwt(SharedSecretAssertion),
    /// An assertion signed with the client's private key (RFC 7523 section 2.2).
    #[serde(rename = "private_key_jwt")]
    PrivateKeyJwt(PrivateKeyAssertion),
    /// The same with a key that stays in .NET: the operation's signer signs. Not for JSON.
    #[serde(skip)]
    ExternalKeyJwt(ExternalKeyAssertion),
    /// A JWT that somebody else made (RFC 7523 section 2.2).
    #[serde(rename = "assertion")]
    Assertion(ReadyAssertion),
}

/// A secret that client and server share.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSecret {
    /// The client secret.
    pub secret: SecretInput,
}

/// A secret that makes an assertion.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSecretAssertion {
    /// The client secret.
    pub secret: SecretInput,
    /// What the assertion says.
    #[serde(default)]
    pub options: AssertionOptions,
}

/// A private key that makes an assertion.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateKeyAssertion {
    /// The key: PEM, DER, PKCS#12 or JWK. JSON can hold PEM and JWK.
    pub key: SecretInput,
    /// The password that protects the key.
    pub password: Option<SecretInput>,
    /// The name of the key in the header `kid`.
    pub key_id: Option<String>,
    /// What the assertion says.
    #[serde(default)]
    pub options: AssertionOptions,
}

/// A private key outside TokenKit that makes an assertion.
#[ffi]
pub struct ExternalKeyAssertion {
    /// What the key is.
    pub key_type: KeyType,
    /// The name of the key in the header `kid`.
    pub key_id: Option<String>,
    /// The key's X.509 certificate as DER, for the thumbprints in the header; empty when there is none.
    pub certificate: Vec<u8>,
    /// What the assertion says.
    pub options: AssertionOptions,
}

/// A client assertion as it came.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadyAssertion {
    /// The JWT in compact form.
    pub assertion: SecretInput,
}

/// What a private key is; in JSON `RSA`, `P-256`, `P-384`, `P-521` or `Ed25519`.
#[ffi]
#[derive(Clone, Copy, Deserialize)]
pub enum KeyType {
    /// RSA.
    #[serde(rename = "RSA")]
    Rsa,
    /// Elliptic curve P-256.
    #[serde(rename = "P-256")]
    P256,
    /// Elliptic curve P-384.
    #[serde(rename = "P-384")]
    P384,
    /// Elliptic curve P-521.
    #[serde(rename = "P-521")]
    P521,
    /// Edwards curve 25519.
    Ed25519,
}

/// What a client assertion says beyond who the client is.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssertionOptions {
    /// The signature algorithm, such as `RS256`; the usual one of the key when absent.
    pub algorithm: Option<String>,
    /// The audience; the token endpoint when absent.
    pub audience: Option<String>,
    /// Seconds until the assertion expires.
    pub lifetime: Option<u32>,
}

/// How a request travels.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// Milliseconds allowed to make a connection.
    pub connect_timeout_ms: Option<u64>,
    /// Milliseconds allowed for everything, repeated attempts included.
    pub timeout_ms: Option<u64>,
    /// Which proxy to use.
    pub proxy: Proxy,
    /// A file with certificates that are trusted beside the system's.
    pub certificate_authority: Option<String>,
    /// Whether a server is believed without a valid certificate.
    pub skip_certificate_check: bool,
    /// How often a failed request may be repeated.
    pub max_retries: Option<u32>,
    /// Whether requests that may change something are only told as events, and then fail with `not_sent`.
    pub rehearse: bool,
}

/// Which proxy to use; in JSON the member `type` says which.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Proxy {
    /// As the environment of the process and the operating system say.
    #[default]
    System,
    /// As these values of environment variables say.
    Environment(EnvironmentProxy),
    /// This one for everything.
    Explicit(ExplicitProxy),
    /// None.
    None,
}

/// The values of [`Proxy::Environment`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentProxy {
    /// `http_proxy`, which may hold credentials.
    pub http: Option<SecretInput>,
    /// `https_proxy`, which may hold credentials.
    pub https: Option<SecretInput>,
    /// `no_proxy`: hosts that are reached directly, separated by commas.
    pub no_proxy: Option<String>,
}

/// The values of [`Proxy::Explicit`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplicitProxy {
    /// Its address, such as `http://proxy.example:3128`.
    pub url: String,
    /// User name and password it asks for.
    pub credentials: Option<ProxyCredentials>,
}

/// What an explicit proxy asks for.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyCredentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretInput,
}

/// What the token endpoint granted.
#[ffi]
#[derive(Serialize)]
pub struct TokenResponse {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received.
    pub headers: Vec<Header>,
    /// The server's JSON object as text, untouched.
    pub body: String,
    /// `expires_in` in seconds, whether the server wrote a number or a numeric text.
    pub expires_in: Option<u64>,
    /// When the access token expires by this machine's clock: Unix time in milliseconds.
    pub expires_at_ms: Option<i64>,
}

/// What a request refers to but does not carry.
#[derive(Default)]
pub(crate) struct Resources {
    pub(crate) slots: Slots,
    pub(crate) signer: Mutex<Option<Arc<SignCallback>>>,
}

/// A request in the core's terms.
pub(crate) struct CoreRequest {
    pub(crate) request: tokenkit::TokenRequest,
    pub(crate) http: HttpConfig,
}

impl From<String> for SecretInput {
    fn from(text: String) -> Self {
        Self { slot: 0, text: Some(text) }
    }
}

impl Drop for SecretInput {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl Drop for TokenResponse {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

impl Header {
    pub(crate) fn list(headers: &[(String, String)]) -> Vec<Self> {
        headers.iter().map(|(name, value)| Self { name: name.clone(), content: value.clone() }).collect()
    }
}

impl Resources {
    pub(crate) fn secret(&self, mut input: SecretInput) -> Result<Secret, Error> {
        match input.text.take() {
            Some(text) => Ok(Secret::from(text)),
            None => self.slots.take(input.slot).ok_or_else(|| {
                invalid(format!("Slot {} of this operation holds no secret, or no more.", input.slot))
            }),
        }
    }

    pub(crate) fn optional(&self, input: Option<SecretInput>) -> Result<Option<Secret>, Error> {
        input.map(|input| self.secret(input)).transpose()
    }

    pub(crate) fn fields(&self, parameters: Vec<Parameter>) -> Result<Vec<tokenkit::Field>, Error> {
        parameters
            .into_iter()
            .map(|parameter| Ok(tokenkit::Field::new(parameter.name, self.secret(parameter.content)?)))
            .collect()
    }
}

impl TokenRequest {
    pub(crate) fn into_core(self, resources: &Resources) -> Result<CoreRequest, Error> {
        if self.endpoint == panic::ENDPOINT {
            panic::provoke();
        }
        let request = tokenkit::TokenRequest {
            endpoint: self.endpoint,
            client_id: self.client_id,
            grant: self.grant.into_core(resources)?,
            authentication: self.authentication.into_core(resources)?,
            redirect_uri: self.redirect_uri,
            scope: self.scope,
            nonce: self.nonce,
            issuer: self.issuer.filter(|issuer| !issuer.is_empty()),
            parameters: resources.fields(self.parameters)?,
            headers: resources.fields(self.headers)?,
            allow_insecure_http: self.allow_insecure_http,
        };
        Ok(CoreRequest { request, http: self.http.into_core(resources)? })
    }
}

impl DeviceTokenRequest {
    pub(crate) fn into_core(self, resources: &Resources) -> Result<(CoreRequest, DevicePolling), Error> {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let polling = DevicePolling {
            interval: self.interval.map_or(DevicePolling::DEFAULT_INTERVAL, seconds),
            expires_in: seconds(self.expires_in),
        };
        Ok((self.request.into_core(resources)?, polling))
    }
}

impl Grant {
    fn into_core(self, resources: &Resources) -> Result<tokenkit::Grant, Error> {
        Ok(match self {
            Self::AuthorizationCode(grant) => tokenkit::Grant::AuthorizationCode {
                code: resources.secret(grant.code)?,
                code_verifier: resources.optional(grant.code_verifier)?,
            },
            Self::ClientCredentials => tokenkit::Grant::ClientCredentials,
            Self::RefreshToken(grant) => {
                tokenkit::Grant::RefreshToken { refresh_token: resources.secret(grant.refresh_token)? }
            }
            Self::Password(grant) => tokenkit::Grant::Password {
                username: grant.username,
                password: resources.secret(grant.password)?,
            },
            Self::DeviceCode(grant) => {
                tokenkit::Grant::DeviceCode { device_code: resources.secret(grant.device_code)? }
            }
            Self::JwtBearer(grant) => {
                tokenkit::Grant::JwtBearer { assertion: resources.secret(grant.assertion)? }
            }
        })
    }
}

impl ClientAuthentication {
    pub(crate) fn into_core(self, resources: &Resources) -> Result<tokenkit::ClientAuthentication, Error> {
        Ok(match self {
            Self::None => tokenkit::ClientAuthentication::None,
            Self::SecretBasic(shared) => {
                tokenkit::ClientAuthentication::SecretBasic { secret: resources.secret(shared.secret)? }
            }
            Self::SecretPost(shared) => {
                tokenkit::ClientAuthentication::SecretPost { secret: resources.secret(shared.secret)? }
            }
            Self::SecretJwt(shared) => tokenkit::ClientAuthentication::SecretJwt {
                secret: resources.secret(shared.secret)?,
                options: shared.options.into_core()?,
            },
            Self::PrivateKeyJwt(private) => {
                let password = resources.optional(private.password)?;
                let key = SigningKey::from_bytes(resources.secret(private.key)?.expose(), password.as_ref())?;
                tokenkit::ClientAuthentication::PrivateKeyJwt {
                    key: named(key, private.key_id),
                    options: private.options.into_core()?,
                }
            }
            Self::ExternalKeyJwt(external) => {
                let callback = resources.signer.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let callback = callback.ok_or_else(|| {
                    invalid("The operation has no signer for the key that stays outside.".to_owned())
                })?;
                let signer = CallbackSigner { callback, key_type: external.key_type.into_core() };
                let mut key = SigningKey::external(Arc::new(signer));
                if !external.certificate.is_empty() {
                    key = key.with_certificate(&external.certificate);
                }
                tokenkit::ClientAuthentication::PrivateKeyJwt {
                    key: named(key, external.key_id),
                    options: external.options.into_core()?,
                }
            }
            Self::Assertion(ready) => {
                tokenkit::ClientAuthentication::Assertion { assertion: resources.secret(ready.assertion)? }
            }
        })
    }
}

impl KeyType {
    pub(crate) fn into_core(self) -> tokenkit::jwt::KeyType {
        match self {
            Self::Rsa => tokenkit::jwt::KeyType::Rsa,
            Self::P256 => tokenkit::jwt::KeyType::P256,
            Self::P384 => tokenkit::jwt::KeyType::P384,
            Self::P521 => tokenkit::jwt::KeyType::P521,
            Self::Ed25519 => tokenkit::jwt::KeyType::Ed25519,
        }
    }
}

impl AssertionOptions {
    fn into_core(self) -> Result<tokenkit::AssertionOptions, Error> {
        let defaults = tokenkit::AssertionOptions::default();
        Ok(tokenkit::AssertionOptions {
            algorithm: self.algorithm.map(|name| name.parse()).transpose()?,
            audience: self.audience,
            lifetime: self.lifetime.map_or(defaults.lifetime, |seconds| Duration::from_secs(seconds.into())),
        })
    }
}

impl HttpOptions {
    pub(crate) fn into_core(self, resources: &Resources) -> Result<HttpConfig, Error> {
        let defaults = HttpConfig::default();
        Ok(HttpConfig {
            connect_timeout: self.connect_timeout_ms.map_or(defaults.connect_timeout, Duration::from_millis),
            timeout: self.timeout_ms.map_or(defaults.timeout, Duration::from_millis),
            proxy: self.proxy.into_core(resources)?,
            certificate_authority: self.certificate_authority.map(PathBuf::from),
            skip_certificate_check: self.skip_certificate_check,
            max_retries: self.max_retries.map_or(defaults.max_retries, |count| count as usize),
            rehearse: self.rehearse,
        })
    }
}

impl Proxy {
    fn into_core(self, resources: &Resources) -> Result<tokenkit::Proxy, Error> {
        Ok(match self {
            Self::System => tokenkit::Proxy::System,
            Self::Environment(values) => tokenkit::Proxy::Environment {
                http: resources.optional(values.http)?,
                https: resources.optional(values.https)?,
                no_proxy: values.no_proxy,
            },
            Self::Explicit(proxy) => {
                let credentials = proxy.credentials.map(|credentials| {
                    Ok::<_, Error>((credentials.username, resources.secret(credentials.password)?))
                });
                tokenkit::Proxy::Explicit { url: proxy.url, credentials: credentials.transpose()? }
            }
            Self::None => tokenkit::Proxy::None,
        })
    }
}

impl From<tokenkit::TokenResponse> for TokenResponse {
    fn from(response: tokenkit::TokenResponse) -> Self {
        Self {
            status: response.status,
            headers: Header::list(&response.headers),
            body: String::from_utf8_lossy(response.body.expose()).into_owned(),
            expires_in: response.expires_in,
            expires_at_ms: response.expires_at.map(|time| time.timestamp_millis()),
        }
    }
}

fn named(key: SigningKey, key_id: Option<String>) -> SigningKey {
    match key_id {
        Some(key_id) => key.with_key_id(key_id),
        None => key,
    }
}

/// Input of the host that cannot be used.
pub(crate) fn invalid(message: String) -> Error {
    Error::InvalidInput { code: ErrorCode::InvalidArgument, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(json: &str) -> CoreRequest {
        serde_json::from_str::<TokenRequest>(json).unwrap().into_core(&Resources::default()).unwrap()
    }

    fn form(core: &CoreRequest) -> String {
        let http = core.request.build(&tokenkit::Attempt::now()).unwrap();
        http.body().expose_str().unwrap().to_owned()
    }

    #[test]
    fn each_grant_in_json_makes_its_form() {
        let rows = [
            (r#"{"type":"client_credentials"}"#, "grant_type=client_credentials"),
            (
                r#"{"type":"authorization_code","code":"c","code_verifier":"v"}"#,
                "grant_type=authorization_code&code=c&code_verifier=v",
            ),
            (r#"{"type":"refresh_token","refresh_token":"r"}"#, "grant_type=refresh_token&refresh_token=r"),
            (
                r#"{"type":"password","username":"u","password":"p"}"#,
                "grant_type=password&username=u&password=p",
            ),
            (
                r#"{"type":"device_code","device_code":"d"}"#,
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d",
            ),
            (
                r#"{"type":"jwt_bearer","assertion":"a"}"#,
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a",
            ),
        ];
        for (grant, expected) in rows {
            let core = core(&format!(r#"{{"endpoint":"https://as.example/token","grant":{grant}}}"#));
            assert_eq!(form(&core), expected);
        }
    }

    #[test]
    fn each_way_of_authentication_in_json_is_understood() {
        let rows = [
            (r#"{"method":"none"}"#, "grant_type=client_credentials&client_id=app"),
            (r#"{"method":"client_secret_basic","secret":"s"}"#, "grant_type=client_credentials"),
            (
                r#"{"method":"client_secret_post","secret":"s"}"#,
                "grant_type=client_credentials&client_id=app&client_secret=s",
            ),
            (
                r#"{"method":"client_secret_jwt","secret":"s","options":{"algorithm":"HS384","lifetime":60}}"#,
                "grant_type=client_credentials&client_id=app&client_assertion_type=",
            ),
            (
                r#"{"method":"assertion","assertion":"e30.e30.c2ln"}"#,
                "grant_type=client_credentials&client_id=app&client_assertion_type=",
            ),
        ];
        for (authentication, expected) in rows {
            let core = core(&format!(
                r#"{{"endpoint":"https://as.example/token","client_id":"app",
                    "grant":{{"type":"client_credentials"}},"authentication":{authentication}}}"#
            ));
            assert!(form(&core).starts_with(expected), "{authentication}");
        }
    }

    #[test]
    fn parameters_headers_and_http_options_arrive() {
        let core = core(
            r#"{"endpoint":"https://as.example/token","grant":{"type":"client_credentials"},"scope":"a b",
                "parameters":[{"name":"resource","value":"urn:x"}],"headers":[{"name":"Origin","value":"https://x"}],
                "http":{"connect_timeout_ms":1,"timeout_ms":2,"max_retries":0,"rehearse":true,"certificate_authority":"ca.pem","skip_certificate_check":true,
                        "proxy":{"type":"explicit","url":"http://p:1","credentials":{"username":"u","password":"p"}}}}"#,
        );
        assert_eq!(form(&core), "grant_type=client_credentials&scope=a+b&resource=urn%3Ax");
        assert_eq!(core.request.headers[0].name, "Origin");
        assert_eq!(core.http.connect_timeout, Duration::from_millis(1));
        assert_eq!(core.http.timeout, Duration::from_millis(2));
        assert_eq!(core.http.max_retries, 0);
        assert!(core.http.skip_certificate_check);
        assert!(core.http.rehearse);
        assert_eq!(core.http.certificate_authority, Some(PathBuf::from("ca.pem")));
        assert!(matches!(core.http.proxy, tokenkit::Proxy::Explicit { credentials: Some(_), .. }));
    }

    #[test]
    fn unknown_members_and_keys_of_dotnet_are_refused_in_json() {
        for json in [
            r#"{"endpoint":"https://as.example/token","grant":{"type":"client_credentials"},"clientid":"x"}"#,
            r#"{"endpoint":"https://as.example/token","grant":{"type":"refresh_token","token":"x"}}"#,
            r#"{"endpoint":"https://as.example/token","grant":{"type":"client_credentials"},
                "authentication":{"method":"ExternalKeyJwt"}}"#,
        ] {
            assert!(serde_json::from_str::<TokenRequest>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_slot_serves_one_request() {
        let resources = Resources::default();
        let slot = resources.slots.put(Secret::from("s3cr3t"));
        let request =
            || Grant::RefreshToken(RefreshTokenGrant { refresh_token: SecretInput { slot, text: None } });
        assert!(request().into_core(&resources).is_ok());
        let error = request().into_core(&resources).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::InvalidArgument);
        assert_eq!(error.to_string(), "Slot 1 of this operation holds no secret, or no more.");
    }

    #[test]
    fn a_key_outside_needs_a_signer() {
        let external = || {
            ClientAuthentication::ExternalKeyJwt(ExternalKeyAssertion {
                key_type: KeyType::P256,
                key_id: Some("k".into()),
                certificate: vec![1],
                options: AssertionOptions::default(),
            })
        };
        let resources = Resources::default();
        assert!(external().into_core(&resources).is_err());
        *resources.signer.lock().unwrap() = Some(Arc::default());
        let authentication = external().into_core(&resources).unwrap();
        assert!(authentication.signs_externally());
    }
}
