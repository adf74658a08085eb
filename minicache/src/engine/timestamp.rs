//! The time of day at which a batch of commands runs.
//!
//! The engine reads no clock: the server reads it once per batch and hands it in, so a test can
//! choose it. Redis caches it likewise (`server.mstime`, `updateCachedTime`).

/// A time of day: 1,700,000,000.123456 s is `{ ms: 1_700_000_000_123, us: 456 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp {
    /// Unix milliseconds.
    pub ms: i64,
    /// Microseconds within that millisecond, for `TIME`.
    pub us: u32,
}
