//! Memory of the library that is wiped before it is given back, whoever in it used it.

use std::alloc::{GlobalAlloc, Layout};
use std::{ptr, slice};

use zeroize::optimization_barrier;

/// An allocator that wipes every block before it is freed.
///
/// Secrets pass through buffers that are not [`Secret`](tokenkit::Secret)s: those of the HTTP, TLS and JSON libraries,
/// and of everything that formats or collects. With this they do not outlive their use. A block that grows moves to
/// another one, as `realloc` of [`GlobalAlloc`] does it unless told otherwise, so nothing stays behind there either.
#[derive(Debug, Default)]
pub struct Wiping<A>(pub A);

// SAFETY: every block comes from the inner allocator and goes back to it with its own layout. What is written stays
// within the block, at a time when nobody else may use it.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Wiping<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the contract of `alloc_zeroed`, which is the same.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: by the contract of `dealloc` the block has the size of `layout`, and only this call may use it.
        let bytes = unsafe {
            ptr::write_bytes(block, 0, layout.size());
            slice::from_raw_parts(block, layout.size())
        };
        // To the compiler, what is written before freeing is written for nobody.
        optimization_barrier(bytes);
        // SAFETY: the block came from the inner allocator with this layout.
        unsafe { self.0.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;
    use std::sync::Mutex;

    use super::*;

    /// Notes what the blocks hold that it gets back.
    #[derive(Default)]
    struct Watching(Mutex<Vec<Vec<u8>>>);

    // SAFETY: `System` does the work.
    unsafe impl GlobalAlloc for Watching {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the contract is the same.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the block has this size, and the tests below fill it.
            self.0.lock().unwrap().push(unsafe { slice::from_raw_parts(block, layout.size()) }.to_vec());
            // SAFETY: the contract is the same.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn blocks_are_wiped_when_they_are_freed_and_when_they_move() {
        let allocator = Wiping(Watching::default());
        let layout = Layout::from_size_align(32, 8).unwrap();
        // SAFETY: the block is not used beyond its size nor after it is freed, and its layouts are right.
        unsafe {
            let block = allocator.alloc(layout);
            ptr::write_bytes(block, 7, 32);
            let grown = allocator.realloc(block, layout, 64);
            assert_eq!(slice::from_raw_parts(grown, 32), [7; 32]);
            ptr::write_bytes(grown, 9, 64);
            allocator.dealloc(grown, Layout::from_size_align(64, 8).unwrap());
        }
        assert_eq!(*allocator.0.0.lock().unwrap(), [vec![0; 32], vec![0; 64]]);
    }
}
