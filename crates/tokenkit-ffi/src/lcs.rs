//! Requests and responses about Dynamics Lifecycle Services, as both doors see them; the rules are those of
//! [`dto`](crate::dto).

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use interoptopus::ffi;
use serde::{Deserialize, Serialize};
use tokenkit::providers::lcs;
use tokenkit::store::Store;
use tokenkit::{Client, Error, Secret};
use zeroize::Zeroize as _;

use crate::dto::{HttpOptions, Parameter, Resources, SecretInput, TokenResponse, invalid};
use crate::store::{Host, StoreOptions};

/// Which authorization server is asked, and how.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LcsAuthority {
    /// Its address: of the authority, with or without a tenant, or of the token endpoint itself. When absent, that
    /// which issued the stored token, or that of the cloud of the API.
    pub authority: Option<String>,
    /// The tenant; that in `authority`, or `common`, when absent.
    pub tenant: Option<String>,
    /// Whether version 2 of the endpoint is asked.
    pub v2: bool,
    /// Whether http is accepted for a host that is not loopback.
    pub allow_insecure_http: bool,
}

/// A token for a user name and password.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LcsTokenRequest {
    /// The store with the settings.
    #[serde(default)]
    pub store: StoreOptions,
    /// The client; the stored one when absent.
    pub client_id: Option<String>,
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretInput,
    /// The API that the token is for; the stored one when absent.
    pub lcs_api_uri: Option<String>,
    /// Who is asked.
    #[serde(default)]
    pub authority: LcsAuthority,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// A new token for a refresh token.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LcsRefreshRequest {
    /// The store with the settings.
    #[serde(default)]
    pub store: StoreOptions,
    /// The client; the stored one when absent.
    pub client_id: Option<String>,
    /// The refresh token; the stored one when absent.
    pub refresh_token: Option<SecretInput>,
    /// The API that the token is for; when absent the stored one, if the refresh token is the stored one.
    pub lcs_api_uri: Option<String>,
    /// Who is asked.
    #[serde(default)]
    pub authority: LcsAuthority,
    /// How the request travels.
    #[serde(default)]
    pub http: HttpOptions,
}

/// The settings to read.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LcsConfigRequest {
    /// The store.
    pub store: StoreOptions,
    /// Whether what is kept for this process only is left out.
    pub stored_only: bool,
}

/// The settings. What was never set is absent.
#[ffi]
#[derive(Serialize)]
pub struct LcsConfig {
    /// When the bearer token expires: Unix time in seconds.
    pub active_token_expires_on: Option<i64>,
    /// The access token.
    pub bearer_token: Option<String>,
    /// The client.
    pub client_id: Option<String>,
    /// The API.
    pub lcs_api_uri: Option<String>,
    /// The project.
    pub project_id: Option<i32>,
    /// The refresh token.
    pub refresh_token: Option<String>,
}

/// Settings to save. What is absent stays as it is.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LcsSaveRequest {
    /// The store.
    pub store: StoreOptions,
    /// When the bearer token expires: Unix time in seconds.
    pub active_token_expires_on: Option<i64>,
    /// The access token.
    pub bearer_token: Option<SecretInput>,
    /// The client; when absent the one that got the bearer token, if this process did.
    pub client_id: Option<String>,
    /// The API.
    pub lcs_api_uri: Option<String>,
    /// The project.
    pub project_id: Option<i32>,
    /// The refresh token.
    pub refresh_token: Option<SecretInput>,
    /// Whether they are for this process only.
    pub temporary: bool,
}

/// Settings to forget.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LcsClearRequest {
    /// The store.
    pub store: StoreOptions,
    /// Their names, such as `bearertoken`; all when empty.
    pub names: Vec<String>,
    /// Whether only what is kept for this process goes.
    pub temporary: bool,
}

/// What a save or clear did.
#[ffi]
#[derive(Serialize)]
pub struct LcsWritten {
    /// The folder of the store.
    pub path: String,
    /// The names of the settings that have another value now.
    pub changed: Vec<String>,
    /// Whether the token was left out because the stored one descends from it by a refresh.
    pub kept_newer_token: bool,
}

/// A token to look at.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LcsCheckRequest {
    /// The store.
    pub store: StoreOptions,
    /// The access token; the stored one when absent. An empty one is missing.
    pub token: Option<SecretInput>,
    /// When `token` expires, where it does not say so itself: Unix time in seconds.
    pub expires_on: Option<i64>,
    /// Seconds that it must still be valid.
    pub minimum_lifetime: u32,
}

/// What a look at a token told. Its signature is for the API to check.
#[ffi]
#[derive(Serialize)]
pub struct LcsTokenState {
    /// Whether it can be used, as far as can be seen.
    pub valid: bool,
    /// Why not: `missing`, `expired`, `expires_soon`, `not_yet_valid` or `expiry_unknown`.
    pub reason: Option<String>,
    /// When it expires: Unix time in seconds.
    pub expires_on: Option<i64>,
    /// Seconds until then; negative when it is over.
    pub remaining: Option<i64>,
    /// The API it is for, as it says.
    pub audience: Option<String>,
    /// The client it was issued to, as it says.
    pub client_id: Option<String>,
    /// The user, as it says.
    pub username: Option<String>,
    /// The tenant, as it says.
    pub tenant_id: Option<String>,
    /// Whether it is the stored token.
    pub stored: bool,
    /// Whether a refresh token is stored, too.
    pub refreshable: bool,
}

/// Settings of d365fo.tools to take over.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LcsImportRequest {
    /// The store.
    #[serde(default)]
    pub store: StoreOptions,
    /// The file: the JSON of `PSFramework`, or an export of the registry.
    pub path: Option<String>,
    /// Values of the registry, for a host that has read them itself: full names, and texts such as `Int:9`.
    #[serde(default)]
    pub registry: Vec<Parameter>,
    /// Whether they are for this process only.
    #[serde(default)]
    pub temporary: bool,
    /// Whether nothing is saved.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an import found.
#[ffi]
#[derive(Serialize)]
pub struct LcsImport {
    /// The settings, in the order of their names.
    pub found: Vec<LcsImported>,
    /// Entries that are no settings of LCS, or cannot be read.
    pub refused: Vec<LcsRefused>,
}

/// A setting that was found.
#[ffi]
#[derive(Serialize)]
pub struct LcsImported {
    /// Its name, such as `projectid`.
    pub name: String,
    /// Whether it is saved and was another before.
    pub changed: bool,
    /// Its value for people: `***` for a secret.
    pub shown: String,
}

/// An entry that was not taken.
#[ffi]
#[derive(Serialize)]
pub struct LcsRefused {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// An address of the API.
#[ffi]
#[derive(Serialize)]
pub struct LcsAddress {
    /// The address.
    pub url: String,
    /// Where it is, for people.
    pub region: String,
    /// The authority that issues tokens for it.
    pub authority: String,
}

impl Drop for LcsConfig {
    fn drop(&mut self) {
        self.bearer_token.zeroize();
        self.refresh_token.zeroize();
    }
}

impl LcsAuthority {
    fn into_core(self) -> lcs::Authority {
        lcs::Authority {
            address: self.authority,
            tenant: self.tenant,
            v2: self.v2,
            allow_insecure_http: self.allow_insecure_http,
        }
    }
}

impl LcsTokenRequest {
    pub(crate) async fn run(
        self,
        resources: &Resources,
        client: &Client,
        host: &Host,
    ) -> Result<TokenResponse, Error> {
        let store = self.store.open(resources, host)?;
        let request = lcs::PasswordRequest {
            client_id: self.client_id,
            username: self.username,
            password: resources.secret(self.password)?,
            lcs_api_uri: self.lcs_api_uri,
            authority: self.authority.into_core(),
        };
        let config = self.http.into_core(resources)?;
        client.lcs_token(request, &config, &store).await.map(TokenResponse::from)
    }
}

impl LcsRefreshRequest {
    pub(crate) async fn run(
        self,
        resources: &Resources,
        client: &Arc<Client>,
        host: &Host,
    ) -> Result<TokenResponse, Error> {
        let store = self.store.open(resources, host)?;
        let request = lcs::RefreshRequest {
            client_id: self.client_id,
            refresh_token: resources.optional(self.refresh_token)?,
            lcs_api_uri: self.lcs_api_uri,
            authority: self.authority.into_core(),
        };
        let config = self.http.into_core(resources)?;
        client.lcs_refresh(request, &config, &store).await.map(TokenResponse::from)
    }
}

impl LcsConfigRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<LcsConfig, Error> {
        let store = self.store.open(resources, host)?;
        let config = if self.stored_only {
            lcs::Config::load_stored(&store).await?
        } else {
            lcs::Config::load(&store).await?
        };
        let text = |secret: &Secret| secret.expose_str().unwrap_or_default().to_owned();
        Ok(LcsConfig {
            active_token_expires_on: config.active_token_expires_on,
            bearer_token: config.bearer_token.as_ref().map(text),
            client_id: config.client_id,
            lcs_api_uri: config.lcs_api_uri,
            project_id: config.project_id,
            refresh_token: config.refresh_token.as_ref().map(text),
        })
    }
}

impl LcsSaveRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<LcsWritten, Error> {
        let store = self.store.open(resources, host)?;
        let config = lcs::Config {
            active_token_expires_on: self.active_token_expires_on,
            bearer_token: resources.optional(self.bearer_token)?,
            client_id: self.client_id,
            lcs_api_uri: self.lcs_api_uri,
            project_id: self.project_id,
            refresh_token: resources.optional(self.refresh_token)?,
        };
        let saved = config.save(&store, self.temporary).await?;
        Ok(LcsWritten::new(&store, saved))
    }
}

impl LcsClearRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<LcsWritten, Error> {
        let store = self.store.open(resources, host)?;
        let saved = lcs::clear(&store, &self.names, self.temporary).await?;
        Ok(LcsWritten::new(&store, saved))
    }
}

impl LcsWritten {
    fn new(store: &Store, saved: lcs::Saved) -> Self {
        Self {
            path: store.path().display().to_string(),
            changed: saved.changed,
            kept_newer_token: saved.kept_newer_token,
        }
    }
}

impl LcsCheckRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<LcsTokenState, Error> {
        let store = self.store.open(resources, host)?;
        let question = lcs::Question {
            token: resources.optional(self.token)?,
            expires_on: self.expires_on,
            minimum_lifetime: self.minimum_lifetime,
        };
        let state = lcs::check(&store, question, Utc::now()).await?;
        Ok(LcsTokenState {
            valid: state.problem.is_none(),
            reason: state.problem.map(str::to_owned),
            expires_on: state.expires_on,
            remaining: state.remaining,
            audience: state.audience,
            client_id: state.client_id,
            username: state.username,
            tenant_id: state.tenant_id,
            stored: state.stored,
            refreshable: state.refreshable,
        })
    }
}

impl LcsImportRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<LcsImport, Error> {
        let store = self.store.open(resources, host)?;
        let source = match self.path {
            Some(path) => lcs::Import::open(Path::new(&path))?,
            None if self.registry.is_empty() => {
                return Err(invalid("An import needs a path or values of the registry.".into()));
            }
            None => {
                let values = self.registry.into_iter();
                let values = values.map(|entry| Ok((entry.name, resources.secret(entry.content)?)));
                lcs::Import::Registry(values.collect::<Result<_, Error>>()?)
            }
        };
        let target = (!self.dry_run).then_some((&store, self.temporary));
        let (imported, saved) = lcs::import(&source, target).await?;
        Ok(LcsImport {
            found: imported
                .found
                .into_iter()
                .map(|(name, shown)| LcsImported { changed: saved.changed.contains(&name), name, shown })
                .collect(),
            refused: imported
                .refused
                .into_iter()
                .map(|refused| LcsRefused { name: refused.name, reason: refused.reason })
                .collect(),
        })
    }
}

pub(crate) fn addresses() -> Vec<LcsAddress> {
    lcs::ADDRESSES
        .iter()
        .map(|address| LcsAddress {
            url: address.url.to_owned(),
            region: address.region.to_owned(),
            authority: address.authority.to_owned(),
        })
        .collect()
}
