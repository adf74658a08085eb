//! How much memory the running script has taken, and what it may take.
//!
//! The host's allocator counts, so the memory of a script is what is allocated now, less what was
//! allocated at its start, less what its commands have stored since:
//!
//! ```text
//! start      allocated 50 MB     not the script's: 50
//! s = …      allocated 53 MB     memory() = 3
//! SET k s    allocated 54 MB     the call stored 1: not the script's 51, memory() = 3
//! ```
//!
//! The virtual machine compares it with [`MEMORY_MAX`] every thousand instructions; functions that
//! make long strings do so before they begin. Redis has no such limit.

use rilua::{LuaError, LuaResult};
use std::cell::Cell;

/// The most memory that a script may take, and the longest string that it may make. A fuzz target
/// reaches a lower limit sooner.
pub(crate) const MEMORY_MAX: usize = if cfg!(fuzzing) { 8 << 20 } else { 128 << 20 };

thread_local! {
    /// What the whole program has allocated, as the host's allocator counts it.
    static ALLOCATED: Cell<fn() -> usize> = const { Cell::new(|| 0) };
    /// What was allocated before the running script, and what its commands have stored since.
    static NOT_OURS: Cell<usize> = const { Cell::new(0) };
}

/// Begins to count for a new script. `allocated` returns the bytes that the program has allocated.
pub(crate) fn start(allocated: fn() -> usize) {
    ALLOCATED.set(allocated);
    NOT_OURS.set(allocated());
}

/// Runs `work` on behalf of the script: what it allocates is not the script's.
pub(crate) fn not_counted<T>(work: impl FnOnce() -> T) -> T {
    let before = ALLOCATED.get()();
    let result = work();
    let grown = ALLOCATED.get()().wrapping_sub(before);
    NOT_OURS.set(NOT_OURS.get().wrapping_add(grown));
    result
}

/// Bytes that the running script has taken.
pub(crate) fn memory() -> usize {
    // Other threads free memory too, so the difference may be negative.
    usize::try_from(ALLOCATED.get()().wrapping_sub(NOT_OURS.get()) as isize).unwrap_or(0)
}

/// Refuses to go on if the script has taken [`MEMORY_MAX`]: "not enough memory".
pub(crate) fn check_memory() -> LuaResult<()> {
    check_length(memory())
}

/// The same, before the first of many elements and every thousandth.
pub(crate) fn check_sometimes(index: usize) -> LuaResult<()> {
    if index % 1000 == 1 { check_memory() } else { Ok(()) }
}

/// Refuses a string of this many bytes.
pub(crate) fn check_length(bytes: usize) -> LuaResult<()> {
    if bytes > MEMORY_MAX { Err(LuaError::Memory) } else { Ok(()) }
}
