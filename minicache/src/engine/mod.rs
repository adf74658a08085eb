//! The cache itself: no sockets, no clock, no tokio.

pub mod store;
pub mod values;
