//! An NGINX small enough to read in an evening: the part that chooses where a connection goes.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | peers, balancers and failure accounting, without sockets and clocks |
//! | [`wire`] | HTTP/1.1: heads, framing, bodies, the exchange |
//! | [`conf`] | nginx.conf, in NGINX's words |
//! | [`handlers`] | what `http { }` does with a request |
//! | `server` | sockets, signals and the files of the process |
//! | `explain` | `minilb why` |
//!
//! # The life of an HTTP request
//!
//! 1. `server::http::connection::serve` waits for the first byte, borrows an exchange from its
//!    core and parses the head ([`wire::http1::head::RequestHead`]).
//! 2. `HttpService::decide` says what happens: an answer, or a route to an upstream; for nginx.conf
//!    `server::phases` finds it ([`handlers::rewrite`], [`handlers::locate`], [`engine::limit`]).
//!    If all servers fail, `HttpService::recover` decides once more: `error_page`. This trait
//!    (`server::http::service`) is the seam: the locations of nginx.conf implement it here, the
//!    routes of minigateway there. Everything else is shared.
//! 3. `server::http::proxy` stores the body, picks a server ([`engine::upstream`]), takes a
//!    connection from the core's pool ([`engine::pool`]) or opens one, and lets
//!    `HttpService::write_request` write the head.
//! 4. If the server fails and the request is still held
//!    ([`Upload::Replayable`](wire::http1::exchange::Upload)), step 3 is repeated with the next.
//! 5. `HttpService::write_response` writes the head of the response;
//!    [`wire::http1::exchange::Exchange`] passes its body on, in another framing if need be.
//! 6. The server's connection goes back to the pool, the exchange to its core, and
//!    `HttpService::log` writes the log line.

pub mod conf;
pub mod engine;
#[cfg(feature = "server")]
pub mod explain;
pub mod handlers;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
