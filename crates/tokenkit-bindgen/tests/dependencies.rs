//! No crate comes in unseen: `docs/dependencies.md` names every crate of Cargo.lock under its licence, and every one that
//! is there in two versions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// The versions of each crate that comes from elsewhere.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in read("Cargo.lock").split("[[package]]").skip(1) {
        let value = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
            line.map(|text| text.trim_end_matches('"').to_owned())
        };
        if value("source").is_some() {
            crates.entry(value("name").unwrap()).or_default().insert(value("version").unwrap());
        }
    }
    assert!(crates.len() > 100, "Cargo.lock is not read as it should be");
    crates
}

/// What is in backticks below a heading, but not in headings.
fn named(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_crate_is_listed_under_its_licence() {
    let (listed, locked) = (named(&read("docs/dependencies.md"), "Licences"), locked());
    let locked: BTreeSet<_> = locked.into_keys().collect();
    let new: Vec<_> = locked.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&locked).collect();
    assert!(new.is_empty(), "look at the licences of these, and enter them in docs/dependencies.md: {new:?}");
    assert!(gone.is_empty(), "no longer there, but still in docs/dependencies.md: {gone:?}");
}

#[test]
fn every_duplicate_is_listed() {
    let listed = named(&read("docs/dependencies.md"), "Two versions of one crate");
    let twice: BTreeSet<_> =
        locked().into_iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| name).collect();
    assert_eq!(twice, listed, "left what is there, right what docs/dependencies.md says");
}
