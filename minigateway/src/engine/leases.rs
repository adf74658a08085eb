//! Leases: a gateway deducts several requests from the shared limit at once, and spends them later.
//!
//! ```text
//! lease = 10, one key                     shared limit     gateway 1   gateway 2
//!                                         100 left         0           0
//! gateway 1: a request, 10 deducted       90 left          9           0
//! gateway 1: nine more, no message        90 left          0           0
//! gateway 2: a request, 10 deducted       80 left          0           9
//! ```
//!
//! A message for each request becomes one for ten.
//!
//! # Deducted in advance, not counted afterwards
//!
//! The other way is to count locally and to tell the store now and then. Each gateway then admits
//! what was left at the last message: WSO2 measured 4 % over the limit with a message every 10 ms,
//! and 13 % with one every 50 ms (`wso2/api-platform` issue 2187). What is deducted first cannot be
//! spent twice.
//!
//! # The bound
//!
//! What a gateway holds is one lease per key, at most `lease - 1` requests after the one that it
//! was taken for. So
//!
//! * **never more than the limit in all**: what is admitted was deducted;
//! * in a window, at most `gateways * (lease - 1)` requests more than the limit, deducted in the
//!   window before. In a `fixed_window` none: a lease ends with the window that it was taken in;
//! * at most `gateways * (lease - 1)` requests less, which others hold and do not spend.
//!
//! A request that costs more than what is left of a lease asks for another one, and what is left is
//! added to it. A lease ends at the latest when the limit would have been full again, counted from
//! before the store was asked. What is left then is lost, not returned: a store that is slow could
//! not be told in time.
//!
//! Only one request of a gateway asks for a lease of a key at a time. The others pay for themselves
//! meanwhile, so that no gateway holds two.

use super::shared::KeyState;
use minikit::sync::Mutex;
use std::collections::HashMap;

/// How long a request may ask for a lease before another one may. No deadline is longer.
const ASKING_NS_MAX: u64 = 1_000_000_000;
/// The shortest time between two searches for expired leases, when there is no room.
const SWEEP_NS: u64 = 1_000_000_000;

/// The leases of one limit, of all cores.
#[derive(Debug)]
pub struct Leases {
    /// Requests of cost 1 that are deducted at once.
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
    /// By the clock of this gateway.
    end_ns: u64,
    asking_until_ns: u64,
    /// What the store said, and when.
    state: KeyState,
    granted_ns: u64,
}

/// How a request is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// From the lease. This is left.
    Held(KeyState),
    /// The store is asked to deduct this much.
    Ask(u64),
}

impl Leases {
    /// Leases of `size` requests for up to `keys_max` keys. Other keys ask for each request.
    pub fn new(size: u64, keys_max: usize) -> Leases {
        Leases { size, keys_max, held: Mutex::default() }
    }

    /// Takes `cost` from the lease of a key, or says what to ask the store for.
    pub fn take(&self, key: u64, cost: u64, now_ns: u64) -> Payment {
        let mut held = self.held.lock();
        if !held.has_room(key, self.keys_max, now_ns) {
            return Payment::Ask(cost);
        }
        let lease = held.by_key.entry(key).or_default();
        if now_ns >= lease.end_ns {
            lease.left = 0;
        }

        if let Some(left) = lease.left.checked_sub(cost) {
            lease.left = left;
            let since_ns = now_ns.saturating_sub(lease.granted_ns);
            let now_ns = lease.state.now_ns.saturating_add(since_ns);
            return Payment::Held(KeyState { now_ns, held: left, ..lease.state });
        }
        if now_ns < lease.asking_until_ns {
            return Payment::Ask(cost);
        }
        lease.asking_until_ns = now_ns + ASKING_NS_MAX;
        Payment::Ask(self.size.max(cost))
    }

    /// Gives back what was taken, with the state that [`Payment::Held`] had: another limit refused
    /// the request. It is lost if there is a new lease by now, which may be of another window.
    pub fn put_back(&self, key: u64, cost: u64, state: KeyState) {
        let mut held = self.held.lock();
        if let Some(lease) = held.by_key.get_mut(&key).filter(|it| it.state.word == state.word) {
            lease.left += cost;
        }
    }

    /// Records the answer to a request that asked for more than its cost, and returns what the
    /// gateway holds then. `rest` is what the store deducted beyond the cost, `state` its state
    /// after that, and `times_ns` when it was asked, when it answered, and when the lease ends, by
    /// the clock of this gateway.
    pub fn settle(&self, key: u64, rest: u64, state: KeyState, times_ns: [u64; 3]) -> u64 {
        let mut held = self.held.lock();
        let Some(lease) = held.by_key.get_mut(&key) else { return 0 };
        let [granted_ns, now_ns, end_ns] = times_ns;
        lease.asking_until_ns = 0;
        // What is left of a lease that has ended may be of another window, and is lost.
        let kept = if now_ns < lease.end_ns { lease.left } else { 0 };
        if rest == 0 {
            return kept;
        }
        // The minimum holds even if two requests have asked.
        let left = (kept + rest).min(self.size - 1);
        *lease = Lease { left, end_ns, asking_until_ns: 0, state, granted_ns };
        left
    }
}

impl Held {
    /// Returns true if the key has a lease, or can have one.
    fn has_room(&mut self, key: u64, keys_max: usize, now_ns: u64) -> bool {
        if self.by_key.len() < keys_max || self.by_key.contains_key(&key) {
            return true;
        }
        // A search visits all keys, so there is at most one a second, however many keys come.
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

    fn settle(leases: &Leases, key: u64, deducted: u64, now_ns: u64, end_ns: u64) {
        let state = KeyState { word: now_ns, now_ns: 5000, held: 0 };
        leases.settle(key, deducted - 1, state, [now_ns, now_ns, end_ns]);
    }

    #[test]
    fn one_message_for_ten_requests() {
        let leases = Leases::new(10, 8);
        assert_eq!(leases.take(1, 1, 0), Payment::Ask(10));
        // Others pay for themselves meanwhile, and another key has a lease of its own.
        assert_eq!(
            [leases.take(1, 1, 0), leases.take(2, 1, 0)],
            [Payment::Ask(1), Payment::Ask(10)]
        );
        settle(&leases, 1, 10, 0, 100);
        for left in (0..9).rev() {
            let state = KeyState { word: 0, now_ns: 5003, held: left };
            assert_eq!(leases.take(1, 1, 3), Payment::Held(state));
        }
        assert_eq!(leases.take(1, 1, 3), Payment::Ask(10));
    }

    /// 100 in a window, requests that cost 3, leases of 10: all but the last one are spent.
    #[test]
    fn what_is_left_is_added_to_the_next_lease() {
        let leases = Leases::new(10, 8);
        let (mut in_store, mut spent) = (100, 0);
        loop {
            if let Payment::Ask(amount) = leases.take(1, 3, 5) {
                let deducted = if amount <= in_store { amount } else { 3 };
                if deducted > in_store {
                    break;
                }
                in_store -= deducted;
                let state = KeyState { word: in_store, now_ns: 5000, held: 0 };
                let left = leases.settle(1, deducted - 3, state, [5, 5, 100]);
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
        settle(&leases, 1, 10, 0, 100);
        let Payment::Held(state) = leases.take(1, 4, 99) else { panic!("5 are left") };
        assert_eq!(state.held, 5);
        assert_eq!(leases.take(1, 1, 100), Payment::Ask(10));
        settle(&leases, 1, 10, 100, 200);
        // What was taken in the window before is not given back in this one.
        leases.put_back(1, 4, state);
        let Payment::Held(state) = leases.take(1, 1, 150) else { panic!("9 are left") };
        assert_eq!(state.held, 8);
        leases.put_back(1, 1, state);
        assert_eq!(leases.take(1, 10, 150), Payment::Ask(10), "it has 9 again, never more");
    }

    #[test]
    fn a_store_that_grants_no_lease_is_asked_again() {
        let leases = Leases::new(10, 8);
        leases.take(1, 1, 0);
        settle(&leases, 1, 1, 0, 100);
        assert_eq!(leases.take(1, 1, 0), Payment::Ask(10));
        // One that never answers is asked by another request a second later.
        assert_eq!(leases.take(1, 1, ASKING_NS_MAX - 1), Payment::Ask(1));
        assert_eq!(leases.take(1, 1, ASKING_NS_MAX), Payment::Ask(10));
    }

    #[test]
    fn keys_without_room_pay_for_themselves() {
        let leases = Leases::new(10, 2);
        for key in 1..=2 {
            leases.take(key, 1, 0);
            settle(&leases, key, 10, 0, SWEEP_NS);
        }
        assert_eq!(leases.take(3, 1, 0), Payment::Ask(1));
        assert_eq!(leases.take(3, 1, SWEEP_NS), Payment::Ask(10));
        assert_eq!(leases.held.lock().by_key.len(), 1, "those that ended are gone");
    }
}
