//! Several limits on one request: all are checked, then all are charged.
//!
//! ```text
//! 10 a second per client, 100 a second in total; the client has 3 left, the total 0
//! charged in turn:   the client has 2 left, then the total limit refuses
//! checked first:     refused, and the client still has 3
//! ```
//!
//! If limits are charged in turn, a client pays with its own quota for a refusal by a limit that
//! all clients share. The golden script `refused_by_one_charged_by_another` shows both ways.
//!
//! # What if another thread charges a limit between check and charge?
//!
//! Then a charge can be refused although its check passed. The earlier charges are refunded, and
//! the request is refused. In the few instructions between charge and refund, another request may
//! be refused that would have been admitted otherwise. A lock around all limits would prevent that,
//! but every request of every thread would have to take it.
//!
//! # Dry run
//!
//! A limit in dry run is charged like the others but refuses nothing. Its decisions are counted and
//! logged. NGINX has `limit_req_dry_run`.
//!
//! NGINX counterpart: `ngx_http_limit_req_handler` also checks all zones and charges them
//! afterwards, and the longest delay wins.

use super::limiter::algorithm::{Algorithm, dispatch};
use super::limiter::{Decision, Limiter};
use super::store::{Place, Store};
use minikit::sync::Arc;

/// A limit and the buckets of its keys.
#[derive(Clone)]
pub struct Limit {
    /// The name from the configuration. Clients see it in headers.
    pub name: String,
    /// The algorithm and its parameters.
    pub algorithm: Algorithm,
    /// A reload passes it on if the limit is unchanged.
    pub store: Arc<Store>,
    /// Its decisions are only counted and logged.
    pub is_dry_run: bool,
}

/// The outcome of a request at one of its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Within the limit, and charged.
    Admitted,
    /// Above the limit.
    Refused,
    /// Not charged: another limit refused it, or the store of shared limits did not answer.
    Skipped,
}

impl Outcome {
    /// The names in metrics and explanations, in the order of the variants.
    pub const NAMES: [&str; 3] = ["admitted", "refused", "skipped"];

    /// The outcome of a decision and of a charge that may follow it.
    pub fn new(decision: Decision, is_charged: bool) -> Outcome {
        match (decision, is_charged) {
            (Decision::Refused { .. }, _) => Outcome::Refused,
            (Decision::Admitted { .. }, true) => Outcome::Admitted,
            (Decision::Admitted { .. }, false) => Outcome::Skipped,
        }
    }
}

/// A charge of one limit for one request.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// The index of the limit.
    pub limit: usize,
    /// The hash of the key that the limit counts by.
    pub key: u64,
    /// The cost of the request.
    pub cost: u64,
    /// The decision. Before [`charge_all`] it is [`Decision::NOW`].
    pub decision: Decision,
    /// The bucket that was charged; `None` if none was.
    place: Option<Place>,
}

impl Charge {
    /// A charge for a request of `cost` by `key`.
    pub fn new(limit: usize, key: u64, cost: u64) -> Charge {
        Charge { limit, key, cost, decision: Decision::NOW, place: None }
    }

    /// Returns the outcome.
    pub fn outcome(&self) -> Outcome {
        Outcome::new(self.decision, self.place.is_some())
    }

    /// Returns the state of its bucket.
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
        let (decision, place) = dispatch!(algorithm, it => store.decide(it, key, now_ns, cost));
        self.decision = decision;
        self.place = decision.is_admitted().then_some(place);
    }

    /// Undoes the charge of the time `charged_ns`, if there was one.
    fn refund(&mut self, limits: &[Limit], charged_ns: u64) {
        let Limit { algorithm, store, .. } = &limits[self.limit];
        if let Some(place) = self.place.take() {
            store.refund(self.key, place, |word| algorithm.refund(word, charged_ns, self.cost));
        }
    }
}

/// Admits a request and charges all of its limits, or refuses it and charges none.
///
/// A refused request gets the longest wait of its limits, an admitted one the longest delay.
pub fn charge_all(limits: &[Limit], charges: &mut [Charge], now_ns: u64) -> Decision {
    // A single limit needs no check: a refused charge changes nothing.
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

/// Releases the concurrency limits of a request that was charged at `charged_ns` and has ended.
pub fn release(limits: &[Limit], charges: &mut [Charge], charged_ns: u64) {
    let counting = |it: &&mut Charge| limits[it.limit].algorithm.counts_requests_in_progress();
    charges.iter_mut().filter(counting).for_each(|it| it.refund(limits, charged_ns));
}

/// Refunds all charges of a request that its local limits admitted and a later step refused.
pub fn refund_all(limits: &[Limit], charges: &mut [Charge], charged_ns: u64) {
    charges.iter_mut().for_each(|it| it.refund(limits, charged_ns));
}

/// Combines the decisions of all limits that are not in dry run.
fn enforced(limits: &[Limit], charges: &[Charge]) -> Decision {
    let enforced = charges.iter().filter(|it| !limits[it.limit].is_dry_run);
    enforced.map(|it| it.decision).fold(Decision::NOW, stricter)
}

/// Combines the decisions of two limits: a refusal wins, then the longer time.
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
    fn a_refused_request_is_not_charged_to_any_limit() {
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
    fn a_limit_in_dry_run_is_charged_and_refuses_nothing() {
        let limits = [Limit { is_dry_run: true, ..bucket(1) }, bucket(3)];
        for _ in 0..3 {
            assert_eq!(send(&limits, 0), Decision::NOW);
        }
        assert_eq!(remaining(&limits), [0, 0]);
        assert!(!send(&limits, 0).is_admitted());
    }

    #[test]
    fn the_end_of_a_request_releases_concurrency_limits_only() {
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
