//! Sections and records as files, for whoever has the keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::seal::SealKey;
use super::section::{Section, Unreadable};
use super::settings::{Place, Settings};
use super::{Backend, file};
use crate::error::{Error, ErrorCode};
use crate::event::Observer;

/// What a file of the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A section.
    Section,
    /// What became of a refresh token.
    Record,
}

/// The store as it was when the settings were read. Its functions block.
pub(super) struct Access {
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
    pub(super) keys: Keys,
    pub(super) observer: Arc<dyn Observer>,
}

/// The keys that could be had.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) known: Vec<SealKey>,
    /// Why not all.
    pub(super) problem: Option<(ErrorCode, String)>,
}

/// What is in a file.
pub(super) enum Content {
    Section(Box<Section>),
    Missing,
    Damaged(&'static str),
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Section, Self::Record];

    fn folder(self) -> &'static str {
        match self {
            Self::Section => "sections",
            Self::Record => "refresh",
        }
    }

    /// The name in a file and in its seal. No section's name has a slash.
    fn full_name(self, name: &str) -> String {
        match self {
            Self::Section => name.to_owned(),
            Self::Record => format!("refresh/{name}"),
        }
    }

    pub(super) fn all_in(self, store: &Path) -> PathBuf {
        store.join(self.folder())
    }

    pub(super) fn path(self, store: &Path, name: &str) -> PathBuf {
        self.all_in(store).join(format!("{name}.json"))
    }

    /// The names of all files of this kind, in order.
    pub(super) fn names(self, store: &Path) -> Vec<String> {
        let entries = fs::read_dir(self.all_in(store)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names
            .filter(|name| !name.starts_with('.'))
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .collect();
        names.sort_unstable();
        names
    }
}

impl Keys {
    fn has(&self, key_id: &str) -> bool {
        self.known.iter().any(|key| key.id == key_id)
    }

    /// That a key of this name is not there.
    pub(super) fn missing(&self, what: &str) -> Error {
        match &self.problem {
            Some((code, message)) => Error::store(*code, message.clone()),
            None => Error::store(
                ErrorCode::StoreKeyWrong,
                format!("{what} is sealed with another key than the one that is there."),
            ),
        }
    }
}

impl Access {
    pub(super) fn load(&self, kind: Kind, name: &str) -> Result<Content, Error> {
        let path = kind.path(&self.folder, name);
        let Some(text) = file::read(&path, &*self.observer)? else { return Ok(Content::Missing) };
        match Section::read(&text, &kind.full_name(name), &self.keys.known) {
            Ok(section) => Ok(Content::Section(Box::new(section))),
            Err(Unreadable::Damaged(reason)) => Ok(Content::Damaged(reason)),
            Err(Unreadable::Later(version)) => Err(later(&path, version)),
            Err(Unreadable::Sealed) => Err(self.keys.missing(&path.display().to_string())),
        }
    }

    /// The section to change: a damaged one begins anew. Only under its lock.
    pub(super) fn load_to_change(&self, kind: Kind, name: &str) -> Result<Section, Error> {
        match self.load(kind, name)? {
            Content::Section(section) => Ok(*section),
            Content::Missing => Ok(Section::default()),
            Content::Damaged(reason) => {
                file::set_aside(&kind.path(&self.folder, name), reason, &*self.observer)?;
                Ok(Section::default())
            }
        }
    }

    pub(super) fn write(&self, kind: Kind, name: &str, section: &Section) -> Result<(), Error> {
        let text = section.write(&kind.full_name(name), self.key_for_writing()?)?;
        file::write(&kind.path(&self.folder, name), &text)
    }

    /// The key for new files: where it goes, if it is on its way and there, else where it is.
    fn key_for_writing(&self) -> Result<Option<&SealKey>, Error> {
        let key_of = |place: &Place| match &place.key_id {
            None => Some(None),
            Some(id) => self.keys.known.iter().find(|key| key.id == *id).map(Some),
        };
        let usable = self.settings.next.iter().chain([&self.settings.current]).find_map(key_of);
        usable.ok_or_else(|| self.keys.missing(&self.folder.display().to_string()))
    }

    /// Whether what is in the store can be read, as far as its settings tell.
    pub(super) fn is_readable(&self) -> bool {
        self.settings.places().all(|place| {
            place.backend == Backend::File || place.key_id.as_ref().is_some_and(|id| self.keys.has(id))
        })
    }
}

pub(super) fn later(path: &Path, version: u64) -> Error {
    let message = format!("{} has version {version}, which this TokenKit does not know.", path.display());
    Error::store(ErrorCode::StoreVersion, message)
}
