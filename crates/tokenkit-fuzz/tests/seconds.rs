//! Each target for a few seconds: the inputs of its corpus, then as many changed ones as the time allows. Longer runs,
//! which watch what the code does with them, are those of run.sh.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is meant to panic")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use tokenkit_fuzz::{TARGETS, Target};

const TIME: Duration = Duration::from_secs(2);

/// How many inputs between two looks at the clock.
const CASES: u32 = 8;

/// One change of an input.
#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// A part of the input stands twice.
    Repeat(Index, usize),
    /// The end is that of another input.
    Splice(Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    let meaningful = prop::sample::select(
        &[
            b"\"" as &[u8],
            b"\\u0000",
            b"{",
            b"[",
            b"null",
            b"-1",
            b"1e999",
            b".",
            b"=",
            b"\0",
            b"%",
            b"&",
            b"\xff",
        ][..],
    );
    prop_oneof![
        (place(), 1u8..).prop_map(|(at, mask)| Edit::Flip(at, mask)),
        (place(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (place(), meaningful).prop_map(|(at, bytes)| Edit::Insert(at, bytes.to_vec())),
        (place(), 1usize..32).prop_map(|(at, length)| Edit::Remove(at, length)),
        (place(), 1usize..64).prop_map(|(at, length)| Edit::Repeat(at, length)),
        (place(), place()).prop_map(|(at, other)| Edit::Splice(at, other)),
    ]
}

fn apply(mut data: Vec<u8>, edits: Vec<Edit>, corpus: &[Vec<u8>]) -> Vec<u8> {
    for edit in edits {
        let at = |index: Index| index.index(data.len() + 1);
        match edit {
            Edit::Flip(index, mask) => {
                let at = at(index);
                data.get_mut(at).into_iter().for_each(|byte| *byte ^= mask);
            }
            Edit::Insert(index, bytes) => drop(data.splice(at(index)..at(index), bytes)),
            Edit::Remove(index, length) => {
                let at = at(index);
                data.drain(at..data.len().min(at + length));
            }
            Edit::Repeat(index, length) => {
                let at = at(index);
                let part = data[at..data.len().min(at + length)].to_vec();
                data.splice(at..at, part);
            }
            Edit::Splice(index, other) => {
                let at = at(index);
                let other = other.get(corpus);
                data.truncate(at);
                data.extend_from_slice(&other[other.len().min(at)..]);
            }
        }
    }
    data
}

fn run(name: &str, target: Target) -> u32 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files = fs::read_dir(folder).unwrap();
    let corpus: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for data in &corpus {
        target(data);
    }

    let input = (any::<Index>(), prop::collection::vec(edit(), 1..6));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let (started, mut cases) = (Instant::now(), 0);
    while started.elapsed() < TIME {
        let outcome = runner.run(&input, |(first, edits)| {
            let data = apply(first.get(&corpus).clone(), edits, &corpus);
            let shown = String::from_utf8_lossy(&data).into_owned();
            let broken = std::panic::catch_unwind(|| target(&data)).err();
            prop_assert!(broken.is_none(), "{name} breaks on {shown:?}");
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
        cases += CASES;
    }
    cases
}

#[test]
fn every_target_for_seconds() {
    for (name, target) in TARGETS {
        assert!(run(name, *target) >= CASES, "{name}");
    }
}

#[test]
fn every_corpus_has_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(known, _)| name == *known), "{}", name.display());
    }
}
