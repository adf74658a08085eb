//! Bytes in memory: nothing else in the crate knows an offset.

pub mod listpack;
