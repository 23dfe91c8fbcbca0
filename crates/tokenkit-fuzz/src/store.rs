//! The files of a store, which somebody may have changed.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;
use tempfile::TempDir;
use tokenkit::providers::lcs;
use tokenkit::store::{Memory, Section, Store, StoreOptions};
use tokenkit::{Category, Error, Event, Observer, Secret};
use tokio::runtime::{Builder, Runtime};

/// What the sealed files of the corpus hold, under this key.
const SECRET: &str = "t0p-s3cr3t";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const PLAIN_STORE: &str = r#"{"version":1,"backend":"file"}"#;
const SEALED_STORE: &str = r#"{"version":1,"backend":"key","key":"5a2551c2ebc3788e"}"#;

const SETTINGS: &str = "store.json";
const SECTION: &str = "example";
/// The record of the refresh token `old`: the file has the SHA-256 of it as its name.
const RECORD: &str = "refresh/cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4.json";

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn event(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.to_string());
    }
}

/// A folder with files, as a store that is opened with a key or without.
struct Opened {
    folder: TempDir,
    store: Store,
    heard: Arc<Heard>,
}

impl Opened {
    fn new(key: Option<&str>, files: &[(&str, &[u8])]) -> io::Result<Self> {
        let folder = TempDir::new()?;
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs::write(path, content)?;
        }
        let options = StoreOptions {
            folder: Some(folder.path().to_owned()),
            key: key.map(Secret::from),
            keyring: false,
            ..StoreOptions::default()
        };
        let heard = Arc::new(Heard::default());
        let store =
            Store::open(options, Arc::new(Memory::default()), heard.clone()).map_err(io::Error::other)?;
        Ok(Self { folder, store, heard })
    }

    /// Whether one of the files in a folder has this content: what is damaged is set aside, and never lost.
    fn has(&self, folder: &str, content: &[u8]) -> bool {
        let files = fs::read_dir(self.folder.path().join(folder)).into_iter().flatten().flatten();
        files.into_iter().any(|file| fs::read(file.path()).is_ok_and(|found| found == content))
    }

    /// Neither an error nor an event tells what was in the file.
    fn shows_nothing(&self, error: Option<&Error>) {
        if let Some(error) = error {
            assert_eq!(error.category(), Category::Store, "{error}");
            assert!(!error.to_string().contains(SECRET), "{error}");
        }
        let heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!heard.iter().any(|text| text.contains(SECRET)), "{heard:?}");
    }
}

fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// A file as section, as record of a refresh, and as settings of the store.
pub(crate) fn store(data: &[u8]) {
    let done = [section(data, None), section(data, Some(KEY)), record(data), settings(data)];
    for result in done {
        assert!(result.is_ok(), "the folder cannot be used: {result:?}");
    }
}

fn section(data: &[u8], key: Option<&str>) -> io::Result<()> {
    let settings = if key.is_some() { SEALED_STORE } else { PLAIN_STORE };
    let path = format!("sections/{SECTION}.json");
    let opened = Opened::new(key, &[(SETTINGS, settings.as_bytes()), (&path, data)])?;
    let read = runtime()?.block_on(opened.store.read_stored(SECTION));
    opened.shows_nothing(read.as_ref().err());
    assert!(opened.has("sections", data), "the file is lost");
    if let Ok(section) = read
        && is_sealed(data)
        && section.names().next().is_some()
    {
        assert!(key.is_some() && holds_what_was_sealed(&section), "a changed seal opens");
    }
    Ok(())
}

fn names_keyring(data: &[u8]) -> bool {
    let settings = serde_json::from_slice::<Value>(data).unwrap_or_default();
    settings["backend"] == "keyring" || settings["moving"]["backend"] == "keyring"
}

fn is_sealed(data: &[u8]) -> bool {
    serde_json::from_slice::<Value>(data).is_ok_and(|value| value.get("seal").is_some())
}

fn holds_what_was_sealed(section: &Section) -> bool {
    section.text("client") == Some("app")
        && section.secret("token").and_then(Secret::expose_str) == Some(SECRET)
        && section.names().count() == 2
}

/// Whether a token came from another is read from the record of the other.
fn record(data: &[u8]) -> io::Result<()> {
    for (key, settings) in [(None, PLAIN_STORE), (Some(KEY), SEALED_STORE)] {
        let opened = Opened::new(key, &[(SETTINGS, settings.as_bytes()), (RECORD, data)])?;
        let saved = runtime()?.block_on(async {
            let keep =
                |token: &str| lcs::Config { refresh_token: Some(token.into()), ..lcs::Config::default() };
            keep("new").save(&opened.store, true).await?;
            keep("old").save(&opened.store, true).await
        });
        opened.shows_nothing(saved.as_ref().err());
        assert!(opened.has("refresh", data), "the record is lost");
        if let Ok(saved) = saved {
            // Of the corpus, the sealed record says so.
            assert!(
                !saved.kept_newer_token || key.is_some() || !is_sealed(data),
                "a sealed record is read without key"
            );
        }
    }
    Ok(())
}

/// Settings that do not send one to the keyring of this machine.
fn settings(data: &[u8]) -> io::Result<()> {
    if names_keyring(data) {
        return Ok(());
    }
    let sealed: &[u8] = include_bytes!("../corpus/store/sealed.json");
    let path = format!("sections/{SECTION}.json");
    let opened = Opened::new(Some(KEY), &[(SETTINGS, data), (&path, sealed)])?;
    let (status, read) =
        runtime()?.block_on(async { (opened.store.status().await, opened.store.read_stored(SECTION).await) });
    opened.shows_nothing(status.as_ref().err());
    opened.shows_nothing(read.as_ref().err());
    // The key fits, whatever the settings say of it: there is what was sealed, or an error.
    assert!(read.as_ref().map_or(true, holds_what_was_sealed), "{read:?}");
    assert!(opened.has("sections", sealed), "the section is lost");
    Ok(())
}
