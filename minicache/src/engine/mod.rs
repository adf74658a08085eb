//! The cache itself: no sockets, no clock, no tokio.

pub mod number;
pub mod rng;
pub mod store;
pub mod values;
