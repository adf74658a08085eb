//! A Redis small enough to read in an evening.

pub mod engine;
pub mod format;
