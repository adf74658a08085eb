//! The bodies of the fuzz targets: what must hold for any bytes.
//!
//! ```text
//! cargo +nightly fuzz run dispatch --fuzz-dir minicache/fuzz -- -dict=minicache/fuzz/dispatch.dict
//! ```
//!
//! * [`requests`]: the parser finds the same requests however its input is cut, and takes memory
//!   only for bytes that arrived.
//! * [`aof`]: an append-only file is loaded up to some offset, or refused with one.
//! * [`commands`]: each command gets one reply, and after all clients have disconnected and every
//!   key is deleted, no slot, subscription or waiting client is left.
//! * [`configuration`]: a file that is accepted can be written out and read again, and a refused
//!   `CONFIG SET` changes nothing.
//! * [`journal`]: any journal is read without a panic, and what is written anew is the same.
//! * [`scripts`]: a script ends, its reply is whole, its memory is bounded, and others are served.
//!
//! [`value`] checks that bytes are replies. The counterparts in Redis are the random commands of
//! `tests/unit/fuzzing.tcl` and of `tests/integration/corrupt-dump-fuzzer.tcl`.

pub mod aof;
pub mod commands;
pub mod configuration;
pub mod journal;
pub mod requests;
pub mod scripts;
pub mod value;

use minicache::raw::Counting;

/// Counts allocations: `maxmemory` needs that, and the check of the parser's memory.
#[global_allocator]
static ALLOCATOR: Counting = Counting;
