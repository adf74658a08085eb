//! `CLIENT PAUSE` delays all commands, or all writes, until a certain time (`pauseClients` in
//! `networking.c`).
//!
//! ```text
//! client 1: CLIENT PAUSE 100 WRITE     until_ms = now + 100
//! client 2: GET k                      executed
//! client 2: SET k v                    stays in the read buffer for 100 ms
//! ```
//!
//! A paused command has not begun: its bytes stay in the connection's buffer and are parsed again
//! later. Without a pause the check costs one relaxed load per command.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

#[derive(Default)]
pub struct Pause {
    until_ms: AtomicI64,
    writes_only: AtomicBool,
}

impl Pause {
    /// Pauses until `until_ms` (Unix milliseconds), or until the present pause ends if that is
    /// later.
    pub fn begin(&self, until_ms: i64, writes_only: bool) {
        self.until_ms.fetch_max(until_ms, Ordering::Relaxed);
        self.writes_only.store(writes_only, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Relaxed);
    }

    /// Returns the time, in Unix milliseconds, until which a command must wait, if it must.
    pub fn holds(&self, now_ms: i64, writes: bool) -> Option<i64> {
        let until = self.until_ms.load(Ordering::Relaxed);
        let held = until > now_ms && (writes || !self.writes_only.load(Ordering::Relaxed));
        held.then_some(until)
    }
}
