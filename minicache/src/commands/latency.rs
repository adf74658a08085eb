//! Latency: a histogram per command, and the latest spikes per event (`latency.c`, and
//! `updateCommandLatencyHistogram` in `server.c`).
//!
//! A [`Histogram`] has 16 buckets per doubling, so that a percentile is at most 6 % too high, and
//! takes 4.2 KB:
//!
//! ```text
//! 100 ns = 0b110_0100    octave 6 (64..127), sixteenth 9 of it    bucket 4 * 9 wide: 100..103
//! 1 µs                   octave 9 (512..1023), sixteenth 15       bucket 32 wide: 992..1023
//! ```
//!
//! One core writes a histogram and any core may read it, as with all counters of a core. The
//! [`Monitor`] takes a lock, but only after something was slow already.

use crate::engine::counter::add;
use minikit::sync::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Durations up to 2^36 ns, about 69 s. A longer one counts as that.
const OCTAVES: u32 = 36;
/// The buckets of one doubling are this power of two.
const PARTS_LOG2: u32 = 4;
const BUCKETS: usize = ((OCTAVES - PARTS_LOG2 + 1) << PARTS_LOG2) as usize;
/// Moments kept of one event, as many as Redis keeps.
const MOMENTS_MAX: usize = 160;

/// A histogram of durations. The first sample allocates it.
#[derive(Default)]
pub struct Histogram(OnceLock<Box<[AtomicU64]>>);

impl Histogram {
    /// Counts one duration. Only the core that owns the histogram may call it.
    pub fn note(&self, took_ns: u64) {
        let buckets = self.0.get_or_init(|| (0..BUCKETS).map(|_| AtomicU64::new(0)).collect());
        add(&buckets[bucket_of(took_ns)], 1);
    }

    pub fn reset(&self) {
        let buckets = self.0.get().into_iter().flatten();
        buckets.for_each(|bucket| bucket.store(0, Ordering::Relaxed));
    }
}

/// The histograms of one command on all cores, added up.
pub struct Distribution {
    counts: Vec<u64>,
    total: u64,
}

impl Distribution {
    pub fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Distribution {
        let mut counts = vec![0; BUCKETS];
        for buckets in histograms.filter_map(|histogram| histogram.0.get()) {
            let pairs = counts.iter_mut().zip(buckets);
            pairs.for_each(|(sum, bucket)| *sum += bucket.load(Ordering::Relaxed));
        }
        let total = counts.iter().sum();
        Distribution { counts, total }
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The nanoseconds that this percentage of the samples did not exceed.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let wanted = ((percent / 100.0 * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        reached.map_or(0, greatest_in)
    }
}

/// Below 16 every number has its own bucket; from there on the first five bits tell.
fn bucket_of(ns: u64) -> usize {
    let parts = 1 << PARTS_LOG2;
    if ns < parts {
        return ns as usize;
    }
    let octave = ns.ilog2();
    if octave >= OCTAVES {
        return BUCKETS - 1;
    }
    let part = (ns >> (octave - PARTS_LOG2)) - parts;
    (((octave - PARTS_LOG2 + 1) << PARTS_LOG2) as u64 + part) as usize
}

/// The greatest number of a bucket.
fn greatest_in(bucket: usize) -> u64 {
    let parts = 1 << PARTS_LOG2;
    let (doublings, part) = (bucket as u64 / parts, bucket as u64 % parts);
    match doublings {
        0 => part,
        doublings => ((parts + part + 1) << (doublings - 1)) - 1,
    }
}

#[derive(Clone, Default)]
pub struct Moments {
    /// Unix seconds and milliseconds taken, the oldest first; of several in a second the longest.
    pub latest: VecDeque<(i64, u64)>,
    /// The longest since the last reset, in milliseconds.
    pub longest_ms: u64,
}

/// The moments that took `latency-monitor-threshold` or longer, by event.
#[derive(Default)]
pub struct Monitor {
    events: Mutex<BTreeMap<&'static str, Moments>>,
}

impl Monitor {
    /// Adds a spike of an event.
    pub fn note(&self, event: &'static str, at_s: i64, took_ms: u64) {
        let mut events = self.events.lock();
        let moments = events.entry(event).or_default();
        moments.longest_ms = moments.longest_ms.max(took_ms);
        match moments.latest.back_mut() {
            Some((second, longest)) if *second == at_s => *longest = took_ms.max(*longest),
            _ => moments.latest.push_back((at_s, took_ms)),
        }
        if moments.latest.len() > MOMENTS_MAX {
            moments.latest.pop_front();
        }
    }

    pub fn of(&self, event: &[u8]) -> Option<Moments> {
        let events = self.events.lock();
        let found = events.iter().find(|(name, _)| name.as_bytes() == event);
        found.map(|(_, moments)| moments.clone())
    }

    pub fn all(&self) -> BTreeMap<&'static str, Moments> {
        self.events.lock().clone()
    }

    /// Removes these events, or all if `names` is empty. Returns the number removed.
    pub fn reset(&self, names: &[&[u8]]) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|name, _| !names.is_empty() && !names.contains(&name.as_bytes()));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(durations_ns: &[u64]) -> Distribution {
        let histogram = Histogram::default();
        durations_ns.iter().for_each(|ns| histogram.note(*ns));
        Distribution::of([&histogram].into_iter())
    }

    #[test]
    fn a_bucket_holds_what_is_at_most_a_sixteenth_longer() {
        for ns in [0, 1, 15, 16, 17, 100, 1000, 1023, 1024, 123_456_789, (1 << 36) - 1] {
            let greatest = greatest_in(bucket_of(ns));
            assert!(ns <= greatest && greatest <= ns + ns / 16, "{ns} in {greatest}");
            assert_eq!(bucket_of(greatest), bucket_of(ns));
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        let greatest: Vec<u64> = (0..BUCKETS).map(greatest_in).collect();
        assert!(greatest.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn percentiles_are_at_most_a_sixteenth_too_high() {
        let some = distribution(&[900, 900, 900, 50_000_000]);
        assert_eq!(some.percentile_ns(50.0), 927);
        assert_eq!(some.percentile_ns(0.0), 927);
        let longest = some.percentile_ns(99.0);
        assert!((50_000_000..=53_125_000).contains(&longest), "{longest}");
        let none = distribution(&[]);
        assert!(none.is_empty() && none.percentile_ns(50.0) == 0);
    }

    #[test]
    fn of_one_second_the_longest_is_kept() {
        let monitor = Monitor::default();
        for (at_s, took_ms) in [(10, 5), (10, 9), (10, 7), (11, 6)] {
            monitor.note("command", at_s, took_ms);
        }
        let moments = monitor.of(b"command").expect("just noted");
        assert_eq!((moments.latest, moments.longest_ms), (VecDeque::from([(10, 9), (11, 6)]), 9));
        assert!(monitor.of(b"fork").is_none());
        (0..1000).for_each(|at_s| monitor.note("fork", at_s, 1));
        assert_eq!(monitor.all()["fork"].latest.len(), MOMENTS_MAX);
        assert_eq!(
            (monitor.reset(&[b"x"]), monitor.reset(&[b"fork"]), monitor.reset(&[])),
            (0, 1, 1)
        );
    }
}
