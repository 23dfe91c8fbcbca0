//! Requests and responses about JSON Web Tokens and keys, as both doors see them; the rules are those of
//! [`dto`](crate::dto).

use std::time::Duration;

use chrono::Utc;
use interoptopus::ffi;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokenkit::jwt::{JwkSet, SigningKey, Validation, VerifyingKey, decode_unverified, thumbprint};
use tokenkit::{
    Assertion, Attempt, Client, Error, ErrorCode, HttpConfig, KeySource, MetadataLocation, Observer, Secret,
    SignedAssertion, Verdict, Verification,
};
use zeroize::Zeroize as _;

use crate::dto::{ClientAuthentication, HttpOptions, KeyType, Resources, SecretInput, SharedSecret, invalid};

/// A JWT to sign, as RFC 7523 section 3 has it.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSignRequest {
    /// What signs, with algorithm and lifetime among its options: a way of client authentication that makes an
    /// assertion.
    pub authentication: ClientAuthentication,
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`.
    pub audience: String,
    /// `jti`; a random one when absent.
    pub jwt_id: Option<String>,
    /// Further claims, as a JSON object in text. They replace those of the same name; `null` takes one away.
    pub claims: Option<String>,
}

/// A JWT that was signed.
#[ffi]
#[derive(Serialize)]
pub struct SignedJwt {
    /// In compact form.
    pub token: String,
    /// Its header: JSON in text.
    pub header: String,
    /// Its claims: JSON in text.
    pub claims: String,
    /// Why the key is weaker than RFC 7518 asks for, if it is.
    pub weakness: Option<String>,
}

/// The parts of a JWT. Nothing has been checked.
#[ffi]
#[derive(Serialize)]
pub struct DecodedJwt {
    /// The header: JSON in text.
    pub header: String,
    /// The claims: JSON in text.
    pub claims: String,
    /// The signature as it stands in the token.
    pub signature: String,
}

/// Tokens to check.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtVerifyRequest {
    /// The tokens in compact form.
    pub tokens: Vec<String>,
    /// Where the keys are.
    pub keys: JwtKeys,
    /// What the claims are held against; when absent, only the signature counts.
    pub expect: Option<ExpectedClaims>,
    /// Whether header and claims are wanted, too.
    #[serde(default)]
    pub with_content: bool,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How requests for keys travel.
    #[serde(default)]
    pub http: HttpOptions,
}

/// Where the keys are; in JSON the member `type` says which.
#[ffi]
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JwtKeys {
    /// A shared secret.
    Secret(SharedSecret),
    /// A key, or a JWK Set.
    Key(KeyInput),
    /// The address of a JWK Set.
    JwksUri(KeyAddress),
    /// An issuer, whose metadata tells where.
    Issuer(KeyAddress),
    /// The issuer that each token names, over https only.
    TokenIssuer,
}

/// A key as people have it.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInput {
    /// PEM, DER, an X.509 certificate, PKCS#12, JWK or JWK Set. JSON can hold PEM, JWK and JWK Set.
    pub key: SecretInput,
    /// The password that protects it.
    pub password: Option<SecretInput>,
}

/// The address of [`JwtKeys::JwksUri`] or [`JwtKeys::Issuer`].
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAddress {
    /// The URL.
    pub url: String,
}

/// What claims are held against. The times are always checked, the rest where a value is given.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedClaims {
    /// `iss`, exactly.
    pub issuer: Option<String>,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// `nonce`, exactly.
    pub nonce: Option<String>,
    /// `azp`: the client it was issued to.
    pub authorized_party: Option<String>,
    /// The access token whose hash is in `at_hash`.
    pub access_token: Option<SecretInput>,
    /// The authorization code whose hash is in `c_hash`.
    pub code: Option<SecretInput>,
    /// Seconds that the clocks may be apart; 60 when absent.
    pub clock_skew: Option<u32>,
}

/// What a check found.
#[ffi]
#[derive(Serialize)]
pub struct JwtVerification {
    /// The outcomes, in the order of the tokens.
    pub verdicts: Vec<JwtVerdict>,
    /// Why the given key is weaker than RFC 7518 asks for, if it is.
    pub weakness: Option<String>,
}

/// The outcome for one token.
#[ffi]
#[derive(Serialize)]
pub struct JwtVerdict {
    /// Whether nothing speaks against it.
    pub valid: bool,
    /// What speaks against it.
    pub reasons: Vec<JwtReason>,
    /// The header, JSON in text, if it was wanted and can be read. Nothing in it counts unless the token is valid.
    pub header: Option<String>,
    /// The claims in the same way.
    pub claims: Option<String>,
}

/// What speaks against a token.
#[ffi]
#[derive(Serialize)]
pub struct JwtReason {
    /// A stable code.
    pub code: String,
    /// The same in words.
    pub text: String,
}

/// A question for the metadata of an authorization server.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataRequest {
    /// The issuer, or the full address of its metadata.
    pub issuer: String,
    /// Whether http is accepted for a host that is not loopback.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// The metadata of an authorization server.
#[ffi]
#[derive(Serialize)]
pub struct MetadataResponse {
    /// The server's JSON object as text, untouched.
    pub body: String,
}

/// A key to write as JWK.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwkRequest {
    /// The key.
    pub key: KeyInput,
    /// Whether `key` is the text of a shared secret.
    #[serde(default)]
    pub is_shared_secret: bool,
    /// Its `kid`, in place of its own or its thumbprint.
    pub key_id: Option<String>,
    /// Whether the private members are wanted.
    #[serde(default)]
    pub include_private: bool,
}

/// A key as JWK.
#[ffi]
#[derive(Serialize)]
pub struct Jwk {
    /// The JWK in JSON.
    pub jwk: Vec<u8>,
    /// Its thumbprint (RFC 7638).
    pub thumbprint: String,
    /// Why the key is weaker than RFC 7518 asks for, if it is.
    pub weakness: Option<String>,
}

/// A key pair to make.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPairRequest {
    /// What it shall be.
    pub key_type: KeyType,
    /// The size of an RSA key: 2048, 3072 or 4096 bits.
    pub rsa_bits: Option<u32>,
    /// Its `kid`; its thumbprint when absent.
    pub key_id: Option<String>,
    /// The common name of a self-signed certificate; none is made when absent.
    pub common_name: Option<String>,
    /// For how many days that is valid; 365 when absent.
    pub certificate_days: Option<u32>,
}

/// A new key pair.
#[ffi]
#[derive(Serialize)]
pub struct KeyPair {
    /// Its `kid`.
    pub key_id: String,
    /// The algorithm it usually signs with.
    pub algorithm: String,
    /// The public key as JWK.
    pub public_jwk: String,
    /// The private key as JWK.
    pub private_jwk: Vec<u8>,
    /// The private key as PKCS#8 in PEM.
    pub private_pem: Vec<u8>,
    /// The certificate in DER; empty when none was asked for.
    pub certificate: Vec<u8>,
}

/// A PKCE verifier and its challenge (RFC 7636); the method is S256.
#[ffi]
#[derive(Serialize)]
pub struct PkceChallenge {
    /// For the token request.
    pub code_verifier: String,
    /// For the authorization request.
    pub code_challenge: String,
}

impl JwtSignRequest {
    /// Signs; may block for as long as an outside key does.
    pub(crate) fn sign(self, resources: &Resources) -> Result<SignedJwt, Error> {
        let claims = match self.claims {
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| invalid(format!("The claims are no JSON object: {error}.")))?,
            None => Map::new(),
        };
        let (key, options) = match self.authentication.into_core(resources)? {
            tokenkit::ClientAuthentication::SecretJwt { secret, options } => (shared(secret)?, options),
            tokenkit::ClientAuthentication::PrivateKeyJwt { key, options } => (key, options),
            _ => return Err(invalid("The way of authentication makes no JWT.".into())),
        };
        let assertion = Assertion {
            issuer: self.issuer,
            subject: self.subject,
            audience: self.audience,
            lifetime: options.lifetime,
            algorithm: options.algorithm,
            claims,
        };
        let mut attempt = Attempt::now();
        if let Some(jwt_id) = self.jwt_id {
            attempt.jti = jwt_id;
        }
        let SignedAssertion { token, header, claims } = assertion.sign(&key, &attempt)?;
        // The public half of an outside key is not known, and then nothing can be said about it.
        let weakness = key.verifying_key().ok().and_then(|key| key.weakness());
        Ok(SignedJwt { token: text(&token), header, claims, weakness })
    }
}

/// Reads a JWT without checking it.
pub(crate) fn decode(token: &str) -> Result<DecodedJwt, Error> {
    let jwt = decode_unverified(token)?;
    Ok(DecodedJwt {
        header: Value::Object(jwt.header).to_string(),
        claims: Value::Object(jwt.claims).to_string(),
        signature: token.rsplit('.').next().unwrap_or_default().to_owned(),
    })
}

impl JwtVerifyRequest {
    pub(crate) async fn verify(
        self,
        resources: &Resources,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<JwtVerification, Error> {
        let config = self.http.into_core(resources)?;
        let source = self.keys.into_core(resources)?;
        let weakness = match &source {
            KeySource::Keys(keys) => keys.keys().iter().find_map(VerifyingKey::weakness),
            _ => None,
        };
        let verification = Verification {
            source,
            claims: self.expect.map(|expected| expected.into_core(resources)).transpose()?,
            with_content: self.with_content,
            allow_insecure_http: self.allow_insecure_http,
            now: Utc::now(),
        };
        let tokens = self.tokens.into_iter().map(Secret::from).collect();
        let verdicts = client.verify(tokens, verification, &config, observer).await?;
        Ok(JwtVerification { verdicts: verdicts.into_iter().map(JwtVerdict::from).collect(), weakness })
    }
}

impl JwtKeys {
    fn into_core(self, resources: &Resources) -> Result<KeySource, Error> {
        Ok(match self {
            Self::Secret(secret) => {
                KeySource::Keys(shared(resources.secret(secret.secret)?)?.verifying_key()?.into())
            }
            Self::Key(input) => {
                let (data, password) = input.into_core(resources)?;
                KeySource::Keys(verifying_keys(&data, password.as_ref())?)
            }
            Self::JwksUri(address) => KeySource::JwksUri(address.url),
            Self::Issuer(address) => KeySource::Issuer(address.url),
            Self::TokenIssuer => KeySource::TokenIssuer,
        })
    }
}

impl KeyInput {
    fn into_core(self, resources: &Resources) -> Result<(Secret, Option<Secret>), Error> {
        Ok((resources.secret(self.key)?, resources.optional(self.password)?))
    }
}

impl ExpectedClaims {
    fn into_core(self, resources: &Resources) -> Result<Validation, Error> {
        let defaults = Validation::new(JwkSet::default());
        Ok(Validation {
            issuer: self.issuer,
            audiences: self.audiences,
            nonce: self.nonce,
            authorized_party: self.authorized_party,
            access_token: resources.optional(self.access_token)?,
            code: resources.optional(self.code)?,
            clock_skew: self
                .clock_skew
                .map_or(defaults.clock_skew, |seconds| Duration::from_secs(seconds.into())),
            ..defaults
        })
    }
}

impl From<Verdict> for JwtVerdict {
    fn from(verdict: Verdict) -> Self {
        Self {
            valid: verdict.findings.is_empty(),
            reasons: verdict
                .findings
                .into_iter()
                .map(|finding| JwtReason { code: finding.code, text: finding.text })
                .collect(),
            header: verdict.header,
            claims: verdict.claims,
        }
    }
}

impl MetadataRequest {
    pub(crate) async fn ask(
        self,
        resources: &Resources,
        client: &Client,
        observer: &dyn Observer,
    ) -> Result<MetadataResponse, Error> {
        let config: HttpConfig = self.http.into_core(resources)?;
        let location = MetadataLocation::parse(&self.issuer, self.allow_insecure_http)?;
        let metadata = client.metadata(&location, &config, observer).await?;
        Ok(MetadataResponse { body: metadata.body })
    }
}

impl JwkRequest {
    pub(crate) fn write(self, resources: &Resources) -> Result<Jwk, Error> {
        let (data, password) = self.key.into_core(resources)?;
        let (public, private) = if self.is_shared_secret {
            let key = shared(data)?;
            (key.verifying_key()?, Some(key))
        } else if self.include_private {
            let key = SigningKey::from_bytes(data.expose(), password.as_ref())?;
            (key.verifying_key()?, Some(key))
        } else {
            (VerifyingKey::from_bytes(data.expose(), password.as_ref())?, None)
        };
        let is_symmetric = public.key_type() == tokenkit::jwt::KeyType::Symmetric;
        if is_symmetric && !self.include_private {
            let message = "A shared secret has no public half: its JWK is as secret as itself.";
            return Err(Error::InvalidInput { code: ErrorCode::UnsupportedKey, message: message.into() });
        }
        let named = |key: SigningKey| match &self.key_id {
            Some(key_id) => key.with_key_id(key_id),
            None => key,
        };
        let mut members = public.to_jwk();
        let plain = Value::Object(members.clone()).to_string();
        let thumbprint = thumbprint(plain.as_bytes())?;
        let jwk = if let Some(key) = private {
            named(key).to_private_jwk()?.expose().to_vec()
        } else {
            if let Some(key_id) = self.key_id {
                members.insert("kid".into(), key_id.into());
            }
            Value::Object(members).to_string().into_bytes()
        };
        Ok(Jwk { jwk, thumbprint, weakness: public.weakness() })
    }
}

impl KeyPairRequest {
    pub(crate) fn make(self) -> Result<KeyPair, Error> {
        const DAY: u64 = 24 * 60 * 60;
        let mut key = SigningKey::generate(self.key_type.into_core(), self.rsa_bits)?;
        if let Some(key_id) = self.key_id {
            key = key.with_key_id(key_id);
        }
        let lifetime = Duration::from_secs(DAY * u64::from(self.certificate_days.unwrap_or(365)));
        let certificate = match self.common_name {
            Some(name) => key.self_signed_certificate(&name, lifetime)?,
            None => Vec::new(),
        };
        let public = key.verifying_key()?;
        Ok(KeyPair {
            key_id: public.key_id().unwrap_or_default().to_owned(),
            algorithm: key.default_algorithm().to_string(),
            public_jwk: Value::Object(public.to_jwk()).to_string(),
            private_jwk: key.to_private_jwk()?.expose().to_vec(),
            private_pem: key.to_pem()?.expose().to_vec(),
            certificate,
        })
    }
}

/// A fresh PKCE challenge.
pub(crate) fn pkce() -> Result<PkceChallenge, Error> {
    let pkce = tokenkit::PkceChallenge::generate()?;
    Ok(PkceChallenge { code_verifier: text(&pkce.code_verifier), code_challenge: pkce.code_challenge })
}

impl Drop for SignedJwt {
    fn drop(&mut self) {
        self.token.zeroize();
    }
}

impl Drop for Jwk {
    fn drop(&mut self) {
        self.jwk.zeroize();
    }
}

impl Drop for KeyPair {
    fn drop(&mut self) {
        self.private_jwk.zeroize();
        self.private_pem.zeroize();
    }
}

impl Drop for PkceChallenge {
    fn drop(&mut self) {
        self.code_verifier.zeroize();
    }
}

/// A JWK Set, or the one key that the data is.
fn verifying_keys(data: &Secret, password: Option<&Secret>) -> Result<JwkSet, Error> {
    if data.expose().trim_ascii_start().starts_with(b"{") {
        return JwkSet::from_json(data.expose());
    }
    Ok(VerifyingKey::from_bytes(data.expose(), password)?.into())
}

fn shared(secret: Secret) -> Result<SigningKey, Error> {
    if secret.is_empty() {
        return Err(invalid("The secret is empty.".into()));
    }
    Ok(SigningKey::from_shared_secret(secret))
}

/// What is always text: a token or a verifier.
fn text(secret: &Secret) -> String {
    secret.expose_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwk(request: &str) -> Result<Jwk, Error> {
        serde_json::from_str::<JwkRequest>(request).unwrap().write(&Resources::default())
    }

    fn pair(request: &str) -> KeyPair {
        serde_json::from_str::<KeyPairRequest>(request).unwrap().make().unwrap()
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_jwt_is_decoded_or_told_apart() {
        let jwt = decode("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln").unwrap();
        assert_eq!((jwt.header.as_str(), jwt.claims.as_str()), (r#"{"alg":"HS256"}"#, r#"{"sub":"alice"}"#));
        assert_eq!(jwt.signature, "c2ln");
        for (token, code) in [("e30.a.b.c.d", "encrypted_token"), ("opaque", "malformed_token")] {
            let error = decode(token).err().unwrap();
            assert_eq!(error.code(), code);
            assert!(error.to_string().starts_with("The token is ") && error.to_string().ends_with('.'));
        }
    }

    #[test]
    fn key_pairs_of_every_type_sign_and_are_written_as_jwk() {
        for name in ["RSA", "P-256", "P-384", "P-521", "Ed25519"] {
            let pair = pair(&format!(r#"{{"key_type":"{name}","common_name":"app"}}"#));
            assert!(!pair.certificate.is_empty());
            for private in [&pair.private_pem, &pair.private_jwk] {
                let key = Value::from(text(private));
                let public = jwk(&format!(r#"{{"key":{{"key":{key}}}}}"#)).unwrap();
                assert_eq!(text(&public.jwk), pair.public_jwk, "{name}");
                assert_eq!(public.thumbprint, pair.key_id);
                let request = format!(r#"{{"key":{{"key":{key}}},"include_private":true,"key_id":"mine"}}"#);
                let private: Value = serde_json::from_slice(&jwk(&request).unwrap().jwk).unwrap();
                assert!(private["d"].is_string());
                assert_eq!(private["kid"], "mine");
            }
        }
    }

    #[test]
    fn a_shared_secret_has_no_public_jwk() {
        let request = |private: bool| {
            jwk(&format!(
                r#"{{"key":{{"key":"s3cret"}},"is_shared_secret":true,"include_private":{private}}}"#
            ))
        };
        assert_eq!(request(false).err().unwrap().error_code(), ErrorCode::UnsupportedKey);
        let jwk = request(true).unwrap();
        assert!(text(&jwk.jwk).contains(r#""k":"czNjcmV0""#));
        assert!(jwk.weakness.is_some());
    }

    #[test]
    fn only_ways_of_authentication_with_an_assertion_sign() {
        for (authentication, claims) in [
            (r#"{"method":"none"}"#, "{}"),
            (r#"{"method":"client_secret_post","secret":"s"}"#, "{}"),
            (r#"{"method":"client_secret_jwt","secret":""}"#, "{}"),
            (r#"{"method":"client_secret_jwt","secret":"s"}"#, "[]"),
        ] {
            let request = format!(
                r#"{{"authentication":{authentication},"issuer":"i","subject":"s","audience":"a","claims":"{claims}"}}"#
            );
            let request: JwtSignRequest = serde_json::from_str(&request).unwrap();
            let error = request.sign(&Resources::default()).err().unwrap();
            assert_eq!(error.error_code(), ErrorCode::InvalidArgument, "{authentication}");
        }
    }

    #[test]
    fn a_pkce_challenge_is_fresh() {
        let (one, two) = (pkce().unwrap(), pkce().unwrap());
        assert_eq!((one.code_verifier.len(), one.code_challenge.len()), (43, 43));
        assert_ne!(one.code_verifier, two.code_verifier);
    }
}
