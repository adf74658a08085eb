//! An API gateway small enough to read in an evening: one front door with rate limits that are
//! proven.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | rate limits and routes, without sockets and clocks |

pub mod engine;
