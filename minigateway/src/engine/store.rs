//! Buckets for millions of keys, in memory that never grows.
//!
//! # Which bucket may be evicted?
//!
//! A limiter by client address has as many buckets as there are clients, and an attacker has all
//! addresses of a network. A map that grows is a way to fill the memory (`governor` issue 171); one
//! that evicts the least recently used bucket is a way around the limit: send from enough keys, and
//! your own empty bucket is forgotten and comes back full.
//!
//! Only a bucket that is *full* may go, because a full bucket says nothing: it is what a key that
//! was never seen has. If none can go, new keys share one overflow bucket. They are limited
//! together then, which is unfair, but memory does not grow and no key is without a limit.
//!
//! # Sets of four
//!
//! A key is the hash of what a limit counts by. It may live in one of two sets, each of four slots
//! in one cache line; a new key goes to the emptier one:
//!
//! ```text
//! set 18   key a, word | key b, word |      .      | key c, word
//! set 40   key d, word | key e, word | key f, word |      .
//! key g may live in 18 or 40; both have three that are not full, and the first wins: 18
//! ```
//!
//! Two choices make the difference: with as many busy keys as [`Store::new`] was asked for, one in
//! about 25,000 finds both sets busy; with one choice it would be one in 27. A lookup takes no lock
//! and touches one cache line or two.
//!
//! Both sets are in one block of 64, which has the size of a page, and a lookup reads both at once:
//! one that read the second only if the first did not have the key took 105 ns instead of 81.
//!
//! # How a slot gets another key while threads use it
//!
//! Three steps, with the lock of the key's block held, so that no key gets two slots:
//!
//! ```text
//! 1. word: full -> CLAIMED by compare-and-swap: fails if the old key was charged meanwhile
//! 2. key:  old  -> new
//! 3. word: CLAIMED -> the old word, charged once
//! ```
//!
//! A thread that charges a slot reads the word, then the key, and swaps the word only if it is
//! still the one that was read. Can it charge a key that is not there any more? The key was right
//! when the word was read. If the slot got another key after that, the word is another one: each
//! claim continues from the word it found and charges it, and **no charge returns a word to an
//! earlier value** ([`super::limiter::concurrency`] has a counter for this alone). So the swap
//! fails, and the thread looks its key up again. `tests/loom_limiter.rs` tries every order.
//!
//! # What it is not, and what that costs
//!
//! * Two keys with the same 64-bit hash share a bucket. With a secret seed an attacker cannot
//!   look for such a pair; among a million keys one exists by chance once in 37 million stores.
//! * It does not know the keys, only their hashes.
//! * A refund does return a word to an earlier value. If a slot is claimed, charged and refunded
//!   within the same nanosecond and between two instructions of a thread that charges its old key,
//!   that charge goes to the new key.
//!
//! NGINX keeps a red-black tree and an LRU list per zone under one lock
//! (`ngx_http_limit_req_expire`). In a full zone it evicts the least recently used key whatever its
//! level, and up to two more that were idle for a minute; if that is too little, it refuses.

use super::limiter::cell::Cell;
use super::limiter::{Decision, Limiter};
use minikit::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use minikit::sync::{Mutex, thread};

/// Slots of a set: what fits a cache line. One under loom, so that keys meet.
const WAYS: usize = if cfg!(loom) { 1 } else { 4 };

/// Sets of a block: a page of 4 KiB.
const BLOCK: usize = if cfg!(loom) { 1 } else { 64 };

/// The word of a slot being claimed. What a limiter makes of a word is kept below it.
const CLAIMED: u64 = u64::MAX;

/// The key of a slot that was never used.
const NO_KEY: u64 = 0;

/// Buckets by key, for one limit.
pub struct Store {
    sets: Box<[Set]>,
    /// For each block. Held while a new key gets a slot in it.
    claims: Box<[Mutex<()>]>,
    overflow: Cell,
    overflowed: AtomicU64,
}

#[derive(Default)]
#[cfg_attr(not(loom), repr(align(64)))]
struct Set([Slot; WAYS]);

#[derive(Default)]
struct Slot {
    key: AtomicU64,
    word: AtomicU64,
}

/// Where a charge went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A bucket of the key's own: the index of the set, and of the slot in it.
    Slot(usize, usize),
    /// The bucket that keys without one share.
    Overflow,
}

/// A request that is to be decided.
struct Request<'a, L> {
    limiter: &'a L,
    key: u64,
    now_ns: u64,
    cost: u64,
}

/// Why a slot could not be charged.
enum Missed {
    /// It belongs to another key now.
    OtherKey,
    /// It is being claimed.
    Claimed,
}

impl Store {
    /// A store for about `keys_max` busy keys at once: twice as many slots, rounded up to whole
    /// blocks of 256, 32 bytes per key in all. So 200 keys have 512 slots.
    pub fn new(keys_max: usize) -> Store {
        let blocks = keys_max.saturating_mul(2).div_ceil(BLOCK * WAYS).max(1);
        Store {
            sets: (0..blocks * BLOCK).map(|_| Set::default()).collect(),
            claims: (0..blocks).map(|_| Mutex::default()).collect(),
            overflow: Cell::default(),
            overflowed: AtomicU64::new(0),
        }
    }

    /// Decides whether to admit a request of `key`, and charges it if so. `limiter` must be the
    /// same in all calls. The [`Place`] is what [`Store::refund`] needs.
    pub fn decide(
        &self,
        limiter: &impl Limiter<State = u64>,
        key: u64,
        now_ns: u64,
        cost: u64,
    ) -> (Decision, Place) {
        let key = key.max(NO_KEY + 1);
        let request = Request { limiter, key, now_ns, cost };
        loop {
            let Some((set, way)) = self.find(key) else {
                match self.claim(&request) {
                    Some(result) => return result,
                    None => continue,
                }
            };
            match self.sets[set].charge(way, key, |word| limiter.decide(word, now_ns, cost)) {
                Ok(decision) => return (decision, Place::Slot(set, way)),
                // The claiming thread has two writes to go, the key and the word.
                Err(Missed::Claimed) => thread::yield_now(),
                Err(Missed::OtherKey) => {}
            }
        }
    }

    /// The word that [`Store::decide`] would decide on, for a check or a quota without a charge.
    pub fn word(&self, limiter: &impl Limiter<State = u64>, key: u64, now_ns: u64) -> u64 {
        let key = key.max(NO_KEY + 1);
        loop {
            let Some((set, way)) = self.find(key) else {
                let (_, free) = self.emptier_set(&Request { limiter, key, now_ns, cost: 0 });
                return if free { limiter.unused() } else { self.overflow.load() };
            };
            match self.sets[set].charge(way, key, |word| *word) {
                Ok(word) => return word,
                Err(Missed::Claimed) => thread::yield_now(),
                Err(Missed::OtherKey) => {}
            }
        }
    }

    /// Applies `change` to the word that a charge of `key` went to. Does nothing if the bucket was
    /// full again and has made room for another key.
    pub fn refund(&self, key: u64, place: Place, change: impl Fn(u64) -> u64) {
        let change = |word: &mut u64| *word = change(*word);
        match place {
            Place::Overflow => self.overflow.update(change),
            Place::Slot(set, way) => {
                let key = key.max(NO_KEY + 1);
                while let Err(Missed::Claimed) = self.sets[set].charge(way, key, change) {
                    thread::yield_now();
                }
            }
        }
    }

    /// How many requests were charged to the overflow bucket so far.
    pub fn overflowed(&self) -> u64 {
        self.overflowed.load(Relaxed)
    }

    fn find(&self, key: u64) -> Option<(usize, usize)> {
        let [first, second] = self.sets_of(key);
        match [first, second].map(|set| self.sets[set].find(key)) {
            [Some(way), _] => Some((first, way)),
            [None, way] => Some((second, way?)),
        }
    }

    /// The upper half of the hash, scaled to the number of blocks.
    fn block_of(&self, key: u64) -> usize {
        (((key >> 32) * self.claims.len() as u64) >> 32) as usize
    }

    /// Two sets of the key's block, by other bits of the hash.
    fn sets_of(&self, key: u64) -> [usize; 2] {
        let [first, distance] = [key >> 8, key >> 16].map(|it| it as usize % BLOCK);
        let second = (first ^ distance.max(1)) % BLOCK;
        [first, second].map(|it| self.block_of(key) * BLOCK + it)
    }

    /// The set of the key with fewer busy slots, and true if one of its slots is not busy.
    fn emptier_set(&self, request: &Request<impl Limiter<State = u64>>) -> (usize, bool) {
        let [first, second] = self.sets_of(request.key);
        let [busy, busy_in_second] = [first, second].map(|set| self.sets[set].busy(request));
        if busy <= busy_in_second { (first, busy < WAYS) } else { (second, true) }
    }

    /// Finds a slot for a new key and charges it. Returns `None` if another thread was faster.
    fn claim<L: Limiter<State = u64>>(&self, request: &Request<L>) -> Option<(Decision, Place)> {
        let Request { limiter, key, now_ns, cost } = *request;
        let _claim = self.claims[self.block_of(key)].lock();
        // Another thread may have found one for the same key while this one waited for the lock.
        if self.find(key).is_some() {
            return None;
        }

        let (set, free) = self.emptier_set(request);
        if !free {
            self.overflowed.fetch_add(1, Relaxed);
            let decision = self.overflow.decide(limiter, now_ns, cost);
            return Some((decision, Place::Overflow));
        }
        let (decision, way) = self.sets[set].claim(request)?;
        Some((decision, Place::Slot(set, way)))
    }
}

impl Set {
    /// Compares all slots: a loop that ends at the key ends where the processor does not expect it.
    fn find(&self, key: u64) -> Option<usize> {
        let at = |found, way: usize| if self.0[way].key.load(Acquire) == key { way } else { found };
        Some((0..WAYS).fold(WAYS, at)).filter(|it| *it < WAYS)
    }

    /// How many slots must keep their key: they are not full, or are being claimed.
    fn busy(&self, request: &Request<impl Limiter<State = u64>>) -> usize {
        self.0.iter().filter(|it| !request.is_full(it.word.load(Relaxed))).count()
    }

    /// Changes the word of a slot if it belongs to `key`.
    fn charge<R>(&self, way: usize, key: u64, change: impl Fn(&mut u64) -> R) -> Result<R, Missed> {
        let slot = &self.0[way];
        let mut old = slot.word.load(Acquire);
        loop {
            if old == CLAIMED {
                return Err(Missed::Claimed);
            }
            // Read after the word, see the head of the file.
            if slot.key.load(Acquire) != key {
                return Err(Missed::OtherKey);
            }

            let mut new = old;
            let result = change(&mut new);
            new = new.min(CLAIMED - 1);
            if new == old {
                return Ok(result);
            }
            match slot.word.compare_exchange(old, new, Acquire, Acquire) {
                Ok(_) => return Ok(result),
                Err(seen) => old = seen,
            }
        }
    }

    /// Gives a full slot to `key` and charges it. Returns `None` if other threads have charged all
    /// of them since they were counted.
    fn claim<L: Limiter<State = u64>>(&self, request: &Request<L>) -> Option<(Decision, usize)> {
        for (way, slot) in self.0.iter().enumerate() {
            let old = slot.word.load(Acquire);
            if !request.is_full(old) {
                continue;
            }

            // A full bucket is as good as another, so the new key takes over the word. What cannot
            // be charged to it, because of its cost, needs no slot.
            let mut new = old;
            let decision = request.limiter.decide(&mut new, request.now_ns, request.cost);
            if new == old {
                return Some((decision, way));
            }
            if slot.word.compare_exchange(old, CLAIMED, Acquire, Relaxed).is_ok() {
                slot.key.store(request.key, Release);
                slot.word.store(new.min(CLAIMED - 1), Release);
                return Some((decision, way));
            }
        }
        None
    }
}

impl<L: Limiter<State = u64>> Request<'_, L> {
    fn is_full(&self, word: u64) -> bool {
        word != CLAIMED && self.limiter.quota(&word, self.now_ns).full_after_ns == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::limiter::algorithm::Algorithm;
    use super::super::limiter::concurrency::Concurrency;
    use super::super::limiter::gcra::Gcra;
    use super::super::limiter::leaky_queue::LeakyQueue;
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::time::Duration;

    /// One request in 213,503 days: the moment at which the next may leave is beyond a word.
    #[test]
    fn a_word_at_its_limit_is_no_slot_being_claimed() {
        let (store, day) = (Store::new(10), Duration::from_secs(86_400));
        let queue = LeakyQueue::new(1, 213_503 * day, 0).expect("less than 584 years");
        let now_ns = 2 * day.as_nanos() as u64;
        let admitted = (0..3).map(|_| store.decide(&queue, 7, now_ns, 1).0.is_admitted());
        assert_eq!(admitted.collect::<Vec<_>>(), [true, false, false]);
    }

    /// Two a second.
    fn two() -> Gcra {
        Gcra::new(2, Duration::from_secs(1), 2).expect("no zero")
    }

    /// A hash like any other.
    fn hash(key: u64) -> u64 {
        let mixed = (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ mixed >> 32
    }

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_set_is_a_cache_line_and_a_block_a_page() {
        assert_eq!([size_of::<Set>(), BLOCK * size_of::<Set>()], [64, 4096]);
    }

    #[test]
    fn the_two_sets_of_a_key_are_others_of_one_block() {
        let store = Store::new(10_000);
        for key in 0..10_000 {
            let [first, second] = store.sets_of(hash(key));
            assert!(first != second && first / BLOCK == second / BLOCK, "{first} {second}");
        }
    }

    #[test]
    fn an_attacker_with_many_keys_is_limited_as_one() {
        let store = Store::new(1000);
        let keys = 100_000;
        let is_admitted = |key: &u64| store.decide(&two(), hash(*key), 0, 1).0.is_admitted();
        let admitted = (0..keys).filter(is_admitted).count();
        let slots = store.sets.len() * WAYS;
        // One for each slot, and two of all others together.
        let own = (keys - store.overflowed()) as usize;
        assert_eq!(admitted, own + 2);
        assert_eq!(own, slots, "every slot is taken in the end");
    }

    #[test]
    fn a_bucket_that_is_not_full_is_never_forgotten() {
        let store = Store::new(1000);
        for _ in 0..2 {
            assert!(store.decide(&two(), hash(0), 0, 1).0.is_admitted());
        }
        for key in 1..100_000 {
            store.decide(&two(), hash(key), SECOND_NS / 2, 1);
        }
        let wait = Decision::retry_after(1);
        assert_eq!(store.decide(&two(), hash(0), SECOND_NS / 2 - 1, 1).0, wait);
        // A second later all are full, and make room.
        let before = store.overflowed();
        let admitted = (0..500).filter(|it| {
            store.decide(&two(), hash(200_000 + it), 2 * SECOND_NS, 2).0.is_admitted()
        });
        assert_eq!((admitted.count(), store.overflowed()), (500, before));
    }

    #[test]
    fn as_many_keys_as_were_asked_for_have_a_bucket_each() {
        let store = Store::new(100_000);
        for key in 0..100_000 {
            store.decide(&two(), hash(key), 0, 1);
        }
        assert!(store.overflowed() < 25, "{} of 100,000", store.overflowed());
    }

    #[test]
    fn a_key_of_zero_is_a_key() {
        let store = Store::new(10);
        for admitted in [true, true, false] {
            assert_eq!(store.decide(&two(), 0, 0, 1).0.is_admitted(), admitted);
        }
    }

    #[test]
    fn a_refund_finds_the_bucket_or_nothing() {
        let limiter = Algorithm::Concurrency(Concurrency::new(1).expect("not zero"));
        let store = Store::new(1);
        let (decision, place) = store.decide(&limiter, 5, 0, 1);
        assert_eq!(decision, Decision::NOW);
        assert_eq!(store.decide(&limiter, 5, 0, 1).0, Decision::NEVER);
        store.refund(5, place, |word| limiter.refund(word, 0, 1));
        assert_eq!(limiter.quota(&store.word(&limiter, 5, 0), 0).remaining, 1);
        // Another key took the slot.
        let Place::Slot(set, way) = place else { panic!("it was empty") };
        let request = Request { limiter: &limiter, key: 6, now_ns: 0, cost: 1 };
        store.sets[set].claim(&request).expect("full");
        store.refund(5, place, |word| limiter.refund(word, 0, 1));
        assert_eq!(limiter.quota(&store.word(&limiter, 6, 0), 0).remaining, 0);
        assert_eq!(store.sets[set].find(5), None, "{way}");
    }

    proptest! {
        /// With room for all keys, the store decides as a map with a bucket for each.
        #[test]
        fn it_decides_as_a_map(
            requests in prop::collection::vec((0u64..8, 0u64..400_000_000, 0u64..3), 1..200),
        ) {
            let store = Store::new(1000);
            let mut map = HashMap::new();
            let mut now = 0;
            for (key, gap, cost) in requests {
                now += gap;
                let expected = two().decide(map.entry(key).or_insert(0), now, cost);
                prop_assert_eq!(store.decide(&two(), hash(key), now, cost).0, expected);
                let quota = two().quota(&store.word(&two(), hash(key), now), now);
                prop_assert_eq!(quota, two().quota(&map[&key], now));
            }
        }
    }
}
