//! Protocols, decoded and encoded, without I/O.
//!
//! | module | what it is |
//! |---|---|
//! | [`buffer`] | bytes that wait for their receiver |
//! | [`http1`] | HTTP/1.1: heads, framing, bodies, and the exchange of a request and its response |

pub mod buffer;
pub mod http1;
