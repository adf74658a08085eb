//! The protocol, without I/O: bytes in, spans out; values in, bytes out.
//!
//! * [`request`]: what clients send, RESP arrays of bulk strings or inline lines.
//! * [`pipeline`]: several requests that came together.
//! * [`reply`]: what they are sent, in RESP2 or RESP3.
//! * [`frame`]: the same, read: for the command line client and `explain`.

pub mod frame;
pub mod pipeline;
pub mod reply;
pub mod request;
