//! What became of refresh tokens: for each that was spent, the answer it got, and which token came after it. Tokens are
//! named by their hashes, the answer is as secret as a section and kept like one.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::access::{Access, Content, Kind};
use super::lock::Lease;
use super::section::Section;
use super::{Records, Store, blocking, file, guard};
use crate::error::Error;
use crate::secret::Secret;
use crate::token::TokenResponse;

/// For how long whoever comes with a spent token gets the answer that it got.
pub(crate) const REUSED_FOR: Duration = Duration::from_mins(2);

/// For how long it is known that a token is spent.
pub(crate) const KEPT_FOR: Duration = Duration::from_hours(24);

/// How often old records are looked for.
const CLEANED_EVERY: Duration = Duration::from_mins(10);

/// More generations than a day has.
const LONGEST_LINE: usize = 100_000;

/// More tokens than one process has to do with at a time.
const REMEMBERED: usize = 4096;

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash([u8; 32]);

/// What a refresh token got.
#[derive(Debug, Clone)]
pub(crate) struct Refreshed {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// What else was in the request.
    pub(crate) request: String,
    /// The refresh token that came, or the same when none came.
    pub(crate) next: TokenHash,
    pub(crate) response: TokenResponse,
}

/// Who got a token, where, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) client_id: String,
    pub(crate) endpoint: String,
    pub(crate) resource: Option<String>,
}

/// What a process knows of the tokens that went through it.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// Refresh tokens that were read from a section.
    seen: Mutex<HashSet<TokenHash>>,
    /// Access tokens that were requested.
    origins: Mutex<HashMap<TokenHash, Origin>>,
    /// What refresh tokens got that the store in this folder does not keep.
    answers: Mutex<HashMap<(PathBuf, TokenHash), Refreshed>>,
    cleaned: Mutex<Option<Instant>>,
}

impl TokenHash {
    pub(crate) fn of(token: &Secret) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.expose()).as_ref());
        Self(bytes)
    }

    fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..8])
    }
}

/// A name for what a request asks for, beside its refresh token.
pub(crate) fn request_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    hex::encode(context.finish())
}

impl Tokens {
    pub(crate) fn note_seen(&self, token: &Secret) {
        let mut seen = guard(&self.seen);
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(TokenHash::of(token));
    }

    pub(crate) fn was_seen(&self, token: &Secret) -> bool {
        guard(&self.seen).contains(&TokenHash::of(token))
    }

    pub(crate) fn note_origin(&self, access_token: &Secret, origin: Origin) {
        let mut origins = guard(&self.origins);
        if origins.len() >= REMEMBERED {
            origins.clear();
        }
        origins.insert(TokenHash::of(access_token), origin);
    }

    pub(crate) fn origin(&self, access_token: &Secret) -> Option<Origin> {
        guard(&self.origins).get(&TokenHash::of(access_token)).cloned()
    }
}

impl Refreshed {
    /// Whether the answer is still given to others.
    pub(crate) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        // A clock that was set back does not make it older.
        (now - self.at).abs() < TimeDelta::from_std(REUSED_FOR).unwrap_or_default()
    }

    fn to_section(&self) -> Section {
        let mut section = Section::default();
        section.set("at", self.at.timestamp_millis());
        section.set("request", self.request.as_str());
        section.set("next", self.next.to_hex());
        section.set("status", self.response.status);
        if let Some(expires_in) = self.response.expires_in {
            section.set("expires_in", expires_in);
        }
        section.set_secret("body", self.response.body.clone());
        section
    }

    fn from_section(section: &Section) -> Option<Self> {
        let number = |name| section.value(name).and_then(Value::as_u64);
        let at = DateTime::from_timestamp_millis(section.value("at")?.as_i64()?)?;
        let expires_in = number("expires_in");
        let response = TokenResponse {
            status: u16::try_from(number("status")?).ok()?,
            headers: vec![],
            body: section.secret("body")?.clone(),
            expires_in,
            expires_at: crate::reply::expiry(at, expires_in),
        };
        let next = TokenHash::from_hex(section.text("next")?)?;
        Some(Self { at, request: section.text("request")?.to_owned(), next, response })
    }
}

impl Records<'_> {
    /// Whether `young` came from `old` by refreshes.
    pub(crate) fn descends(&self, old: &Secret, young: &Secret) -> bool {
        descends(self.0, TokenHash::of(old), TokenHash::of(young))
    }
}

impl Store {
    /// Waits until nobody else refreshes this token, and makes sure that the answer can be kept.
    /// Who does may take as long as a request, beside what a lock may take.
    pub(crate) async fn begin_refresh(&self, hash: TokenHash, request: Duration) -> Result<Lease, Error> {
        self.settings_or_new().await?;
        let access = self.access_again().await?;
        if !access.is_readable() {
            return Err(access.keys.missing(&self.folder.display().to_string()));
        }
        let patient = Self { lock_timeout: self.lock_timeout.saturating_add(request), ..self.clone() };
        patient.lock_record(&hash.to_hex()).await
    }

    /// What the token got, if it is known to be spent.
    pub(crate) async fn record(&self, hash: TokenHash) -> Result<Option<Refreshed>, Error> {
        let access = self.access_again().await?;
        blocking(move || Ok(load(&access, hash))).await
    }

    /// Whether `young` came from `old` by refreshes.
    pub(crate) async fn descends(&self, old: TokenHash, young: TokenHash) -> Result<bool, Error> {
        let access = self.access_again().await?;
        blocking(move || Ok(descends(&access, old, young))).await
    }

    /// As [`descends`](Self::descends), for a store that need not exist.
    pub(crate) async fn is_descendant(&self, old: &Secret, young: &Secret) -> Result<bool, Error> {
        match self.settings().await? {
            Some(_) => self.descends(TokenHash::of(old), TokenHash::of(young)).await,
            None => Ok(false),
        }
    }

    /// Keeps what the token got. Only under its lock.
    pub(crate) async fn keep_record(&self, hash: TokenHash, refreshed: &Refreshed) -> Result<(), Error> {
        let access = self.access_again().await?;
        let section = refreshed.to_section();
        let store = self.clone();
        blocking(move || {
            access.write(Kind::Record, &hash.to_hex(), &section)?;
            store.clean(&access);
            Ok(())
        })
        .await
    }

    /// What the token got in this process a moment ago, when it is not kept on the disk.
    pub(crate) fn answer(&self, hash: TokenHash) -> Option<Refreshed> {
        guard(&self.memory.tokens.answers).get(&(self.folder.clone(), hash)).cloned()
    }

    pub(crate) fn forget_answers(&self) {
        guard(&self.memory.tokens.answers).retain(|(folder, _), _| *folder != self.folder);
    }

    /// Keeps what the token got in the memory of this process; what nobody is given any more goes.
    pub(crate) fn remember(&self, hash: TokenHash, refreshed: Refreshed) {
        let mut answers = guard(&self.memory.tokens.answers);
        answers.retain(|_, answer| answer.is_fresh(refreshed.at));
        answers.insert((self.folder.clone(), hash), refreshed);
    }

    /// Removes what is kept of refresh tokens, new tokens with it.
    pub(crate) async fn forget_records(&self) -> Result<(), Error> {
        self.forget_answers();
        let folder = self.folder.clone();
        blocking(move || {
            for name in Kind::Record.names(&folder) {
                file::remove(&Kind::Record.path(&folder, &name))?;
            }
            Ok(())
        })
        .await
    }

    /// Removes old records, now and then.
    pub(super) fn clean(&self, access: &Access) {
        let mut cleaned = guard(&self.memory.tokens.cleaned);
        if cleaned.is_some_and(|last| last.elapsed() < CLEANED_EVERY) {
            return;
        }
        *cleaned = Some(Instant::now());
        drop(cleaned);
        remove_old(access);
    }
}

/// A record that cannot be read is none: it saves a request, and must not prevent one.
fn load(access: &Access, hash: TokenHash) -> Option<Refreshed> {
    match access.load(Kind::Record, &hash.to_hex()) {
        Ok(Content::Section(section)) => Refreshed::from_section(&section),
        _ => None,
    }
}

fn descends(access: &Access, old: TokenHash, young: TokenHash) -> bool {
    let mut at = old;
    for _ in 0..LONGEST_LINE {
        let Some(record) = load(access, at) else { return false };
        if record.next == young {
            return old != young;
        }
        // A server that does not rotate ends the line, and so does a circle of two.
        if record.next == at || record.next == old {
            return false;
        }
        at = record.next;
    }
    false
}

fn remove_old(access: &Access) {
    for name in Kind::Record.names(&access.folder) {
        let path = Kind::Record.path(&access.folder, &name);
        let written = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
        if written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age > KEPT_FOR)) {
            // What cannot be removed now can be the next time.
            let _ = file::remove(&path);
        }
    }
}
