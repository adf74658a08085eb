//! How often keys are used, for all keys in a few bytes each: a count-min sketch of four-bit
//! counters that are halved now and then.
//!
//! ```text
//! hash      chooses four counters, of different words
//! record    increments the least of the four, and those that equal it
//! estimate  the least of the four: others may share some of the counters, hardly all
//! halve     after 10 recordings per key, all counters: what was popular long ago fades
//! ```
//!
//! From G. Einziger, R. Friedman, B. Manes, "TinyLFU: a highly efficient cache admission policy",
//! ACM Transactions on Storage 2017; `FrequencySketch.java` of Caffeine. Redis has one counter in
//! each key ([`Lfu`](crate::engine::eviction::lfu::Lfu)), which is gone when the key is.

/// Counters of four bits in a word.
const PER_WORD: u32 = 16;
const COUNTER_MAX: u64 = 15;
/// Recordings per key of the cache between two halvings, as in Caffeine.
const SAMPLE: usize = 10;

#[derive(Default)]
pub struct Sketch {
    words: Vec<u64>,
    keys: usize,
    recorded: usize,
}

impl Sketch {
    /// Makes room for `keys` keys: a word of 8 bytes each, and a quarter more to grow into. Growing
    /// loses what was counted, because the words do not say for which keys they count. That happens
    /// while a cache fills, when nothing is evicted.
    pub fn reserve(&mut self, keys: usize) {
        self.keys = keys;
        if keys > self.words.len() {
            self.words = vec![0; (keys + keys / 4).max(8)];
            self.recorded = 0;
        }
    }

    /// Counts a use; [`reserve`](Self::reserve) comes first.
    pub fn record(&mut self, hash: u64) {
        let least = self.estimate(hash);
        for (word, shift) in self.places(hash) {
            // Raising only the least ones keeps the others from being too high for more keys.
            if least < COUNTER_MAX && self.words[word] >> shift & COUNTER_MAX == least {
                self.words[word] += 1 << shift;
            }
        }
        self.recorded += 1;
        if self.recorded >= SAMPLE * self.keys {
            self.halve();
        }
    }

    /// About how often a key was used lately, 15 at most; never less than counted.
    pub fn estimate(&self, hash: u64) -> u64 {
        let counters = self.places(hash).map(|(word, shift)| self.words[word] >> shift);
        counters.iter().map(|bits| bits & COUNTER_MAX).min().unwrap_or(0)
    }

    /// The word and the first bit of the four counters.
    fn places(&self, hash: u64) -> [(usize, u32); 4] {
        let words = self.words.len() as u64;
        [0, 1, 2, 3].map(|row| {
            // Each row mixes the hash with a constant of its own.
            let mixed = (hash ^ ROWS[row]).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let word = ((mixed >> 32) * words) >> 32;
            (word as usize, (mixed >> 28) as u32 % PER_WORD * 4)
        })
    }

    fn halve(&mut self) {
        const LOW_THREE_BITS: u64 = 0x7777_7777_7777_7777;
        self.words.iter_mut().for_each(|word| *word = *word >> 1 & LOW_THREE_BITS);
        self.recorded /= 2;
    }
}

/// Random bits (of pi).
const ROWS: [u64; 4] =
    [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Rng;

    #[test]
    fn counts_and_fades() {
        let (mut sketch, mut rng) = (Sketch::default(), Rng::new(5));
        sketch.reserve(1000);
        let hashes: Vec<u64> = (0..1000).map(|_| rng.next_u64()).collect();
        for (times, hash) in hashes.iter().enumerate() {
            (0..times % 8).for_each(|_| sketch.record(*hash));
        }
        let estimates = hashes.iter().map(|hash| sketch.estimate(*hash));
        let over = estimates.enumerate().map(|(times, found)| found - (times % 8) as u64);
        let over = over.sum::<u64>();
        assert!(over < 300, "{over} too many in 3,500");

        sketch.halve();
        assert_eq!(sketch.estimate(hashes[7]), 3);
    }
}
