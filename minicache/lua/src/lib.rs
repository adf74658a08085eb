//! Scripts as Redis runs them: Lua 5.1 (the crate `rilua`) without files, processes and bytecode,
//! with Redis's libraries, read-only globals, and bounds on time and memory.
//!
//! It knows no command and no key. What a script wants from the server it asks of a [`Host`]:
//!
//! ```text
//! let running = begin(job, 0)?          redis.call('incr', 'n') + 1
//! running.resume(&mut host)             host.call(["incr", "n"])     ":1\r\n"
//! Progress::Done(reply)                                              ":2\r\n"
//! ```
//!
//! * [`Script`]: a text, its SHA-1, and the flags in its first line.
//! * [`vm`]: runs a script, interrupts it, turns its result into a reply. `memory`: what it takes.
//! * [`redis`]: the table that scripts call the host through. [`resp`]: values as RESP and back.
//! * [`sandbox`]: what else a script finds. [`mod@compile`]: from text to a function.
//! * [`patterns`]: `string.find` and its relatives.
//! * [`cjson`], [`cmsgpack`], [`structs`], [`bit`]: the libraries that Redis adds.
//! * [`value`]: short forms of what every function written for Lua does.
//!
//! In Redis all of it is `script_lua.c`, the half of `eval.c`, and `deps/lua`.

pub mod bit;
pub mod cjson;
pub mod cmsgpack;
pub mod compile;
mod memory;
pub mod patterns;
pub mod redis;
pub mod resp;
pub mod sandbox;
mod script;
pub mod structs;
pub mod value;
pub mod vm;

pub use script::{Flags, Script, sha1_hex};
pub use vm::{Host, Interrupt, Job, Progress, Running, begin, load};

#[cfg(test)]
mod tests;
