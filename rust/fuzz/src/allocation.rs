//! An allocator that counts, and that stops the run when an input makes somebody ask for a memory block out of all
//! proportion. libFuzzer's own limit for that needs a sanitizer.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The largest block that any input of the few kilobytes tried here may lead to.
const BLOCK_BYTES_MAX: usize = 64 << 20;

thread_local! {
    static BLOCKS: Cell<u64> = const { Cell::new(0) };
}

struct Watching;

#[global_allocator]
static WATCHING: Watching = Watching;

fn count(bytes: usize) {
    // No thread-local is there while a thread ends; what is freed and taken then is not ours.
    let _ = BLOCKS.try_with(|blocks| blocks.set(blocks.get() + 1));
    if bytes > BLOCK_BYTES_MAX {
        // Not a panic: that would allocate.
        eprintln!("a block of {bytes} bytes was asked for");
        std::process::abort();
    }
}

// SAFETY: every call goes to the system's allocator with the arguments unchanged.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Runs `work`, which must not allocate.
pub fn none_in<T>(work: impl FnOnce() -> T) -> T {
    let before = BLOCKS.get();
    let done = work();
    let taken = BLOCKS.get() - before;
    assert_eq!(taken, 0, "{taken} blocks of memory were taken");
    done
}
