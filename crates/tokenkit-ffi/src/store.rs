//! Requests and responses about the store, as both doors see them; the rules are those of [`dto`](crate::dto).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use interoptopus::ffi;
use serde::{Deserialize, Serialize};
use tokenkit::store::{Backend, Memory, Section, Status, Store, Target};
use tokenkit::{Client, Error, Observer, Secret};
use zeroize::Zeroize as _;

use crate::dto::{Resources, SecretInput, TokenRequest, TokenResponse, invalid};

/// Which store is meant, and what opens it.
#[ffi]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreOptions {
    /// Its folder; a folder of the platform's own choice for this user when absent.
    pub folder: Option<String>,
    /// The folder for settings that the host's environment names (`XDG_CONFIG_HOME`, on Windows `LOCALAPPDATA`), for
    /// a host whose environment is not that of the process. Counts when `folder` is absent.
    pub config_home: Option<String>,
    /// The key that seals it: 32 bytes in base64.
    pub key: Option<SecretInput>,
    /// A file with such a key; counts when `key` is absent.
    pub key_file: Option<String>,
    /// Whether a new store keeps its key out of the keyring of the operating system.
    pub no_keyring: bool,
    /// Milliseconds to wait for a lock; 30 seconds when absent.
    pub lock_timeout_ms: Option<u64>,
}

/// What is known about a store.
#[ffi]
#[derive(Serialize)]
pub struct StoreStatus {
    /// Its folder.
    pub path: String,
    /// Whether it has been made. If not, the rest is what it would be.
    pub exists: bool,
    /// Where the key is: `keyring` in that of the operating system, `key` with the caller, `file`: there is none, and
    /// the files are plain.
    pub backend: String,
    /// Whether the files are sealed; `sealed` in JSON.
    #[serde(rename = "sealed")]
    pub is_sealed: bool,
    /// The name of the key, made from it; `None` without one.
    pub key_id: Option<String>,
    /// Whether the key is there, so that the sections can be read.
    pub readable: bool,
    /// Why not, or why a new store would not use the keyring.
    pub note: Option<String>,
    /// The backend to which a move was begun that is not finished.
    pub moving_to: Option<String>,
    /// The sections.
    pub sections: Vec<StoreSectionStatus>,
    /// Files that were set aside because they are damaged.
    pub damaged: Vec<String>,
}

/// What is known about a section without opening it.
#[ffi]
#[derive(Serialize)]
pub struct StoreSectionStatus {
    /// Its name.
    pub name: String,
    /// Size of its file in bytes.
    pub size: u64,
    /// When it was written: Unix time in milliseconds.
    pub modified_ms: i64,
}

/// A store that shall get another key, or none.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreMoveRequest {
    /// The store with its present key.
    #[serde(default)]
    pub store: StoreOptions,
    /// Where the key shall be: `keyring`, `key` or `file`.
    pub backend: String,
    /// The new key, for `key`.
    pub new_key: Option<SecretInput>,
    /// A file with the new key; counts when `new_key` is absent.
    pub new_key_file: Option<String>,
}

/// A section to read.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreReadRequest {
    /// The store.
    #[serde(default)]
    pub store: StoreOptions,
    /// Its name: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    pub section: String,
}

/// A section that shall change.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreUpdateRequest {
    /// The store.
    #[serde(default)]
    pub store: StoreOptions,
    /// Its name, as in [`StoreReadRequest`].
    pub section: String,
    /// What is set. The other entries stay.
    #[serde(default)]
    pub entries: Vec<StoreEntryInput>,
    /// The names of the entries that go.
    #[serde(default)]
    pub removed: Vec<String>,
    /// Whether the change is for this process only.
    #[serde(default)]
    pub temporary: bool,
}

/// A section that shall go.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreRemoveRequest {
    /// The store.
    #[serde(default)]
    pub store: StoreOptions,
    /// Its name.
    pub section: String,
}

/// An entry to set: one of `json` and `secret`.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreEntryInput {
    /// Its name.
    pub name: String,
    /// A value that may be shown: JSON in text.
    pub json: Option<String>,
    /// A value that is secret.
    pub secret: Option<SecretInput>,
}

/// What a section holds.
#[ffi]
#[derive(Serialize)]
pub struct StoreSection {
    /// Whether it has an entry.
    pub exists: bool,
    /// The entries: values in the order of their names, then secrets.
    pub entries: Vec<StoreEntry>,
}

/// An entry of a section: one of `json` and `secret`.
#[ffi]
#[derive(Serialize)]
pub struct StoreEntry {
    /// Its name.
    pub name: String,
    /// A value that may be shown: JSON in text.
    pub json: Option<String>,
    /// A value that is secret.
    pub secret: Option<String>,
}

/// What a change did.
#[ffi]
#[derive(Serialize)]
pub struct StoreWritten {
    /// The folder of the store.
    pub path: String,
    /// Whether anything changed.
    pub changed: bool,
}

/// A refresh that is made once, however many ask for it with the same refresh token.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The request; its grant is a refresh token.
    pub request: TokenRequest,
    /// The store under whose lock it is made.
    #[serde(default)]
    pub store: StoreOptions,
    /// Where the tokens are kept. When the refresh token is the one that is kept there, the new tokens are, before
    /// they are returned.
    pub kept: Option<KeptToken>,
}

/// Where a section keeps a token.
#[ffi]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptToken {
    /// The section.
    pub section: String,
    /// The name of the entry with the access token.
    pub access_token: String,
    /// The name of the entry with the refresh token.
    pub refresh_token: String,
    /// The name of the entry with the Unix time at which the access token expires.
    pub expires_on: Option<String>,
    /// The name of the entry with the client that the tokens were issued to. They are not used for another.
    pub client_id: Option<String>,
}

impl Drop for StoreEntry {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// A store of this process: its memory, and who gets its events.
pub(crate) struct Host {
    pub(crate) memory: Arc<Memory>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl StoreOptions {
    pub(crate) fn open(self, resources: &Resources, host: &Host) -> Result<Store, Error> {
        let defaults = tokenkit::store::StoreOptions::default();
        let options = tokenkit::store::StoreOptions {
            folder: self.folder.map(PathBuf::from),
            config_home: self.config_home.map(PathBuf::from),
            key: resources.optional(self.key)?,
            key_file: self.key_file.map(PathBuf::from),
            keyring: !self.no_keyring,
            lock_timeout: self.lock_timeout_ms.map_or(defaults.lock_timeout, Duration::from_millis),
        };
        Store::open(options, host.memory.clone(), host.observer.clone())
    }

    pub(crate) async fn status(self, resources: &Resources, host: &Host) -> Result<StoreStatus, Error> {
        self.open(resources, host)?.status().await.map(StoreStatus::from)
    }
}

impl StoreMoveRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<StoreStatus, Error> {
        let target = match Backend::parse(&self.backend) {
            Some(Backend::Keyring) => Target::Keyring,
            Some(Backend::File) => Target::File,
            Some(Backend::Key) => match (resources.optional(self.new_key)?, self.new_key_file) {
                (Some(key), _) => Target::Key(key),
                (None, Some(path)) => Target::KeyFile(PathBuf::from(path)),
                (None, None) => return Err(invalid("The backend 'key' needs the new key.".into())),
            },
            None => {
                let message = format!("'{}' is no backend; they are keyring, key and file.", self.backend);
                return Err(invalid(message));
            }
        };
        self.store.open(resources, host)?.reseal(&target).await.map(StoreStatus::from)
    }
}

impl StoreReadRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<StoreSection, Error> {
        let store = self.store.open(resources, host)?;
        store.read(&self.section).await.map(|section| StoreSection::from(&section))
    }
}

impl StoreUpdateRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<StoreWritten, Error> {
        let store = self.store.open(resources, host)?;
        let mut entries = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            entries.push(entry.into_core(resources)?);
        }
        let removed = self.removed;
        let change = move |section: &mut Section| {
            for name in &removed {
                section.remove(name);
            }
            for (name, content) in entries {
                match content {
                    Content::Shown(json) => section.set(&name, json),
                    Content::Secret(secret) => section.set_secret(&name, secret),
                }
            }
            section.changed().next().is_some()
        };
        let changed = if self.temporary {
            store.update_temporary(&self.section, change)?
        } else {
            store.update(&self.section, |section| Ok(change(section))).await?
        };
        Ok(StoreWritten { path: store.path().display().to_string(), changed })
    }
}

impl StoreRemoveRequest {
    pub(crate) async fn run(self, resources: &Resources, host: &Host) -> Result<StoreWritten, Error> {
        let store = self.store.open(resources, host)?;
        let changed = store.remove(&self.section).await?;
        Ok(StoreWritten { path: store.path().display().to_string(), changed })
    }
}

impl RefreshRequest {
    pub(crate) async fn run(
        self,
        resources: &Resources,
        client: &Arc<Client>,
        host: &Host,
    ) -> Result<TokenResponse, Error> {
        let store = self.store.open(resources, host)?;
        let core = self.request.into_core(resources)?;
        let kept = self.kept.map(|kept| tokenkit::KeptToken {
            section: kept.section,
            access_token: kept.access_token,
            refresh_token: kept.refresh_token,
            expires_on: kept.expires_on,
            client_id: kept.client_id,
        });
        let response = client.refresh_once(core.request, &core.http, &store, kept.as_ref()).await;
        response.map(TokenResponse::from)
    }
}

enum Content {
    Shown(serde_json::Value),
    Secret(Secret),
}

impl StoreEntryInput {
    fn into_core(self, resources: &Resources) -> Result<(String, Content), Error> {
        let content = match (self.json, self.secret) {
            (Some(json), None) => Content::Shown(
                serde_json::from_str(&json)
                    .map_err(|error| invalid(format!("The entry '{}' is no JSON: {error}.", self.name)))?,
            ),
            (None, Some(secret)) => Content::Secret(resources.secret(secret)?),
            _ => return Err(invalid(format!("The entry '{}' needs one of json and secret.", self.name))),
        };
        Ok((self.name, content))
    }
}

impl From<Status> for StoreStatus {
    fn from(status: Status) -> Self {
        Self {
            path: status.path.display().to_string(),
            exists: status.exists,
            backend: status.backend.as_str().to_owned(),
            is_sealed: status.backend != Backend::File,
            key_id: status.key_id,
            readable: status.readable,
            note: status.note,
            moving_to: status.moving_to.map(|backend| backend.as_str().to_owned()),
            sections: status
                .sections
                .into_iter()
                .map(|section| StoreSectionStatus {
                    name: section.name,
                    size: section.size,
                    modified_ms: section.modified.map_or(0, |at| at.timestamp_millis()),
                })
                .collect(),
            damaged: status.damaged.iter().map(|path| path.display().to_string()).collect(),
        }
    }
}

impl From<&Section> for StoreSection {
    fn from(section: &Section) -> Self {
        let shown = section.values().map(|(name, json)| StoreEntry {
            name: name.to_owned(),
            json: Some(json.to_string()),
            secret: None,
        });
        let secret = section.secrets().map(|(name, secret)| StoreEntry {
            name: name.to_owned(),
            json: None,
            secret: secret.expose_str().map(str::to_owned),
        });
        Self { exists: !section.is_empty(), entries: shown.chain(secret).collect() }
    }
}
