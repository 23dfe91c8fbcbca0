//! The store: what it keeps, from whom, and through which mishaps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test is meant to panic"
)]
#![allow(clippy::print_stdout, reason = "how a test talks to the process that started it")]

mod child;
#[cfg(unix)]
mod disk;
mod files;
mod import;
mod keyring;
mod lcs;
mod processes;
mod refresh;
mod reseal;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokenkit::store::{Memory, Section, Store, StoreOptions};
use tokenkit::{Error, ErrorCode, Event, Observer, Secret};

pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const OTHER_KEY: &str = "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

/// Collects events.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<Event>>);

impl Observer for Heard {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Heard {
    pub(crate) fn warnings(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let warnings = events.iter().filter_map(|event| match event {
            Event::Warning(text) => Some(text.clone()),
            _ => None,
        });
        warnings.collect()
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let notes = events.iter().filter_map(|event| match event {
            Event::Note(text) => Some(text.clone()),
            _ => None,
        });
        notes.collect()
    }
}

/// A store as another process would open it: without any memory.
pub(crate) fn open(folder: &Path, key: Option<&str>) -> Store {
    open_heard(folder, key, &Arc::default())
}

pub(crate) fn open_heard(folder: &Path, key: Option<&str>, heard: &Arc<Heard>) -> Store {
    Store::open(options(folder, key), Arc::new(Memory::default()), heard.clone()).unwrap()
}

pub(crate) fn options(folder: &Path, key: Option<&str>) -> StoreOptions {
    StoreOptions {
        folder: Some(folder.to_owned()),
        key: key.map(Secret::from),
        keyring: false,
        lock_timeout: Duration::from_mins(2),
        ..StoreOptions::default()
    }
}

pub(crate) async fn set(store: &Store, section: &str, name: &str, value: &str) -> Result<(), Error> {
    let (name, value) = (name.to_owned(), value.to_owned());
    store
        .update(section, move |section| {
            section.set(&name, value);
            Ok(())
        })
        .await
}

pub(crate) async fn set_secret(store: &Store, section: &str, name: &str, value: &str) {
    let (name, value) = (name.to_owned(), Secret::from(value));
    let change = move |section: &mut Section| {
        section.set_secret(&name, value);
        Ok(())
    };
    store.update(section, change).await.unwrap();
}

pub(crate) fn secret<'a>(section: &'a Section, name: &str) -> Option<&'a str> {
    section.secret(name).and_then(Secret::expose_str)
}

pub(crate) fn code<T>(result: Result<T, Error>) -> ErrorCode {
    match result {
        Ok(_) => panic!("it did not fail"),
        Err(error) => error.error_code(),
    }
}

/// The text of every file below a folder, one after the other. Files that are just being written are not there yet.
pub(crate) fn all_text(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&all_text(&path));
        } else if path.extension().is_none_or(|extension| extension != "tmp") {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    text
}
