//! Active health checks: servers are asked, so that no client has to find out.
//!
//! ```text
//! health_check interval=5s fails=2 passes=3;
//!
//! time     check     streak
//!   0 s    passed    -            healthy from the start
//!   5 s    failed    1 failed     still healthy
//!  10 s    failed    2 failed     unhealthy: not picked
//!  15 s    passed    1 passed
//!  20 s    failed    -            a pass in between does not help
//!  25 s    passed    1 passed
//!  30 s    passed    2 passed
//!  35 s    passed    3 passed     healthy again, with slow start
//! ```
//!
//! The next check is due `interval` after the last one has ended, plus a random part of `jitter`:
//! a thousand load balancers that were started together must not ask a server all at once.
//!
//! Counterpart: `health_check` of NGINX Plus, with its names and defaults; `fall` and `rise` in
//! HAProxy. Plus makes a check of each `health_check` of an upstream; here it has one.

use std::sync::Arc;

/// How servers are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckParams {
    /// `interval`, in milliseconds.
    pub interval_ms: u64,
    /// `jitter`, in milliseconds.
    pub jitter_ms: u64,
    /// `fails`: checks in a row that make a server unhealthy.
    pub fails: u32,
    /// `passes`: checks in a row that make it healthy again.
    pub passes: u32,
    /// What is asked for by HTTP; `None` only connects.
    pub uri: Option<Arc<str>>,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for CheckParams {
    /// The defaults of NGINX Plus.
    fn default() -> CheckParams {
        CheckParams {
            interval_ms: 5000,
            jitter_ms: 0,
            fails: 1,
            passes: 1,
            uri: None,
            timeout_ms: 60_000,
        }
    }
}

/// What the checks of a server have found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Too many checks in a row have failed.
    pub is_unhealthy: bool,
    /// Checks in a row that say otherwise.
    streak: u32,
    /// When the next one is due; `u64::MAX` while one is under way.
    due_ms: u64,
}

impl Check {
    /// Returns true if a check must begin now, which counts as begun.
    pub fn begin(&mut self, now_ms: u64) -> bool {
        let is_due = self.due_ms <= now_ms;
        if is_due {
            self.due_ms = u64::MAX;
        }
        is_due
    }

    /// A check has ended. Returns true if the server's health has changed.
    pub fn record(&mut self, passed: bool, params: &CheckParams, random: u64, now_ms: u64) -> bool {
        let jitter_ms = random % (params.jitter_ms + 1);
        self.due_ms = now_ms.saturating_add(params.interval_ms).saturating_add(jitter_ms);

        // Only checks that contradict what is believed count, and only in a row.
        if passed != self.is_unhealthy {
            self.streak = 0;
            return false;
        }
        self.streak += 1;
        let needed = if passed { params.passes } else { params.fails };
        let changes = self.streak >= needed;
        if changes {
            self.is_unhealthy = !passed;
            self.streak = 0;
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let params = CheckParams { fails: 2, passes: 3, ..CheckParams::default() };
        let mut check = Check::default();
        let results = [true, false, false, true, false, true, true, true];
        let healthy = (0..).zip(results).map(|(number, passed)| {
            let now_ms = number * 5000;
            assert!(check.begin(now_ms) && !check.begin(now_ms), "once, and in time");
            check.record(passed, &params, 7, now_ms);
            !check.is_unhealthy
        });
        let expected = [true, true, false, false, false, false, false, true];
        assert_eq!(healthy.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn jitter_is_at_most_what_was_asked_for() {
        let params = CheckParams { interval_ms: 10, jitter_ms: 3, ..CheckParams::default() };
        for random in 0..8 {
            let mut check = Check::default();
            check.record(true, &params, random, 100);
            assert!((110..=113).contains(&check.due_ms), "{}", check.due_ms);
        }
    }
}
