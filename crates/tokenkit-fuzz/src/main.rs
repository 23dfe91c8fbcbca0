//! libFuzzer on the target that the environment variable `TOKENKIT_FUZZ_TARGET` names; see run.sh.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tokenkit_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(|data: &[u8]| TARGET.get_or_init(named)(data));

#[allow(clippy::panic, reason = "nothing can be done without a target")]
fn named() -> Target {
    let name = std::env::var("TOKENKIT_FUZZ_TARGET").unwrap_or_default();
    match TARGETS.iter().find(|(known, _)| *known == name) {
        Some((_, target)) => *target,
        None => panic!("TOKENKIT_FUZZ_TARGET is '{name}', which is no target"),
    }
}
