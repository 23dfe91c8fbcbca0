//! Locks between processes, held by the kernel: they go with their holder, however it ends.
//!
//! Two locks make one. `next` is held by the one process whose turn comes after the present holder of `lock`, and given
//! up when its turn has come. So whoever lets go of a lock and wants it again at once cannot get in before those that
//! wait already.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::file::{io_error, open_or_create};
use super::guard;
use crate::error::{Error, ErrorCode};
use crate::event::{Event, Observer};

/// A wait this long is worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// The locks of one process, by path.
#[derive(Debug, Default)]
pub(super) struct Locks(Mutex<HashMap<PathBuf, Arc<Lock>>>);

/// One lock. In this process, its waiters stand in a queue, whose first one waits in the kernel's.
struct Lock {
    /// Path without extension.
    path: PathBuf,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiters: VecDeque<oneshot::Sender<io::Result<Lease>>>,
    /// Whether this process has the lock, or a thread of it waits for the lock.
    busy: bool,
}

/// A lock that is held. Dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lease {
    lock: Arc<Lock>,
    /// Taken by `drop` only.
    file: Option<File>,
}

/// Who holds a lock, kept beside it for the others.
#[derive(Serialize, Deserialize)]
struct Holder {
    pid: u32,
    process: String,
    since: String,
}

impl Locks {
    /// Waits for the lock at `path` (without extension), no longer than `limit`. `what` it locks is for people.
    pub(super) async fn acquire(
        &self,
        path: &Path,
        what: &str,
        limit: Duration,
        observer: &dyn Observer,
    ) -> Result<Lease, Error> {
        let lock = guard(&self.0)
            .entry(path.to_owned())
            .or_insert_with(|| Arc::new(Lock { path: path.to_owned(), queue: Mutex::default() }))
            .clone();
        let mut turn = lock.enqueue();
        let begun = Instant::now();
        let mut got = timeout_at(begun + limit.min(PATIENCE), &mut turn).await;
        if got.is_err() && limit > PATIENCE {
            let text = format!("{what} is locked; waiting. {}", lock.describe_holder());
            observer.event(Event::Note(text));
            got = timeout_at(begun + limit, &mut turn).await;
        }
        match got {
            Ok(Ok(Ok(lease))) => {
                lease.lock.note_holder();
                Ok(lease)
            }
            Ok(Ok(Err(error))) => Err(io_error("cannot be locked", path, &error)),
            Ok(Err(_)) => Err(Error::internal("The wait for a lock ended unexpectedly.")),
            Err(_) => {
                let message = format!(
                    "{what} is locked, and did not become free within {} seconds. {}",
                    limit.as_secs(),
                    lock.describe_holder()
                );
                Err(Error::store(ErrorCode::StoreLocked, message))
            }
        }
    }
}

impl Lock {
    fn enqueue(self: &Arc<Self>) -> oneshot::Receiver<io::Result<Lease>> {
        let (sender, receiver) = oneshot::channel();
        let mut queue = guard(&self.queue);
        queue.waiters.push_back(sender);
        if !std::mem::replace(&mut queue.busy, true) {
            drop(queue);
            self.request();
        }
        receiver
    }

    /// Gets the lock for the first waiter: at once if it is free, else on a thread that sits in the kernel's queue.
    fn request(self: &Arc<Self>) {
        match self.try_now() {
            Ok(Some(file)) => self.hand_over(file),
            Ok(None) => {
                let lock = self.clone();
                let wait = move || match lock.wait() {
                    Ok(file) => lock.hand_over(file),
                    Err(error) => lock.fail(&error),
                };
                let thread = std::thread::Builder::new().name("tokenkit-lock".into());
                if let Err(error) = thread.spawn(wait) {
                    self.fail(&error);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn try_now(&self) -> io::Result<Option<File>> {
        let next = self.open("next")?;
        if !try_lock(&next)? {
            return Ok(None);
        }
        let file = self.open("lock")?;
        Ok(try_lock(&file)?.then_some(file))
    }

    fn wait(&self) -> io::Result<File> {
        let next = self.open("next")?;
        next.lock()?;
        let file = self.open("lock")?;
        file.lock()?;
        Ok(file)
    }

    fn open(&self, extension: &str) -> io::Result<File> {
        open_or_create(&self.path.with_extension(extension))
    }

    /// Gives the lock to the first waiter that still waits.
    fn hand_over(self: &Arc<Self>, file: File) {
        let mut lease = Lease { lock: self.clone(), file: Some(file) };
        loop {
            let Some(waiter) = guard(&self.queue).waiters.pop_front() else { return };
            match waiter.send(Ok(lease)) {
                Err(Ok(back)) => lease = back,
                _ => return,
            }
        }
    }

    fn fail(&self, error: &io::Error) {
        let mut queue = guard(&self.queue);
        queue.busy = false;
        for waiter in queue.waiters.drain(..) {
            let error = io::Error::new(error.kind(), error.to_string());
            // Nobody waits any more where this fails.
            let _ = waiter.send(Err(error));
        }
    }

    /// For the message of another process only: it does not matter if it fails.
    fn note_holder(&self) {
        let process = std::env::current_exe().ok();
        let process = process.as_deref().and_then(Path::file_name).unwrap_or_default();
        let holder = Holder {
            pid: std::process::id(),
            process: process.to_string_lossy().into_owned(),
            since: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        };
        let write = || -> io::Result<()> {
            let mut file = self.open("holder")?;
            let text = serde_json::to_vec(&holder)?;
            file.write_all(&text)?;
            file.set_len(text.len() as u64)
        };
        let _ = write();
    }

    fn describe_holder(&self) -> String {
        let text = fs::read(self.path.with_extension("holder")).unwrap_or_default();
        match serde_json::from_slice(&text) {
            Ok(Holder { pid, process, since }) => {
                format!("It is held by the process {process} ({pid}) since {since}.")
            }
            Err(_) => "It is not known by whom.".to_owned(),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Closing the file lets go of the lock.
        drop(self.file.take());
        let mut queue = guard(&self.lock.queue);
        queue.waiters.retain(|waiter| !waiter.is_closed());
        queue.busy = !queue.waiters.is_empty();
        if queue.busy {
            drop(queue);
            self.lock.request();
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lock").field(&self.path).finish()
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// What [`Locks`] of another process would be.
    fn two(folder: &tempfile::TempDir) -> (Arc<Locks>, Arc<Locks>, PathBuf) {
        (Arc::default(), Arc::default(), folder.path().join("x"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_one_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other, path) = two(&folder);
        let inside = Arc::new(AtomicUsize::new(0));
        let work = (0..64).map(|index| {
            let (locks, path, inside) =
                (if index % 2 == 0 { &one } else { &other }.clone(), path.clone(), inside.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    let lease = locks.acquire(&path, "It", LONG, &()).await.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    drop(lease);
                }
            })
        });
        for done in work.collect::<Vec<_>>() {
            done.await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wait_that_is_too_long_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other, path) = two(&folder);
        let lease = one.acquire(&path, "It", LONG, &()).await.unwrap();
        for locks in [&one, &other] {
            let error = locks.acquire(&path, "It", Duration::from_millis(50), &()).await.unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::StoreLocked);
            assert!(error.is_retryable());
            assert!(error.to_string().contains(&format!("({}) since ", std::process::id())), "{error}");
        }
        drop(lease);
        // The thread that waited for `other` gets the lock, finds nobody, and lets go.
        drop(other.acquire(&path, "It", LONG, &()).await.unwrap());
        drop(one.acquire(&path, "It", LONG, &()).await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_stops_waiting_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other, path) = two(&folder);
        let lease = one.acquire(&path, "It", LONG, &()).await.unwrap();
        for _ in 0..100 {
            let (locks, path) = (other.clone(), path.clone());
            let wait = tokio::spawn(async move { locks.acquire(&path, "It", LONG, &()).await });
            tokio::task::yield_now().await;
            wait.abort();
            assert!(wait.await.unwrap_err().is_cancelled());
        }
        drop(lease);
        drop(one.acquire(&path, "It", LONG, &()).await.unwrap());
        drop(other.acquire(&path, "It", LONG, &()).await.unwrap());
    }

    /// Without the second lock, `hog` would be back before any other thread has woken up.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_has_had_it_comes_after_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (hog, other, path) = two(&folder);
        for _ in 0..20 {
            let lease = hog.acquire(&path, "It", LONG, &()).await.unwrap();
            let (locks, path_too) = (other.clone(), path.clone());
            let wait = tokio::spawn(async move { locks.acquire(&path_too, "It", LONG, &()).await.map(drop) });
            // Until its thread holds `next`.
            while try_lock(&open_or_create(&path.with_extension("next")).unwrap()).unwrap() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(lease);
            let again = hog.acquire(&path, "It", LONG, &()).await.unwrap();
            assert!(wait.is_finished() || tokio::time::timeout(LONG, wait).await.is_ok());
            drop(again);
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Locks::default().acquire(&folder.path().join("a/b"), "It", LONG, &()).await.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::StoreIo);
    }
}
