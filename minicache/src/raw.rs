//! All unsafe code of the crate: an allocator that counts, `malloc_trim`, and `daemon`.
//!
//! `maxmemory` limits memory, not lengths of strings, and an allocator rounds up: glibc takes 32
//! bytes from its heap for a value of 5 and 1008 for one of 1000. [`Counting`] asks the allocator
//! after each call for the size it really gave and keeps the sum, as `zmalloc.c` does in Redis:
//!
//! ```text
//! alloc(5)       malloc_usable_size 24, header 8     allocated() +32
//! alloc(1000)    malloc_usable_size 1000, header 8   allocated() +1008
//! dealloc        the same sum, asked before          allocated() -32
//! ```
//!
//! That costs one relaxed addition a call. Entries come from slabs, so most commands make no call.
//!
//! # Which systems
//!
//! Linux only. [`HEADER`] and `malloc_trim` are those of glibc, the C library the numbers of this
//! crate were measured with. With musl the crate compiles: its `malloc_usable_size` is right, a
//! header of 8 is an estimate, and `MEMORY PURGE` returns nothing to the system. Linking another
//! `malloc` in front of libc's (`LD_PRELOAD` of jemalloc) keeps the sum right except for the
//! header.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(not(target_os = "linux"))]
compile_error!("minicache runs on Linux: it counts memory with malloc_usable_size and reads /proc");

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// Bytes the allocator has handed out, its headers included. 0 in a program that does not use
/// [`Counting`].
pub fn allocated() -> usize {
    ALLOCATED.load(Ordering::Relaxed)
}

/// The system's allocator, counting. Use it as `#[global_allocator]`.
pub struct Counting;

/// Bytes that glibc keeps in front of each allocation.
const HEADER: usize = 8;

/// The bytes that an allocation takes; 0 for a null pointer.
///
/// # Safety
/// `pointer` is null, or came from [`System`] and has not been freed.
unsafe fn size_of_allocation(pointer: *mut u8) -> usize {
    if pointer.is_null() {
        return 0;
    }
    // SAFETY: on Linux `System` is malloc, so this is a live allocation of malloc.
    unsafe { libc::malloc_usable_size(pointer.cast()) + HEADER }
}

// SAFETY: every call goes to `System` with the arguments and promises of the caller, and its result
// is returned unchanged. Counting reads the size of live allocations and adds to a static.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is that of `System`;
        // what `System` returned is null or live.
        unsafe {
            let pointer = System.alloc(layout);
            ALLOCATED.fetch_add(size_of_allocation(pointer), Ordering::Relaxed);
            pointer
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe {
            let pointer = System.alloc_zeroed(layout);
            ALLOCATED.fetch_add(size_of_allocation(pointer), Ordering::Relaxed);
            pointer
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller hands in a live allocation of ours; its size is read first.
        unsafe {
            ALLOCATED.fetch_sub(size_of_allocation(pointer), Ordering::Relaxed);
            System.dealloc(pointer, layout);
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller hands in a live allocation of ours. `System` frees it only if it
        // returns another one, so the old size is read before, and the new one if there is one.
        unsafe {
            let before = size_of_allocation(pointer);
            let moved = System.realloc(pointer, layout, size);
            if !moved.is_null() {
                ALLOCATED.fetch_add(size_of_allocation(moved), Ordering::Relaxed);
                ALLOCATED.fetch_sub(before, Ordering::Relaxed);
            }
            moved
        }
    }
}

/// Returns free memory of the allocator to the system, where the C library is glibc.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` takes no pointer and may be called at any time by any thread.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Continues in a child process without terminal, standard input and output, and ends this one with
/// exit code 0. To be called before the first thread is started: the child has only the caller's.
///
/// # Errors
/// If the system cannot make another process.
pub fn daemonize() -> std::io::Result<()> {
    // SAFETY: `daemon` takes no pointers and forks. glibc keeps its allocator usable in the child.
    match unsafe { libc::daemon(1, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
