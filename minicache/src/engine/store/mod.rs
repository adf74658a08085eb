//! The keyspace: slots, index, expiry wheel.

pub(crate) mod contents;
pub(crate) mod shard;
pub(crate) mod slab;
pub(crate) mod table;
pub(crate) mod wheel;
