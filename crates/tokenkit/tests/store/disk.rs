//! A disk that is full, and one that cannot be written.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;
use tokenkit::ErrorCode;

use crate::child::{playing, role, within};
use crate::{KEY, code, open, secret, set, set_secret};

const TEST: &str = "disk::a_full_or_read_only_disk_loses_nothing";

/// Runs this test where `folder` is a disk of 256 KiB: as root, or as root of a namespace.
fn on_a_small_disk(folder: &TempDir) -> Output {
    let test = playing("disk", folder.path(), TEST);
    let script = r#"mount -t tmpfs -o size=256k,mode=700 tmpfs "$0" && exec "$@""#;
    let arguments = |flags: &[&str]| {
        let mut all: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        all.extend(["sh", "-c", script, &folder.path().to_string_lossy()].map(str::to_owned));
        all
    };
    let output = within("unshare", arguments(&["--map-root-user", "--mount"]), &test).output().unwrap();
    if output.status.success() || !String::from_utf8_lossy(&output.stderr).contains("not permitted") {
        return output;
    }
    // Some systems let only root have namespaces.
    within("sudo", arguments(&["-n", "-E", "unshare", "--mount"]), &test).output().unwrap()
}

#[test]
fn a_full_or_read_only_disk_loses_nothing() {
    if let Some(folder) = role("disk") {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(small_disk(&folder));
    }
    let folder = TempDir::new().unwrap();
    let output = on_a_small_disk(&folder);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("small disk: done"), "{out}\n{err}");
}

async fn small_disk(folder: &std::path::Path) {
    let path = folder.join("store");
    let store = open(&path, Some(KEY));
    set_secret(&store, "example", "token", "t0p").await;

    // Until not a byte is left, and then with one free page at a time.
    let filler = folder.join("filler");
    let mut size = 0;
    while fs::write(folder.join(format!("filler-{size}")), vec![1u8; 4096]).is_ok() {
        size += 1;
    }
    assert!(size > 10);
    let value = "x".repeat(9000);
    let error = set(&store, "example", "large", &value).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::StoreIo);
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert_eq!(code(set(&store, "another", "large", &value).await), ErrorCode::StoreIo);
    for free in 0..size {
        let read = open(&path, Some(KEY)).read("example").await.unwrap();
        assert_eq!(secret(&read, "token"), Some("t0p"), "with {free} pages free");
        if set(&store, "example", "large", &value).await.is_ok() {
            break;
        }
        assert!(read.text("large").is_none());
        fs::remove_file(folder.join(format!("filler-{free}"))).unwrap();
    }
    let read = store.read("example").await.unwrap();
    assert_eq!((read.text("large"), secret(&read, "token")), (Some(value.as_str()), Some("t0p")));
    assert!(!filler.exists());

    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(folder).status().unwrap();
    assert!(remounted.success());
    let store = open(&path, Some(KEY));
    assert_eq!(secret(&store.read("example").await.unwrap(), "token"), Some("t0p"));
    assert_eq!(code(set(&store, "example", "a", "b").await), ErrorCode::StoreIo);
    assert_eq!(code(store.remove("example").await), ErrorCode::StoreIo);
    assert_eq!(code(set(&open(&folder.join("none"), None), "example", "a", "b").await), ErrorCode::StoreIo);
    println!("small disk: done");
}
