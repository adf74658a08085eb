//! What other programs use of minicache without its server.
//!
//! [`policy`]: the eviction policies, and a cache under one of them.

pub mod policy;
