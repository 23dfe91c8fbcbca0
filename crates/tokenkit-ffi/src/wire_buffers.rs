//! The buffers in which `Wire` values travel. `interoptopus::builtins_wire!` would do, but what it frees stays
//! readable in memory, and an answer holds tokens.

use std::mem::ManuallyDrop;

use interoptopus::ffi;
use interoptopus::inventory::RustInventory;
use interoptopus::lang::function::FunctionInfo as _;
use zeroize::Zeroize as _;

/// Makes a buffer of `size` bytes that .NET fills and hands back with its arguments.
#[ffi(export = unique)]
fn interoptopus_wire_create(size: i32, out_len: &mut i32, out_capacity: &mut i32) -> *mut u8 {
    let mut buffer = ManuallyDrop::new(vec![0u8; usize::try_from(size).unwrap_or(0)]);
    *out_len = size.max(0);
    // `vec![0; n]` allocates exactly n, so the capacity fits wherever the size does.
    *out_capacity = i32::try_from(buffer.capacity()).unwrap_or(*out_len);
    buffer.as_mut_ptr()
}

/// Wipes and frees a buffer that .NET has read.
///
/// # Safety
/// The three values are those of a buffer that this library gave to .NET, and that is given back once.
#[ffi(export = unique)]
unsafe fn interoptopus_wire_destroy(data: *mut u8, len: i32, capacity: i32) {
    let (Ok(len), Ok(capacity @ 1..)) = (usize::try_from(len), usize::try_from(capacity)) else { return };
    // SAFETY: by the contract above, these are the parts of a `Vec<u8>` that nobody else owns.
    let mut buffer = unsafe { Vec::from_raw_parts(data, len, capacity) };
    buffer.zeroize();
}

pub(crate) fn register(inventory: &mut RustInventory) {
    interoptopus_wire_create::register(inventory);
    interoptopus_wire_destroy::register(inventory);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_any_size_is_given_and_taken_back() {
        for (size, expected) in [(0, 0), (1, 1), (4096, 4096), (-1, 0), (i32::MIN, 0)] {
            let (mut length, mut capacity) = (-7, -7);
            let data = interoptopus_wire_create(size, &mut length, &mut capacity);
            assert_eq!((length, capacity, data.is_null()), (expected, expected, false), "{size}");
            // SAFETY: they are the parts of the buffer made above, which is given back once.
            unsafe { interoptopus_wire_destroy(data, length, capacity) };
        }
    }

    #[test]
    fn what_is_no_buffer_is_left_alone() {
        for (length, capacity) in [(0, 0), (-1, 16), (16, -1), (i32::MIN, i32::MIN)] {
            // SAFETY: with these sizes nothing is touched.
            unsafe { interoptopus_wire_destroy(std::ptr::null_mut(), length, capacity) };
        }
    }
}
