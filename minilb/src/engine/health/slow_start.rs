//! Slow start: a server that is back gets its share gradually.
//!
//! A server that has just started has cold caches and no open connections. Its whole share at once
//! can bring it down again; with `least_conn` it even gets every request, because it has none.
//!
//! # How
//!
//! The server takes part in a growing share of the picks: after 3 of 30 seconds in a tenth of them,
//! after 15 in half. In the others it is passed over, whatever the method.
//!
//! ```text
//! slow_start=10s, 4 seconds in: 400 thousandths are added with each pick
//!
//! pick          1     2     3     4     5     6
//! credit        400   800   1200  600   1000  400
//! takes part    -     -     yes   -     yes   -          2 of 5
//! ```
//!
//! NGINX Plus grows the weight instead, which does little for a server whose weight is 1. Like
//! there, methods that hash or draw do not support it, since their keys would move.
//!
//! Counterpart: `slow_start` of NGINX Plus, `slowstart` of HAProxy (which grows the weight in steps
//! of 1/256).

/// The smallest share, in thousandths: one request in a hundred.
const SHARE_MIN: u64 = 10;

/// Where a server is on its way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlowStart {
    /// Since when it is back; `None` if it has its whole share.
    since_ms: Option<u64>,
    credit: u64,
}

impl SlowStart {
    /// The server is back. Without a duration it has its whole share at once.
    pub fn begin(&mut self, duration_ms: u64, now_ms: u64) {
        *self = SlowStart { since_ms: (duration_ms > 0).then_some(now_ms), credit: 0 };
    }

    /// Its share in thousandths.
    pub fn share(&self, duration_ms: u64, now_ms: u64) -> u64 {
        let Some(since_ms) = self.since_ms else { return 1000 };
        let elapsed_ms = now_ms.saturating_sub(since_ms);
        match elapsed_ms >= duration_ms {
            true => 1000,
            false => (elapsed_ms * 1000 / duration_ms).max(SHARE_MIN),
        }
    }

    /// A pick begins. Returns true if the server takes part in it.
    pub fn takes_part(&mut self, duration_ms: u64, now_ms: u64) -> bool {
        if self.since_ms.is_none() {
            return true;
        }
        let share = self.share(duration_ms, now_ms);
        if share == 1000 {
            self.since_ms = None;
        }
        self.credit += share;
        let takes_part = self.credit >= 1000;
        if takes_part {
            self.credit -= 1000;
        }
        takes_part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut start = SlowStart::default();
        assert!(start.takes_part(10_000, 0), "nothing has happened");
        start.begin(10_000, 0);
        let picks = (0..6).map(|_| start.takes_part(10_000, 4_000)).collect::<Vec<_>>();
        assert_eq!(picks, [false, false, true, false, true, false]);
        assert!(start.takes_part(10_000, 10_000) && start.takes_part(10_000, 10_001));
        assert_eq!(start, SlowStart { since_ms: None, ..start });
    }
}
