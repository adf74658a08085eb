//! The keyspace: slots, index, expiry wheel.

pub mod remains;
pub mod shard;
pub mod slab;
pub mod table;
pub mod wheel;
