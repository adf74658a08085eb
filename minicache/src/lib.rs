//! A Redis small enough to read in an evening.

#[cfg(feature = "server")]
pub mod cli;
pub mod commands;
pub mod conf;
pub mod engine;
#[cfg(feature = "server")]
pub mod explain;
pub mod format;
pub mod raw;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
