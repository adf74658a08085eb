//! The keys that were evicted lately, without the keys: fingerprints and ages.
//!
//! ```text
//! hash 0x8d0c…5b21      the bucket is chosen by all bits, the fingerprint is 0x5b21
//! bucket                16 records of 4 bytes, one cache line: [5b21 age 7] [03fe age 2] …
//! remember              replaces the oldest record of the bucket
//! forget                true if the fingerprint is there and young enough, and frees the record
//! ```
//!
//! A queue of hashes with an index would take 12 bytes a key or more. This takes 4.5, and is wrong
//! about one key in 4,000: two fingerprints of 16 bits may be the same, and a bucket may lose a
//! record early. The authors of S3-FIFO propose such a table (section 4.2 of their paper).

/// Records of a bucket, 64 bytes.
const WAYS: usize = 16;

#[derive(Clone, Copy, Default)]
struct Record {
    /// Zero marks a free record.
    fingerprint: u16,
    /// The time of the eviction; counts evictions in steps, and wraps around.
    time: u16,
}

#[derive(Default)]
pub struct Ghost {
    buckets: Vec<[Record; WAYS]>,
    /// How many evictions a record lasts.
    reach: usize,
    evictions: u64,
}

impl Ghost {
    /// Remembers an evicted key. `reach` is the number of evictions for which it should be
    /// remembered.
    pub fn remember(&mut self, hash: u64, reach: usize) {
        // The records cannot be placed anew, because their hashes are gone. So the table starts
        // over when the number of keys has changed a lot, which it rarely does in a full cache.
        if reach > self.reach + self.reach / 2 || reach < self.reach / 2 {
            let records = reach + reach / 4;
            self.buckets = vec![Default::default(); records.div_ceil(WAYS).max(1)];
            self.reach = reach.max(1);
        }
        self.evictions += 1;
        let time = self.time();
        let age = |record: &Record| match record.fingerprint {
            0 => u16::MAX,
            _ => time.wrapping_sub(record.time),
        };
        let bucket = self.bucket(hash);
        let oldest = bucket.iter_mut().max_by_key(|record| age(record));
        *oldest.expect("a bucket has records") = Record { fingerprint: fingerprint(hash), time };
    }

    /// Forgets a key. Returns true if it was remembered.
    pub fn forget(&mut self, hash: u64) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let (time, reach) = (self.time(), (self.reach / self.step()) as u16);
        let found = self.bucket(hash).iter_mut().find(|record| {
            record.fingerprint == fingerprint(hash) && time.wrapping_sub(record.time) <= reach
        });
        found.map(|record| record.fingerprint = 0).is_some()
    }

    /// The evictions that one step of the time stands for, so that `reach` is at most 2,048 steps:
    /// a record that is older by 2^16 steps would seem young, but is replaced long before.
    fn step(&self) -> usize {
        (self.reach / 1024).max(1)
    }

    fn time(&self) -> u16 {
        (self.evictions / self.step() as u64) as u16
    }

    fn bucket(&mut self, hash: u64) -> &mut [Record; WAYS] {
        // All keys of a shard have the same high bits, so they are mixed first.
        let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let index = (u128::from(mixed) * self.buckets.len() as u128) >> 64;
        &mut self.buckets[index as usize]
    }
}

fn fingerprint(hash: u64) -> u16 {
    (hash as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Rng;

    #[test]
    fn remembers_the_latest_and_forgets_the_rest() {
        let (mut ghost, mut rng) = (Ghost::default(), Rng::new(3));
        let hashes: Vec<u64> = (0..50_000).map(|_| rng.next_u64()).collect();
        hashes.iter().for_each(|hash| ghost.remember(*hash, 10_000));

        let mut known = |range: std::ops::Range<usize>| {
            hashes[range].iter().filter(|hash| ghost.forget(**hash)).count()
        };
        let latest = known(40_000..50_000);
        assert!(latest > 9_500, "{latest} of the latest 10,000");
        assert!(known(0..30_000) < 30, "of 30,000 that were evicted before");
        assert!(known(40_000..50_000) < 30, "a key is forgotten once");
    }
}
