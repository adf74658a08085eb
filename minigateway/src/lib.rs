//! An API gateway small enough to read in an evening: routes and rate limits in front of HTTP
//! services.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | rate limits and routing, without sockets or clocks |
//! | [`wire`] | rate limit headers, problem documents, GraphQL, the Redis protocol |
//! | [`conf`] | the TOML configuration |
//! | [`handlers`] | finds the route and the limits of a request, and builds the response |
//! | [`explain`] | `minigateway why` |
//! | `server` | the running gateway, on minilb's HTTP connections |
//!
//! # The life of a request
//!
//! 1. minilb reads the head and calls `Gateway::decide` (`server::service`).
//! 2. [`Pipeline::decide`](handlers::pipeline::Pipeline::decide) finds the route in the
//!    [`Router`](engine::router::Router) and a key for each of its limits.
//! 3. [`charge_all`](engine::limits::charge_all) checks all local limits, then charges them. Each
//!    limit reads the state of the key, one word, from its [`Store`](engine::store::Store), and its
//!    [`Algorithm`](engine::limiter::algorithm::Algorithm) decides. Limits that gateways share are
//!    charged in Redis (`server::shared`).
//! 4. An admitted request waits if a limit delays it. minilb then forwards it to an upstream server
//!    over a pooled connection, and retries if that fails.
//! 5. [`answers`](handlers::answers) adds the rate limit headers to the response. When the request
//!    is logged, its concurrency limits are released.
//!
//! # The life of a refusal
//!
//! 1. [`Limiter::decide`](engine::limiter::Limiter::decide) finds that too little is left, and
//!    computes how long to wait.
//! 2. None of the request's limits is charged.
//! 3. [`problem`](handlers::answers::problem) builds a 429 (503 for concurrency limits) with the
//!    names of these limits and the longest wait. The connection stays open.

pub mod conf;
pub mod engine;
pub mod explain;
pub mod handlers;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;

/// The tests include files from `examples`, which refer to this crate by name.
#[cfg(test)]
extern crate self as minigateway;
