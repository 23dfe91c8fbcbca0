//! The store's own settings: where its key is. They stand in `store.json`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::seal::is_key_id;
use super::section::{self, Unreadable, VERSION, key_id};
use super::{Backend, file};
use crate::error::Error;
use crate::event::Observer;

/// Where the key of a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) backend: Backend,
    /// The name of the key; `None` for [`Backend::File`].
    pub(super) key_id: Option<String>,
}

/// What `store.json` says.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) current: Place,
    /// Where the key goes, while it is on its way.
    pub(super) next: Option<Place>,
    /// Members that a later version of this library knows.
    rest: Map<String, Value>,
}

impl Place {
    pub(super) const PLAIN: Self = Self { backend: Backend::File, key_id: None };

    /// Whether this, which may leave the key of a keyring open, is the other.
    pub(super) fn fits(&self, other: &Self) -> bool {
        self.backend == other.backend && (self.backend == Backend::Keyring || self.key_id == other.key_id)
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("backend".into(), self.backend.as_str().into());
        if let Some(key_id) = &self.key_id {
            members.insert("key".into(), key_id.as_str().into());
        }
        members
    }

    fn from_json(members: &mut Map<String, Value>) -> Option<Self> {
        let backend = Backend::parse(members.shift_remove("backend")?.as_str()?)?;
        let key_id = match members.shift_remove("key") {
            Some(Value::String(key_id)) if is_key_id(&key_id) => Some(key_id),
            None => None,
            Some(_) => return None,
        };
        // The one goes with the other.
        ((backend == Backend::File) == key_id.is_none()).then_some(Self { backend, key_id })
    }
}

impl Settings {
    pub(super) fn new(current: Place) -> Self {
        Self { current, next: None, rest: Map::new() }
    }

    /// The places in which a key of this store may be.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.current).chain(&self.next)
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let mut members = section::object(text)?;
        section::version(&members)?;
        members.shift_remove("version");
        let damaged = || Unreadable::Damaged("it names no backend");
        let current = Place::from_json(&mut members).ok_or_else(damaged)?;
        let next = match members.shift_remove("moving") {
            Some(Value::Object(mut next)) => Some(Place::from_json(&mut next).ok_or_else(damaged)?),
            None => None,
            Some(_) => return Err(damaged()),
        };
        Ok(Self { current, next, rest: members })
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let mut members = Map::new();
        members.insert("version".into(), VERSION.into());
        members.extend(self.current.to_json());
        if let Some(next) = &self.next {
            members.insert("moving".into(), Value::Object(next.to_json()));
        }
        members.extend(self.rest.clone());
        file::write(path, format!("{:#}\n", Value::Object(members)).as_bytes())
    }
}

/// The name of the key with which some section in the folder is sealed, for a store whose settings are lost.
pub(super) fn key_in_use(sections: &Path, observer: &dyn Observer) -> Option<String> {
    let entries = fs::read_dir(sections).ok()?;
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| file::read(&path, observer).ok().flatten())
        .find_map(|text| key_id(&text))
}
