//! The engine: tables and indexes of bytes, safe against crashes and other transactions.
//!
//! ```
//! use minibtree::engine::{Database, Direction, Heap, Index, Isolation, KeyRange, Options};
//! use minibtree::format::RelationId;
//! use minikit::storage::SimulatedDisk;
//! use std::sync::Arc;
//!
//! const HEAP: RelationId = RelationId(1);
//! const INDEX: RelationId = RelationId(2);
//!
//! let database = Database::open(Arc::new(SimulatedDisk::new(1)), Options::default())?;
//! let mut transaction = database.begin(Isolation::ReadCommitted);
//! let heap = Heap::create(&mut transaction, HEAP)?;
//! let index = Index::create(&mut transaction, INDEX)?;
//! let tid = heap.insert(&mut transaction, b"the row")?;
//! index.insert_unique(&mut transaction, &heap, b"key1", tid, b"")?;
//! transaction.commit()?;
//!
//! let mut transaction = database.begin(Isolation::ReadCommitted);
//! let snapshot = transaction.snapshot();
//! let mut scan = index.scan(snapshot.clone(), KeyRange::equal(b"key1"), Direction::Forward);
//! let found = scan.next()?.expect("inserted above").tid;
//! let mut row = Vec::new();
//! assert_eq!(heap.fetch(found, &snapshot, &mut row)?, Some(tid));
//! assert_eq!(row, b"the row");
//! # Ok::<(), minibtree::engine::Error>(())
//! ```

mod access;
mod btree;
mod database;
mod error;
mod hash;
mod heap;
mod index;
mod maps;
mod pool;
mod txn;
mod wal;

pub use access::{Direction, IndexEntry};
pub use btree::{IndexScan, NaiveSearch, NodeSummary};
pub use database::{Database, Options, Vacuumed};
pub use error::{Error, Result};
pub use hash::BucketSummary;
pub use heap::{Changed, Heap, HeapScan, LongValues, Row, vacuum::Pause};
pub use index::Index;
pub use minibtree_key_range::KeyRange;
pub use minibtree_spool::Spool;
pub use pool::{buffer_usage, trace_pages};
pub use txn::{Interrupt, Isolation, LockMode, LockWait, Savepoint, Snapshot, Transaction};
pub use wal::Wal;
