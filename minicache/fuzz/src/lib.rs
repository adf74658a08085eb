//! What must hold for any bytes whatever: the bodies of the fuzz targets.
//!
//! ```text
//! cargo +nightly fuzz run dispatch --fuzz-dir minicache/fuzz -- -dict=minicache/fuzz/dispatch.dict
//! ```
//!
//! * [`requests`]: the parser answers alike however its input is cut, and takes memory only for
//!   bytes that came.
//! * [`commands`]: whatever clients send, each command has one reply, and when all have gone and
//!   every key is deleted nothing is left behind.
//! * [`configuration`]: a file that is accepted can be written out and read again, and a refused
//!   `CONFIG SET` changes nothing.
//!
//! [`value`] tells whether bytes are a reply. Redis has no counterpart but the random commands
//! of `tests/unit/fuzzing.tcl` and of `tests/integration/corrupt-dump-fuzzer.tcl`.

pub mod commands;
pub mod configuration;
pub mod requests;
pub mod value;

use minicache::raw::Counting;

/// Counted, so that `maxmemory` means something and the parser's memory can be seen.
#[global_allocator]
static ALLOCATOR: Counting = Counting;
