//! What can go wrong, and what the caller can do about it.
//!
//! | error | the caller |
//! |---|---|
//! | `UniqueViolation`, `TooLarge`, `NotFound` | reports it; the transaction must roll back |
//! | `Serialization`, `Deadlock` | rolls back; running the transaction again may succeed |
//! | `LockNotAvailable`, `LockTimeout` | asked not to wait, or no longer |
//! | `Canceled` | another thread asked to stop |
//! | `Io`, `Corrupt` | rolls back; the page or file stays unreadable |
//! | `LogFailed` | ends the process: see below |
//!
//! After a failed sync of the log nothing is known about earlier writes (`minikit::storage`), so
//! no commit can be acknowledged any more. The engine refuses every later commit with `LogFailed`;
//! the server ends the process, and recovery finds what is really there.

use crate::format::{RelationId, Tid};
use std::fmt;
use std::io;

/// Results of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed.
#[derive(Debug)]
pub enum Error {
    /// A live row has this key already.
    UniqueViolation {
        /// The row that has it.
        existing: Tid,
    },
    /// REPEATABLE READ: another transaction changed the row after our snapshot was taken.
    Serialization,
    /// This transaction waits for one that waits for this one.
    Deadlock {
        /// The transactions of the cycle, the own one first.
        cycle: Vec<u64>,
    },
    /// The lock is held by another transaction and the caller does not wait.
    LockNotAvailable,
    /// The lock was not granted within the limit of the transaction.
    LockTimeout,
    /// [`Interrupt::cancel`](crate::engine::Interrupt::cancel) was called.
    Canceled,
    /// A row or key that does not fit its page.
    TooLarge {
        /// Bytes needed.
        size: usize,
        /// Bytes possible.
        limit: usize,
    },
    /// No relation has this number.
    NotFound(RelationId),
    /// A relation of this number exists already.
    AlreadyExists(RelationId),
    /// Bytes on disk are damaged.
    Corrupt(String),
    /// The disk failed.
    Io(io::Error),
    /// The log could not be made durable. Nothing can be committed until the process restarts.
    LogFailed(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UniqueViolation { existing } => write!(f, "the row {existing} has this key"),
            Error::Serialization => f.write_str("another transaction changed the row"),
            Error::Deadlock { cycle } => write!(f, "deadlock between transactions {cycle:?}"),
            Error::LockNotAvailable => f.write_str("the row is locked"),
            Error::LockTimeout => f.write_str("the row is still locked"),
            Error::Canceled => f.write_str("canceled"),
            Error::TooLarge { size, limit } => write!(f, "{size} bytes, more than {limit}"),
            Error::NotFound(id) => write!(f, "relation {id} has no file base/{id}: restore it"),
            Error::AlreadyExists(id) => write!(f, "relation {id} exists already"),
            Error::Corrupt(what) => f.write_str(what),
            Error::Io(error) => error.fmt(f),
            Error::LogFailed(why) => write!(f, "the write-ahead log failed: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<minibtree_locks::Error> for Error {
    fn from(error: minibtree_locks::Error) -> Error {
        match error {
            minibtree_locks::Error::NotAvailable => Error::LockNotAvailable,
            minibtree_locks::Error::Deadlock { cycle } => Error::Deadlock { cycle },
            minibtree_locks::Error::Canceled => Error::Canceled,
            minibtree_locks::Error::TimedOut => Error::LockTimeout,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}
