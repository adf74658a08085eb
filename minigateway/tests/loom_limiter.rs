//! Buckets and slots of the store in every interleaving of two threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minigateway --test loom_limiter`
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use minigateway::engine::limiter::algorithm::Algorithm;
use minigateway::engine::limiter::cell::Cell;
use minigateway::engine::limiter::concurrency::Concurrency;
use minigateway::engine::limiter::fixed_window::FixedWindow;
use minigateway::engine::limiter::gcra::Gcra;
use minigateway::engine::limiter::{Decision, Limiter};
use minigateway::engine::limits::{Charge, Limit, charge_all};
use minigateway::engine::store::{Place, Store};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const SECOND_NS: u64 = 1_000_000_000;

fn bucket(burst: u64) -> Algorithm {
    Algorithm::TokenBucket(Gcra::new(1, SECOND, burst).expect("no zero"))
}

/// Runs `work` in another thread and in this one, and returns the sum.
fn twice(work: impl Fn(u64) -> u64 + Clone + Send + Sync + 'static) -> u64 {
    let other = work.clone();
    let other = thread::spawn(move || other(1));
    let mine = work(0);
    mine + other.join().expect("it does not panic")
}

/// One of two threads gets a single token; both get one of two tokens.
#[test]
fn a_token_is_taken_once() {
    for (burst, admitted) in [(1, 1), (2, 2)] {
        let window = Algorithm::FixedWindow(FixedWindow::new(burst, SECOND).expect("no zero"));
        for algorithm in [bucket(burst), window] {
            loom::model(move || {
                let cell = Arc::new(Cell::default());
                let work = move |_| u64::from(cell.decide(&algorithm, 0, 1).is_admitted());
                assert_eq!(twice(work), admitted);
            });
        }
    }
}

/// If two threads use a new key at once, it gets one slot and one token.
#[test]
fn a_new_key_gets_one_bucket() {
    loom::model(|| {
        let store = Arc::new(Store::new(1));
        let work = move |_| u64::from(store.decide(&bucket(1), 7, 0, 1).0.is_admitted());
        assert_eq!(twice(work), 1);
    });
}

/// One thread claims the slot of a full bucket for another key while the other thread charges the
/// old key. In every interleaving, no key gets more than its burst, and no charge goes to the wrong
/// key.
#[test]
fn a_slot_changes_hands_while_it_is_charged() {
    loom::model(|| {
        let store = Arc::new(Store::new(1));
        // One second later, when both keys arrive, the bucket is full again.
        assert!(store.decide(&bucket(1), 7, 0, 1).0.is_admitted());
        let shared = Arc::clone(&store);
        let work = move |thread| {
            u64::from(shared.decide(&bucket(1), 7 + thread, SECOND_NS, 1).0.is_admitted())
        };
        // The slot and the overflow bucket have one token each.
        assert_eq!(twice(work), 2);
        for key in [7, 8] {
            let refused = Decision::retry_after(SECOND_NS);
            assert_eq!(store.decide(&bucket(1), key, SECOND_NS, 1).0, refused);
        }
    });
}

/// A request ends while another key claims its slot. The release must not change the count of the
/// other key.
#[test]
fn a_slot_is_released_while_it_is_claimed() {
    loom::model(|| {
        let limiter = Algorithm::Concurrency(Concurrency::new(1).expect("not zero"));
        let store = Arc::new(Store::new(1));
        let (_, place) = store.decide(&limiter, 7, 0, 1);
        let shared = Arc::clone(&store);
        let claims = thread::spawn(move || {
            let (decision, place) = shared.decide(&limiter, 8, 0, 1);
            assert!(decision.is_admitted());
            place
        });
        store.refund(7, place, |word| limiter.refund(word, 0, 1));
        let other = claims.join().expect("it does not panic");
        // Key 8 got the released slot, or else the overflow bucket and now a slot.
        let again = store.decide(&limiter, 8, 0, 1).0;
        assert_eq!(again.is_admitted(), other == Place::Overflow);
        if other != Place::Overflow {
            store.refund(8, other, |word| limiter.refund(word, 0, 1));
            assert_eq!(limiter.quota(&store.word(&limiter, 8, 0), 0).remaining, 1);
        }
    });
}

/// Two requests with two limits, the second of which has one token: one request is admitted. If it
/// takes the token between the other's check and charge, the other is refunded. No token is lost.
#[test]
fn two_limits_charge_only_admitted_requests() {
    loom::model(|| {
        let limit = |burst| Limit {
            name: String::new(),
            algorithm: bucket(burst),
            store: Arc::new(Store::new(1)),
            is_dry_run: false,
        };
        let limits = Arc::new([limit(2), limit(1)]);
        // Both keys have a slot already, so that the model covers only charges.
        for limit in limits.iter() {
            limit.store.decide(&limit.algorithm, 7, 0, 1);
        }
        let now = 2 * SECOND_NS;
        let shared = Arc::clone(&limits);
        let work = move |_| {
            let mut charges = [0, 1].map(|index| Charge::new(index, 7, 1));
            u64::from(charge_all(&shared[..], &mut charges, now).is_admitted())
        };
        assert_eq!(twice(work), 1);
        let word = |index| Charge::new(index, 7, 1).word(&limits[..], now);
        let left = [0, 1].map(|it| limits[it].algorithm.quota(&word(it), now).remaining);
        assert_eq!(left, [1, 0]);
    });
}
