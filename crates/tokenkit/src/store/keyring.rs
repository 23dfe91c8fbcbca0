//! The keyring of the operating system: Secret Service, macOS Keychain, Windows Credential Manager. It holds the keys
//! of stores, by name, and is never made to ask its user for anything.

use std::pin::Pin;
use std::time::Duration;

use super::seal::SealKey;
use crate::secret::Secret;

/// How long a keyring may take. One that wants its user to unlock it takes longer, and so does a broken one.
const PATIENCE: Duration = Duration::from_secs(4);

/// Why a keyring is of no use, for people.
#[derive(Debug)]
pub(super) struct Silent(pub(super) String);

/// The key of that name, if the keyring has it.
pub(super) async fn get(key_id: &str) -> Result<Option<SealKey>, Silent> {
    let text = limited(platform::get(key_id.to_owned())).await?;
    let key = text.map(|text| SealKey::from_text(&text)).transpose();
    key.map_err(|error| Silent(error.to_string()))
}

/// Keeps a key, and reads it again to be sure.
pub(super) async fn put(key: &SealKey) -> Result<(), Silent> {
    limited(platform::put(key.id.clone(), key.to_text())).await?;
    match get(&key.id).await? {
        Some(kept) if kept.id == key.id => Ok(()),
        _ => Err(Silent("it does not give back what it was given".into())),
    }
}

/// Forgets a key.
pub(super) async fn delete(key_id: &str) -> Result<(), Silent> {
    limited(platform::delete(key_id.to_owned())).await
}

/// Whether a new key could be kept.
pub(super) async fn probe() -> Result<(), Silent> {
    limited(platform::probe()).await
}

async fn limited<T: 'static>(
    work: impl Future<Output = Result<T, Silent>> + Send + 'static,
) -> Result<T, Silent> {
    // Seldom needed and large: neither in the futures nor in the code of all who may need it.
    let work: Pin<Box<dyn Future<Output = Result<T, Silent>> + Send>> = Box::pin(work);
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        Err(Silent(format!(
            "it did not answer within {} seconds; it may wait for its user",
            PATIENCE.as_secs()
        )))
    })
}

/// The Secret Service over D-Bus (`org.freedesktop.secrets`).
#[cfg(all(unix, not(target_vendor = "apple")))]
mod platform {
    use std::collections::HashMap;

    use secret_service::{Collection, EncryptionType, Error, SecretService};

    use super::{Secret, Silent};

    const APPLICATION: &str = "TokenKit";

    fn attributes(key_id: &str) -> HashMap<&str, &str> {
        HashMap::from([("application", APPLICATION), ("store-key", key_id)])
    }

    pub(super) async fn get(key_id: String) -> Result<Option<Secret>, Silent> {
        let service = connect().await?;
        let found = service.search_items(attributes(&key_id)).await.map_err(silent)?;
        match (found.unlocked.first(), found.locked.is_empty()) {
            (Some(item), _) => Ok(Some(Secret::from(item.get_secret().await.map_err(silent)?))),
            (None, true) => Ok(None),
            (None, false) => Err(silent(Error::Locked)),
        }
    }

    pub(super) async fn put(key_id: String, text: Secret) -> Result<(), Silent> {
        let service = connect().await?;
        let collection = unlocked(&service).await?;
        let label = format!("TokenKit: key {key_id} of a store");
        let created = collection.create_item(&label, attributes(&key_id), text.expose(), true, "text/plain");
        created.await.map_err(silent)?;
        Ok(())
    }

    pub(super) async fn delete(key_id: String) -> Result<(), Silent> {
        let service = connect().await?;
        let found = service.search_items(attributes(&key_id)).await.map_err(silent)?;
        for item in found.unlocked {
            item.delete().await.map_err(silent)?;
        }
        if found.locked.is_empty() { Ok(()) } else { Err(silent(Error::Locked)) }
    }

    pub(super) async fn probe() -> Result<(), Silent> {
        unlocked(&connect().await?).await.map(drop)
    }

    async fn connect() -> Result<SecretService<'static>, Silent> {
        SecretService::connect(EncryptionType::Dh).await.map_err(silent)
    }

    /// The collection for new items. One that is locked would ask its user for a password.
    async fn unlocked<'a>(service: &'a SecretService<'_>) -> Result<Collection<'a>, Silent> {
        let collection = service.get_default_collection().await.map_err(silent)?;
        collection.ensure_unlocked().await.map_err(silent)?;
        Ok(collection)
    }

    #[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
    fn silent(error: Error) -> Silent {
        Silent(match error {
            Error::Locked => "it is locked".into(),
            Error::NoResult => "it has no default collection".into(),
            Error::Unavailable => "there is no D-Bus session".into(),
            other => other.to_string(),
        })
    }
}

/// Keychain and Credential Manager, which answer at once or ask their user: on a thread of their own.
#[cfg(any(windows, target_os = "macos"))]
mod platform {
    use std::collections::HashMap;

    #[cfg(target_os = "macos")]
    use apple_native_keyring_store::keychain::Store;
    use keyring_core::api::CredentialStoreApi as _;
    use keyring_core::{Entry, Error};
    #[cfg(windows)]
    use windows_native_keyring_store::Store;

    use super::{Secret, Silent};

    const SERVICE: &str = "TokenKit";

    pub(super) async fn get(key_id: String) -> Result<Option<Secret>, Silent> {
        aside(move || match entry(&key_id)?.get_secret() {
            Ok(text) => Ok(Some(Secret::from(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    pub(super) async fn put(key_id: String, text: Secret) -> Result<(), Silent> {
        aside(move || entry(&key_id)?.set_secret(text.expose())).await
    }

    pub(super) async fn delete(key_id: String) -> Result<(), Silent> {
        aside(move || match entry(&key_id)?.delete_credential() {
            Err(Error::NoEntry) => Ok(()),
            result => result,
        })
        .await
    }

    /// Reading what is not there does not ask anybody.
    pub(super) async fn probe() -> Result<(), Silent> {
        get("probe".into()).await.map(drop)
    }

    fn entry(key_id: &str) -> Result<Entry, Error> {
        // The store does not roam to other machines, and neither does its key.
        let local = cfg!(windows).then(|| HashMap::from([("persistence", "Local")]));
        Store::new()?.build(SERVICE, &format!("store key {key_id}"), local.as_ref())
    }

    async fn aside<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Silent> {
        let result = tokio::task::spawn_blocking(work).await;
        let result = result.map_err(|error| Silent(format!("it ended unexpectedly: {error}")))?;
        result.map_err(|error| Silent(error.to_string()))
    }
}
