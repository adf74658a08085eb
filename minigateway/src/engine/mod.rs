//! The core of the gateway: decides if a request is admitted, and where it goes.
//!
//! | module | what it is |
//! |---|---|
//! | [`limiter`] | rate limit algorithms, for one key |
//! | [`store`] | the buckets of many keys, in a fixed amount of memory |
//! | [`top_keys`] | the busiest keys of a limit |
//! | [`limits`] | several limits on one request |
//! | [`shared`] | limits that several gateways share through Redis |
//! | [`leases`] | shared limits with fewer round trips |
//! | [`router`] | finds the route for a path |
//! | [`identity`] | API keys, and the scopes of a client |
//! | [`version`] | the API version that a request asks for |
//!
//! Nothing here opens a socket or reads a clock. Callers pass the time in nanoseconds, so the same
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
