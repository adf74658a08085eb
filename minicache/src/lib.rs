//! A Redis small enough to read in an evening.

#[cfg(not(loom))]
pub mod cli;
pub mod commands;
pub mod conf;
pub mod engine;
#[cfg(not(loom))]
pub mod explain;
pub mod format;
pub mod raw;
#[cfg(not(loom))]
pub mod server;
pub mod wire;
