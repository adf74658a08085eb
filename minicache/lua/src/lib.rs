//! Lua 5.1 as the scripts of Redis find it: the interpreter of the crate `rilua` without files,
//! processes and bytecode, with Redis's libraries, read-only globals, and bounds on what one call
//! may allocate.
//!
//! ```text
//! open(redis, full)     an interpreter; `redis` is the table that scripts call the server through
//! compile(source)       a function whose globals are those of scripts
//! ```
//!
//! * [`sandbox`]: what a script finds. [`mod@compile`]: from text to a function.
//! * [`cjson`], [`cmsgpack`], [`structs`], [`bit`]: the libraries that Redis adds.
//! * [`value`]: short forms of what every function written for Lua does.
//!
//! It knows nothing of minicache. Who runs scripts, for how long, and what `redis.call` does is in
//! minicache's `commands/scripts`. In Redis all of it is `script_lua.c` and `deps/lua`.

pub mod bit;
pub mod cjson;
pub mod cmsgpack;
pub mod compile;
pub mod sandbox;
pub mod structs;
pub mod value;

pub use compile::compile;
pub use sandbox::open;

use rilua::{LuaError, LuaResult};
use std::cell::Cell;

/// The most memory that a script may take, and the longest string that it may make.
pub const MEMORY_MAX: usize = 128 << 20;

thread_local! {
    static IS_FULL: Cell<fn() -> bool> = const { Cell::new(|| false) };
}

/// Refuses to go on if the script has taken [`MEMORY_MAX`]. Whoever opened the interpreter knows.
///
/// # Errors
/// [`LuaError::Memory`], which scripts see as "not enough memory".
pub fn check_memory() -> LuaResult<()> {
    if IS_FULL.get()() { Err(LuaError::Memory) } else { Ok(()) }
}

/// Refuses a string of this many bytes.
fn check_length(bytes: usize) -> LuaResult<()> {
    if bytes > MEMORY_MAX { Err(LuaError::Memory) } else { Ok(()) }
}
