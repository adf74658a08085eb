//! A Redis small enough to read in an evening.

pub mod commands;
pub mod engine;
pub mod format;
pub mod raw;
#[cfg(not(loom))]
pub mod server;
pub mod wire;
