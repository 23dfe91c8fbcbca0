//! The store, and what its disk takes for the same.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::NamedTempFile;
use tokenkit::Secret;
use tokenkit::store::{Memory, Section, Store, StoreOptions};
use tokio::runtime::{self, Runtime};

use crate::{Outcome, timed};

/// The section that is read and written; `fill` makes others beside it.
const SECTION: &str = "bench";

/// About the size of what an access and a refresh token of Microsoft Entra take.
const TOKEN: usize = 2048;

pub(crate) struct Disk {
    folder: PathBuf,
    runtime: Runtime,
    store: Store,
    written: usize,
}

impl Disk {
    /// The store is `<folder>/store`, sealed with a key.
    pub(crate) fn new(folder: PathBuf) -> Outcome<Self> {
        let options = StoreOptions {
            folder: Some(folder.join("store")),
            key: Some(Secret::from(STANDARD.encode([7; 32]))),
            keyring: false,
            ..StoreOptions::default()
        };
        let store = Store::open(options, Arc::new(Memory::default()), Arc::new(()))?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { folder, runtime, store, written: 0 })
    }

    /// Brings the store to this many sections.
    pub(crate) fn fill(&self, count: usize) -> Outcome<Duration> {
        let sections = self.store.path().join("sections");
        let present = fs::read_dir(sections).map_or(0, Iterator::count);
        timed(count.saturating_sub(present), |number| {
            Ok(self.runtime.block_on(self.store.update(&format!("{SECTION}-{present}-{number}"), set(0)))?)
        })
    }

    pub(crate) fn read(&self, count: usize) -> Outcome<Duration> {
        timed(count, |_| {
            let section = self.runtime.block_on(self.store.read(SECTION))?;
            section.secret("token").map(drop).ok_or_else(|| "the section is empty".into())
        })
    }

    pub(crate) fn write(&mut self, count: usize) -> Outcome<Duration> {
        timed(count, |_| {
            self.written += 1;
            Ok(self.runtime.block_on(self.store.update(SECTION, set(self.written)))?)
        })
    }

    /// What a replaced file costs that survives a crash: written, synced, renamed, its folder synced.
    pub(crate) fn fsync(&self, count: usize) -> Outcome<Duration> {
        let folder = self.folder.join("fsync");
        fs::create_dir_all(&folder)?;
        timed(count, |_| {
            let mut file = NamedTempFile::new_in(&folder)?;
            file.write_all(&[7; TOKEN])?;
            file.as_file().sync_all()?;
            file.persist(folder.join("file"))?;
            if cfg!(unix) {
                File::open(&folder)?.sync_all()?;
            }
            Ok(())
        })
    }
}

fn set(number: usize) -> impl FnOnce(&mut Section) -> Result<(), tokenkit::Error> + Send + 'static {
    move |section| {
        section.set("number", number);
        section.set_secret("token", Secret::from(format!("{number:0TOKEN$}")));
        Ok(())
    }
}
