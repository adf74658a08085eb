//! The only unsafe code of the crate: an allocator that counts.
//!
//! `maxmemory` is a promise about memory, not about lengths of strings. A request for 1000 bytes
//! takes 1008 from glibc's heap, and a 5-byte one 32. This allocator asks after every call what was
//! really given (`zmalloc.c` does the same) and keeps the sum. One relaxed addition per call;
//! entries come from the slab, so most commands make no call.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// Bytes the allocator has handed out, its headers included. 0 in a program that does not use
/// [`Counting`].
pub fn allocated() -> usize {
    ALLOCATED.load(Ordering::Relaxed)
}

/// The system's allocator, counting. Use it as `#[global_allocator]`.
pub struct Counting;

/// glibc keeps eight bytes in front of every piece.
const HEADER: usize = 8;

fn given(pointer: *mut u8) -> usize {
    if pointer.is_null() {
        return 0;
    }
    // SAFETY: the pointer came from `System`, which is malloc here, and has not been freed.
    unsafe { libc::malloc_usable_size(pointer.cast()) + HEADER }
}

// SAFETY: every call is passed on to `System` unchanged, with what the caller promised; the
// counting touches no memory but a static.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let pointer = unsafe { System.alloc(layout) };
        ALLOCATED.fetch_add(given(pointer), Ordering::Relaxed);
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        ALLOCATED.fetch_add(given(pointer), Ordering::Relaxed);
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(given(pointer), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let before = given(pointer);
        // SAFETY: as above.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if !moved.is_null() {
            ALLOCATED.fetch_add(given(moved), Ordering::Relaxed);
            ALLOCATED.fetch_sub(before, Ordering::Relaxed);
        }
        moved
    }
}

/// Lets this process have `wanted` files open, as far as the system allows; how many it may have.
pub fn open_files_up_to(wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a value of the type the call fills in.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    if limit.rlim_cur < wanted {
        // The administrator may go beyond the maximum, everybody else as far as that.
        for maximum in [limit.rlim_max.max(wanted), limit.rlim_max] {
            let raised = libc::rlimit { rlim_cur: wanted.min(maximum), rlim_max: maximum };
            // SAFETY: the pointer is to a value that lives until the call returns.
            if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
                return raised.rlim_cur;
            }
        }
    }
    limit.rlim_cur
}

/// Asks the allocator to return free memory to the system.
pub fn give_back() {
    // SAFETY: `malloc_trim` takes no pointer and may be called at any time by any thread.
    unsafe { libc::malloc_trim(0) };
}
