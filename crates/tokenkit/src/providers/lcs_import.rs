//! Settings of d365fo.tools, which keeps them with `PSFramework`: in a JSON file, or in the registry of Windows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::lcs::{Config, NAMES, Saved};
use crate::error::{Error, ErrorCode};
use crate::reply::wipe;
use crate::secret::Secret;
use crate::store::Store;

/// What all names begin with.
const PREFIX: &str = "d365fo.tools.lcs.";

/// Where settings are taken from.
#[derive(Debug, Clone)]
pub enum Import {
    /// The content of a file: the JSON of `PSFramework`, or an export of the registry.
    File(Secret),
    /// Values of the registry: full names, and texts such as `Int:9`.
    Registry(Vec<(String, Secret)>),
}

impl Import {
    /// The content of the file at `path`.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidImport`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let content = fs::read(path);
        content.map(|content| Self::File(Secret::from(content))).map_err(|error| {
            Error::invalid(ErrorCode::InvalidImport, format!("{} cannot be read: {error}.", path.display()))
        })
    }
}

/// What an import found.
#[derive(Debug)]
pub struct Imported {
    /// The settings.
    pub config: Config,
    /// Their names and values, for people: `***` for a secret.
    pub found: Vec<(String, String)>,
    /// Entries of LCS that cannot be taken.
    pub refused: Vec<Refused>,
}

/// An entry that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A value as it stands in the source.
enum Raw {
    Text(Zeroizing<String>),
    Number(i64),
    /// Something else, of this kind.
    Other(String),
}

/// Reads settings, and saves them unless `store` is `None`. With `temporary` they are for this process only.
///
/// # Errors
/// [`ErrorCode::InvalidImport`] when the source is neither of the two; [`Error::Store`].
pub async fn import(source: &Import, store: Option<(&Store, bool)>) -> Result<(Imported, Saved), Error> {
    let imported = read(source)?;
    let saved = match store {
        Some((store, temporary)) if !imported.found.is_empty() => {
            imported.config.save(store, temporary).await?
        }
        _ => Saved::default(),
    };
    Ok((imported, saved))
}

fn read(source: &Import) -> Result<Imported, Error> {
    let entries = match source {
        Import::Registry(values) => values
            .iter()
            .map(|(name, text)| (name.clone(), tagged(text.expose_str().unwrap_or_default())))
            .collect(),
        Import::File(content) => {
            let text = text_of(content)?;
            let text = text.trim_start_matches('\u{feff}').trim_start();
            if text.starts_with("Windows Registry Editor") || text.starts_with("REGEDIT4") {
                registry_export(text)
            } else {
                psframework_json(text)?
            }
        }
    };
    Ok(collect(entries))
}

/// The text of a file in UTF-8, or in UTF-16 with a byte order mark, as the registry editor writes it.
fn text_of(content: &Secret) -> Result<Zeroizing<String>, Error> {
    let bytes = content.expose();
    let decode = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = Zeroizing::new(
            bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit).collect::<Vec<_>>(),
        );
        String::from_utf16(&units).ok().filter(|_| bytes.len().is_multiple_of(2))
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => decode(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => decode(rest, u16::from_be_bytes),
        _ => content.expose_str().map(str::to_owned),
    };
    text.map(Zeroizing::new).ok_or_else(|| unreadable("it is text neither in UTF-8 nor in UTF-16"))
}

/// `psf_config.json`: a list of objects with `FullName`, `Value` and `Type`.
fn psframework_json(text: &str) -> Result<Vec<(String, Raw)>, Error> {
    let json = serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        unreadable(&format!("it is neither an export of the registry nor JSON ({place})"))
    })?;
    let items = match json {
        Value::Array(items) => items,
        // PowerShell writes a list of one as the one.
        object @ Value::Object(_) => vec![object],
        other => {
            wipe(other);
            return Err(unreadable("its JSON is no list of settings"));
        }
    };
    let mut entries = Vec::new();
    for item in items {
        let Value::Object(mut members) = item else {
            wipe(item);
            continue;
        };
        let mut member = |name: &str| {
            let key = members.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
            key.and_then(|key| members.shift_remove(&key))
        };
        let (name, value) = (member("FullName"), member("Value"));
        wipe(Value::Object(members));
        let Some(Value::String(name)) = name else { continue };
        let raw = match value {
            Some(Value::String(text)) => Raw::Text(Zeroizing::new(text)),
            Some(Value::Number(number)) => {
                number.as_i64().map_or_else(|| Raw::Other("a fraction".into()), Raw::Number)
            }
            Some(other) => {
                wipe(other);
                Raw::Other("no text and no number".into())
            }
            None => Raw::Other("nothing".into()),
        };
        entries.push((name, raw));
    }
    Ok(entries)
}

/// The values of an export of the registry: lines such as `"name"="Int:9"`, whatever key they are under: exports of
/// one key or of all of them do. Long ones are not continued, for they are texts.
fn registry_export(text: &str) -> Vec<(String, Raw)> {
    text.lines().filter_map(registry_line).collect()
}

fn registry_line(line: &str) -> Option<(String, Raw)> {
    let (name, rest) = quoted(line.trim().strip_prefix('"')?)?;
    let raw = match rest.trim_start().strip_prefix('=')?.trim_start() {
        text if text.starts_with('"') => {
            let (value, rest) = quoted(text.get(1..)?)?;
            if !rest.trim().is_empty() {
                return None;
            }
            tagged(&value)
        }
        other => {
            let kind = other.split(':').next().unwrap_or_default();
            Raw::Other(format!("of the registry's type {kind}"))
        }
    };
    Some((name.to_string(), raw))
}

/// The text up to the closing quote, and what follows. A backslash protects a quote and itself.
fn quoted(text: &str) -> Option<(Zeroizing<String>, &str)> {
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// A value with the tag of its type in front, as `PSFramework` writes it to the registry.
fn tagged(text: &str) -> Raw {
    match text.split_once(':') {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("string") => Raw::Text(Zeroizing::new(rest.to_owned())),
        Some((tag, rest)) if tag.eq_ignore_ascii_case("int") || tag.eq_ignore_ascii_case("long") => {
            rest.trim().parse().map_or_else(|_| Raw::Other("no whole number".into()), Raw::Number)
        }
        Some((tag, _)) if !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Raw::Other(format!("of the type {tag}"))
        }
        _ => Raw::Other("without the tag of its type".into()),
    }
}

fn collect(entries: Vec<(String, Raw)>) -> Imported {
    let mut config = Config::default();
    let mut found = BTreeMap::new();
    let mut refused = Vec::new();
    for (full, raw) in entries {
        let lower = full.to_ascii_lowercase();
        let Some(name) = lower.strip_prefix(PREFIX) else { continue };
        let Some(name) = NAMES.iter().find(|known| **known == name) else {
            refused.push(Refused { name: full, reason: "LCS has no such setting".into() });
            continue;
        };
        match config.take(name, raw) {
            Ok(Some(shown)) => _ = found.insert((*name).to_owned(), shown),
            // Set to nothing is as good as never set.
            Ok(None) => {}
            Err(reason) => refused.push(Refused { name: full, reason }),
        }
    }
    Imported { config, found: found.into_iter().collect(), refused }
}

impl Config {
    /// Takes a value, and returns it for people.
    fn take(&mut self, name: &str, raw: Raw) -> Result<Option<String>, String> {
        let raw = match raw {
            Raw::Other(what) => return Err(format!("its value is {what}")),
            Raw::Text(text) if text.is_empty() => return Ok(None),
            raw => raw,
        };
        let number = |raw: Raw| match raw {
            Raw::Number(number) => Ok(number),
            Raw::Text(text) => text.trim().parse().map_err(|_| "its value is no whole number".to_owned()),
            Raw::Other(what) => Err(what),
        };
        let text = |raw: Raw| match raw {
            Raw::Text(text) => Ok(text),
            Raw::Number(_) | Raw::Other(_) => Err("its value is no text".to_owned()),
        };
        Ok(Some(match name {
            "activetokenexpireson" => {
                let expires_on = number(raw)?;
                self.active_token_expires_on = Some(expires_on);
                expires_on.to_string()
            }
            "projectid" => {
                let project = i32::try_from(number(raw)?).map_err(|_| "its value is too large".to_owned())?;
                self.project_id = Some(project);
                project.to_string()
            }
            "bearertoken" => {
                self.bearer_token = Some(Secret::from(text(raw)?.as_str()));
                "***".to_owned()
            }
            "refreshtoken" => {
                self.refresh_token = Some(Secret::from(text(raw)?.as_str()));
                "***".to_owned()
            }
            "clientid" => {
                let client_id = text(raw)?.to_string();
                self.client_id = Some(client_id.clone());
                client_id
            }
            _ => {
                let uri = text(raw)?.to_string();
                self.lcs_api_uri = Some(uri.clone());
                uri
            }
        }))
    }
}

fn unreadable(why: &str) -> Error {
    Error::invalid(ErrorCode::InvalidImport, format!("The settings cannot be read: {why}."))
}
