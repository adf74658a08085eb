//! The keyspace: slots, index, expiry wheel.

pub mod contents;
pub mod shard;
pub mod slab;
pub mod table;
pub mod wheel;
