//! Rate limit algorithms: one trait, one file per algorithm. The caller passes the time.
//!
//! | module | state per key | admits |
//! |---|---|---|
//! | [`fixed_window`] | one word | `limit` in each window, up to twice that around a boundary |
//! | [`sliding_log`] | one word per admitted request | `limit` in any window, exactly |
//! | [`sliding_counter`] | one word | about `limit` in any window |
//! | [`token_bucket`] | two words | a burst, then the rate |
//! | [`leaky_meter`] | two words | the same requests as the token bucket |
//! | [`gcra`] | one word | the same requests as the token bucket |
//! | [`leaky_queue`] | one word | the rate; delays early requests |
//! | [`concurrency`] | one word | a number of requests in progress, at any rate |
//!
//! [`algorithm`] lists the ones that a configuration can choose; their state is one word. [`cell`]
//! shares that word among threads. `examples/common/audit.rs` measures by how much an algorithm
//! exceeds its limit, and `examples/common/timeline.rs` draws arrivals.
//!
//! # Time
//!
//! `now_ns` counts nanoseconds from a fixed moment, the same for all calls. It may repeat, and it
//! may go back a little, because two cores read their clocks at different moments. No algorithm
//! forgets a charge when that happens. All arithmetic uses integers and saturates. The interval
//! between requests is rounded up to a nanosecond, so no limit is exceeded.
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

/// An algorithm with its parameters. The caller keeps the state of each key.
pub trait Limiter {
    /// The state of one key.
    type State: Clone + Default;

    /// The state of a key without any requests.
    fn unused(&self) -> Self::State {
        Self::State::default()
    }

    /// Decides whether to admit a request of `cost`, and charges `state` if so. A refused request
    /// changes nothing: a client that keeps trying is not punished for it.
    ///
    /// A request of cost 0 is admitted whenever one of cost 1 would be.
    fn decide(&self, state: &mut Self::State, now_ns: u64, cost: u64) -> Decision;

    /// Returns the remaining quota of a key, without changing its state.
    fn quota(&self, state: &Self::State, now_ns: u64) -> Quota;
}

/// The decision about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request is within the limit.
    Admitted {
        /// How long the caller must delay the request. Always 0 except with [`leaky_queue`].
        delay_ns: u64,
    },
    /// The request is above the limit.
    Refused {
        /// How long until the same request would be admitted, if no other is charged before. `None`
        /// if the cost exceeds the limit itself, or if the time depends on when other requests end.
        retry_after_ns: Option<u64>,
    },
}

impl Decision {
    /// Admitted without a delay.
    pub const NOW: Decision = Decision::Admitted { delay_ns: 0 };
    /// Refused, without a time to retry.
    pub const NEVER: Decision = Decision::Refused { retry_after_ns: None };

    /// Refused until `wait_ns` from now.
    pub fn retry_after(wait_ns: u64) -> Decision {
        Decision::Refused { retry_after_ns: Some(wait_ns) }
    }

    /// Returns true if the request is within the limit.
    pub fn is_admitted(&self) -> bool {
        matches!(self, Decision::Admitted { .. })
    }
}

/// The remaining quota of a key at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many requests of cost 1 would be admitted now.
    pub remaining: u64,
    /// How long until the quota is full again, if nothing else is charged. 0: the state is
    /// equivalent to [`Limiter::unused`]. `u64::MAX`: it depends on when requests end.
    pub full_after_ns: u64,
}
