//! What a client says ahead of its first byte, found in bytes that may be incomplete: who it is, as
//! the PROXY protocol tells it, and which server it wants, as TLS does.

pub mod client_hello;
pub mod proxy_protocol;
