//! Random numbers: fast, seeded by the caller, not for secrets.
//!
//! `SRANDMEMBER`, eviction sampling and tests need numbers that are evenly distributed and the same
//! for the same seed. SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) has one word of state, a
//! counter in steps of the golden ratio, and mixes the bits of each value.
//!
//! ```
//! use minicache::engine::rng::Rng;
//! let (mut one, mut other) = (Rng::new(42), Rng::new(42));
//! assert_eq!(one.next_u64(), other.next_u64());
//! assert!(one.below(6) < 6);
//! ```
//!
//! Counterpart in Redis: the C library's `random` and `mt19937-64.c`.

use std::collections::HashMap;

/// A sequence of random numbers; see the head of the file.
pub struct Rng(u64);

impl Rng {
    /// The sequence of `seed`. Any seed is as good as any other.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// 64 evenly distributed bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..n`, or 0 if `n` is 0. Multiplies instead of dividing, which makes some
    /// numbers more likely, by at most `n` in 2^64.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// `count` different numbers in `0..n` in random order, or all of them if `count` is `n` or
    /// more. Takes memory for `count` numbers, never for `n`.
    pub fn distinct(&mut self, n: usize, count: usize) -> Vec<usize> {
        // The first steps of a Fisher-Yates shuffle of 0..n. The map holds what differs from the
        // start.
        let mut moved = HashMap::new();
        (0..count.min(n))
            .map(|at| {
                let from = at + self.below(n - at);
                let here = moved.get(&at).copied().unwrap_or(at);
                moved.insert(from, here).unwrap_or(from)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 0, as published with the algorithm's reference code.
    #[test]
    fn follows_the_reference() {
        let mut rng = Rng::new(0);
        assert_eq!(rng.next_u64(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(rng.next_u64(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn below_covers_its_range_evenly() {
        let mut rng = Rng::new(7);
        let mut counts = [0; 10];
        (0..100_000).for_each(|_| counts[rng.below(10)] += 1);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }

    #[test]
    fn distinct_numbers_differ_and_are_evenly_chosen() {
        let mut rng = Rng::new(9);
        let mut counts = [0; 20];
        for _ in 0..10_000 {
            let chosen = rng.distinct(20, 5);
            let different: std::collections::HashSet<_> = chosen.iter().collect();
            assert_eq!((chosen.len(), different.len()), (5, 5));
            chosen.iter().for_each(|n| counts[*n] += 1);
        }
        assert!(counts.iter().all(|count| (2_300..2_700).contains(count)), "{counts:?}");
        let mut all = rng.distinct(8, 100);
        all.sort_unstable();
        assert_eq!(all, (0..8).collect::<Vec<_>>());
    }
}
