//! An NGINX small enough to read in an evening: the part that chooses where a connection goes.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | peers, balancers and failure accounting, without sockets and clocks |
//! | [`conf`] | nginx.conf, in NGINX's words |
//! | [`wire`] | HTTP/1.1: heads, framing, bodies, the exchange |
//! | `server` | sockets, signals and the files of the process |

pub mod conf;
pub mod engine;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
