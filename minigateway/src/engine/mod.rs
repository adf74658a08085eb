//! The idea: which request is admitted, and where it goes.
//!
//! | module | what it is |
//! |---|---|
//! | [`limiter`] | the algorithms, one key each |
//!
//! Nothing here opens a socket or reads a clock: the time is handed in, in nanoseconds. The same
//! code runs in the server, in the golden scripts and in the figures of the POCs.

pub mod limiter;
