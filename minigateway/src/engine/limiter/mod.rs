//! Rate limit algorithms: one trait, one file each, without a clock.
//!
//! | module | state for each key | admits |
//! |---|---|---|
//! | [`fixed_window`] | one word | `limit` in each window, up to twice that across an edge |
//! | [`sliding_log`] | one word per admitted request | `limit` in any window, exactly |
//! | [`sliding_counter`] | one word | about `limit` in any window |
//! | [`token_bucket`] | two words | a burst, then the rate |
//! | [`leaky_meter`] | two words | the same requests as the token bucket |
//! | [`gcra`] | one word | the same requests again |
//! | [`leaky_queue`] | one word | the rate; early requests are delayed |
//! | [`concurrency`] | one word | a number at once, at any rate |
//!
//! [`algorithm`] lists those that a configuration can choose, which have one word. [`cell`] shares
//! that word among threads. `examples/common/audit.rs` measures by how much an algorithm misses its
//! limit, and `examples/common/timeline.rs` draws arrivals.
//!
//! # Time
//!
//! `now_ns` counts nanoseconds from any fixed moment, the same one for all calls. It may repeat,
//! and it may go back a little (two cores read their clocks at different moments): no algorithm
//! forgets a charge when it does. All arithmetic is in integers and saturates; a rate that does
//! not divide the second loses less than a nanosecond per request and never gains one.
//!
//! NGINX counterpart: `ngx_http_limit_req_module.c` and `ngx_http_limit_conn_module.c`. Envoy has a
//! token bucket (`source/common/common/token_bucket_impl.cc`).

pub mod algorithm;
pub mod cell;
pub mod concurrency;
pub mod fixed_window;
pub mod gcra;
pub mod leaky_meter;
pub mod leaky_queue;
pub mod sliding_counter;
pub mod sliding_log;
pub mod token_bucket;

#[cfg(test)]
mod tests;

/// An algorithm with its parameters. The state of each key is the caller's.
pub trait Limiter {
    /// What is kept for a key.
    type State: Clone + Default;

    /// The state of a key that was never seen.
    fn unused(&self) -> Self::State {
        Self::State::default()
    }

    /// Decides whether to admit a request of `cost`, and charges `state` if so. A refused request
    /// changes nothing: a client that keeps trying is not punished for it.
    ///
    /// A request of cost 0 is admitted as soon as one of cost 1 could be, or earlier.
    fn decide(&self, state: &mut Self::State, now_ns: u64, cost: u64) -> Decision;

    /// What is left for a key, without changing anything.
    fn quota(&self, state: &Self::State, now_ns: u64) -> Quota;
}

/// The answer for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request is within the limit.
    Admitted {
        /// How long the caller holds the request back. 0 except with [`leaky_queue`].
        delay_ns: u64,
    },
    /// The request is above the limit.
    Refused {
        /// When the same request would be admitted, if no other is charged before. `None`: no time
        /// can be named, because the cost is more than the limit ever allows, or because it depends
        /// on when other requests end.
        retry_after_ns: Option<u64>,
    },
}

impl Decision {
    /// Admitted at once.
    pub const NOW: Decision = Decision::Admitted { delay_ns: 0 };
    /// Refused, and no time can be named.
    pub const NEVER: Decision = Decision::Refused { retry_after_ns: None };

    /// Refused for this long.
    pub fn retry_after(wait_ns: u64) -> Decision {
        Decision::Refused { retry_after_ns: Some(wait_ns) }
    }

    /// Returns true if the request is within the limit.
    pub fn is_admitted(&self) -> bool {
        matches!(self, Decision::Admitted { .. })
    }
}

/// What is left for a key at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many requests of cost 1 would be admitted now.
    pub remaining: u64,
    /// How long until `remaining` is as large as it gets, if nothing is charged. 0: nothing is
    /// charged, so the state says no more than [`Limiter::unused`]. `u64::MAX` if it depends on
    /// when other requests end.
    pub full_after_ns: u64,
}
