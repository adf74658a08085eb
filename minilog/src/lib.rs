//! A Kafka small enough to read in an evening.
//!
//! | module | what it is |
//! |---|---|
//! | [`format`](mod@format) | the bytes of Kafka's files: record batches, indexes, checkpoints |
//! | [`engine`] | the partitioned log, and the groups that read it |
//! | [`wire`] | Kafka's protocol, without I/O |
//! | [`handlers`] | what clients may ask |
//! | `server` | sockets, tasks, the thread that writes to the disk |
//! | `explain` | every byte of a file |
//! | [`client`] | a producer and a consumer, for the command line and the POCs |
//!
//! # The life of a request
//!
//! 1. `server::connection::serve` reads a frame and calls [`handlers::handle`].
//! 2. [`wire::decode_request`] decodes it; record batches stay the bytes of the frame. What cannot
//!    be decoded closes the connection.
//! 3. A handler looks up the topic in the [`handlers::catalog::Catalog`] and calls its
//!    [`Partition`](engine::log::partition::Partition).
//! 4. Its [`Step`](handlers::Step) is a response, or a wait: a fetch for records, a produce request
//!    for the flush, a join for the other members, the creation of a topic for the disk.
//! 5. [`wire::encode_response`] encodes the response; responses of one read share a write.
//!
//! # The life of a record
//!
//! The head of [`engine::log`] follows one from the append to its deletion.
//!
//! # The life of a rebalance
//!
//! The head of [`engine::group`] follows one from the first join to the commit of an offset.

pub mod client;
pub mod engine;
#[cfg(feature = "server")]
pub mod explain;
pub mod format;
pub mod handlers;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
