//! Protocols, decoded and encoded, without I/O. Each stands alone in a crate of its own:
//!
//! | module | what it is |
//! |---|---|
//! | [`http1`] | HTTP/1.1: heads, framing, bodies, and the exchange of a request and its response |
//! | [`buffer`] | bytes that wait for their receiver |
//! | [`client_hello`] | the first message of a TLS client, for `ssl_preread` |
//! | [`proxy_protocol`] | what a proxy in front says about its client |

pub use minilb_http1 as http1;
pub use minilb_http1::buffer;
pub use minilb_preread::{client_hello, proxy_protocol};
