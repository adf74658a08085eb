//! The circuit breaker of a server: after enough failures it is left alone for a while, and then
//! tried with a single request.
//!
//! ```text
//!            failures                      30 s over, and picked
//! Closed ───────────────> Open ──────────────────────────────────> HalfOpen
//!   ^                      ^                                          │
//!   │                      └── the probe fails: twice as long ────────┤
//!   └───────────────────────── the probe is answered ─────────────────┘
//! ```
//!
//! # What opens it
//!
//! ```text
//! consecutive=5      five failures in a row: it is dead
//! errors=50%         half of the requests of the window, if there were `requests` of them: it is
//!                    sick, and successes in between hide that from the first rule
//! stdev=1.9          far worse than the others ([`outlier`](super::outlier))
//! ```
//!
//! A failure is an attempt that failed, or an answer 5xx, whatever `proxy_next_upstream` says.
//!
//! # Why one probe?
//!
//! NGINX's `fail_timeout` ends the same way, with one request that tries the server. A breaker that
//! simply closed would send the whole share of traffic at a server that may still be down, and all
//! of it would have to be retried. So while the probe is under way nothing else is sent, and its
//! result alone decides: answers to requests from before the opening say nothing about now. A probe
//! whose client has gone away decides nothing, and the next request is one.
//!
//! # Differences
//!
//! `circuit_breaker` is a directive of our own, and takes the place of `max_fails`. Envoy calls
//! this outlier detection: no probe, the time grows by `open` with each ejection (here as well, up
//! to ten times). linkerd has the probe. What Envoy calls circuit breakers are limits of
//! concurrency: `max_conns` here.

use super::window::Window;

/// The parameters of `circuit_breaker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerParams {
    /// `consecutive`: failures in a row that open it; 0 turns the rule off.
    pub consecutive: u32,
    /// `errors`: percentage of the window's requests that opens it; 0 turns the rule off.
    pub errors_percent: u32,
    /// `requests`: fewer of them in the window say nothing.
    pub requests: u32,
    /// `window`, in milliseconds.
    pub window_ms: u64,
    /// `open`: how long it stays open the first time, in milliseconds.
    pub open_ms: u64,
    /// `stdev`: standard deviations below the mean success rate, in thousandths; 0 turns it off.
    pub stdev_milli: u32,
    /// `max_ejected`: percentage of the servers that may be left out, but at least one.
    pub max_ejected_percent: u32,
    /// `panic`: with a smaller percentage of usable servers health is ignored; 0 turns it off.
    pub panic_percent: u32,
    /// `retries`: percentage of requests that may be retried; `None` means no limit.
    pub retries_percent: Option<u32>,
}

impl Default for BreakerParams {
    /// Envoy's numbers for what opens it and for how long; any number of servers may be left out.
    fn default() -> BreakerParams {
        BreakerParams {
            consecutive: 5,
            errors_percent: 0,
            requests: 20,
            window_ms: 10_000,
            open_ms: 30_000,
            stdev_milli: 0,
            max_ejected_percent: 100,
            panic_percent: 0,
            retries_percent: None,
        }
    }
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Requests pass.
    #[default]
    Closed,
    /// No request passes before this time, in milliseconds; then one does.
    Open(u64),
    /// One request is on its way, and its result decides.
    HalfOpen,
}

/// A server's breaker.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    /// Its state.
    pub state: State,
    /// The last requests.
    pub window: Window,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// How often it has opened since the server was last well for as long as a window.
    openings: u64,
}

/// The longest time open, in units of `open`: ten times, as in Envoy.
const OPENINGS_MAX: u64 = 10;

impl Breaker {
    /// Returns true if the server may be picked: closed, or open for long enough.
    pub fn admits(&self, now_ms: u64) -> bool {
        match self.state {
            State::Closed => true,
            State::Open(until_ms) => until_ms <= now_ms,
            State::HalfOpen => false,
        }
    }

    /// The server is picked. Returns true if this request is the probe.
    pub fn begin(&mut self) -> bool {
        let is_probe = matches!(self.state, State::Open(_));
        if is_probe {
            self.state = State::HalfOpen;
        }
        is_probe
    }

    /// A request has succeeded or failed. Returns true if the breaker should open, which
    /// [`Breaker::open`] does. The result of a probe closes it or opens it again.
    pub fn record(
        &mut self,
        is_failure: bool,
        is_probe: bool,
        params: &BreakerParams,
        now_ms: u64,
    ) -> bool {
        if self.state != State::Closed && !is_probe {
            return false;
        }
        if is_probe {
            if !is_failure {
                self.close();
            }
            return is_failure;
        }
        self.window.record(is_failure, params.window_ms, now_ms);
        if !is_failure {
            self.failures_in_a_row = 0;
            return false;
        }
        self.failures_in_a_row += 1;
        let (requests, failures) = self.window.totals(params.window_ms, now_ms);
        let in_a_row = params.consecutive != 0 && self.failures_in_a_row >= params.consecutive;
        let too_many = params.errors_percent != 0
            && requests >= params.requests
            && failures * 100 >= requests * params.errors_percent;
        in_a_row || too_many
    }

    /// Opens it. Each time it stays open for longer.
    pub fn open(&mut self, params: &BreakerParams, now_ms: u64) {
        self.openings = (self.openings + 1).min(OPENINGS_MAX);
        self.state = State::Open(now_ms.saturating_add(params.open_ms * self.openings));
        self.window = Window::default();
        self.failures_in_a_row = 0;
    }

    /// A probe has ended without a result: the next request is one.
    pub fn abandon(&mut self, now_ms: u64) {
        if self.state == State::HalfOpen {
            self.state = State::Open(now_ms);
        }
    }

    /// Time passes. An opening is forgotten for each window without another one.
    pub fn forgive(&mut self) {
        if self.state == State::Closed {
            self.openings = self.openings.saturating_sub(1);
        }
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.window = Window::default();
        self.failures_in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records a result and opens the breaker if it should.
    fn record(it: &mut Breaker, is_failure: bool, is_probe: bool, now_ms: u64) {
        let params = BreakerParams { consecutive: 2, ..BreakerParams::default() };
        if it.record(is_failure, is_probe, &params, now_ms) {
            it.open(&params, now_ms);
        }
    }

    #[test]
    fn closed_open_half_open() {
        let mut breaker = Breaker::default();
        record(&mut breaker, true, false, 0);
        record(&mut breaker, true, false, 1);
        assert_eq!(breaker.state, State::Open(30_001));
        assert!(!breaker.admits(30_000));
        // Late results of earlier requests change nothing.
        record(&mut breaker, false, false, 20_000);
        assert!(breaker.admits(30_001) && breaker.begin());
        assert!(!breaker.admits(30_002), "one probe at a time");
        record(&mut breaker, false, false, 30_002);
        assert_eq!(breaker.state, State::HalfOpen);
        record(&mut breaker, true, true, 30_003);
        assert_eq!(breaker.state, State::Open(90_003), "twice as long");
        assert!(breaker.begin());
        breaker.abandon(90_010);
        assert!(breaker.admits(90_010) && breaker.begin());
        record(&mut breaker, false, true, 90_011);
        assert_eq!(breaker.state, State::Closed);
        assert!(!breaker.begin(), "an ordinary request");
    }

    #[test]
    fn a_share_of_failures_opens_it_although_some_succeed() {
        let params = BreakerParams { errors_percent: 50, requests: 10, ..BreakerParams::default() };
        let mut breaker = Breaker::default();
        let opens = |number: u64| breaker.record(number % 2 == 1, false, &params, number);
        assert_eq!((0..12).map(opens).position(|it| it), Some(9));
    }
}
