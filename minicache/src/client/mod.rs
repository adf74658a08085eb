//! What other programs use of minicache without its server.
//!
//! [`cache`]: reading and writing a database through a cache. [`policy`]: the eviction policies,
//! and a cache of a fixed number of keys under one of them.

pub mod cache;
pub mod policy;
