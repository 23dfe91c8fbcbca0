//! The store: named sections of settings and tokens, kept for one user from one process to the next.
//!
//! A section is one file, which is replaced as a whole: whoever reads it sees the old or the new content, also after a
//! crash. Changes are made under a lock that the kernel takes from a process that ends. Files are sealed with a key
//! from the keyring of the operating system, or with one that the caller gives; where there is neither, they are
//! plain, and only their user can read them. Once made, a store stays with its way of sealing until it is
//! [moved](Store::reseal).

mod access;
mod file;
mod folder;
mod keyring;
mod lock;
mod record;
mod seal;
mod section;
mod settings;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};

pub use section::Section;

use crate::error::{Error, ErrorCode};
use crate::event::{Event, Observer};
use crate::secret::Secret;
use access::{Access, Content, Keys, Kind, later};
use lock::{Lease, Locks};
use seal::SealKey;
use section::Unreadable;
use settings::{Place, Settings};

pub(crate) use record::{Origin, Refreshed, TokenHash, request_hash};

/// The file with the store's own settings.
const SETTINGS: &str = "store.json";

/// Names that some systems keep for devices.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "com", "lpt"];

/// Where a store is, and what opens it.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Its folder; the platform's own for this user when `None`.
    pub folder: Option<PathBuf>,
    /// What the environment says about where settings are (`XDG_CONFIG_HOME`, `LOCALAPPDATA`), for a host whose
    /// environment is not that of the process. Counts when `folder` is `None`.
    pub config_home: Option<PathBuf>,
    /// The key that seals it: 32 bytes in base64.
    pub key: Option<Secret>,
    /// A file with such a key. Counts when `key` is `None`.
    pub key_file: Option<PathBuf>,
    /// Whether a new store may keep its key in the keyring of the operating system.
    pub keyring: bool,
    /// How long to wait for a lock.
    pub lock_timeout: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            folder: None,
            config_home: None,
            key: None,
            key_file: None,
            keyring: true,
            lock_timeout: Duration::from_secs(30),
        }
    }
}

/// Where the key of a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// In the keyring of the operating system.
    Keyring,
    /// With the caller, who gives it each time.
    Key,
    /// There is none: the files are plain.
    File,
}

/// What a store shall be sealed with.
#[derive(Debug, Clone)]
pub enum Target {
    /// A new key in the keyring of the operating system.
    Keyring,
    /// This key: 32 bytes in base64.
    Key(Secret),
    /// The key in this file.
    KeyFile(PathBuf),
    /// Nothing.
    File,
}

/// What is known about a store.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its folder.
    pub path: PathBuf,
    /// Whether it has been made. If not, the rest is what it would be.
    pub exists: bool,
    /// Where its key is.
    pub backend: Backend,
    /// The name of the key.
    pub key_id: Option<String>,
    /// Whether the key is there.
    pub readable: bool,
    /// Why not, or why a new store would not use the keyring.
    pub note: Option<String>,
    /// Where the key goes, if a move was begun and not finished.
    pub moving_to: Option<Backend>,
    /// The sections.
    pub sections: Vec<SectionStatus>,
    /// Files that were set aside because they are damaged.
    pub damaged: Vec<PathBuf>,
}

/// What is known about a section without opening it.
#[derive(Debug, Clone)]
pub struct SectionStatus {
    /// Its name.
    pub name: String,
    /// Size of its file in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Option<DateTime<Utc>>,
}

/// What one process remembers of its stores: the temporary layer, keys of keyrings, and which locks it holds. One is
/// enough for a process.
#[derive(Debug, Default)]
pub struct Memory {
    locks: Locks,
    layers: Mutex<HashMap<(PathBuf, String), Section>>,
    keys: Mutex<HashMap<String, SealKey>>,
    tokens: record::Tokens,
}

/// A store. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use tokenkit::Secret;
/// use tokenkit::store::{Memory, Store, StoreOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tokenkit::Error> {
/// # let folder = std::env::temp_dir().join(format!("tokenkit-doc-{}", std::process::id()));
/// let options = StoreOptions { folder: Some(folder.clone()), keyring: false, ..StoreOptions::default() };
/// let store = Store::open(options, Arc::new(Memory::default()), Arc::new(()))?;
/// store.update("example", |section| {
///     section.set("client", "app");
///     section.set_secret("token", Secret::from("t0p"));
///     Ok(())
/// }).await?;
/// assert_eq!(store.read("example").await?.text("client"), Some("app"));
/// # std::fs::remove_dir_all(folder).ok();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Store {
    folder: PathBuf,
    key: Option<SealKey>,
    keyring: bool,
    lock_timeout: Duration,
    memory: Arc<Memory>,
    observer: Arc<dyn Observer>,
}

impl Backend {
    /// The name in files and requests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Key => "key",
            Self::File => "file",
        }
    }

    /// Reads what [`as_str`](Self::as_str) gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Keyring, Self::Key, Self::File].into_iter().find(|backend| backend.as_str() == text)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Store {
    /// A store, which need not exist yet: the first change makes it.
    ///
    /// # Errors
    /// The user has no folder for settings, or the key is not usable.
    pub fn open(
        options: StoreOptions,
        memory: Arc<Memory>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        let folder = match options.folder.filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => std::path::absolute(&folder)
                .map_err(|error| file::io_error("is no usable path", &folder, &error))?,
            None => folder::of_platform(options.config_home.as_deref())?,
        };
        let given = options.key.filter(|key| !key.is_empty());
        let key = match (given, options.key_file.filter(|path| !path.as_os_str().is_empty())) {
            (Some(key), _) => Some(SealKey::from_text(&key)?),
            (None, Some(path)) => Some(key_in(&path)?),
            (None, None) => None,
        };
        let lock_timeout = options.lock_timeout;
        Ok(Self { folder, key, keyring: options.keyring, lock_timeout, memory, observer })
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The section, with the temporary layer over it. One that does not exist is empty.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn read(&self, name: &str) -> Result<Section, Error> {
        let stored = self.read_stored(name).await?;
        Ok(match self.layer(name) {
            Some(layer) => stored.overlaid(&layer),
            None => stored,
        })
    }

    /// The section without the temporary layer.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn read_stored(&self, name: &str) -> Result<Section, Error> {
        check_name(name)?;
        let Some(access) = self.access().await? else { return Ok(Section::default()) };
        let owned = name.to_owned();
        match blocking(move || access.load(Kind::Section, &owned)).await? {
            Content::Section(section) => Ok(*section),
            Content::Missing => Ok(Section::default()),
            Content::Damaged(_) => {
                // Under the lock, for somebody may be writing a good one just now.
                let lease = self.lock_section(name).await?;
                let access = self.access_again().await?;
                let owned = name.to_owned();
                blocking(move || {
                    let _held = lease;
                    access.load_to_change(Kind::Section, &owned)
                })
                .await
            }
        }
    }

    /// Whether the section has been written. Says nothing about its temporary layer.
    #[must_use]
    pub fn exists(&self, name: &str) -> bool {
        check_name(name).is_ok() && Kind::Section.path(&self.folder, name).exists()
    }

    /// The temporary layer of a section.
    #[must_use]
    pub fn layer(&self, name: &str) -> Option<Section> {
        guard(&self.memory.layers).get(&(self.folder.clone(), name.to_owned())).cloned()
    }

    /// Changes a section under its lock, and writes it if it is another then. Entries that `change` sets or removes
    /// vanish from the temporary layer. Once `change` runs, dropping the future does not stop it.
    ///
    /// # Errors
    /// [`Error::Store`], or the error of `change`; nothing is written then.
    pub async fn update<T: Send + 'static>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Section) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.transact(name, true, |section, _| change(section)).await
    }

    /// [`update`](Self::update), with the records of refreshes. `covers` says whether it replaces the temporary layer.
    pub(crate) async fn transact<T: Send + 'static>(
        &self,
        name: &str,
        covers: bool,
        change: impl FnOnce(&mut Section, &Records<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        check_name(name)?;
        let settings = self.settings_or_new().await?;
        if let Some(text) = self.unused_key(&settings) {
            self.observer.event(Event::Warning(text));
        }
        let held = self.lock_to_write(name).await?;
        let access = self.access_again().await?;
        let (store, name) = (self.clone(), name.to_owned());
        blocking(move || {
            let _held = held;
            store.clean(&access);
            let mut section = access.load_to_change(Kind::Section, &name)?;
            let result = change(&mut section, &Records(&access))?;
            if section.changed().next().is_some() {
                access.write(Kind::Section, &name, &section)?;
            }
            if covers {
                store.change_layer(&name, |layer| {
                    for entry in section.touched() {
                        layer.remove(entry);
                    }
                });
            }
            Ok(result)
        })
        .await
    }

    /// Changes the temporary layer of a section: for this process only, and before what is stored.
    ///
    /// # Errors
    /// The name is none of a section.
    pub fn update_temporary<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Section) -> T,
    ) -> Result<T, Error> {
        check_name(name)?;
        Ok(self.change_layer(name, change))
    }

    /// Removes a section and its temporary layer; false when there was none.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn remove(&self, name: &str) -> Result<bool, Error> {
        check_name(name)?;
        let layer = guard(&self.memory.layers).remove(&(self.folder.clone(), name.to_owned())).is_some();
        let path = Kind::Section.path(&self.folder, name);
        if self.settings().await?.is_none() || !path.exists() {
            return Ok(layer);
        }
        let lease = self.lock_section(name).await?;
        let removed = blocking(move || {
            let _held = lease;
            file::remove(&path)
        });
        Ok(removed.await? || layer)
    }

    /// What is known about the store. Nothing is made by asking.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn status(&self) -> Result<Status, Error> {
        let Some(settings) = self.settings().await? else {
            let (backend, note) = match &self.key {
                Some(_) => (Backend::Key, None),
                None if !self.keyring => (Backend::File, None),
                None => match keyring::probe().await {
                    Ok(()) => (Backend::Keyring, None),
                    Err(silent) => (Backend::File, Some(unused(&silent))),
                },
            };
            return Ok(Status {
                path: self.folder.clone(),
                exists: false,
                backend,
                key_id: self.key.as_ref().map(|key| key.id.clone()),
                readable: true,
                note,
                moving_to: None,
                sections: vec![],
                damaged: vec![],
            });
        };
        let unused = self.unused_key(&settings);
        let keys = self.keys(&settings).await;
        let access = self.access_with(settings, keys);
        let described = blocking(move || Ok(describe(&access))).await?;
        Ok(Status { note: described.note.or(unused), ..described })
    }

    /// What to say of a key that was given for a store without one.
    fn unused_key(&self, settings: &Settings) -> Option<String> {
        let is_unused =
            self.key.is_some() && settings.current.backend == Backend::File && settings.next.is_none();
        is_unused.then(|| {
            "The key that was given is not used: this store was made without one, and its files are plain until it is moved to the key."
                .into()
        })
    }

    /// Seals the store with another key, or not at all. What was interrupted is finished by the same call; until then
    /// both keys open the store. The caller gives the present key as always.
    ///
    /// # Errors
    /// [`Error::Store`]; the store can be used all the same.
    pub async fn reseal(&self, target: &Target) -> Result<Status, Error> {
        self.settings_or_new().await?;
        let held = self.lock("store", "The store").await?;
        let mut settings = self.settings_now()?;
        let mut keys = self.keys(&settings).await;
        let wanted = wanted_place(target, &mut keys)?;
        if let Some(begun) = &settings.next
            && !wanted.fits(begun)
        {
            let message = format!(
                "A move of {} to the backend {} was begun. Finish it first, with the same key.",
                self.folder.display(),
                begun.backend.as_str()
            );
            return Err(Error::invalid(ErrorCode::InvalidArgument, message));
        }
        let access = self.access_with(settings.clone(), keys.clone());
        if !access.is_readable() {
            return Err(keys.missing(&self.folder.display().to_string()));
        }
        let next = match (&settings.next, wanted.backend) {
            (Some(begun), _) => begun.clone(),
            (None, Backend::Keyring) => self.place_in_keyring(&mut keys).await?,
            (None, _) if settings.current == wanted => {
                drop(held);
                return self.status().await;
            }
            (None, _) => wanted,
        };
        settings.next = Some(next.clone());
        settings.write(&self.folder.join(SETTINGS))?;

        let access = Arc::new(self.access_with(settings.clone(), keys));
        for kind in Kind::ALL {
            for name in kind.names(&self.folder) {
                let lease = match kind {
                    Kind::Section => self.lock_section(&name).await?,
                    Kind::Record => self.lock_record(&name).await?,
                };
                let access = access.clone();
                blocking(move || {
                    let _held = lease;
                    reseal_file(&access, kind, &name)
                })
                .await?;
            }
        }
        let old = std::mem::replace(&mut settings.current, next);
        settings.next = None;
        settings.write(&self.folder.join(SETTINGS))?;
        if let Place { backend: Backend::Keyring, key_id: Some(key_id) } = old {
            guard(&self.memory.keys).remove(&key_id);
            if let Err(silent) = keyring::delete(&key_id).await {
                let text = format!("The old key {key_id} stays in the keyring: {}.", silent.0);
                self.observer.event(Event::Note(text));
            }
        }
        drop(held);
        self.status().await
    }

    /// A new key in the keyring.
    async fn place_in_keyring(&self, keys: &mut Keys) -> Result<Place, Error> {
        let key = SealKey::generate()?;
        keyring::put(&key).await.map_err(|silent| {
            let message = format!("The keyring of the operating system cannot be used: {}.", silent.0);
            Error::store(ErrorCode::StoreKeyring, message)
        })?;
        guard(&self.memory.keys).insert(key.id.clone(), key.clone());
        let place = Place { backend: Backend::Keyring, key_id: Some(key.id.clone()) };
        keys.known.push(key);
        Ok(place)
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        &self.observer
    }

    pub(crate) fn tokens(&self) -> &record::Tokens {
        &self.memory.tokens
    }

    fn change_layer<T>(&self, name: &str, change: impl FnOnce(&mut Section) -> T) -> T {
        let mut layers = guard(&self.memory.layers);
        let place = (self.folder.clone(), name.to_owned());
        let mut layer = layers.remove(&place).unwrap_or_default().settled();
        let result = change(&mut layer);
        if !layer.is_empty() {
            layers.insert(place, layer);
        }
        result
    }

    /// The store to read from; `None` when it does not exist.
    async fn access(&self) -> Result<Option<Access>, Error> {
        let Some(settings) = self.settings().await? else { return Ok(None) };
        let keys = self.keys(&settings).await;
        Ok(Some(self.access_with(settings, keys)))
    }

    /// The store as it is now, under a lock.
    async fn access_again(&self) -> Result<Access, Error> {
        let settings = self.settings_now()?;
        let keys = self.keys(&settings).await;
        Ok(self.access_with(settings, keys))
    }

    fn access_with(&self, settings: Settings, keys: Keys) -> Access {
        Access { folder: self.folder.clone(), settings, keys, observer: self.observer.clone() }
    }

    /// The settings; `None` when there is no store. Those that are damaged are made anew.
    async fn settings(&self) -> Result<Option<Settings>, Error> {
        match self.read_settings()? {
            // Sections without settings: they are lost, or just being made.
            Ok(None) if Kind::Section.all_in(&self.folder).is_dir() => self.make().await.map(Some),
            Ok(settings) => Ok(settings),
            Err(_) => self.make().await.map(Some),
        }
    }

    async fn settings_or_new(&self) -> Result<Settings, Error> {
        match self.settings().await? {
            Some(settings) => Ok(settings),
            None => self.make().await,
        }
    }

    /// The settings of a store that exists, as they are now.
    fn settings_now(&self) -> Result<Settings, Error> {
        self.read_settings()?.ok().flatten().ok_or_else(|| {
            let message = format!("The store {} has vanished meanwhile.", self.folder.display());
            Error::store(ErrorCode::StoreIo, message)
        })
    }

    /// The settings, or why they are damaged.
    fn read_settings(&self) -> Result<Result<Option<Settings>, &'static str>, Error> {
        if !self.folder.exists() {
            return Ok(Ok(None));
        }
        folder::check(&self.folder, &*self.observer)?;
        let path = self.folder.join(SETTINGS);
        let Some(text) = file::read(&path, &*self.observer)? else { return Ok(Ok(None)) };
        match Settings::parse(&text) {
            Ok(settings) => Ok(Ok(Some(settings))),
            Err(Unreadable::Later(version)) => Err(later(&path, version)),
            Err(Unreadable::Damaged(reason)) => Ok(Err(reason)),
            Err(Unreadable::Sealed) => Ok(Err("it is sealed")),
        }
    }

    /// Makes the store, or the settings of one that has lost them.
    async fn make(&self) -> Result<Settings, Error> {
        folder::make(&self.folder)?;
        folder::check(&self.folder, &*self.observer)?;
        let _held = self.lock("store", "The store").await?;
        let path = self.folder.join(SETTINGS);
        match self.read_settings()? {
            Ok(Some(settings)) => return Ok(settings),
            Ok(None) => {}
            Err(reason) => file::set_aside(&path, reason, &*self.observer)?,
        }
        let place = match settings::key_in_use(&Kind::Section.all_in(&self.folder), &*self.observer) {
            Some(key_id) => self.place_of(key_id).await?,
            None => self.place_for_new().await?,
        };
        let settings = Settings::new(place);
        settings.write(&path)?;
        Ok(settings)
    }

    async fn place_for_new(&self) -> Result<Place, Error> {
        if let Some(key) = &self.key {
            return Ok(Place { backend: Backend::Key, key_id: Some(key.id.clone()) });
        }
        if !self.keyring {
            return Ok(Place::PLAIN);
        }
        let key = SealKey::generate()?;
        match keyring::put(&key).await {
            Ok(()) => {
                let place = Place { backend: Backend::Keyring, key_id: Some(key.id.clone()) };
                guard(&self.memory.keys).insert(key.id.clone(), key);
                Ok(place)
            }
            Err(silent) => {
                self.observer.event(Event::Note(unused(&silent)));
                Ok(Place::PLAIN)
            }
        }
    }

    /// Where the key of a store is whose settings are lost.
    async fn place_of(&self, key_id: String) -> Result<Place, Error> {
        if self.key.as_ref().is_some_and(|key| key.id == key_id) {
            return Ok(Place { backend: Backend::Key, key_id: Some(key_id) });
        }
        let place = Place { backend: Backend::Keyring, key_id: Some(key_id) };
        let keys = self.keys(&Settings::new(place.clone())).await;
        match keys.problem {
            None => Ok(place),
            Some(_) if self.key.is_some() => {
                let message =
                    format!("{} is sealed with another key than the given one.", self.folder.display());
                Err(Error::store(ErrorCode::StoreKeyWrong, message))
            }
            Some((_, reason)) => {
                let message = format!("{} is sealed, and no key was given. {reason}", self.folder.display());
                Err(Error::store(ErrorCode::StoreKeyMissing, message))
            }
        }
    }

    /// The keys of the store, as far as they are to be had.
    async fn keys(&self, settings: &Settings) -> Keys {
        let mut keys = Keys { known: self.key.iter().cloned().collect(), problem: None };
        for place in settings.places() {
            let Some(key_id) = &place.key_id else { continue };
            if keys.known.iter().any(|key| key.id == *key_id) {
                continue;
            }
            let path = self.folder.display();
            match place.backend {
                Backend::File => {}
                Backend::Key if self.key.is_some() => {
                    let message = format!("The given key is not the key {key_id} that seals {path}.");
                    keys.problem = Some((ErrorCode::StoreKeyWrong, message));
                }
                Backend::Key => {
                    let message = format!("{path} is sealed with the key {key_id}, and none was given.");
                    keys.problem = Some((ErrorCode::StoreKeyMissing, message));
                }
                Backend::Keyring => match self.key_from_keyring(key_id).await {
                    Ok(key) => keys.known.push(key),
                    Err(why) => {
                        let message =
                            format!("The key {key_id} of {path} cannot be read from the keyring: {why}.");
                        keys.problem = Some((ErrorCode::StoreKeyring, message));
                    }
                },
            }
        }
        keys
    }

    async fn key_from_keyring(&self, key_id: &str) -> Result<SealKey, String> {
        if let Some(key) = guard(&self.memory.keys).get(key_id) {
            return Ok(key.clone());
        }
        match keyring::get(key_id).await {
            Ok(Some(key)) if key.id == key_id => {
                guard(&self.memory.keys).insert(key_id.to_owned(), key.clone());
                Ok(key)
            }
            Ok(_) => Err("it does not have it any more".into()),
            Err(silent) => Err(silent.0),
        }
    }

    fn locks(&self) -> PathBuf {
        self.folder.join("locks")
    }

    async fn lock(&self, name: &str, what: &str) -> Result<Lease, Error> {
        // Made here, and not with the store alone: what copies a store may leave out folders that are empty.
        for inner in [Kind::Section.all_in(&self.folder), Kind::Record.all_in(&self.folder), self.locks()] {
            folder::make_inner(&inner)?;
        }
        let path = self.locks().join(name);
        self.memory.locks.acquire(&path, what, self.lock_timeout, &*self.observer).await
    }

    /// The lock of a section. Some share one, so that there is not a file for each.
    async fn lock_section(&self, name: &str) -> Result<Lease, Error> {
        let hash = digest(&SHA256, name.as_bytes());
        let stripe = hash.as_ref().first().copied().unwrap_or_default();
        self.lock(&format!("section-{stripe:02x}"), &format!("The section {name}")).await
    }

    /// The lock of a record, shared in the same way.
    async fn lock_record(&self, name: &str) -> Result<Lease, Error> {
        let stripe = name.get(..2).unwrap_or("00");
        self.lock(&format!("refresh-{stripe}"), "This refresh token").await
    }

    /// The lock of a section that may be new. A move has to know all sections, so new ones wait for its end.
    async fn lock_to_write(&self, name: &str) -> Result<(Option<Lease>, Lease), Error> {
        let path = Kind::Section.path(&self.folder, name);
        loop {
            let store = if path.exists() { None } else { Some(self.lock("store", "The store").await?) };
            let section = self.lock_section(name).await?;
            if store.is_some() || path.exists() {
                return Ok((store, section));
            }
        }
    }
}

/// The records of refreshes, while a section is being changed.
pub(crate) struct Records<'a>(&'a Access);

fn describe(access: &Access) -> Status {
    let sections = Kind::Section.names(&access.folder).into_iter().filter_map(|name| {
        let metadata = fs::symlink_metadata(Kind::Section.path(&access.folder, &name)).ok()?;
        let modified = metadata.modified().ok().map(DateTime::from);
        Some(SectionStatus { name, size: metadata.len(), modified })
    });
    let folders =
        [access.folder.clone(), Kind::Section.all_in(&access.folder), Kind::Record.all_in(&access.folder)];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut damaged: Vec<_> = entries
        .filter(|entry| file::is_aside(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    damaged.sort_unstable();
    let Place { backend, key_id } = access.settings.current.clone();
    Status {
        path: access.folder.clone(),
        exists: true,
        backend,
        key_id,
        readable: access.is_readable(),
        note: access.keys.problem.as_ref().map(|(_, message)| message.clone()),
        moving_to: access.settings.next.as_ref().map(|place| place.backend),
        sections: sections.collect(),
        damaged,
    }
}

/// Where the key of a move goes. One that was given is a key that is there.
fn wanted_place(target: &Target, keys: &mut Keys) -> Result<Place, Error> {
    let key = match target {
        Target::Keyring => return Ok(Place { backend: Backend::Keyring, key_id: None }),
        Target::File => return Ok(Place::PLAIN),
        Target::Key(text) => SealKey::from_text(text)?,
        Target::KeyFile(path) => key_in(path)?,
    };
    let place = Place { backend: Backend::Key, key_id: Some(key.id.clone()) };
    keys.known.push(key);
    Ok(place)
}

fn reseal_file(access: &Access, kind: Kind, name: &str) -> Result<(), Error> {
    match access.load(kind, name)? {
        Content::Missing => Ok(()),
        Content::Section(section) => access.write(kind, name, &section),
        Content::Damaged(reason) => {
            file::set_aside(&kind.path(&access.folder, name), reason, &*access.observer)
        }
    }
}

fn unused(silent: &keyring::Silent) -> String {
    format!("The keyring of the operating system is not used: {}.", silent.0)
}

fn key_in(path: &Path) -> Result<SealKey, Error> {
    let text = fs::read(path).map(Secret::from).map_err(|error| {
        let message =
            format!("The file {} with the key of the store cannot be read: {error}.", path.display());
        Error::invalid(ErrorCode::InvalidStoreKey, message)
    })?;
    SealKey::from_text(&text)
}

fn check_name(name: &str) -> Result<(), Error> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_device = DEVICES.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit()));
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) && !is_device {
        return Ok(());
    }
    let message = format!("'{name}' cannot be the name of a section.");
    Err(Error::invalid(ErrorCode::InvalidSection, message))
}

/// Runs what waits for the disk where it is in nobody's way. It is finished even when the caller goes away.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Error::internal(format!("Work on the store ended unexpectedly: {error}.")))
    })
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
