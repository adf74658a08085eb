//! The cache itself: no sockets, no clock, no tokio.

pub mod access;
pub mod blocking;
pub mod cache;
pub mod clients;
pub mod error;
pub mod events;
pub mod eviction;
pub mod glob;
pub mod hashing;
pub mod latency;
pub mod lazy_free;
pub mod mailbox;
pub mod object;
pub mod pause;
pub mod pubsub;
pub mod rng;
pub mod store;
pub mod tracking;
pub mod tuning;
pub mod values;
pub mod watch;
