//! The running gateway: sockets, the clock, the file of the configuration.
//!
//! | module | what it is |
//! |---|---|
//! | [`service`] | what minilb's connections ask about each request |
//! | [`shared`] | charges of limits that are shared among gateways |
//! | [`redis`] | the connection to their store |
//! | [`generation`] | a configuration in use, and the next one |
//! | [`start`] | from a configuration to a running server, and its reload |
//! | [`inspect`] | metrics and the state page |
//!
//! HTTP itself, the connections to clients and upstreams, is [`minilb::server::http`].

pub mod generation;
pub mod inspect;
pub mod redis;
pub mod service;
pub mod shared;
pub mod start;
