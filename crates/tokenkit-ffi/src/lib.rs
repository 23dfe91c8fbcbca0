//! TokenKit for other languages: two doors to one core.
//!
//! Door 1 ([`mod@service`]) is a typed asynchronous service for .NET, door 2 ([`c_api`]) takes and gives JSON for
//! every language that can call C. Both use the types of [`dto`], run the same core calls, and let no panic
//! out: it becomes an internal error.

#![deny(unsafe_op_in_unsafe_fn)]

mod api_hash;
pub mod c_api;
pub mod dto;
pub mod events;
pub mod failure;
pub mod governance;
pub mod jose;
pub mod lcs;
mod panic;
pub mod service;
pub mod sign_in;
pub mod signer;
mod slots;
pub mod store;
pub mod venafi;
pub mod wiping;

use interoptopus::inventory::RustInventory;
use interoptopus::lang::function::FunctionInfo as _;
use interoptopus::pattern::guard::Version;
use interoptopus::{builtins_string, builtins_wire, ffi, service};

// A constant: `interoptopus::guard!` would put all that describes the API into the library, and read it at the first
// call.
/// The hash of the API of this library, which bindings compare with their own.
#[ffi]
fn __api_guard() -> Version {
    Version::new(api_hash::API_HASH)
}

/// Everything that door 1 exports: what the C# bindings are generated from.
#[must_use]
pub fn inventory() -> RustInventory {
    RustInventory::new()
        .register(builtins_string!())
        .register(builtins_wire!())
        .register(service!(service::TokenClient))
        .register(service!(service::Operation))
        .register(|inventory: &mut RustInventory| __api_guard::register(inventory))
        .validate()
}
