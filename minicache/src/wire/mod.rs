//! The protocol, without I/O: the parser turns bytes into spans, the writer values into bytes.
//!
//! ```text
//! *2\r\n$3\r\nGET\r\n$1\r\nk\r\n ─> request: spans GET, k ─> commands ─> reply ─> $1\r\nv\r\n
//! ```
//!
//! * [`request`]: the parser of requests, RESP arrays of bulk strings or inline lines.
//! * [`pipeline`]: several requests that arrived together.
//! * [`reply`]: the writer of replies, in RESP2 or RESP3.
//! * [`frame`]: the reader of replies, for the command-line client, `explain` and tests.
//! * [`mod@print`]: replies as `redis-cli` prints them.
//!
//! There is one parser for each direction, and every other part of the crate uses it. Counterparts
//! in Redis: `networking.c`, and `deps/hiredis/read.c` for [`frame`].

pub mod frame;
pub mod pipeline;
pub mod print;
pub mod reply;
pub mod request;
