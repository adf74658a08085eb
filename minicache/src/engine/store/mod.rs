//! The keyspace: slots, index, expiry wheel, order of eviction.

pub(crate) mod contents;
pub(crate) mod key_order;
pub(crate) mod shard;
pub(crate) mod slab;
pub(crate) mod table;
pub(crate) mod wheel;
