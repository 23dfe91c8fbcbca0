//! Many tokens checked at once: their keys found where they are, the signatures verified on all cores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::client::{Client, remaining};
use crate::discovery::{MetadataLocation, PERSONAL_TENANT, is_tenant_id};
use crate::error::{Error, ErrorCode};
use crate::event::Observer;
use crate::http::HttpConfig;
use crate::jwt::{JwkSet, Reason, UnverifiedJwt, Validation, check_signature, decode_unverified};
use crate::secret::Secret;

/// Where the keys are that tokens are checked by.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Here.
    Keys(JwkSet),
    /// At this address, as JWK Set.
    JwksUri(String),
    /// With this issuer, whose metadata tells where.
    Issuer(String),
    /// With the issuer that each token names, over https only. A token that anyone made passes by a key that
    /// anyone offers: whether that issuer is trusted is then for the caller to say.
    TokenIssuer,
}

/// How tokens are checked.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Where the keys are.
    pub source: KeySource,
    /// What the claims are held against; only the signature counts when `None`. Its keys are not used.
    pub claims: Option<Validation>,
    /// Whether the outcome holds what is in the tokens, too.
    pub with_content: bool,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
    /// The time of the check.
    pub now: DateTime<Utc>,
}

/// What speaks against a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable code: that of a [`Reason`], or `keys_unavailable`.
    pub code: String,
    /// The same in words.
    pub text: String,
}

/// The outcome for one token.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Everything that speaks against it; nothing when it is valid.
    pub findings: Vec<Finding>,
    /// The header as JSON, if it was wanted and can be read. Nothing in it counts unless the token is valid.
    pub header: Option<String>,
    /// The claims as JSON, in the same way.
    pub claims: Option<String>,
}

/// The key sets by the issuer they are of; by `None` when one is for all.
type KeySets = BTreeMap<Option<String>, Result<Arc<JwkSet>, Finding>>;

impl From<Reason> for Finding {
    fn from(reason: Reason) -> Self {
        Self { code: reason.code(), text: reason.to_string() }
    }
}

impl Client {
    /// Checks tokens; the outcomes have their order. The keys are asked for once for all of them, see
    /// [`keys`](Self::keys). The time limit of `config` counts for each issuer: one that does not answer takes nothing
    /// from the others.
    ///
    /// # Errors
    /// The keys of a fixed address or issuer cannot be had. Those of an issuer that only tokens name are a finding
    /// about these tokens.
    pub async fn verify(
        &self,
        tokens: Vec<Secret>,
        verification: Verification,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<Vec<Verdict>, Error> {
        let sets = self.key_sets(&tokens, &verification, config, observer).await?;
        let shared = Arc::new((verification, sets));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let size = tokens.len().div_ceil(cores).max(1);
        let mut tokens = tokens.into_iter();
        let mut chunks = Vec::with_capacity(cores);
        loop {
            let chunk: Vec<_> = tokens.by_ref().take(size).collect();
            if chunk.is_empty() {
                break;
            }
            let shared = shared.clone();
            chunks.push(tokio::task::spawn_blocking(move || {
                chunk.iter().map(|token| shared.0.verdict(token, &shared.1)).collect::<Vec<_>>()
            }));
        }
        let mut verdicts = Vec::new();
        for chunk in chunks {
            verdicts.extend(
                chunk
                    .await
                    .map_err(|error| Error::internal(format!("The check ended unexpectedly: {error}")))?,
            );
        }
        Ok(verdicts)
    }

    async fn key_sets(
        &self,
        tokens: &[Secret],
        verification: &Verification,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<KeySets, Error> {
        if let KeySource::Keys(keys) = &verification.source {
            return Ok(KeySets::from([(None, Ok(Arc::new(keys.clone())))]));
        }
        // Which keys are wanted, by issuer. What is no JWT needs none.
        let mut wanted: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
        for jwt in
            tokens.iter().filter_map(Secret::expose_str).filter_map(|token| decode_unverified(token).ok())
        {
            let names = wanted.entry(verification.issuer_of(&jwt)).or_default();
            names.extend(jwt.header.get("kid").and_then(Value::as_str).map(str::to_owned));
        }
        let mut sets = KeySets::new();
        for (issuer, names) in wanted {
            match self.keys_of(issuer.as_deref(), &names, verification, config, observer).await {
                Ok(keys) => drop(sets.insert(issuer, Ok(keys))),
                Err(error) if issuer.is_some() => {
                    let text = format!("the keys of the issuer cannot be had: {error}");
                    sets.insert(issuer, Err(Finding { code: "keys_unavailable".into(), text }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sets)
    }

    async fn keys_of(
        &self,
        issuer: Option<&str>,
        names: &BTreeSet<String>,
        verification: &Verification,
        config: &HttpConfig,
        observer: &dyn Observer,
    ) -> Result<Arc<JwkSet>, Error> {
        let begun = Instant::now();
        let insecure = verification.allow_insecure_http;
        let mut keys: Option<Arc<JwkSet>> = None;
        for name in std::iter::once(None).chain(names.iter().map(|name| Some(name.as_str()))) {
            if let (Some(keys), Some(name)) = (&keys, name)
                && keys.contains(name)
            {
                continue;
            }
            let config = &remaining(config, begun);
            let found = match (&verification.source, issuer) {
                (KeySource::JwksUri(uri), _) => self.keys(uri, name, config, insecure, observer).await,
                (KeySource::Issuer(issuer), _) => {
                    self.issuer_keys(issuer, name, config, insecure, observer).await
                }
                (_, Some(issuer)) if insecure || issuer.starts_with("https://") => {
                    self.issuer_keys(issuer, name, config, insecure, observer).await
                }
                (_, Some(_)) => Err(Error::invalid(
                    ErrorCode::InsecureEndpoint,
                    "The issuer that the token names has no https address.",
                )),
                (_, None) => Err(Error::invalid(ErrorCode::InvalidArgument, "The token names no issuer.")),
            };
            // An invented name must not spoil the check of the other tokens.
            match (found, &keys) {
                (Ok(found), _) => keys = Some(found),
                (Err(_), Some(_)) => {}
                (Err(error), None) => return Err(error),
            }
        }
        Ok(keys.unwrap_or_default())
    }
}

impl Verification {
    /// Under whose name the keys for a token are kept.
    fn issuer_of(&self, jwt: &UnverifiedJwt<'_>) -> Option<String> {
        match self.source {
            KeySource::TokenIssuer => {
                Some(jwt.claims.get("iss").and_then(Value::as_str).unwrap_or_default().to_owned())
            }
            _ => None,
        }
    }

    fn verdict(&self, token: &Secret, sets: &KeySets) -> Verdict {
        let token = token.expose_str().unwrap_or_default();
        match decode_unverified(token) {
            Ok(jwt) => {
                let findings = self.findings(&jwt, sets);
                let json = |object| self.with_content.then(|| Value::Object(object).to_string());
                Verdict { findings, header: json(jwt.header), claims: json(jwt.claims) }
            }
            Err(error) => Verdict { findings: vec![Reason::from(error).into()], ..Verdict::default() },
        }
    }

    fn findings(&self, jwt: &UnverifiedJwt<'_>, sets: &KeySets) -> Vec<Finding> {
        let empty = Ok(Arc::default());
        let keys = match sets.get(&self.issuer_of(jwt)).unwrap_or(&empty) {
            Ok(keys) => keys,
            Err(finding) => return vec![finding.clone()],
        };
        // Of keys that were fetched the name counts, even if there is only one.
        let key_id = jwt.header.get("kid").and_then(Value::as_str);
        let is_named =
            |key_id: &str| keys.contains(key_id) || keys.keys().iter().any(|key| key.key_id().is_none());
        if !matches!(self.source, KeySource::Keys(_)) && key_id.is_some_and(|key_id| !is_named(key_id)) {
            // What cannot be accepted with any key says so.
            let reason = check_signature(jwt, keys).err();
            let reason = reason.filter(|reason| !matches!(reason, Reason::WrongSignature));
            return vec![reason.unwrap_or(Reason::UnknownKey).into()];
        }
        let Some(claims) = &self.claims else {
            return check_signature(jwt, keys).err().map(Finding::from).into_iter().collect();
        };
        let mut reasons = claims.reasons_against(jwt, keys, self.now);
        if self.is_of_shared_tenant(jwt) {
            reasons.retain(|reason| *reason != Reason::Mismatch("iss"));
        }
        reasons.into_iter().map(Finding::from).collect()
    }

    /// Whether the token is of the tenants that share the expected issuer: Microsoft's tokens name the tenant of
    /// their user, where the metadata has a template, or that of personal accounts, which `consumers` stands for.
    fn is_of_shared_tenant(&self, jwt: &UnverifiedJwt<'_>) -> bool {
        let text = |name| jwt.claims.get(name).and_then(Value::as_str);
        let expected = self.claims.as_ref().and_then(|claims| claims.issuer.clone());
        let (Some(issuer), Some(tenant), Some(_)) = (text("iss"), text("tid"), &expected) else {
            return false;
        };
        let location = MetadataLocation { issuer: expected.clone(), urls: Vec::new() };
        let stands_for = |name: &str| {
            let template = Map::from_iter([("issuer".into(), issuer.replace(tenant, name).into())]);
            location.check_issuer(&template).is_ok()
        };
        is_tenant_id(tenant)
            && (stands_for("{tenantid}") || tenant == PERSONAL_TENANT && stands_for("consumers"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokenkit_testserver::{Canned, TestServer};

    use super::*;
    use crate::jwt::{self, Header, KeyType, SigningKey};

    fn key() -> SigningKey {
        SigningKey::generate(KeyType::P256, None).unwrap()
    }

    fn token(key: &SigningKey, claims: &Value) -> Secret {
        jwt::sign(&Header::new(key.default_algorithm(), key), claims, key).unwrap()
    }

    fn verification(source: KeySource) -> Verification {
        Verification { source, claims: None, with_content: true, allow_insecure_http: false, now: Utc::now() }
    }

    async fn codes(client: &Client, tokens: Vec<Secret>, verification: Verification) -> Vec<String> {
        let verdicts = client.verify(tokens, verification, &HttpConfig::default(), &()).await.unwrap();
        verdicts
            .into_iter()
            .map(|verdict| {
                verdict.findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    /// An issuer on loopback with the public halves of these keys.
    fn issuer(keys: &[&SigningKey]) -> TestServer {
        let server = TestServer::start().unwrap();
        let keys: Vec<_> = keys.iter().map(|key| key.verifying_key().unwrap().to_jwk()).collect();
        let metadata = json!({"issuer": server.url(""), "jwks_uri": server.url("/keys")});
        server.canned("/.well-known/openid-configuration", Canned::json(200, &metadata.to_string()));
        server.canned("/keys", Canned::json(200, &json!({"keys": keys}).to_string()));
        server
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn outcomes_come_in_the_order_of_the_tokens() {
        let (mine, other) = (key(), key());
        let keys = KeySource::Keys(mine.verifying_key().unwrap().into());
        let tokens = (0..101).map(|number| token(if number % 3 == 0 { &other } else { &mine }, &json!({})));
        let codes = codes(&Client::new(), tokens.collect(), verification(keys)).await;
        for (number, code) in codes.iter().enumerate() {
            assert_eq!(code, if number % 3 == 0 { "invalid_signature" } else { "" }, "{number}");
        }
        assert_eq!(codes.len(), 101);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_tokens_of_an_issuer_ask_once_for_its_keys() {
        let key = key();
        let server = issuer(&[&key]);
        let client = Client::new();
        for _ in 0..3 {
            let tokens = (0..50).map(|_| token(&key, &json!({})));
            let source = KeySource::Issuer(server.url(""));
            let codes = codes(&client, tokens.collect(), verification(source)).await;
            assert!(codes.iter().all(String::is_empty), "{codes:?}");
        }
        let paths: Vec<_> = server.requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, ["/.well-known/openid-configuration", "/keys"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_unknown_name_is_looked_up_once_and_spoils_nothing() {
        let (known, unknown) = (key(), key());
        let server = issuer(&[&known]);
        let tokens = vec![token(&unknown, &json!({})), token(&known, &json!({})), Secret::from("opaque")];
        let source = KeySource::JwksUri(server.url("/keys"));
        let codes = codes(&Client::new(), tokens, verification(source)).await;
        assert_eq!(codes, ["unknown_kid", "", "malformed_token"]);
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_issuer_that_a_token_names_is_asked_by_https_only() {
        let key = key();
        let server = issuer(&[&key]);
        let tokens = || vec![token(&key, &json!({"iss": server.url("")})), token(&key, &json!({}))];
        let mut verification = verification(KeySource::TokenIssuer);
        let refused = codes(&Client::new(), tokens(), verification.clone()).await;
        assert_eq!(refused, ["keys_unavailable", "keys_unavailable"]);
        assert!(server.requests().is_empty());

        verification.allow_insecure_http = true;
        assert_eq!(codes(&Client::new(), tokens(), verification).await, ["", "keys_unavailable"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keys_that_cannot_be_had_fail_the_whole_check() {
        let server = TestServer::start().unwrap();
        server.canned("/keys", Canned::json(404, "{}"));
        let verification = verification(KeySource::JwksUri(server.url("/keys")));
        let tokens = vec![token(&key(), &json!({}))];
        let error =
            Client::new().verify(tokens, verification, &HttpConfig::default(), &()).await.unwrap_err();
        assert_eq!(error.reply().map(|reply| reply.status), Some(404));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn claims_count_where_they_are_expected() {
        let key = key();
        let (work, personal) = ("f8cdef31-a31e-4b4a-93e4-5f571e91255a", PERSONAL_TENANT);
        let issuer = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let rows = [
            (work, work, ""),
            (work, "common", ""),
            (work, "consumers", "wrong_iss"),
            (work, "other", "wrong_iss"),
            (personal, personal, ""),
            (personal, "common", ""),
            (personal, "consumers", ""),
            (personal, work, "wrong_iss"),
        ];
        for (tenant, expected, code) in rows {
            let claims = json!({"iss": issuer(tenant), "tid": tenant, "exp": 4_102_444_800_u64});
            let tokens = vec![token(&key, &claims)];
            let keys = JwkSet::from(key.verifying_key().unwrap());
            let mut verification = verification(KeySource::Keys(keys.clone()));
            verification.claims =
                Some(Validation { issuer: Some(issuer(expected)), ..Validation::new(keys) });
            let codes = codes(&Client::new(), tokens, verification).await;
            assert_eq!(codes, [code], "{tenant} for {expected}");
        }
    }
}
