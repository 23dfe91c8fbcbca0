//! ID tokens that come with an answer: what they have to say (OpenID Connect Core sections 3.1.3.7, 3.2.2.11,
//! 3.3.2.11 and 12.2).

use chrono::Utc;
use serde_json::{Map, Value};

use crate::client::Client;
use crate::discovery::MetadataLocation;
use crate::error::{Error, ErrorCode};
use crate::event::Observer;
use crate::http::HttpConfig;
use crate::jwt::{JwkSet, SigningKey, UnverifiedJwt, Validation, decode_unverified};
use crate::secret::Secret;
use crate::verification::{Finding, KeySource, Verification};

/// What an ID token is held against.
#[derive(Default)]
pub(crate) struct ExpectedIdToken<'a> {
    /// The issuer as the caller names it.
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    /// The nonce that was sent.
    pub(crate) nonce: Option<&'a str>,
    /// Whether it comes with a refreshed token.
    pub(crate) is_refresh: bool,
    pub(crate) access_token: Option<Secret>,
    pub(crate) code: Option<Secret>,
    /// Whether it came through the browser, and so must vouch for what came beside it.
    pub(crate) from_browser: bool,
    /// The client secret, with which it may be signed as well (OpenID Connect Core section 10.1).
    pub(crate) secret: Option<&'a Secret>,
    /// The endpoint that issued it, as it may be shown.
    pub(crate) endpoint: String,
    pub(crate) allow_insecure_http: bool,
}

/// Compares the nonce of an ID token whose signature is not checked.
pub(crate) fn check_nonce(
    id_token: &str,
    expected: &str,
    is_refresh: bool,
) -> Result<(), (ErrorCode, &'static str)> {
    let token = decode_unverified(id_token).map_err(|_| {
        (ErrorCode::MalformedIdToken, "The ID token cannot be read, so its nonce cannot be checked.")
    })?;
    match token.claims.get("nonce") {
        Some(Value::String(nonce)) if Secret::from(nonce.as_str()).matches(&Secret::from(expected)) => Ok(()),
        // A refreshed ID token should have none (OpenID Connect Core section 12.2).
        None if is_refresh => Ok(()),
        None => Err((ErrorCode::NonceMismatch, "The ID token has no nonce, though one was sent.")),
        Some(_) => Err((ErrorCode::NonceMismatch, "The nonce of the ID token is not the one that was sent.")),
    }
}

impl Client {
    /// Validates an ID token fully: signature, issuer, audience, authorized party, nonce, times and hashes.
    ///
    /// # Errors
    /// [`Error::Token`] with the code of the first thing that is wrong; or the issuer's keys cannot be had.
    pub(crate) async fn check_id_token(
        &self,
        token: &Secret,
        expected: &ExpectedIdToken<'_>,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let failed = |code, what: &str| Error::Token {
            code,
            message: format!("The ID token must not be used: {what}."),
            endpoint: expected.endpoint.clone(),
        };
        let jwt = decode_unverified(token.expose_str().unwrap_or_default())
            .map_err(|error| failed(ErrorCode::MalformedIdToken, &error.to_string()))?;
        let issuer = self.issuer_name(expected, config, observer).await?;
        let verification = Verification {
            source: expected.key_source(&jwt)?,
            claims: Some(expected.validation(&jwt, issuer)),
            with_content: false,
            allow_insecure_http: expected.allow_insecure_http,
            now: Utc::now(),
        };
        let verdicts = self.verify(vec![token.clone()], verification, config, observer).await?;
        let mut findings: Vec<_> = verdicts.into_iter().flat_map(|verdict| verdict.findings).collect();
        findings.extend(missing_claims(&jwt.claims));
        match findings.first() {
            Some(first) => {
                let texts: Vec<_> = findings.iter().map(|finding| finding.text.as_str()).collect();
                Err(failed(error_code(&first.code), &texts.join("; ")))
            }
            None => Ok(()),
        }
    }

    /// The issuer's own spelling of its name, as far as it is known.
    async fn issuer_name(
        &self,
        expected: &ExpectedIdToken<'_>,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<String, Error> {
        let location = MetadataLocation::parse(expected.issuer, expected.allow_insecure_http)?;
        match location.issuer {
            Some(issuer) => Ok(issuer),
            // Only the metadata at an address of unknown form can tell whose it is.
            None => Ok(self.metadata(&location, config, observer).await?.issuer),
        }
    }
}

impl ExpectedIdToken<'_> {
    fn key_source(&self, jwt: &UnverifiedJwt<'_>) -> Result<KeySource, Error> {
        let is_symmetric =
            jwt.header.get("alg").and_then(Value::as_str).is_some_and(|name| name.starts_with("HS"));
        Ok(match self.secret {
            Some(secret) if is_symmetric => {
                KeySource::Keys(SigningKey::from_shared_secret(secret.clone()).verifying_key()?.into())
            }
            _ => KeySource::Issuer(self.issuer.to_owned()),
        })
    }

    fn validation(&self, jwt: &UnverifiedJwt<'_>, issuer: String) -> Validation {
        let claims = &jwt.claims;
        let has = |name| claims.contains_key(name);
        // What counts as this issuer's name in its metadata counts here.
        let location = MetadataLocation { issuer: Some(issuer), urls: Vec::new() };
        let named = claims.get("iss").and_then(Value::as_str);
        let own = Map::from_iter([("issuer".to_owned(), named.into())]);
        let issuer = match (named, location.check_issuer(&own)) {
            (Some(named), Ok(())) => Some(named.to_owned()),
            _ => location.issuer,
        };
        // Sections 3.1.3.7 items 4 and 5: an audience of several needs an authorized party.
        let needs_party = has("azp")
            || claims.get("aud").and_then(Value::as_array).is_some_and(|several| several.len() > 1);
        Validation {
            issuer,
            audiences: vec![self.client_id.to_owned()],
            nonce: self.nonce.filter(|_| has("nonce") || !self.is_refresh).map(str::to_owned),
            authorized_party: needs_party.then(|| self.client_id.to_owned()),
            access_token: self.access_token.clone().filter(|_| self.from_browser || has("at_hash")),
            code: self.code.clone().filter(|_| self.from_browser || has("c_hash")),
            ..Validation::new(JwkSet::default())
        }
    }
}

/// Claims that every ID token has (OpenID Connect Core section 2) and no other check asks for.
fn missing_claims(claims: &Map<String, Value>) -> Option<Finding> {
    let has_subject = claims.get("sub").and_then(Value::as_str).is_some_and(|subject| !subject.is_empty());
    let missing = if !has_subject {
        "sub"
    } else if !claims.contains_key("iat") {
        "iat"
    } else {
        return None;
    };
    Some(Finding { code: format!("missing_{missing}"), text: format!("the token has no {missing}") })
}

fn error_code(finding: &str) -> ErrorCode {
    match finding {
        "wrong_iss" | "missing_iss" => ErrorCode::IdTokenWrongIssuer,
        "wrong_aud" | "missing_aud" | "malformed_aud" | "wrong_azp" | "missing_azp" => {
            ErrorCode::IdTokenWrongAudience
        }
        "wrong_nonce" | "missing_nonce" => ErrorCode::NonceMismatch,
        "wrong_at_hash" | "missing_at_hash" | "wrong_c_hash" | "missing_c_hash" => {
            ErrorCode::IdTokenWrongHash
        }
        "expired" => ErrorCode::IdTokenExpired,
        "not_yet_valid" | "issued_in_future" => ErrorCode::IdTokenNotYetValid,
        "missing_sub" | "missing_iat" | "missing_exp" | "malformed_exp" | "malformed_nbf"
        | "malformed_iat" | "malformed_token" | "encrypted" => ErrorCode::MalformedIdToken,
        // The signature, its algorithm, or its key.
        _ => ErrorCode::IdTokenWrongSignature,
    }
}
