//! The cache itself: no sockets, no clock, no tokio.
//!
//! * [`store`]: one shard: index, slab, expiry wheel. [`eviction`]: which key goes.
//! * [`shards`], [`keyspace`]: the locks, and the keys as a command sees them.
//! * [`values`], [`object`]: the types of values.
//! * [`blocking`], [`watch`], [`pubsub`], [`tracking`]: clients that wait for keys or hear of them.
//! * [`clients`], [`mailbox`]: the connected clients, and messages between them.

pub mod blocking;
pub(crate) mod clients;
pub(crate) mod counter;
pub(crate) mod error;
pub(crate) mod events;
pub mod eviction;
pub mod hashing;
pub mod key;
pub mod keyspace;
pub(crate) mod lazy_free;
pub mod mailbox;
pub(crate) mod object;
pub(crate) mod pubsub;
pub mod rng;
pub(crate) mod shards;
pub(crate) mod store;
pub mod timestamp;
pub(crate) mod tracking;
pub(crate) mod tuning;
pub(crate) mod values;
pub(crate) mod watch;

pub use clients::Client;
pub(crate) use minicache_text::glob;
pub use object::Str;
pub use pubsub::Scope;
