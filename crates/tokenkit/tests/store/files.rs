//! What stands in the folder, who may read it, and what happens when it is not as it was left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokenkit::store::{Backend, Memory, Store, StoreOptions};
use tokenkit::{ErrorCode, Secret};

use crate::{Heard, KEY, OTHER_KEY, all_text, code, open, open_heard, options, secret, set, set_secret};

const SECTIONS: [Option<&str>; 2] = [None, Some(KEY)];

fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("sections/example.json")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[rstest]
#[case(None)]
#[case(Some(KEY))]
#[tokio::test]
async fn what_is_written_can_be_read_by_others(#[case] key: Option<&str>) {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), key);
    assert!(store.read("example").await.unwrap().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "reading has written");

    set(&store, "example", "client", "app").await.unwrap();
    set_secret(&store, "example", "token", "t0p-s3cret").await;
    let read = open(folder.path(), key).read("example").await.unwrap();
    assert_eq!(read.text("client"), Some("app"));
    assert_eq!(secret(&read, "token"), Some("t0p-s3cret"));
    assert_eq!(read.names().collect::<Vec<_>>(), ["client", "token"]);

    let text = all_text(folder.path());
    assert_eq!(text.contains("t0p-s3cret"), key.is_none());
    assert_eq!(text.contains("\"app\""), key.is_none());
    let status = store.status().await.unwrap();
    assert!(status.exists && status.readable && status.damaged.is_empty());
    assert_eq!(status.backend, if key.is_some() { Backend::Key } else { Backend::File });
    assert_eq!(status.sections.iter().map(|section| section.name.as_str()).collect::<Vec<_>>(), ["example"]);

    assert!(store.remove("example").await.unwrap());
    assert!(!store.remove("example").await.unwrap());
    assert!(store.read("example").await.unwrap().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn everything_is_the_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    fn modes(path: &Path, seen: &mut Vec<(String, u32)>) {
        let metadata = fs::metadata(path).unwrap();
        let kind = if metadata.is_dir() { "folder" } else { "file" };
        seen.push((kind.into(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                modes(&entry.unwrap().path(), seen);
            }
        }
    }

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new/store");
    // An open umask is what containers and build agents often have.
    let old = rustix::process::umask(rustix::fs::Mode::empty());
    set(&open(&path, None), "example", "a", "b").await.unwrap();
    rustix::process::umask(old);
    let mut seen = Vec::new();
    modes(&path, &mut seen);
    assert!(seen.len() > 6, "{seen:?}");
    for (kind, mode) in seen {
        assert_eq!(mode, if kind == "folder" { 0o700 } else { 0o600 }, "{kind}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_open_to_others_is_closed_with_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new().unwrap();
    set(&open(folder.path(), None), "example", "a", "b").await.unwrap();
    for path in [folder.path().to_owned(), file(&folder), folder.path().join("store.json")] {
        let closed = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(closed.mode() | 0o044)).unwrap();
        let heard = Arc::new(Heard::default());
        let read = open_heard(folder.path(), None, &heard).read("example").await.unwrap();
        assert_eq!(read.text("a"), Some("b"));
        let warnings = heard.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("open to other users"), "{warnings:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions(), closed, "{}", path.display());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_of_other_things_does_not_become_a_store() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("thesis.txt"), "x").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let result = set(&open(folder.path(), None), "example", "a", "b").await;
    assert_eq!(code(result), ErrorCode::StoreNotPrivate);
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o755);
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_pipes_in_place_of_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let elsewhere = folder.path().join("elsewhere.json");
    let path = folder.path().join("store");
    let store = open(&path, None);
    set(&store, "example", "a", "b").await.unwrap();
    for name in ["sections/example.json", "store.json"] {
        let file = path.join(name);
        fs::rename(&file, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
        assert_eq!(code(store.read("example").await), ErrorCode::StoreNotPrivate, "{name}");
        assert_eq!(code(set(&store, "example", "a", "c").await), ErrorCode::StoreNotPrivate, "{name}");
        fs::remove_file(&file).unwrap();

        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(code(store.read("example").await), ErrorCode::StoreNotPrivate, "{name}");
        fs::remove_file(&file).unwrap();
        fs::rename(&elsewhere, &file).unwrap();
    }
    assert_eq!(store.read("example").await.unwrap().text("a"), Some("b"));
}

/// Root can give files away. Others find a folder that is not theirs.
#[cfg(unix)]
#[tokio::test]
async fn what_belongs_to_others_is_refused() {
    if !rustix::process::geteuid().is_root() {
        assert_eq!(
            code(set(&open(Path::new("/usr"), None), "example", "a", "b").await),
            ErrorCode::StoreNotPrivate
        );
        return;
    }
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    set(&store, "example", "a", "b").await.unwrap();
    for path in [folder.path().to_owned(), folder.path().join("store.json"), file(&folder)] {
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        let error = store.read("example").await.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::StoreNotPrivate);
        assert!(error.to_string().contains("12345"), "{error}");
        assert_eq!(code(set(&store, "example", "a", "c").await), ErrorCode::StoreNotPrivate);
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    assert_eq!(store.read("example").await.unwrap().text("a"), Some("b"));
}

/// Damages, and whether a sealed file alone shows them.
#[rstest]
#[case::empty(b"".to_vec())]
#[case::blank(b"\n".to_vec())]
#[case::zeros(vec![0; 512])]
#[case::no_json(b"version: 1".to_vec())]
#[case::a_list(b"[]".to_vec())]
#[case::no_version(br#"{"section":"example","values":{},"secrets":{}}"#.to_vec())]
#[case::version_zero(br#"{"version":0,"section":"example","values":{},"secrets":{}}"#.to_vec())]
#[case::version_text(br#"{"version":"1","section":"example","values":{},"secrets":{}}"#.to_vec())]
#[case::no_values(br#"{"version":1,"section":"example","secrets":{}}"#.to_vec())]
#[case::values_a_list(br#"{"version":1,"section":"example","values":[],"secrets":{}}"#.to_vec())]
#[case::a_secret_a_number(br#"{"version":1,"section":"example","values":{},"secrets":{"a":1}}"#.to_vec())]
#[case::of_another(br#"{"version":1,"section":"other","values":{},"secrets":{}}"#.to_vec())]
#[case::seal_alone(br#"{"version":1,"section":"example","seal":{}}"#.to_vec())]
#[case::seal_unknown(br#"{"version":1,"section":"example","seal":{"algorithm":"ROT13","key":"","salt":""},"sealed":""}"#.to_vec())]
#[case::deep([b"{\"a\":".repeat(100_000), b"1".to_vec()].concat())]
#[tokio::test]
async fn a_damaged_file_is_set_aside_and_nothing_else_is_lost(#[case] content: Vec<u8>) {
    for key in SECTIONS {
        let folder = TempDir::new().unwrap();
        set(&open(folder.path(), key), "example", "a", "b").await.unwrap();
        set(&open(folder.path(), key), "other", "c", "d").await.unwrap();
        fs::write(file(&folder), &content).unwrap();

        let heard = Arc::new(Heard::default());
        let store = open_heard(folder.path(), key, &heard);
        assert!(store.read("example").await.unwrap().is_empty());
        let warnings = heard.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("is damaged"), "{warnings:?}");
        let status = store.status().await.unwrap();
        assert_eq!(status.damaged.len(), 1);
        assert!(warnings[0].contains(&*status.damaged[0].to_string_lossy()), "{warnings:?}");
        assert_eq!(fs::read(&status.damaged[0]).unwrap(), content);

        set(&store, "example", "a", "again").await.unwrap();
        assert_eq!(store.read("example").await.unwrap().text("a"), Some("again"));
        assert_eq!(store.read("other").await.unwrap().text("c"), Some("d"));
        assert_eq!(heard.warnings().len(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever happens to a file: it is read as it was, or set aside, or refused; and the store goes on.
    #[test]
    fn no_damage_stops_the_store(
        sealed in any::<bool>(),
        at in 0.0..1.0f64,
        with in prop::collection::vec(any::<u8>(), 0..24),
        cut in any::<bool>(),
        settings in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let key = sealed.then_some(KEY);
            let folder = TempDir::new().unwrap();
            let store = open(folder.path(), key);
            set(&store, "example", "a", "b").await.unwrap();
            set_secret(&store, "example", "token", "t0p").await;
            set(&store, "other", "c", "d").await.unwrap();
            let path = if settings { folder.path().join("store.json") } else { file(&folder) };
            let mut bytes = fs::read(&path).unwrap();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short file")]
            let at = (at * bytes.len() as f64) as usize;
            let end = if cut { bytes.len() } else { (at + with.len()).min(bytes.len()) };
            bytes.splice(at..end, with);
            fs::write(&path, bytes).unwrap();

            let store = open(folder.path(), key);
            let read = store.read("example").await;
            if let Ok(section) = &read && sealed && !section.is_empty() {
                // A seal is whole or broken.
                assert_eq!((section.text("a"), secret(section, "token")), (Some("b"), Some("t0p")));
            }
            let written = match read {
                Ok(_) => set(&store, "example", "a", "new").await,
                Err(error) => Err(error),
            };
            match written {
                Ok(()) => assert_eq!(store.read("example").await.unwrap().text("a"), Some("new")),
                // What was hit may be the version, or the key's name, which is another's now: nothing is moved then.
                Err(error) => {
                    let codes = [ErrorCode::StoreKeyWrong, ErrorCode::StoreKeyMissing, ErrorCode::StoreVersion, ErrorCode::StoreKeyring];
                    assert!(codes.contains(&error.error_code()), "{error}");
                    assert!(path.exists());
                }
            }
            if !settings {
                assert_eq!(store.read("other").await.unwrap().text("c"), Some("d"));
            }
        });
    }
}

/// Lost or damaged settings are made anew, from what the sections say about their key.
#[rstest]
#[case(None, None)]
#[case(None, Some("{"))]
#[case(Some(KEY), None)]
#[case(Some(KEY), Some("{}"))]
#[tokio::test]
async fn settings_are_found_again(#[case] key: Option<&str>, #[case] content: Option<&str>) {
    let folder = TempDir::new().unwrap();
    set(&open(folder.path(), key), "example", "a", "b").await.unwrap();
    let settings = folder.path().join("store.json");
    let before = json(&settings);
    match content {
        Some(content) => fs::write(&settings, content).unwrap(),
        None => fs::remove_file(&settings).unwrap(),
    }
    if key.is_some() {
        let error = code(open(folder.path(), None).read("example").await);
        assert!([ErrorCode::StoreKeyMissing, ErrorCode::StoreKeyring].contains(&error), "{error}");
        let error = code(open(folder.path(), Some(OTHER_KEY)).read("example").await);
        assert_eq!(error, ErrorCode::StoreKeyWrong);
    }
    assert_eq!(open(folder.path(), key).read("example").await.unwrap().text("a"), Some("b"));
    assert_eq!(json(&settings), before);
}

#[tokio::test]
async fn a_wrong_or_missing_key_moves_nothing() {
    let folder = TempDir::new().unwrap();
    set(&open(folder.path(), Some(KEY)), "example", "a", "b").await.unwrap();
    let before = all_text(&folder.path().join("sections"));
    for (key, expected) in [(None, ErrorCode::StoreKeyMissing), (Some(OTHER_KEY), ErrorCode::StoreKeyWrong)] {
        let store = open(folder.path(), key);
        assert_eq!(code(store.read("example").await), expected);
        assert_eq!(code(set(&store, "example", "a", "c").await), expected);
        assert_eq!(code(set(&store, "new", "a", "c").await), expected);
        let status = store.status().await.unwrap();
        assert_eq!((status.backend, status.readable), (Backend::Key, false));
        assert!(status.note.is_some());
    }
    assert_eq!(all_text(&folder.path().join("sections")), before);
    assert_eq!(open(folder.path(), Some(KEY)).read("example").await.unwrap().text("a"), Some("b"));
}

/// A plain store stays plain until it is moved: a key that appears later changes nothing by itself.
#[tokio::test]
async fn the_backend_is_chosen_once() {
    let folder = TempDir::new().unwrap();
    set(&open(folder.path(), None), "example", "a", "b").await.unwrap();
    let store = open(folder.path(), Some(KEY));
    set(&store, "example", "a", "c").await.unwrap();
    assert_eq!(store.status().await.unwrap().backend, Backend::File);
    assert_eq!(open(folder.path(), None).read("example").await.unwrap().text("a"), Some("c"));
}

#[tokio::test]
async fn a_key_may_be_in_a_file() {
    let folder = TempDir::new().unwrap();
    let (path, key_file) = (folder.path().join("store"), folder.path().join("key"));
    let with = |key_file: &Path| StoreOptions { key_file: Some(key_file.to_owned()), ..options(&path, None) };
    let open_with = |options| Store::open(options, Arc::new(Memory::default()), Arc::new(()));
    fs::write(&key_file, format!("{KEY}\n")).unwrap();
    set(&open_with(with(&key_file)).unwrap(), "example", "a", "b").await.unwrap();
    assert_eq!(open(&path, Some(KEY)).read("example").await.unwrap().text("a"), Some("b"));

    fs::write(&key_file, "no key").unwrap();
    assert_eq!(code(open_with(with(&key_file))), ErrorCode::InvalidStoreKey);
    assert_eq!(code(open_with(with(&folder.path().join("none")))), ErrorCode::InvalidStoreKey);
}

/// What a later version adds is kept, and what it changes is not touched.
#[tokio::test]
async fn later_versions_are_respected() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    set(&store, "example", "a", "b").await.unwrap();
    for path in [file(&folder), folder.path().join("store.json")] {
        let mut content = json(&path);
        content["colour"] = json!({ "of": ["the", 1] });
        fs::write(&path, content.to_string()).unwrap();
    }
    set(&store, "example", "a", "c").await.unwrap();
    store.reseal(&tokenkit::store::Target::Key(Secret::from(KEY))).await.unwrap();
    let sealed = open(folder.path(), Some(KEY));
    set(&sealed, "example", "a", "d").await.unwrap();
    sealed.reseal(&tokenkit::store::Target::File).await.unwrap();
    for path in [file(&folder), folder.path().join("store.json")] {
        assert_eq!(json(&path)["colour"], json!({ "of": ["the", 1] }), "{}", path.display());
    }
    for path in [file(&folder), folder.path().join("store.json")] {
        let mut content = json(&path);
        content["version"] = 2.into();
        fs::write(&path, content.to_string()).unwrap();
        assert_eq!(code(store.read("example").await), ErrorCode::StoreVersion);
        assert_eq!(code(set(&store, "example", "a", "c").await), ErrorCode::StoreVersion);
        assert_eq!(json(&path), content);
        content["version"] = 1.into();
        fs::write(&path, content.to_string()).unwrap();
    }
    assert_eq!(store.read("example").await.unwrap().text("a"), Some("d"));
}

#[rstest]
#[case("")]
#[case("A")]
#[case("a b")]
#[case("../a")]
#[case("a/b")]
#[case(".a")]
#[case("ä")]
#[case("con")]
#[case("com1")]
#[case("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
#[tokio::test]
async fn names_that_no_file_should_have_are_refused(#[case] name: &str) {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    assert_eq!(code(store.read(name).await), ErrorCode::InvalidSection);
    assert_eq!(code(set(&store, name, "a", "b").await), ErrorCode::InvalidSection);
    assert_eq!(code(store.remove(name).await), ErrorCode::InvalidSection);
    assert_eq!(code(store.update_temporary(name, |_| ())), ErrorCode::InvalidSection);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The temporary layer is before what is stored, for this process only, until the same is stored.
#[tokio::test]
async fn the_temporary_layer_lies_over_the_section() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    store.update_temporary("example", |layer| layer.set("a", "temporary")).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a temporary value was written");
    set(&store, "example", "b", "stored").await.unwrap();
    store.update_temporary("example", |layer| layer.set_secret("b", Secret::from("hidden"))).unwrap();
    let read = store.read("example").await.unwrap();
    assert_eq!(
        (read.text("a"), read.text("b"), secret(&read, "b")),
        (Some("temporary"), None, Some("hidden"))
    );
    assert_eq!(store.read_stored("example").await.unwrap().text("b"), Some("stored"));
    assert_eq!(open(folder.path(), None).read("example").await.unwrap().text("a"), None);

    set(&store, "example", "b", "stored").await.unwrap();
    let read = store.read("example").await.unwrap();
    assert_eq!((read.text("a"), read.text("b")), (Some("temporary"), Some("stored")));
    assert!(store.remove("example").await.unwrap());
    assert!(store.read("example").await.unwrap().is_empty());
}

/// What changes nothing writes nothing.
/// What copies a store may leave out folders that are empty, and the lock files, which look like nobody's.
#[tokio::test]
async fn a_copy_without_some_of_its_folders_is_used() {
    let folder = TempDir::new().unwrap();
    set(&open(folder.path(), None), "example", "name", "old").await.unwrap();
    fs::remove_dir_all(folder.path().join("locks")).unwrap();
    fs::remove_dir(folder.path().join("refresh")).unwrap();
    let copy = open(folder.path(), None);
    assert_eq!(copy.read("example").await.unwrap().text("name"), Some("old"));
    set(&copy, "example", "name", "new").await.unwrap();
    assert_eq!(open(folder.path(), None).read("example").await.unwrap().text("name"), Some("new"));
}

#[tokio::test]
async fn a_change_of_nothing_leaves_the_file() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), Some(KEY));
    set_secret(&store, "example", "token", "t0p").await;
    let before = fs::read(file(&folder)).unwrap();
    set_secret(&store, "example", "token", "t0p").await;
    assert_eq!(fs::read(file(&folder)).unwrap(), before);
    set_secret(&store, "example", "token", "t1p").await;
    assert_ne!(fs::read(file(&folder)).unwrap(), before);
}

#[tokio::test]
async fn a_change_that_fails_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    set(&store, "example", "a", "b").await.unwrap();
    let failing = store.update("example", |section| -> Result<(), _> {
        section.set("a", "c");
        Err(tokenkit::Error::InvalidInput { code: ErrorCode::InvalidArgument, message: "no".into() })
    });
    assert_eq!(code(failing.await), ErrorCode::InvalidArgument);
    assert_eq!(store.read("example").await.unwrap().text("a"), Some("b"));
}

/// A read and a write take as long with 10,000 sections as with one.
#[tokio::test]
async fn the_cost_does_not_grow_with_the_number_of_sections() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), None);
    set(&store, "example", "a", "b").await.unwrap();
    let measure = async |rounds: u32| {
        let begun = Instant::now();
        for round in 0..rounds {
            set(&store, "example", "a", &round.to_string()).await.unwrap();
            store.read("example").await.unwrap();
        }
        begun.elapsed() / rounds
    };
    measure(20).await;
    let few = measure(100).await;
    let content = fs::read_to_string(file(&folder)).unwrap();
    for index in 0..10_000 {
        let name = format!("s{index}");
        fs::write(folder.path().join(format!("sections/{name}.json")), content.replace("example", &name))
            .unwrap();
    }
    let many = measure(100).await;
    assert_eq!(store.status().await.unwrap().sections.len(), 10_001);
    println!("a write and a read: {few:?} with 1 section, {many:?} with 10,001");
    assert!(many < few * 5 + std::time::Duration::from_millis(5), "{few:?} {many:?}");
    // And the folder holds no more than it must.
    let locks: BTreeSet<_> =
        fs::read_dir(folder.path().join("locks")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(locks.len() <= 6, "{locks:?}");
}
