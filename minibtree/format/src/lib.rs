//! Bytes on disk. Nothing else in the engine knows an offset.
//!
//! | file | what it declares |
//! |---|---|
//! | `ids.rs` | the numbers that name relations, rows, transactions and log positions |
//! | `page.rs` | the page: header, item pointers, checksum |
//! | `heap.rs` | a version of a row |
//! | `btree.rs` | a node of a B+tree |
//! | `hash.rs` | a bucket of a hash index |
//! | `wal.rs` | a record of the write-ahead log, the control file |

pub mod btree;
pub mod hash;
pub mod heap;
mod ids;
pub mod page;
pub mod wal;

pub use ids::{Lsn, RelationId, Tid, Xid};
pub use page::{Item, ItemPointer, PAGE_SIZE, PageBytes, PageHeader, PageKind};
