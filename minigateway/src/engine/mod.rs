//! The idea: which request is admitted, and where it goes.
//!
//! | module | what it is |
//! |---|---|
//! | [`limiter`] | the algorithms, one key each |
//! | [`store`] | the buckets of many keys in memory that never grows |
//! | [`top_keys`] | the busiest keys of a limit |
//! | [`limits`] | several limits for one request |
//! | [`shared`] | limits that many gateways share, on a Redis |
//! | [`leases`] | shared limits with fewer messages |
//! | [`router`] | paths to routes |
//! | [`identity`] | API keys, and what a client may do |
//! | [`version`] | which version of an API a request asks for |
//!
//! Nothing here opens a socket or reads a clock: the time is handed in, in nanoseconds. The same
//! code runs in the server, in the golden scripts and in the figures of the POCs.

pub mod identity;
pub mod leases;
pub mod limiter;
pub mod limits;
pub mod router;
pub mod shared;
pub mod store;
pub mod top_keys;
pub mod version;
