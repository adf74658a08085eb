//! S3-FIFO and W-TinyLFU as their papers have them, with queues of keys and without slots: oracles
//! for the orders. They have the differences from the papers that the heads of the orders name.

use super::super::sketch::Sketch;
use super::*;
use crate::engine::hashing;
use std::collections::{HashMap, VecDeque};

/// A policy as a whole cache.
trait Model {
    /// Returns false for a miss, and which key had to go for the new one.
    fn request(&mut self, key: u32) -> (bool, Option<u32>);
}

struct S3FifoModel {
    capacity: usize,
    /// The oldest key is at the front.
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    uses: HashMap<u32, u8>,
    /// The number of the eviction in which a key left the small queue.
    ghost: HashMap<u32, usize>,
    evictions: usize,
}

impl S3FifoModel {
    fn new(capacity: usize) -> S3FifoModel {
        let (small, main) = (VecDeque::new(), VecDeque::new());
        let (uses, ghost) = (HashMap::new(), HashMap::new());
        S3FifoModel { capacity, small, main, uses, ghost, evictions: 0 }
    }

    fn evict(&mut self) -> u32 {
        if self.small.len() >= self.capacity.div_ceil(10) {
            while let Some(key) = self.small.pop_front() {
                if self.uses[&key] < 2 {
                    self.evictions += 1;
                    self.ghost.insert(key, self.evictions);
                    return key;
                }
                self.uses.insert(key, 0);
                self.main.push_back(key);
            }
        }
        loop {
            let key = self.main.pop_front().expect("the cache is full");
            let uses = self.uses.get_mut(&key).expect("it is in the cache");
            if *uses == 0 {
                return key;
            }
            *uses -= 1;
            self.main.push_back(key);
        }
    }
}

impl Model for S3FifoModel {
    fn request(&mut self, key: u32) -> (bool, Option<u32>) {
        if let Some(uses) = self.uses.get_mut(&key) {
            *uses = (*uses + 1).min(3);
            return (true, None);
        }

        let is_filling = self.evictions == 0 && self.uses.len() < self.capacity;
        let small_is_full = self.small.len() == self.capacity / 10;
        let evicted = (self.uses.len() == self.capacity).then(|| self.evict());
        evicted.map(|evicted| self.uses.remove(&evicted));
        let reach = self.capacity - self.capacity / 10;
        let since = self.ghost.remove(&key);
        let is_known = since.is_some_and(|since| self.evictions - since <= reach);
        if is_known || (is_filling && small_is_full) { &mut self.main } else { &mut self.small }
            .push_back(key);
        self.uses.insert(key, 0);
        (false, evicted)
    }
}

/// How often keys are used, in one way or another.
trait Frequencies {
    fn record(&mut self, key: u32, keys: usize);
    fn estimate(&self, key: u32) -> u64;
}

fn hash(key: u32) -> u64 {
    hashing::hasher().hash_one(key)
}

impl Frequencies for Sketch {
    fn record(&mut self, key: u32, keys: usize) {
        self.reserve(keys);
        Sketch::record(self, hash(key));
    }

    fn estimate(&self, key: u32) -> u64 {
        Sketch::estimate(self, hash(key))
    }
}

/// A counter for each key.
#[derive(Default)]
struct Exact {
    counters: HashMap<u32, u64>,
    recorded: usize,
}

impl Frequencies for Exact {
    fn record(&mut self, key: u32, keys: usize) {
        let counter = self.counters.entry(key).or_default();
        *counter = (*counter + 1).min(15);
        self.recorded += 1;
        if self.recorded >= 10 * keys {
            self.counters.values_mut().for_each(|counter| *counter /= 2);
            self.recorded /= 2;
        }
    }

    fn estimate(&self, key: u32) -> u64 {
        self.counters.get(&key).copied().unwrap_or(0)
    }
}

struct TinyLfuModel<F> {
    capacity: usize,
    /// The key that was used last is at the end.
    window: VecDeque<u32>,
    probation: VecDeque<u32>,
    protected: VecDeque<u32>,
    frequencies: F,
}

impl<F: Frequencies> TinyLfuModel<F> {
    fn new(capacity: usize, frequencies: F) -> TinyLfuModel<F> {
        let (window, probation) = (VecDeque::new(), VecDeque::new());
        TinyLfuModel { capacity, window, probation, protected: VecDeque::new(), frequencies }
    }

    fn len(&self) -> usize {
        self.window.len() + self.probation.len() + self.protected.len()
    }

    fn evict(&mut self) -> Option<u32> {
        let main =
            if self.probation.is_empty() { &mut self.protected } else { &mut self.probation };
        let (Some(new), Some(old)) = (self.window.front().copied(), main.front().copied()) else {
            return self.window.pop_front().or(main.pop_front());
        };
        if self.frequencies.estimate(new) <= self.frequencies.estimate(old) + 1 {
            return self.window.pop_front();
        }
        main.pop_front();
        self.probation.extend(self.window.pop_front());
        Some(old)
    }
}

/// Takes a key out of a list. Returns true if it was there.
fn take(list: &mut VecDeque<u32>, key: u32) -> bool {
    let at = list.iter().position(|other| *other == key);
    at.and_then(|at| list.remove(at)).is_some()
}

impl<F: Frequencies> Model for TinyLfuModel<F> {
    fn request(&mut self, key: u32) -> (bool, Option<u32>) {
        if take(&mut self.window, key) {
            self.window.push_back(key);
            return (true, None);
        }
        if take(&mut self.probation, key) || take(&mut self.protected, key) {
            self.frequencies.record(key, self.len() + 1);
            self.protected.push_back(key);
            let main = self.probation.len() + self.protected.len();
            if self.protected.len() * 100 > main * 80 {
                self.probation.extend(self.protected.pop_front());
            }
            return (true, None);
        }

        let evicted = if self.len() == self.capacity { self.evict() } else { None };
        self.window.push_back(key);
        self.frequencies.record(key, self.len());
        if self.window.len() > (self.capacity / 100).max(1) {
            self.probation.extend(self.window.pop_front());
        }
        (false, evicted)
    }
}

/// Zipf-like keys whose popular ones change, and a scan now and then.
fn trace(seed: u64) -> impl Iterator<Item = u32> {
    let mut rng = Rng::new(seed);
    (0..30_000).map(move |step| {
        let most = 1 + rng.below(1_000);
        match step / 500 % 5 {
            4 => 10_000 + step,
            _ => rng.below(most) as u32 + step / 10_000 * 100,
        }
    })
}

/// Every victim is that of the model.
fn compare(algorithm: Algorithm, capacity: usize, mut model: impl Model) {
    let mut cache = Cache::<u32, (), _>::new(capacity, algorithm.order());
    for (step, key) in trace(capacity as u64).enumerate() {
        let key = key % (8 * capacity as u32);
        let (hit, evicted) = model.request(key);
        let found = cache.get(&key).is_some();
        let victim = if found { None } else { cache.insert(key, ()).map(|(key, ())| key) };
        assert_eq!((found, victim), (hit, evicted), "{algorithm:?}, {capacity} keys, step {step}");
    }
}

/// With so few keys the ghost has room for all that it is to remember, and no two fingerprints are
/// the same.
#[test]
fn s3_fifo_evicts_what_its_model_evicts() {
    for capacity in [1, 2, 10, 12] {
        compare(Algorithm::S3Fifo, capacity, S3FifoModel::new(capacity));
    }
}

#[test]
fn w_tiny_lfu_evicts_what_its_model_evicts() {
    for capacity in [1, 2, 10, 150, 400] {
        compare(Algorithm::TinyLfu, capacity, TinyLfuModel::new(capacity, Sketch::default()));
    }
}

/// What fingerprints and shared counters cost: less than half a percentage point.
#[test]
fn a_ghost_of_fingerprints_and_a_sketch_miss_about_as_often_as_exact_ones() {
    let models: [(Algorithm, Box<dyn Model>); 2] = [
        (Algorithm::S3Fifo, Box::new(S3FifoModel::new(300))),
        (Algorithm::TinyLfu, Box::new(TinyLfuModel::new(300, Exact::default()))),
    ];
    for (algorithm, mut model) in models {
        let mut cache = Cache::<u32, (), _>::new(300, algorithm.order());
        let mut difference = 0_i64;
        for key in trace(7) {
            let found = cache.get(&key).is_some();
            if !found {
                cache.insert(key, ());
            }
            difference += i64::from(found) - i64::from(model.request(key).0);
        }
        assert!(difference.abs() < 150, "{algorithm:?}: {difference} of 30,000");
    }
}
