//! Which servers are fit to be picked, beyond NGINX's `max_fails`.
//!
//! | module | what it is | directive |
//! |---|---|---|
//! | [`check`] | asks each server, at intervals | `health_check` |
//! | [`window`] | how many of the last seconds' requests have failed | |
//! | [`breaker`] | leaves a failing server alone, then tries it once | `circuit_breaker` |
//! | [`outlier`] | which server is worse than the others | `circuit_breaker` |
//! | [`slow_start`] | gives a server that is back its share gradually | `slow_start=` |
//! | [`retry_budget`] | keeps retries from multiplying an overload | `circuit_breaker retries=` |

pub mod breaker;
pub mod check;
pub mod outlier;
pub mod retry_budget;
pub mod slow_start;
pub mod window;
