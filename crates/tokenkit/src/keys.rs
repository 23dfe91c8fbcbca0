//! The signature keys of issuers, fetched once and kept as long as their servers allow.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::jwt::JwkSet;

/// Between two requests that are made only because a token names an unknown key: whoever invents key names must
/// not be able to flood the issuer.
const REFETCH_PAUSE: Duration = Duration::from_secs(30);

/// Key sets that are kept. Whoever invents issuers must not be able to fill the memory; then all but those in use go.
const MAX_SETS: usize = 1000;

/// Key sets by address. Whoever asks for one that is just being fetched waits for it.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    entries: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Entry>>>>>,
}

#[derive(Debug)]
struct Entry {
    keys: Arc<JwkSet>,
    fresh_until: Instant,
    /// When the set was last fetched for an unknown key name.
    forced: Option<Instant>,
}

impl KeyCache {
    /// The keys at `address`. `fetch` runs when they are not there, no longer fresh, or lack `key_id`; it returns
    /// the keys and how long they stay fresh.
    pub(crate) async fn get<F>(
        &self,
        address: &str,
        key_id: Option<&str>,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<JwkSet>, Error>
    where
        F: Future<Output = Result<(JwkSet, Duration), Error>>,
    {
        let slot = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            if entries.len() >= MAX_SETS && !entries.contains_key(address) {
                entries.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            entries.entry(address.to_owned()).or_default().clone()
        };
        let mut slot = slot.lock().await;
        let mut forced = None;
        if let Some(entry) = &mut *slot {
            let known = key_id.is_none_or(|key_id| entry.keys.contains(key_id));
            let too_soon = entry.forced.is_some_and(|last| last.elapsed() < REFETCH_PAUSE);
            if Instant::now() < entry.fresh_until {
                if known || too_soon {
                    return Ok(entry.keys.clone());
                }
                forced = Some(Instant::now());
                // Noted even if the request fails: an issuer in trouble is not asked for every token either.
                entry.forced = forced;
            }
        }
        let (keys, fresh_for) = fetch().await?;
        let keys = Arc::new(keys);
        *slot = Some(Entry { keys: keys.clone(), fresh_until: Instant::now() + fresh_for, forced });
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::jwt::{KeyType, SigningKey};

    const HOUR: Duration = Duration::from_hours(1);

    struct Issuer {
        cache: KeyCache,
        requests: AtomicUsize,
        keys: JwkSet,
    }

    impl Issuer {
        fn new() -> (Self, String) {
            let key = SigningKey::generate(KeyType::P256, None).unwrap().verifying_key().unwrap();
            let name = key.key_id().unwrap().to_owned();
            (Self { cache: KeyCache::default(), requests: AtomicUsize::new(0), keys: key.into() }, name)
        }

        async fn ask(&self, key_id: Option<&str>, fresh_for: Duration) -> usize {
            let fetch = async || {
                self.requests.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok((self.keys.clone(), fresh_for))
            };
            self.cache.get("https://as.example/jwks", key_id, fetch).await.unwrap();
            self.requests.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn fresh_keys_are_not_fetched_again() {
        let (issuer, name) = Issuer::new();
        assert_eq!(issuer.ask(Some(&name), HOUR).await, 1);
        assert_eq!(issuer.ask(Some(&name), HOUR).await, 1);
        assert_eq!(issuer.ask(None, HOUR).await, 1);
    }

    #[tokio::test]
    async fn stale_keys_are_fetched_again() {
        let (issuer, name) = Issuer::new();
        assert_eq!(issuer.ask(Some(&name), Duration::ZERO).await, 1);
        assert_eq!(issuer.ask(Some(&name), Duration::ZERO).await, 2);
    }

    #[tokio::test]
    async fn an_unknown_name_fetches_once_for_a_while() {
        let (issuer, name) = Issuer::new();
        assert_eq!(issuer.ask(Some(&name), HOUR).await, 1);
        assert_eq!(issuer.ask(Some("rotated"), HOUR).await, 2);
        assert_eq!(issuer.ask(Some("rotated"), HOUR).await, 2);
        assert_eq!(issuer.ask(Some("invented"), HOUR).await, 2);
    }

    #[tokio::test]
    async fn invented_issuers_do_not_fill_the_memory() {
        let cache = KeyCache::default();
        let nothing = async || Ok((JwkSet::default(), HOUR));
        let most = |cache: &KeyCache| cache.entries.lock().unwrap().len();
        for number in 0..3 * MAX_SETS {
            cache.get(&format!("https://{number}.example"), None, nothing).await.unwrap();
            assert!(most(&cache) <= MAX_SETS);
        }
        assert!(most(&cache) > 1);
    }

    #[tokio::test]
    async fn many_at_once_cause_one_request() {
        let (issuer, name) = Issuer::new();
        let (issuer, name) = (Arc::new(issuer), Arc::new(name));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (issuer, name) = (issuer.clone(), name.clone());
                tokio::spawn(async move { issuer.ask(Some(&name), HOUR).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(issuer.requests.load(Ordering::SeqCst), 1);
    }
}
