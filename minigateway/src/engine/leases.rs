//! Leases: a gateway deducts several requests from a shared limit at once and admits them later.
//!
//! ```text
//! lease = 10, one key                     shared limit     gateway 1   gateway 2
//!                                         100 left         0           0
//! gateway 1: a request, 10 deducted       90 left          9           0
//! gateway 1: nine more, no message        90 left          0           0
//! gateway 2: a request, 10 deducted       80 left          0           9
//! ```
//!
//! So ten requests need one message to the store.
//!
//! # Why deduct in advance instead of counting afterwards?
//!
//! The alternative is to count locally and to synchronize with the store periodically. Then all
//! gateways admit what was left at the last synchronization: WSO2 measured 4 % over the limit with
//! a message every 10 ms, and 13 % with one every 50 ms (`wso2/api-platform` issue 2187). A request
//! that was deducted first cannot be admitted twice.
//!
//! # The bound
//!
//! A gateway holds one lease per key. Without the request that asked for it, that is at most `lease
//! - 1` requests. So
//!
//! * over a long time **never more than the limit**, because every request was deducted;
//! * in one window, at most `gateways * (lease - 1)` requests more, which were deducted in the
//!   window before. A `fixed_window` admits none more, because its leases end with the window;
//! * at most `gateways * (lease - 1)` requests less, which other gateways hold and do not use.
//!
//! If a request costs more than the rest of a lease, the gateway asks for another lease and adds
//! the rest to it. A lease expires at the latest when the limit would be full again, counted from
//! before the store was asked. The rest is lost then: a slow store might get it back too late.
//!
//! Only one request of a gateway asks for a lease of a key at a time. Meanwhile other requests are
//! deducted one by one, so no gateway holds two leases of a key.

use super::shared::KeyState;
use minikit::sync::Mutex;
use std::collections::HashMap;

/// How long no other request asks for a lease after one did. No store timeout is longer.
const ASKING_NS_MAX: u64 = 1_000_000_000;
/// The shortest time between two searches for expired leases.
const SWEEP_NS: u64 = 1_000_000_000;

/// The leases of one limit, shared by all cores.
#[derive(Debug)]
pub struct Leases {
    /// The size of a lease, in requests of cost 1.
    size: u64,
    keys_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_key: HashMap<u64, Lease>,
    swept_ns: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    left: u64,
    /// Expires at this time of the gateway's clock.
    end_ns: u64,
    asking_until_ns: u64,
    /// The last answer of the store, and the time of the request for it.
    state: KeyState,
    granted_ns: u64,
}

/// How a request is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// From the lease. The state includes the rest of it.
    FromLease(KeyState),
    /// The store must deduct this much.
    AskStore(u64),
}

impl Leases {
    /// Creates leases of `size` requests for up to `keys_max` keys. Other keys get no leases.
    pub fn new(size: u64, keys_max: usize) -> Leases {
        Leases { size, keys_max, held: Mutex::default() }
    }

    /// Takes `cost` from the lease of a key, or returns the amount to ask the store for.
    pub fn take(&self, key: u64, cost: u64, now_ns: u64) -> Payment {
        let mut held = self.held.lock();
        if !held.has_room(key, self.keys_max, now_ns) {
            return Payment::AskStore(cost);
        }
        let lease = held.by_key.entry(key).or_default();
        if now_ns >= lease.end_ns {
            lease.left = 0;
        }

        if let Some(left) = lease.left.checked_sub(cost) {
            lease.left = left;
            let since_ns = now_ns.saturating_sub(lease.granted_ns);
            let now_ns = lease.state.now_ns.saturating_add(since_ns);
            return Payment::FromLease(KeyState { now_ns, held: left, ..lease.state });
        }
        if now_ns < lease.asking_until_ns {
            return Payment::AskStore(cost);
        }
        lease.asking_until_ns = now_ns + ASKING_NS_MAX;
        Payment::AskStore(self.size.max(cost))
    }

    /// Returns `cost` to the lease that [`Payment::FromLease`] took it from, after another limit
    /// refused the request. Does nothing if there is a new lease by now, as `state` shows.
    pub fn put_back(&self, key: u64, cost: u64, state: KeyState) {
        let mut held = self.held.lock();
        if let Some(lease) = held.by_key.get_mut(&key).filter(|it| it.state.word == state.word) {
            lease.left += cost;
        }
    }

    /// Records the store's answer about a lease, and returns how much the gateway holds then.
    /// `rest` is the amount deducted beyond the cost, and `state` the state after that. `times_ns`
    /// are the times of the request, of the answer and of the lease's end, by this gateway's clock.
    pub fn record_grant(&self, key: u64, rest: u64, state: KeyState, times_ns: [u64; 3]) -> u64 {
        let mut held = self.held.lock();
        let Some(lease) = held.by_key.get_mut(&key) else { return 0 };
        let [granted_ns, now_ns, end_ns] = times_ns;
        lease.asking_until_ns = 0;
        // The rest of an expired lease may belong to another window, and is lost.
        let kept = if now_ns < lease.end_ns { lease.left } else { 0 };
        if rest == 0 {
            return kept;
        }
        // The bound holds even if two requests have asked.
        let left = (kept + rest).min(self.size - 1);
        *lease = Lease { left, end_ns, asking_until_ns: 0, state, granted_ns };
        left
    }
}

impl Held {
    /// Returns true if the key has a lease or can get one.
    fn has_room(&mut self, key: u64, keys_max: usize, now_ns: u64) -> bool {
        if self.by_key.len() < keys_max || self.by_key.contains_key(&key) {
            return true;
        }
        // A search visits all keys, so there is at most one a second, however many keys are new.
        if now_ns < self.swept_ns + SWEEP_NS {
            return false;
        }
        self.swept_ns = now_ns;
        self.by_key.retain(|_, it| now_ns < it.end_ns.max(it.asking_until_ns));
        self.by_key.len() < keys_max
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn grant(leases: &Leases, key: u64, deducted: u64, now_ns: u64, end_ns: u64) {
        let state = KeyState { word: now_ns, now_ns: 5000, held: 0 };
        leases.record_grant(key, deducted - 1, state, [now_ns, now_ns, end_ns]);
    }

    #[test]
    fn one_message_for_ten_requests() {
        let leases = Leases::new(10, 8);
        assert_eq!(leases.take(1, 1, 0), Payment::AskStore(10));
        // Other requests are deducted one by one meanwhile. Another key has its own lease.
        assert_eq!(
            [leases.take(1, 1, 0), leases.take(2, 1, 0)],
            [Payment::AskStore(1), Payment::AskStore(10)]
        );
        grant(&leases, 1, 10, 0, 100);
        for left in (0..9).rev() {
            let state = KeyState { word: 0, now_ns: 5003, held: left };
            assert_eq!(leases.take(1, 1, 3), Payment::FromLease(state));
        }
        assert_eq!(leases.take(1, 1, 3), Payment::AskStore(10));
    }

    /// 100 in a window, requests of cost 3, leases of 10: less than one lease is left unused.
    #[test]
    fn the_rest_of_a_lease_is_added_to_the_next_one() {
        let leases = Leases::new(10, 8);
        let (mut in_store, mut spent) = (100, 0);
        loop {
            if let Payment::AskStore(amount) = leases.take(1, 3, 5) {
                let deducted = if amount <= in_store { amount } else { 3 };
                if deducted > in_store {
                    break;
                }
                in_store -= deducted;
                let state = KeyState { word: in_store, now_ns: 5000, held: 0 };
                let left = leases.record_grant(1, deducted - 3, state, [5, 5, 100]);
                assert!(left < 10, "no gateway holds more than the bound says");
            }
            spent += 3;
        }
        assert!(spent > 100 - 10, "{spent} of 100 were spent");
    }

    #[test]
    fn a_lease_ends_with_its_window() {
        let leases = Leases::new(10, 8);
        leases.take(1, 1, 0);
        grant(&leases, 1, 10, 0, 100);
        let Payment::FromLease(state) = leases.take(1, 4, 99) else { panic!("5 are left") };
        assert_eq!(state.held, 5);
        assert_eq!(leases.take(1, 1, 100), Payment::AskStore(10));
        grant(&leases, 1, 10, 100, 200);
        // What was taken from the previous lease is not returned to this one.
        leases.put_back(1, 4, state);
        let Payment::FromLease(state) = leases.take(1, 1, 150) else { panic!("9 are left") };
        assert_eq!(state.held, 8);
        leases.put_back(1, 1, state);
        assert_eq!(
            leases.take(1, 10, 150),
            Payment::AskStore(10),
            "the lease has 9 again, never more"
        );
    }

    #[test]
    fn a_store_that_grants_no_lease_is_asked_again() {
        let leases = Leases::new(10, 8);
        leases.take(1, 1, 0);
        grant(&leases, 1, 1, 0, 100);
        assert_eq!(leases.take(1, 1, 0), Payment::AskStore(10));
        // If the store never answers, another request asks a second later.
        assert_eq!(leases.take(1, 1, ASKING_NS_MAX - 1), Payment::AskStore(1));
        assert_eq!(leases.take(1, 1, ASKING_NS_MAX), Payment::AskStore(10));
    }

    #[test]
    fn keys_beyond_the_maximum_get_no_lease() {
        let leases = Leases::new(10, 2);
        for key in 1..=2 {
            leases.take(key, 1, 0);
            grant(&leases, key, 10, 0, SWEEP_NS);
        }
        assert_eq!(leases.take(3, 1, 0), Payment::AskStore(1));
        assert_eq!(leases.take(3, 1, SWEEP_NS), Payment::AskStore(10));
        assert_eq!(leases.held.lock().by_key.len(), 1, "expired leases are removed");
    }
}
