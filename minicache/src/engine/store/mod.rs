//! The keyspace: slots, index, expiry wheel, eviction.

pub mod policy;
pub mod remains;
pub mod shard;
pub mod slab;
pub mod table;
pub mod wheel;
