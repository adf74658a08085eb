//! The engine: the partitioned log and the groups that read it, without sockets, clock or threads.
//!
//! | module | concept | counterpart in Kafka |
//! |---|---|---|
//! | [`log`] | one partition: segments, indexes, recovery, retention | `UnifiedLog.java` |
//! | [`group`] | consumer groups: rebalances and committed offsets | `GroupCoordinator.java` |

pub mod group;
pub mod log;
