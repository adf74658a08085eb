//! The protocol, without I/O: bytes in, spans out; values in, bytes out.
//!
//! * [`request`]: what clients send, RESP arrays of bulk strings or inline lines.
//! * [`reply`]: what they are sent, in RESP2 or RESP3.

pub mod reply;
pub mod request;
