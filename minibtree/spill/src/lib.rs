//! Sorts and hash tables that continue in temporary files when `work_mem` is full.
//!
//! | module | what it is | PostgreSQL's |
//! |---|---|---|
//! | [`sorter`] | an external merge sort of records by key | `tuplesort.c`, `logtape.c` |
//! | [`batches`] | the rows that a hash table has no room for | `nodeHash.c`, `nodeAgg.c` |
//! | [`partitions`] | records in files by the hash of their key | |
//! | [`file`](mod@file) | temporary files, and records in them | `buffile.c`, `fd.c` |
//! | [`row`] | a row of any types as bytes | `MinimalTuple` |
//!
//! A record is a key and a payload, both bytes. The sorter orders keys by `memcmp`, the partitions
//! hash them, and neither looks into the payload.
//!
//! ```
//! use minibtree_spill::sorter::{Sorter, Space};
//! use minikit::storage::{Disk, SimulatedDisk};
//! use std::sync::Arc;
//!
//! let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
//! let mut sorter = Sorter::new(disk, 60, None); // room for two of these records
//! for key in ["pear", "fig", "apple", "lime", "date"] {
//!     sorter.add(key.as_bytes(), b"a fruit")?;
//! }
//! // Three runs: fig pear | apple lime | date. They are merged as they are read.
//! let mut sorted = sorter.finish()?;
//! assert_eq!(sorted.next_record()?, Some((&b"apple"[..], &b"a fruit"[..])));
//! assert_eq!(sorted.next_record()?, Some((&b"date"[..], &b"a fruit"[..])));
//! assert!(matches!(sorted.space(), Space::Disk(_)));
//! # std::io::Result::Ok(())
//! ```

pub mod batches;
pub mod file;
pub mod partitions;
pub mod row;
pub mod sorter;
