//! Several limits for one request: all are checked, then all are charged.
//!
//! ```text
//! 10 a second for each client, 100 a second in all; the client has 3 left, all have 0
//! charged in turn:   the client's 3 become 2, then the second limit refuses
//! checked first:     refused, and the client still has 3
//! ```
//!
//! Charged in turn, a client pays with its own limit for a refusal by a limit that all share. The
//! golden script `refused_by_one_charged_by_another` shows both.
//!
//! # What if another thread comes between check and charge?
//!
//! Then a charge can be refused although its check passed. The charges before it are refunded, and
//! the request is refused. Between charge and refund, a few instructions, another request can be
//! refused that would have been admitted. A lock around all limits would prevent that, but every
//! request of every thread would wait for it.
//!
//! # Dry run
//!
//! A limit in dry run is charged like others and refuses nothing; its decisions are counted and
//! logged. NGINX has `limit_req_dry_run`.
//!
//! NGINX counterpart: `ngx_http_limit_req_handler` checks all zones and accounts afterwards. The
//! longest delay wins there as well.

use super::limiter::algorithm::{Algorithm, of_each};
use super::limiter::{Decision, Limiter};
use super::store::{Place, Store};
use minikit::sync::Arc;

/// A limit and the buckets of its keys.
#[derive(Clone)]
pub struct Limit {
    /// What the configuration calls it. Clients see it in headers.
    pub name: String,
    /// How it decides.
    pub algorithm: Algorithm,
    /// Shared with the limit of the next configuration, if that decides in the same way.
    pub store: Arc<Store>,
    /// Decides without being obeyed.
    pub is_dry_run: bool,
}

/// What became of a request at one of its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was within the limit, and charged.
    Admitted,
    /// It was above the limit.
    Refused,
    /// It was not charged: another limit refused it, or the store of shared limits did not answer.
    Skipped,
}

impl Outcome {
    /// The words that metrics, the access log and explanations have for them, in the same order.
    pub const NAMES: [&str; 3] = ["admitted", "refused", "skipped"];

    /// Of a request that was charged, or not.
    pub fn new(decision: Decision, is_charged: bool) -> Outcome {
        match (decision, is_charged) {
            (Decision::Refused { .. }, _) => Outcome::Refused,
            (Decision::Admitted { .. }, true) => Outcome::Admitted,
            (Decision::Admitted { .. }, false) => Outcome::Skipped,
        }
    }
}

/// What one limit charges one request.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// The index of the limit.
    pub limit: usize,
    /// The hash of what it counts by.
    pub key: u64,
    /// What the request costs.
    pub cost: u64,
    /// What was decided. Before [`charge_all`]: admitted.
    pub decision: Decision,
    /// Where the charge is; `None` if nothing was charged.
    place: Option<Place>,
}

impl Charge {
    /// A request of `cost` by `key`.
    pub fn new(limit: usize, key: u64, cost: u64) -> Charge {
        Charge { limit, key, cost, decision: Decision::NOW, place: None }
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        Outcome::new(self.decision, self.place.is_some())
    }

    /// The state of its bucket.
    pub fn word(&self, limits: &[Limit], now_ns: u64) -> u64 {
        let Limit { algorithm, store, .. } = &limits[self.limit];
        store.word(algorithm, self.key, now_ns)
    }

    fn check(&mut self, limits: &[Limit], now_ns: u64) {
        let mut word = self.word(limits, now_ns);
        self.decision = limits[self.limit].algorithm.decide(&mut word, now_ns, self.cost);
    }

    fn charge(&mut self, limits: &[Limit], now_ns: u64) {
        let Limit { algorithm, store, .. } = &limits[self.limit];
        let Charge { key, cost, .. } = *self;
        let (decision, place) = of_each!(algorithm, it => store.decide(it, key, now_ns, cost));
        self.decision = decision;
        self.place = decision.is_admitted().then_some(place);
    }

    /// `charged_ns` is when it was charged.
    fn refund(&mut self, limits: &[Limit], charged_ns: u64) {
        let Limit { algorithm, store, .. } = &limits[self.limit];
        if let Some(place) = self.place.take() {
            store.refund(self.key, place, |word| algorithm.refund(word, charged_ns, self.cost));
        }
    }
}

/// Admits a request if all of its limits do, and charges it to all of them; or charges nothing.
///
/// The wait of a refused request is the longest of all limits that refuse it; the delay of an
/// admitted one is the longest delay.
pub fn charge_all(limits: &[Limit], charges: &mut [Charge], now_ns: u64) -> Decision {
    // A single limit needs no check: its charge is all or nothing by itself.
    if let [charge] = charges {
        charge.charge(limits, now_ns);
        return enforced(limits, charges);
    }

    charges.iter_mut().for_each(|it| it.check(limits, now_ns));
    let checked = enforced(limits, charges);
    if !checked.is_admitted() {
        return checked;
    }
    for index in 0..charges.len() {
        charges[index].charge(limits, now_ns);
        let Charge { limit, decision, .. } = charges[index];
        if !decision.is_admitted() && !limits[limit].is_dry_run {
            charges[..index].iter_mut().for_each(|it| it.refund(limits, now_ns));
            break;
        }
    }
    enforced(limits, charges)
}

/// Releases the limits that count requests in progress, when the request has ended. `charged_ns` is
/// when it was charged.
pub fn release(limits: &[Limit], charges: &mut [Charge], charged_ns: u64) {
    let counting = |it: &&mut Charge| limits[it.limit].algorithm.counts_requests_in_progress();
    charges.iter_mut().filter(counting).for_each(|it| it.refund(limits, charged_ns));
}

/// Takes back what an admitted request was charged: a shared limit refused it.
pub fn refund_all(limits: &[Limit], charges: &mut [Charge], charged_ns: u64) {
    charges.iter_mut().for_each(|it| it.refund(limits, charged_ns));
}

/// The decision of all limits that are not in dry run.
fn enforced(limits: &[Limit], charges: &[Charge]) -> Decision {
    let enforced = charges.iter().filter(|it| !limits[it.limit].is_dry_run);
    enforced.map(|it| it.decision).fold(Decision::NOW, stricter)
}

/// The decision of two limits together.
pub fn stricter(one: Decision, other: Decision) -> Decision {
    use Decision::{Admitted, Refused};

    match (one, other) {
        (Admitted { delay_ns: one }, Admitted { delay_ns: other }) => {
            Admitted { delay_ns: one.max(other) }
        }
        (refused @ Refused { .. }, Admitted { .. }) | (Admitted { .. }, refused) => refused,
        (Refused { retry_after_ns: one }, Refused { retry_after_ns: other }) => {
            Refused { retry_after_ns: one.zip(other).map(|(one, other)| one.max(other)) }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::limiter::concurrency::Concurrency;
    use super::super::limiter::gcra::Gcra;
    use super::super::limiter::leaky_queue::LeakyQueue;
    use super::*;
    use std::time::Duration;

    fn limit(algorithm: Algorithm) -> Limit {
        Limit {
            name: "test".to_owned(),
            algorithm,
            store: Arc::new(Store::new(10)),
            is_dry_run: false,
        }
    }

    fn bucket(burst: u64) -> Limit {
        limit(Algorithm::TokenBucket(Gcra::new(1, Duration::from_secs(1), burst).expect("no zero")))
    }

    fn charges(limits: &[Limit]) -> Vec<Charge> {
        (0..limits.len()).map(|index| Charge::new(index, 1, 1)).collect()
    }

    fn send(limits: &[Limit], now_ns: u64) -> Decision {
        charge_all(limits, &mut charges(limits), now_ns)
    }

    fn remaining(limits: &[Limit]) -> Vec<u64> {
        let left = |it: &Charge| limits[it.limit].algorithm.quota(&it.word(limits, 0), 0).remaining;
        charges(limits).iter().map(left).collect()
    }

    #[test]
    fn a_refused_request_is_charged_nowhere() {
        let limits = [bucket(3), bucket(1)];
        let mut charges = charges(&limits);
        let outcomes = |charges: &[Charge]| charges.iter().map(Charge::outcome).collect::<Vec<_>>();
        assert_eq!(charge_all(&limits, &mut charges, 0), Decision::NOW);
        assert_eq!(outcomes(&charges), [Outcome::Admitted; 2]);
        let mut charges = self::charges(&limits);
        assert_eq!(charge_all(&limits, &mut charges, 0), Decision::retry_after(1_000_000_000));
        assert_eq!(outcomes(&charges), [Outcome::Skipped, Outcome::Refused]);
        assert_eq!(remaining(&limits), [2, 0]);
    }

    #[test]
    fn the_longest_wait_and_the_longest_delay_win() {
        let second = Duration::from_secs(1);
        let queue = |per| Algorithm::LeakyBucket(LeakyQueue::new(per, second, 1).expect("no zero"));
        let limits = [limit(queue(2)), limit(queue(4))];
        assert_eq!(send(&limits, 0), Decision::NOW);
        assert_eq!(send(&limits, 0), Decision::Admitted { delay_ns: 500_000_000 });
        assert_eq!(send(&limits, 0), Decision::retry_after(500_000_000));
    }

    #[test]
    fn a_dry_run_is_charged_and_not_obeyed() {
        let limits = [Limit { is_dry_run: true, ..bucket(1) }, bucket(3)];
        for _ in 0..3 {
            assert_eq!(send(&limits, 0), Decision::NOW);
        }
        assert_eq!(remaining(&limits), [0, 0]);
        assert!(!send(&limits, 0).is_admitted());
    }

    #[test]
    fn the_end_of_a_request_is_for_those_that_count_requests_in_progress() {
        let limits =
            [limit(Algorithm::Concurrency(Concurrency::new(1).expect("not zero"))), bucket(3)];
        let mut charges = charges(&limits);
        assert_eq!(charge_all(&limits, &mut charges, 0), Decision::NOW);
        assert_eq!(send(&limits, 0), Decision::NEVER);
        release(&limits, &mut charges, 0);
        release(&limits, &mut charges, 0);
        assert_eq!(remaining(&limits), [1, 2]);
    }
}
