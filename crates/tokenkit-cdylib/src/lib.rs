//! The shared library: everything that `tokenkit-ffi` exports, in a file called after the product.

#![forbid(unsafe_code)]

pub use tokenkit_ffi::*;
