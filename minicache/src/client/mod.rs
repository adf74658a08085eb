//! What other programs use of minicache without its server.
//!
//! [`cache`]: reading a database through a cache. [`write_behind`]: writing to it later.
//! [`policy`]: the eviction policies, and a cache of a fixed number of keys under one of them.

pub mod cache;
pub mod policy;
pub mod write_behind;
