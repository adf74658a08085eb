//! The keyspace: slots, index, expiry wheel, eviction.

pub mod policy;
pub mod shard;
pub mod slab;
pub mod table;
pub mod wheel;
