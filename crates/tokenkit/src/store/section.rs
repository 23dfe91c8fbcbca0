//! What a section holds, and how it stands in its file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::seal::{Seal, SealKey};
use crate::error::{Error, ErrorCode};
use crate::reply::wipe;
use crate::secret::Secret;

/// The format that is written. A later one is not touched.
pub(super) const VERSION: u64 = 1;

/// Named entries: values that may be shown, and secrets. Every secret is text.
///
/// ```
/// use tokenkit::Secret;
/// use tokenkit::store::Section;
///
/// let mut section = Section::default();
/// section.set("client", "app");
/// section.set_secret("token", Secret::from("t0p"));
/// assert_eq!(section.text("client"), Some("app"));
/// assert_eq!(section.secret("token").and_then(Secret::expose_str), Some("t0p"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Section {
    values: BTreeMap<String, Value>,
    secrets: BTreeMap<String, Secret>,
    /// Names whose entry is another than before.
    changed: BTreeSet<String>,
    /// Names that were set or removed, to what they were, too.
    touched: BTreeSet<String>,
    /// Members of the file, and of its sealed part, that a later version of this library knows.
    around: Map<String, Value>,
    inside: Map<String, Value>,
}

/// Why a file holds no section.
pub(super) enum Unreadable {
    /// Somebody or something has changed it.
    Damaged(&'static str),
    /// A later version has written it.
    Later(u64),
    /// It is sealed with a key that is not there.
    Sealed,
}

impl Section {
    /// A value that may be shown.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// A value that may be shown and is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(Value::as_str)
    }

    /// A secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// All values that may be shown, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// All secrets, in the order of their names.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.secrets.iter().map(|(name, secret)| (name.as_str(), secret))
    }

    /// The names of all entries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().chain(self.secrets.keys()).map(String::as_str)
    }

    /// Whether it has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.secrets.is_empty()
    }

    /// Sets a value that may be shown.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let was_secret = self.secrets.remove(name).is_some();
        if was_secret || self.values.get(name) != Some(&value) {
            self.changed.insert(name.to_owned());
        }
        self.touched.insert(name.to_owned());
        self.values.insert(name.to_owned(), value);
    }

    /// Sets a secret.
    pub fn set_secret(&mut self, name: &str, secret: Secret) {
        let was_value = self.values.remove(name).is_some();
        if was_value || !self.secrets.get(name).is_some_and(|old| old.matches(&secret)) {
            self.changed.insert(name.to_owned());
        }
        self.touched.insert(name.to_owned());
        self.secrets.insert(name.to_owned(), secret);
    }

    /// Removes an entry; false when there is none.
    pub fn remove(&mut self, name: &str) -> bool {
        let value = self.values.remove(name);
        let secret = self.secrets.remove(name);
        let removed = value.is_some() || secret.is_some();
        if removed {
            self.changed.insert(name.to_owned());
        }
        self.touched.insert(name.to_owned());
        removed
    }

    /// The names whose entry is another since the section was read.
    pub fn changed(&self) -> impl Iterator<Item = &str> {
        self.changed.iter().map(String::as_str)
    }

    pub(super) fn touched(&self) -> &BTreeSet<String> {
        &self.touched
    }

    /// This section with the entries of another one over it.
    pub(super) fn overlaid(mut self, over: &Self) -> Self {
        for (name, value) in &over.values {
            self.secrets.remove(name);
            self.values.insert(name.clone(), value.clone());
        }
        for (name, secret) in &over.secrets {
            self.values.remove(name);
            self.secrets.insert(name.clone(), secret.clone());
        }
        self
    }

    /// As if it had just been read.
    pub(super) fn settled(mut self) -> Self {
        self.changed.clear();
        self.touched.clear();
        self
    }

    /// The content of the file of the section `name`, sealed if there is a key.
    pub(super) fn write(&self, name: &str, key: Option<&SealKey>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut content = Map::new();
        content.insert("values".into(), self.values.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
        let mut secrets = Map::new();
        for (name, secret) in &self.secrets {
            let text = secret.expose_str().ok_or_else(|| {
                let message = format!("The secret '{name}' is no text, and a store keeps only text.");
                Error::invalid(ErrorCode::InvalidArgument, message)
            })?;
            secrets.insert(name.clone(), text.into());
        }
        content.insert("secrets".into(), secrets.into());

        let mut file = Map::new();
        file.insert("version".into(), VERSION.into());
        file.insert("section".into(), name.into());
        if let Some(key) = key {
            content.extend(self.inside.clone());
            let plain = to_text(Value::Object(content));
            let (seal, sealed) = key.seal(&context(name), &plain)?;
            file.insert("seal".into(), seal.to_json());
            file.insert("sealed".into(), sealed.into());
        } else {
            // What was inside a seal goes back there with the next one.
            content.extend(self.inside.clone());
            file.append(&mut content);
        }
        for (name, value) in &self.around {
            file.entry(name).or_insert_with(|| value.clone());
        }
        Ok(to_text(Value::Object(file)))
    }

    /// Reads the file of the section `name`.
    pub(super) fn read(text: &[u8], name: &str, keys: &[SealKey]) -> Result<Self, Unreadable> {
        let mut file = object(text)?;
        if let Err(error) = version(&file) {
            wipe(Value::Object(file));
            return Err(error);
        }
        file.shift_remove("version");
        let named = file.shift_remove("section");
        if named.as_ref().and_then(Value::as_str) != Some(name) {
            wipe(Value::Object(file));
            return Err(Unreadable::Damaged("it is not the file of this section"));
        }
        let mut section = Self::default();
        match (file.shift_remove("seal"), file.shift_remove("sealed")) {
            (Some(seal), Some(Value::String(sealed))) => {
                let seal = Seal::from_json(&seal).ok_or(Unreadable::Damaged("its seal is not readable"))?;
                let key = keys.iter().find(|key| key.id == seal.key_id);
                let key = key.ok_or(Unreadable::Sealed)?;
                let plain = key.open(&context(name), &seal, &sealed);
                let mut content = object(&plain.ok_or(Unreadable::Damaged("its seal is broken"))?)?;
                section.take(&mut content)?;
                section.inside = content;
            }
            (None, None) => section.take(&mut file)?,
            _ => return Err(Unreadable::Damaged("its seal is not complete")),
        }
        section.around = file;
        Ok(section)
    }

    fn take(&mut self, content: &mut Map<String, Value>) -> Result<(), Unreadable> {
        let Some(Value::Object(values)) = content.shift_remove("values") else {
            return Err(Unreadable::Damaged("it has no values"));
        };
        let Some(Value::Object(secrets)) = content.shift_remove("secrets") else {
            return Err(Unreadable::Damaged("it has no secrets"));
        };
        self.values = values.into_iter().collect();
        for (name, secret) in secrets {
            let Value::String(text) = secret else {
                return Err(Unreadable::Damaged("a secret in it is no text"));
            };
            self.secrets.insert(name, Secret::from(text));
        }
        Ok(())
    }
}

/// The name of the key that seals a file, without opening it; `None` for a plain or unreadable one.
pub(super) fn key_id(text: &[u8]) -> Option<String> {
    let mut file = object(text).ok()?;
    let seal = file.shift_remove("seal");
    wipe(Value::Object(file));
    Seal::from_json(&seal?).map(|seal| seal.key_id)
}

/// The object that a file of the store holds.
pub(super) fn object(text: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            wipe(other);
            Err(Unreadable::Damaged("it holds no JSON object"))
        }
        Err(_) if text.is_empty() => Err(Unreadable::Damaged("it is empty")),
        Err(_) => Err(Unreadable::Damaged("it is no JSON")),
    }
}

/// That this version knows the format of a file.
pub(super) fn version(file: &Map<String, Value>) -> Result<(), Unreadable> {
    match file.get("version").and_then(Value::as_u64) {
        Some(VERSION) => Ok(()),
        Some(later @ 2..) => Err(Unreadable::Later(later)),
        _ => Err(Unreadable::Damaged("it has no version")),
    }
}

/// What binds a sealed text to its place.
fn context(name: &str) -> String {
    json!(["tokenkit store", VERSION, name]).to_string()
}

/// JSON in a buffer that is not grown, for that would leave unwiped copies behind.
fn to_text(value: Value) -> Zeroizing<Vec<u8>> {
    let mut size = Count(0);
    // Neither counting nor writing to memory fails.
    let _ = serde_json::to_writer(&mut size, &value);
    let mut text = Zeroizing::new(Vec::with_capacity(size.0 + 1));
    let _ = serde_json::to_writer(&mut *text, &value);
    text.push(b'\n');
    wipe(value);
    text
}

struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
