//! Write-behind: a write is acknowledged when it is in a journal, and goes to the database later.
//!
//! ```
//! use minicache_write_behind::{Options, WriteBehind};
//! use minikit::storage::SimulatedDisk;
//!
//! let disk = std::sync::Arc::new(SimulatedDisk::new(1));
//! let behind = WriteBehind::open(disk, Options::default(), 0)?;
//! behind.put(b"user:7", Some(b"Ada"))?;
//! behind.put(b"user:7", Some(b"Grace"))?; // both are in the journal
//! behind.close(); // `work` returns when everything is written
//! let mut rows = Vec::new();
//! behind.work(|batch| Ok(rows.extend_from_slice(batch)))?; // in a thread of its own
//! assert_eq!((rows.len(), rows[0].value.as_deref()), (1, Some(&b"Grace"[..])));
//! # std::io::Result::Ok(())
//! ```
//!
//! * [`queue`]: what is written next, and what if that fails. Without I/O.
//! * [`journal`]: the file that a killed process leaves behind.
//! * [`behind`]: both together, for threads that write, one that syncs and one that works.
//! * [`service`]: keys that a server binds to tables.
//! * `postgres`: batches as statements of PostgreSQL (feature `postgres`).
//!
//! Redis has no write-behind; programs build it from a list or a stream and a consumer of it.

use std::sync::Arc;

pub mod behind;
pub mod journal;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod queue;
pub mod service;

pub use behind::WriteBehind;
pub use queue::{Ack, Failure, Operation, Options, Queue};

/// The value of a key; `None` if the key is deleted.
pub type Value = Option<Arc<[u8]>>;
