//! The keyspace: slots, index, expiry wheel, eviction.

pub mod table;
