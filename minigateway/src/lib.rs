//! An API gateway small enough to read in an evening: routes and rate limits in front of HTTP
//! services.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | rate limits and routes, without sockets and clocks |
//! | [`wire`] | limit headers, problems, GraphQL, Redis's protocol |
//! | [`conf`] | the configuration, in TOML |
//! | [`handlers`] | from a request to its route, its limits and its answer |
//! | [`explain`] | `minigateway why` |
//! | `server` | the running gateway, on minilb's HTTP connections |
//!
//! # The life of a request
//!
//! 1. minilb reads the head and calls `Gateway::decide` (`server::service`).
//! 2. [`Pipeline::decide`](handlers::pipeline::Pipeline::decide) finds the route in the
//!    [`Router`](engine::router::Router) and a key for each of its limits.
//! 3. [`charge_all`](engine::limits::charge_all) checks all limits, then charges them. Each asks
//!    its [`Store`](engine::store::Store) for the key's word, and its
//!    [`Algorithm`](engine::limiter::algorithm::Algorithm) for a decision.
//! 4. An admitted request waits if a limit delays it, and goes to an upstream server by minilb's
//!    pool, with retries.
//! 5. The response gets the headers of [`answers`](handlers::answers). When it is logged,
//!    concurrency limits are released.
//!
//! # The life of a refusal
//!
//! 1. [`Limiter::decide`](engine::limiter::Limiter::decide) finds too little left, and how long to
//!    wait.
//! 2. No limit of the request is charged.
//! 3. [`problem`](handlers::answers::problem) names the limits that refused it and the longest
//!    wait: 429, `Retry-After`, problem+json. The connection stays open.

pub mod conf;
pub mod engine;
pub mod explain;
pub mod handlers;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;

/// The tests include files of `examples`, which call the crate by its name.
#[cfg(test)]
extern crate self as minigateway;
