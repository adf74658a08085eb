//! `CLIENT PAUSE`: all clients, or those that write, are kept waiting until a certain time.
//!
//! A paused command has not begun; its bytes stay in its connection's buffer and are looked at
//! again later. The state is two atomics, so that a server that is not paused pays one relaxed load
//! per batch.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Whether clients are paused.
#[derive(Default)]
pub struct Pause {
    until_ms: AtomicI64,
    writes_only: AtomicBool,
}

impl Pause {
    /// Pauses until `until_ms` (Unix milliseconds); an earlier, longer pause of the same kind goes
    /// on.
    pub fn begin(&self, until_ms: i64, writes_only: bool) {
        self.until_ms.fetch_max(until_ms, Ordering::Relaxed);
        self.writes_only.store(writes_only, Ordering::Relaxed);
    }

    /// Ends the pause.
    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Relaxed);
    }

    /// Until when a command has to wait, if it has to.
    pub fn holds(&self, now_ms: i64, writes: bool) -> Option<i64> {
        let until = self.until_ms.load(Ordering::Relaxed);
        let held = until > now_ms && (writes || !self.writes_only.load(Ordering::Relaxed));
        held.then_some(until)
    }
}
