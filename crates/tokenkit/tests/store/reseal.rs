//! A store gets another key.

use std::fs;
use std::sync::Arc;

use rstest::rstest;
use tempfile::TempDir;
use tokenkit::store::{Backend, Store, Target};
use tokenkit::{ErrorCode, Secret};

use crate::{Heard, KEY, OTHER_KEY, all_text, code, open, open_heard, secret, set, set_secret};

const COUNT: usize = 20;

async fn filled(folder: &TempDir, key: Option<&str>) -> Store {
    let store = open(folder.path(), key);
    for index in 0..COUNT {
        set_secret(&store, &format!("s{index}"), "token", &format!("t0p-{index}")).await;
    }
    store
}

async fn assert_whole(store: &Store) {
    for index in 0..COUNT {
        let section = store.read(&format!("s{index}")).await.unwrap();
        assert_eq!(secret(&section, "token"), Some(format!("t0p-{index}").as_str()));
    }
}

fn target(key: Option<&str>) -> Target {
    key.map_or(Target::File, |key| Target::Key(Secret::from(key)))
}

#[rstest]
#[case(None, Some(KEY))]
#[case(Some(KEY), Some(OTHER_KEY))]
#[case(Some(KEY), None)]
#[case(Some(KEY), Some(KEY))]
#[case(None, None)]
#[tokio::test]
async fn all_sections_get_it(#[case] old: Option<&str>, #[case] new: Option<&str>) {
    let folder = TempDir::new().unwrap();
    let store = filled(&folder, old).await;
    let status = store.reseal(&target(new)).await.unwrap();
    assert_eq!(status.backend, if new.is_some() { Backend::Key } else { Backend::File });
    assert_eq!(status.moving_to, None);
    assert_whole(&open(folder.path(), new)).await;
    assert_eq!(all_text(&folder.path().join("sections")).contains("t0p-"), new.is_none());
    if old != new && new.is_some() {
        assert_ne!(code(open(folder.path(), old).read("s0").await), ErrorCode::StoreVersion);
        assert_eq!(open(folder.path(), old).status().await.unwrap().readable, old == new);
    }
}

/// The same call finishes what was interrupted at any place, and until then both keys are of use.
#[tokio::test]
async fn an_interrupted_move_is_finished_by_the_same_call() {
    for stop_at in 0..COUNT {
        let folder = TempDir::new().unwrap();
        filled(&folder, Some(KEY)).await;
        // A file that cannot be replaced stands for a crash at this place.
        let names: Vec<_> = {
            let mut names: Vec<_> = (0..COUNT).map(|index| format!("s{index}")).collect();
            names.sort_unstable();
            names
        };
        let obstacle = folder.path().join(format!("sections/.{}.json.tmp", names[stop_at]));
        fs::create_dir(&obstacle).unwrap();
        let store = open(folder.path(), Some(KEY));
        assert_eq!(code(store.reseal(&target(Some(OTHER_KEY))).await), ErrorCode::StoreIo);
        fs::remove_dir(&obstacle).unwrap();

        let status = store.status().await.unwrap();
        assert_eq!((status.backend, status.moving_to), (Backend::Key, Some(Backend::Key)));
        // What is not moved yet is there with the old key, what is moved with the new one.
        for (index, name) in names.iter().enumerate() {
            let key = if index < stop_at { OTHER_KEY } else { KEY };
            assert!(
                secret(&open(folder.path(), Some(key)).read(name).await.unwrap(), "token").is_some(),
                "{name}"
            );
        }
        assert_eq!(code(store.reseal(&Target::File).await), ErrorCode::InvalidArgument);
        store.reseal(&target(Some(OTHER_KEY))).await.unwrap();
        assert_whole(&open(folder.path(), Some(OTHER_KEY))).await;
        assert_eq!(open(folder.path(), Some(OTHER_KEY)).status().await.unwrap().moving_to, None);
    }
}

#[tokio::test]
async fn without_the_old_key_nothing_happens() {
    let folder = TempDir::new().unwrap();
    filled(&folder, Some(KEY)).await;
    let before = all_text(folder.path());
    for (key, expected) in [(None, ErrorCode::StoreKeyMissing), (Some(OTHER_KEY), ErrorCode::StoreKeyWrong)] {
        assert_eq!(code(open(folder.path(), key).reseal(&Target::File).await), expected);
    }
    let bad = Target::Key(Secret::from("no key"));
    assert_eq!(code(open(folder.path(), Some(KEY)).reseal(&bad).await), ErrorCode::InvalidStoreKey);
    let settings = fs::read_to_string(folder.path().join("store.json")).unwrap();
    assert!(before.contains(&settings));
    assert_whole(&open(folder.path(), Some(KEY))).await;
}

/// Writers go on meanwhile, and what they write is sealed with the new key in the end.
#[tokio::test(flavor = "multi_thread")]
async fn writers_are_not_lost_in_a_move() {
    let folder = TempDir::new().unwrap();
    filled(&folder, None).await;
    let writer = {
        // With the key at hand, for from some moment on it is needed.
        let store = open(folder.path(), Some(KEY));
        tokio::spawn(async move {
            for round in 0..60 {
                set(&store, &format!("s{}", round % COUNT), "round", &round.to_string()).await.unwrap();
                set(&store, &format!("new{round}"), "round", &round.to_string()).await.unwrap();
            }
        })
    };
    let heard = Arc::new(Heard::default());
    open_heard(folder.path(), None, &heard).reseal(&target(Some(KEY))).await.unwrap();
    writer.await.unwrap();
    assert_eq!(heard.warnings(), Vec::<String>::new());
    let store = open(folder.path(), Some(KEY));
    assert_whole(&store).await;
    for round in 0..60 {
        assert_eq!(
            store.read(&format!("new{round}")).await.unwrap().text("round"),
            Some(round.to_string().as_str())
        );
    }
    // No base64 has these.
    let text = all_text(&folder.path().join("sections"));
    assert!(!text.contains("t0p-") && !text.contains("\"round\""), "something is not sealed");
}

/// A plain store stays plain, and whoever gives a key learns that.
#[tokio::test]
async fn a_key_that_is_not_used_is_told() {
    let folder = TempDir::new().unwrap();
    set(&open(folder.path(), None), "a", "b", "c").await.unwrap();
    let heard = Arc::<Heard>::default();
    let store = open_heard(folder.path(), Some(KEY), &heard);
    let note = store.status().await.unwrap().note.unwrap();
    assert!(note.contains("not used"), "{note}");
    assert!(heard.warnings().is_empty());
    set(&store, "a", "b", "d").await.unwrap();
    assert_eq!(heard.warnings(), [note]);

    store.reseal(&target(Some(KEY))).await.unwrap();
    assert_eq!(heard.warnings().len(), 1);
    assert_eq!(store.status().await.unwrap().note, None);
    set(&store, "a", "b", "e").await.unwrap();
    assert_eq!(heard.warnings().len(), 1);
}
