//! Write-behind: a write is acknowledged when it is queued, and goes to the database later.
//!
//! The [`queue`] decides what is written next, and what if that fails. It does no I/O:
//!
//! ```text
//! writer   submit -> Ack                 Queued, or WriteThrough above the high-water mark
//! worker   next_batch(now) -> batch      the database writes all of it or none
//! worker   done(batch, result, now)      written, retried, or a dead letter
//! reader   newest(key) -> operation      before it asks the database
//! ```
//!
//! It is in memory: a process that is killed loses what it holds. Redis has no write-behind;
//! programs build it from a list or a stream and a consumer of it.

pub mod queue;

pub use queue::{Ack, Failure, Operation, Options, Queue};
