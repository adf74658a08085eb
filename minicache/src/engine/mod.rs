//! The cache itself: no sockets, no clock, no tokio.

pub mod blocking;
pub mod clients;
pub mod counter;
pub mod error;
pub mod events;
pub mod eviction;
pub mod glob;
pub mod hashing;
pub mod key;
pub mod keyspace;
pub mod lazy_free;
pub mod mailbox;
pub mod object;
pub mod pubsub;
pub mod rng;
pub mod shards;
pub mod store;
pub mod timestamp;
pub mod tracking;
pub mod tuning;
pub mod values;
pub mod watch;
