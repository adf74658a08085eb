//! The engine: the partitioned log, without sockets, clock or threads.
//!
//! | module | concept | counterpart in Kafka |
//! |---|---|---|
//! | [`log`] | one partition: segments, indexes, recovery, retention | `storage/internals/log` |

pub mod log;
