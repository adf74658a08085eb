//! A Kafka small enough to read in an evening.
//!
//! | module | what it is |
//! |---|---|
//! | [`format`] | the bytes of Kafka's files: record batches, indexes, checkpoints |
//! | [`engine`] | the partitioned log |
//! | [`wire`] | Kafka's protocol, without I/O |
//! | [`handlers`] | what clients may ask |
//! | `server` | sockets, tasks, the thread that writes to the disk |

pub mod engine;
pub mod format;
pub mod handlers;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
