//! Everything that `TokenKit` reads and did not write, as functions that take any bytes: what a server answers, tokens,
//! keys, addresses, the files of a store, and the requests of the C API. Each panics when what was read breaks a promise, such as that no
//! error shows a secret that was sent.
//!
//! `run.sh` gives them to libFuzzer for as long as wanted, the tests to a plain mutator for seconds; both start from
//! `corpus/<target>`.

#![deny(unsafe_code)]

mod address;
mod answer;
mod c_api;
mod jose;
mod store;

/// Reads `data`.
///
/// # Panics
/// A promise is broken.
pub type Target = fn(data: &[u8]);

/// The targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("token_response", answer::token_response),
    ("error_response", answer::error_response),
    ("discovery", answer::discovery),
    ("jwt", jose::jwt),
    ("jwk_set", jose::jwk_set),
    ("key", jose::key),
    ("address", address::address),
    ("challenge", answer::challenge),
    ("store", store::store),
    ("c_api", c_api::c_api),
];
