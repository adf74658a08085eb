//! What the engine reports, in PostgreSQL's words.
//!
//! ```
//! use minibtree::engine::Error;
//! use minibtree::wire::SqlError;
//!
//! let error = SqlError::from(Error::TooLarge { size: 9000, limit: 8160 });
//! let text = "ERROR: row is too big: size 9000, maximum size 8160 (SQLSTATE 54000)";
//! assert_eq!(error.to_string(), text);
//! ```

use super::{Severity, SqlError, code};
use crate::engine;
use minibtree_locks::Error as Lock;
use std::io::ErrorKind;

impl From<engine::Error> for SqlError {
    /// What the engine reports, in PostgreSQL's words. Names of tables and keys are added by the
    /// caller, which knows them. A log that cannot be written is a PANIC: nothing can be
    /// committed any more.
    fn from(error: engine::Error) -> SqlError {
        use engine::Error::*;

        let (code, text) = match &error {
            UniqueViolation { .. } => {
                (code::UNIQUE_VIOLATION, "duplicate key value violates unique constraint".into())
            }
            Serialization => (
                code::SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent update".into(),
            ),
            Deadlock { .. } => return Lock::Deadlock { cycle: Vec::new() }.into(),
            LockNotAvailable => return Lock::NotAvailable.into(),
            LockTimeout => return Lock::TimedOut.into(),
            Canceled => return Lock::Canceled.into(),
            TooLarge { size, limit } => (
                code::PROGRAM_LIMIT_EXCEEDED,
                format!("row is too big: size {size}, maximum size {limit}"),
            ),
            NotFound(_) => ("58P01", error.to_string()),
            AlreadyExists(_) => (code::INTERNAL_ERROR, error.to_string()),
            Corrupt(_) => (code::DATA_CORRUPTED, error.to_string()),
            Io(it) | LogFailed(it) if it.kind() == ErrorKind::StorageFull => {
                (code::DISK_FULL, error.to_string())
            }
            Io(_) | LogFailed(_) => (code::IO_ERROR, error.to_string()),
        };
        let is_panic = matches!(error, LogFailed(_));
        let severity = if is_panic { Severity::Panic } else { Severity::Error };
        SqlError::new(code, text).severity(severity)
    }
}
