//! What other programs use of minicache without its server.
//!
//! [`cache`]: reading a database through a cache. [`policy`]: the eviction policies, and a cache of
//! a fixed number of keys under one of them. Writing to the database later is a crate of its own,
//! [`minicache_write_behind`].

pub mod cache;
pub mod policy;
