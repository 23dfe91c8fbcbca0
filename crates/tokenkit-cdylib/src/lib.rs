//! The shared library: everything that `tokenkit-ffi` exports, in a file called after the product.

#![forbid(unsafe_code)]

pub use tokenkit_ffi::*;

/// For all that the library holds, that of other crates too.
#[global_allocator]
static ALLOCATOR: wiping::Wiping<std::alloc::System> = wiping::Wiping(std::alloc::System);
