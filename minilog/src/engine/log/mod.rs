//! The log of one partition: batches are appended at its end, found by offset or timestamp, and
//! deleted from its start.
//!
//! # In which order to read it
//!
//! | file | concept |
//! |---|---|
//! | [`flat`] | the naive log, and how it fails |
//! | [`batches`] | walking over batches without an index |
//! | [`index`] | sparse indexes |
//! | [`directory`] | the files of a log, and replacing one of them |
//! | [`segment`] | a file of batches and its indexes |
//! | [`log`] | append, roll, read, and lookup over all segments |
//! | [`config`] | the configuration of a log |
//! | [`flush`] | making it durable, on a thread that serves no clients |
//! | [`recovery`] | opening it after a crash |
//! | [`compaction`] | keeping the latest record of each key |
//! | [`producers`] | recognizing a batch that was sent twice |
//! | [`partition`] | one log shared by threads: the lock, the high watermark, waiting consumers |
//!
//! # The life of a record
//!
//! 1. [`partition::Partition::append`] takes the lock and calls [`log::Log::append`].
//! 2. [`crate::format::batch::check`] checks the batch, [`producers::Producers::check`] its
//!    sequence number.
//! 3. The batch gets its offsets, and the segment rolls if it is full
//!    ([`log::Log::append`]).
//! 4. [`segment::Segment::append`] writes it and may add an index entry.
//! 5. The high watermark moves up, and waiting consumers wake ([`partition::Partition`]).
//! 6. A consumer reads a slice of the file ([`log::Log::read`]).
//! 7. A background thread makes it durable ([`flush::Flush`]).
//! 8. When its segment is older than `retention.ms`, the segment is deleted
//!    ([`log::Log::remove_old_segments`]).

pub mod batches;
pub mod compaction;
pub mod config;
pub mod directory;
pub mod flat;
pub mod flush;
pub mod index;
#[expect(clippy::module_inception, reason = "the log is what this folder is about")]
pub mod log;
pub mod partition;
pub mod producers;
pub mod recovery;
pub mod segment;
