//! Bytes on disk. Nothing else in the crate knows an offset.

mod ids;

pub use ids::{Lsn, RelationId, Tid, Xid};
