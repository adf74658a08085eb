//! The running gateway: sockets, the clock and the configuration file.
//!
//! | module | what it is |
//! |---|---|
//! | [`service`] | the callbacks of minilb's connections for each request |
//! | [`shared`] | charges limits that gateways share |
//! | [`redis`] | the connection to the store of shared limits |
//! | [`generation`] | a configuration in use |
//! | [`start`] | starts the server, and reloads its configuration |
//! | [`inspect`] | metrics and the state page |
//!
//! [`minilb::server::http`] implements HTTP and the connections to clients and upstreams.

pub mod generation;
pub mod inspect;
pub mod redis;
pub mod service;
pub mod shared;
pub mod start;
