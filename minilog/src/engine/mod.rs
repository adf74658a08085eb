//! The engine: the partitioned log, without sockets, clock or threads.
//!
//! | module | concept | counterpart in Kafka |
//! |---|---|---|
//! | [`log`] | one partition: segments, indexes, recovery, retention | `UnifiedLog.java` |
//! | [`topics`] | all partitions of a data directory | `LogManager.java` |

pub mod log;
pub mod topics;
