//! Buckets for millions of keys, in a fixed amount of memory.
//!
//! # Which bucket may be evicted?
//!
//! A limit by client address has one bucket per client, and an attacker can use all addresses of a
//! network. With a map that grows, the attacker fills the memory (`governor` issue 171). With one
//! that evicts the least recently used bucket, the attacker gets around the limit: requests with
//! enough other keys evict its empty bucket, and the next one is full.
//!
//! Only a *full* bucket may be evicted: it holds no information, because a key without any requests
//! has a full bucket too. If none is full, new keys share one overflow bucket. That is unfair to
//! them, but memory does not grow and no key escapes its limit.
//!
//! # Sets of four
//!
//! A key is a hash. It may be stored in one of two sets, each with four slots in one cache line. A
//! new key goes to the set with fewer busy slots:
//!
//! ```text
//! set 18   key a, word | key b, word |      .      | key c, word
//! set 40   key d, word | key e, word | key f, word |      .
//! key g may be stored in 18 or 40; both have three busy slots, so the first one is taken: 18
//! ```
//!
//! The second choice makes the difference: with as many busy keys as the parameter of
//! [`Store::new`], about one key in 25,000 finds both sets busy; with one choice it would be one in
//! 27. A lookup takes no lock and reads two cache lines.
//!
//! Both sets are in the same block of 64 sets, which fills a page, and a lookup reads both at once.
//! Reading the second one only after a miss in the first took 105 ns instead of 81.
//!
//! # How is a slot given to another key while threads use it?
//!
//! In three steps, under the lock of the key's block, so that no key gets two slots:
//!
//! ```text
//! 1. word: full -> CLAIMED by compare-and-swap: fails if the old key was charged meanwhile
//! 2. key:  old  -> new
//! 3. word: CLAIMED -> the full word, with the first charge
//! ```
//!
//! A thread that charges a slot reads the word, then the key, and swaps the word only if it is
//! unchanged. Can it charge a slot that has just changed to another key? After the read of the
//! word, the key still matched. If the slot changes later, its word changes too: a claim starts
//! from the word it found and charges it, and **no charge returns a word to an earlier value**
//! ([`super::limiter::concurrency`] keeps a counter for this reason alone). So the swap fails, and
//! the thread looks up its key again. `tests/loom_limiter.rs` runs every interleaving.
//!
//! # What it is not, and what that costs
//!
//! * Two keys with the same 64-bit hash share a bucket. The seed is secret, so an attacker cannot
//!   search for such a pair; among a million keys, one store in 37 million has a pair by chance.
//! * It keeps hashes only, so it cannot list its keys. [`super::top_keys`] names the busiest ones.
//! * A refund does return a word to an earlier value. If a slot is claimed, charged and refunded in
//!   the same nanosecond, and between two instructions of a thread that charges the old key, that
//!   charge goes to the new key.
//!
//! NGINX keeps a red-black tree and an LRU list per zone under one lock
//! (`ngx_http_limit_req_expire`). If the zone is full, it evicts the least recently used key
//! whatever its level, and up to two more that were idle for a minute. If that frees too little
//! memory, it refuses the request.

use super::limiter::cell::Cell;
use super::limiter::{Decision, Limiter};
use minikit::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use minikit::sync::{Mutex, thread};

/// Slots per set: as many as fit in a cache line. One under loom, so that keys collide.
const WAYS: usize = if cfg!(loom) { 1 } else { 4 };

/// Sets per block: a page of 4 KiB.
const BLOCK: usize = if cfg!(loom) { 1 } else { 64 };

/// The word of a slot that is being claimed. Words of limiters are capped below it.
const CLAIMED: u64 = u64::MAX;

/// The key of an unused slot.
const NO_KEY: u64 = 0;

/// The buckets of one limit, by key.
pub struct Store {
    sets: Box<[Set]>,
    /// One lock per block, held while a new key gets a slot in it.
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

/// The bucket that was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key's own bucket: the index of its set, and of the slot in the set.
    Slot(usize, usize),
    /// The bucket that all keys without a slot share.
    Overflow,
}

/// A request to decide about.
struct Request<'a, L> {
    limiter: &'a L,
    key: u64,
    now_ns: u64,
    cost: u64,
}

/// Why a slot could not be charged: another thread changed it.
enum Race {
    /// The slot belongs to another key now.
    OtherKey,
    /// Another thread is claiming the slot.
    Claimed,
}

impl Store {
    /// Creates a store for about `keys_max` busy keys: twice as many slots, rounded up to whole
    /// blocks of 256 slots. It takes 32 bytes per key. For example, 200 keys get 512 slots.
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
    /// same in all calls. [`Store::refund`] takes the returned [`Place`].
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
                // The claiming thread is about to write the key and the word.
                Err(Race::Claimed) => thread::yield_now(),
                Err(Race::OtherKey) => {}
            }
        }
    }

    /// Returns the word that [`Store::decide`] would use, for a check or a quota without a charge.
    pub fn word(&self, limiter: &impl Limiter<State = u64>, key: u64, now_ns: u64) -> u64 {
        let key = key.max(NO_KEY + 1);
        loop {
            let Some((set, way)) = self.find(key) else {
                let (_, free) = self.emptier_set(&Request { limiter, key, now_ns, cost: 0 });
                return if free { limiter.unused() } else { self.overflow.load() };
            };
            match self.sets[set].charge(way, key, |word| *word) {
                Ok(word) => return word,
                Err(Race::Claimed) => thread::yield_now(),
                Err(Race::OtherKey) => {}
            }
        }
    }

    /// Applies `change` to the word that was charged for `key`. Does nothing if the bucket was full
    /// again and its slot was given to another key.
    pub fn refund(&self, key: u64, place: Place, change: impl Fn(u64) -> u64) {
        let change = |word: &mut u64| *word = change(*word);
        match place {
            Place::Overflow => self.overflow.update(change),
            Place::Slot(set, way) => {
                let key = key.max(NO_KEY + 1);
                while let Err(Race::Claimed) = self.sets[set].charge(way, key, change) {
                    thread::yield_now();
                }
            }
        }
    }

    /// Returns the number of requests decided by the overflow bucket so far.
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

    /// Returns the block of a key: the upper half of the hash, scaled to the number of blocks.
    fn block_of(&self, key: u64) -> usize {
        (((key >> 32) * self.claims.len() as u64) >> 32) as usize
    }

    /// Returns the two sets of a key in its block, by other bits of the hash.
    fn sets_of(&self, key: u64) -> [usize; 2] {
        let [first, distance] = [key >> 8, key >> 16].map(|it| it as usize % BLOCK);
        let second = (first ^ distance.max(1)) % BLOCK;
        [first, second].map(|it| self.block_of(key) * BLOCK + it)
    }

    /// Returns the set of the key with fewer busy slots, and true if any of its slots is not busy.
    fn emptier_set(&self, request: &Request<impl Limiter<State = u64>>) -> (usize, bool) {
        let [first, second] = self.sets_of(request.key);
        let [busy, busy_in_second] = [first, second].map(|set| self.sets[set].busy(request));
        if busy <= busy_in_second { (first, busy < WAYS) } else { (second, true) }
    }

    /// Claims a slot for a new key and charges it. Returns `None` if another thread was faster.
    fn claim<L: Limiter<State = u64>>(&self, request: &Request<L>) -> Option<(Decision, Place)> {
        let Request { limiter, key, now_ns, cost } = *request;
        let _claim = self.claims[self.block_of(key)].lock();
        // Another thread may have claimed one for the same key while this one waited for the lock.
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
    /// Compares all slots without an early exit, which the processor could not predict.
    fn find(&self, key: u64) -> Option<usize> {
        let at = |found, way: usize| if self.0[way].key.load(Acquire) == key { way } else { found };
        Some((0..WAYS).fold(WAYS, at)).filter(|it| *it < WAYS)
    }

    /// Counts the slots that must keep their key: not full, or being claimed.
    fn busy(&self, request: &Request<impl Limiter<State = u64>>) -> usize {
        self.0.iter().filter(|it| !request.is_full(it.word.load(Relaxed))).count()
    }

    /// Changes the word of a slot if it belongs to `key`.
    fn charge<R>(&self, way: usize, key: u64, change: impl Fn(&mut u64) -> R) -> Result<R, Race> {
        let slot = &self.0[way];
        let mut old = slot.word.load(Acquire);
        loop {
            if old == CLAIMED {
                return Err(Race::Claimed);
            }
            // The key must be read after the word; the head of the file says why.
            if slot.key.load(Acquire) != key {
                return Err(Race::OtherKey);
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

    /// Gives a slot with a full bucket to the key and charges it. Returns `None` if other threads
    /// have charged all such slots since they were counted.
    fn claim<L: Limiter<State = u64>>(&self, request: &Request<L>) -> Option<(Decision, usize)> {
        for (way, slot) in self.0.iter().enumerate() {
            let old = slot.word.load(Acquire);
            if !request.is_full(old) {
                continue;
            }

            // All full buckets are equivalent, so the new key continues from this word. A request
            // whose cost exceeds the limit changes nothing and needs no slot.
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

    /// One request in 213,503 days: the time of the next one does not fit in a word.
    #[test]
    fn a_saturated_word_is_not_taken_for_a_claimed_slot() {
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

    /// Mixes the bits of a number like a hash function.
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
    fn the_two_sets_of_a_key_differ_and_share_a_block() {
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
        // One request per slot, and two by the overflow bucket.
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
        // A second later all buckets are full and can be evicted.
        let before = store.overflowed();
        let admitted = (0..500).filter(|it| {
            store.decide(&two(), hash(200_000 + it), 2 * SECOND_NS, 2).0.is_admitted()
        });
        assert_eq!((admitted.count(), store.overflowed()), (500, before));
    }

    #[test]
    fn almost_every_key_has_its_own_bucket() {
        let store = Store::new(100_000);
        for key in 0..100_000 {
            store.decide(&two(), hash(key), 0, 1);
        }
        assert!(store.overflowed() < 25, "{} of 100,000", store.overflowed());
    }

    #[test]
    fn the_key_zero_is_valid() {
        let store = Store::new(10);
        for admitted in [true, true, false] {
            assert_eq!(store.decide(&two(), 0, 0, 1).0.is_admitted(), admitted);
        }
    }

    #[test]
    fn a_refund_changes_the_bucket_of_its_own_key_only() {
        let limiter = Algorithm::Concurrency(Concurrency::new(1).expect("not zero"));
        let store = Store::new(1);
        let (decision, place) = store.decide(&limiter, 5, 0, 1);
        assert_eq!(decision, Decision::NOW);
        assert_eq!(store.decide(&limiter, 5, 0, 1).0, Decision::NEVER);
        store.refund(5, place, |word| limiter.refund(word, 0, 1));
        assert_eq!(limiter.quota(&store.word(&limiter, 5, 0), 0).remaining, 1);
        // Now another key takes the slot.
        let Place::Slot(set, way) = place else { panic!("it was empty") };
        let request = Request { limiter: &limiter, key: 6, now_ns: 0, cost: 1 };
        store.sets[set].claim(&request).expect("full");
        store.refund(5, place, |word| limiter.refund(word, 0, 1));
        assert_eq!(limiter.quota(&store.word(&limiter, 6, 0), 0).remaining, 0);
        assert_eq!(store.sets[set].find(5), None, "{way}");
    }

    proptest! {
        /// With slots for all keys, the store decides like a map with a bucket per key.
        #[test]
        fn it_decides_like_a_map(
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
