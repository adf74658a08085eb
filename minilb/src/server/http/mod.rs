//! HTTP connections: requests of clients, attempts at servers, answers.
//!
//! | module | what it is |
//! |---|---|
//! | [`service`] | what decides about a request: the seam between this and a configuration |
//! | [`route`] | how a request reaches a server |
//! | [`core`] | what a core has: buffers, pools, the date |
//! | [`http2`] | streams of HTTP/2, each as a connection of its own |
//! | [`deadline`] | one timer per connection |
//! | [`connection`] | a client's connection, from its first request to its last |
//! | [`proxy`] | a request's attempts, until a server has answered |
//! | [`transfer`] | bytes between the two sockets and an exchange |
//!
//! Nothing here knows nginx.conf. A configuration, or the routes of a gateway, implement
//! [`service::HttpService`].

pub mod connection;
pub mod core;
pub mod deadline;
pub mod http2;
pub mod proxy;
pub mod route;
pub mod service;
pub mod transfer;
