//! A Redis small enough to read in an evening.
//!
//! # The modules, bottom up
//!
//! A module imports only modules above it in this list.
//!
//! 1. [`mod@format`]: bytes of entries and compact encodings, numbers as text.
//! 2. [`engine`]: shards of keys, values, expiry, eviction. No sockets, no files, no clock.
//! 3. [`wire`]: RESP, decoded and encoded.
//! 4. [`conf`]: the parameters of `redis.conf`.
//! 5. [`commands`]: the catalogue of commands and their handlers.
//! 6. `server`: sockets, tasks, signals, `/proc` (feature `server`).
//! 7. [`client`]: as a library, a cache in front of a database, and the policies;
//!    [`write_behind`], a crate of its own.
//! 8. `explain`, `cli`: looking inside, `minicache race`, and the client.
//!
//! [`raw`] has the crate's unsafe code: the counting allocator that `maxmemory` relies on.
//!
//! # The life of a command
//!
//! 1. `server::connection` reads bytes into the core's buffer and hands them to
//!    [`commands::run::run`].
//! 2. [`wire::request::Parser`] finds a whole request and borrows its arguments from the buffer.
//! 3. [`commands::Executor::execute`] looks the name up in [`commands::catalogue`] and checks
//!    arity, authentication, memory and subscription state.
//! 4. [`commands::Executor::lock_for`] locks the shards of the command's keys, lowest first.
//! 5. The handler reads and changes keys through [`engine::keyspace::Keyspace`] and appends its
//!    reply to [`wire::reply::Reply`].
//! 6. Blocked clients whose keys have just been created are served
//!    ([`commands::blocked::serve_ready_keys`]), and client-side caches are invalidated.
//! 7. The connection writes all replies of the batch with one system call.
//!
//! # The life of a change in the append-only file
//!
//! 1. A command that has changed something is added to the [`Unit`](minicache_aof::Unit) of its
//!    keyspace, or what its handler has [logged](engine::keyspace::Keyspace::log) in its place.
//! 2. Before the shards are unlocked, the unit goes to the [`Log`](minicache_aof::Log).
//! 3. A thread (`minicache_aof::flusher`) writes and syncs it, and wakes waiting connections.
//!
//! # The life of a change in a database
//!
//! 1. A command that changes a bound key submits its value while the shard is locked
//!    (`commands::write_behind`), and its reply waits for the journal.
//! 2. A thread writes a batch with the last value of each key, in one transaction. If that fails,
//!    the batch is merged under newer values ([`write_behind::Queue::done`]).
//!
//! # The life of an eviction
//!
//! 1. Before a command, [`commands::Executor::execute`] compares the memory of
//!    [`engine::shards::Shards`] with [`engine::tuning::Tuning::maxmemory`]. Over the limit, it
//!    releases its locks.
//! 2. [`engine::eviction::evict_until_below_limit`] repeats [`engine::eviction::evict_one`] until
//!    memory is below the limit or no key is eligible.
//! 3. A shard is locked. If it keeps its keys in an [order](engine::eviction::order), that names
//!    the victim. Otherwise keys are sampled into the shard's
//!    [pool](engine::eviction::pool::Pool), ranked by the policy of `maxmemory-policy`.
//! 4. The victim or the coldest candidate is removed. A large value is freed by another thread if
//!    `lazyfree-lazy-eviction` says so ([`engine::lazy_free`]).
//! 5. With the lock released, the event `evicted` and invalidations are published.
//! 6. If memory is still over the limit, commands that need more are refused with `-OOM`.

#[cfg(feature = "server")]
pub mod cli;
pub mod client;
pub mod commands;
pub mod conf;
pub mod engine;
#[cfg(feature = "server")]
pub mod explain;
pub mod format;
pub mod raw;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;

pub use client::{cache, policy};
pub use minicache_write_behind as write_behind;
