//! The cache itself: no sockets, no clock, no tokio.

pub mod config;
pub mod glob;
pub mod long_double;
pub mod number;
pub mod rng;
pub mod store;
pub mod values;
