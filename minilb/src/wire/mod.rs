//! Protocols, decoded and encoded, without I/O.
//!
//! | module | what it is |
//! |---|---|
//! | [`buffer`] | bytes that wait for their receiver |
//! | [`client_hello`] | the first message of a TLS client, for `ssl_preread` |
//! | [`proxy_protocol`] | what a proxy in front says about its client |
//! | [`http1`] | HTTP/1.1: heads, framing, bodies, and the exchange of a request and its response |

pub mod buffer;
pub mod client_hello;
pub mod http1;
pub mod proxy_protocol;
