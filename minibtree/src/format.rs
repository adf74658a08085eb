//! Bytes on disk: a crate of its own, so that `explain` reads files without the engine.

pub use minibtree_format::*;
