//! How long a server takes to answer: a moving average that believes bad news at once, and a
//! histogram of all answers.
//!
//! # Peak-EWMA
//!
//! An average over the last requests hides the one that has just taken a second. A plain moving
//! average (EWMA) needs several slow answers to rise. The *peak* rule jumps to any answer that is
//! slower than the estimate, and lets faster ones pull it down gradually:
//!
//! ```text
//! decay      w = e^(-elapsed / 10 s), the weight of what was known
//! slower     estimate = sample
//! faster     estimate = estimate * w + sample * (1 - w)
//! ```
//!
//! # Example
//!
//! ```text
//! time     sample     estimate
//!  0 s     10 ms      10.0 ms       the first one is taken as it is
//!  1 s     200 ms     200.0 ms      a peak
//!  2 s     10 ms      181.9 ms      w = e^-0.1 = 0.905
//! 12 s     10 ms      73.2 ms       w = e^-1   = 0.368
//! 32 s     -          9.9 ms        nobody has asked for 20 s: w = e^-2 = 0.135
//! ```
//!
//! The last line is the way back: an estimate that nothing confirms fades, so a server that was
//! slow once is tried again.
//!
//! # A server that fails is fast
//!
//! A server that refuses connections does so within microseconds. Taken as samples, its failures
//! would make it the fastest of all and draw every request. So a failure can raise an estimate, as
//! a timeout does, and never lowers it.
//!
//! # Histogram
//!
//! An average has no tail. The histogram counts answers in buckets that double, from 64 µs to 16 s:
//! 100 µs is in the second one, which ends at 128 µs.
//!
//! Counterpart: `linkerd/ewma/src/lib.rs` (`add_peak`), Finagle's `PeakEwma`. NGINX Plus has an
//! average of its own for `least_time`, whose formula is not published.

/// The time constant: what was known counts 37 % after this long. linkerd's value.
pub const DECAY_MS: u64 = 10_000;

/// An estimate of a server's latency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// Microseconds and the time of the last sample; `None` if there was none.
    last: Option<(f64, u64)>,
}

impl Latency {
    /// Counts an answer that took `sample_us` until its head was there.
    pub fn record(&mut self, sample_us: u64, is_failure: bool, now_ms: u64) {
        let sample = sample_us as f64;
        let estimate = match self.last {
            None if is_failure => return,
            None => sample,
            Some(_) if self.at(now_ms).is_some_and(|it| sample > it) => sample,
            Some(_) if is_failure => return,
            Some((value, since_ms)) => {
                let w = weight(since_ms, now_ms);
                value * w + sample * (1.0 - w)
            }
        };
        self.last = Some((estimate, now_ms));
    }

    /// The estimate at a time, in microseconds. `None` before the first answer.
    pub fn at(&self, now_ms: u64) -> Option<f64> {
        self.last.map(|(value, since_ms)| value * weight(since_ms, now_ms))
    }
}

/// How much of an estimate is left.
fn weight(since_ms: u64, now_ms: u64) -> f64 {
    let elapsed_ms = now_ms.saturating_sub(since_ms) as f64;
    (-elapsed_ms / DECAY_MS as f64).exp()
}

/// Buckets of a [`Histogram`]; the last one has no end.
const BUCKETS: usize = 20;

/// How many answers took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Histogram([u32; BUCKETS]);

impl Histogram {
    /// Counts an answer.
    pub fn record(&mut self, took_us: u64) {
        let bits = u64::BITS - took_us.leading_zeros();
        self.0[(bits.saturating_sub(6) as usize).min(BUCKETS - 1)] += 1;
    }

    /// Where each bucket ends, in microseconds, and how many answers took less.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let ends = (6..).map(|bits| if bits == 25 { f64::INFINITY } else { f64::from(1 << bits) });
        let sums = self.0.iter().scan(0, |sum, count| {
            *sum += u64::from(*count);
            Some(*sum)
        });
        ends.zip(sums)
    }

    /// Draws the buckets, each as high as its share of the largest one: `▁█▂▁`.
    pub fn draw(&self) -> String {
        let most = u64::from(self.0.into_iter().max().unwrap_or_default()).max(1);
        let eighths = self.0.into_iter().map(|it| (u64::from(it) * 8).div_ceil(most) as u32);
        eighths.map(|it| char::from_u32(0x2580 + it).filter(|_| it > 0).unwrap_or('░')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_double() {
        let mut histogram = Histogram::default();
        for took_us in [0, 63, 64, 100, 127, 128, 17_000_000, u64::MAX] {
            histogram.record(took_us);
        }
        let sums = histogram.cumulative().collect::<Vec<_>>();
        assert_eq!(sums[..3], [(64.0, 2), (128.0, 5), (256.0, 6)]);
        assert_eq!(sums[18..], [(16_777_216.0, 6), (f64::INFINITY, 8)]);
        assert_eq!(histogram.draw(), "▆█▃░░░░░░░░░░░░░░░░▆");
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut latency = Latency::default();
        let mut at = |now_s: u64, sample_ms: Option<u64>| {
            if let Some(sample_ms) = sample_ms {
                latency.record(sample_ms * 1000, false, now_s * 1000);
            }
            (latency.at(now_s * 1000).expect("a sample") / 100.0).round() / 10.0
        };
        assert_eq!((at(0, Some(10)), at(1, Some(200)), at(2, Some(10))), (10.0, 200.0, 181.9));
        assert_eq!((at(12, Some(10)), at(32, None)), (73.2, 9.9));
    }

    #[test]
    fn a_failure_never_makes_a_server_look_fast() {
        let mut latency = Latency::default();
        latency.record(50, true, 0);
        assert_eq!(latency.at(0), None);
        latency.record(10_000, false, 0);
        latency.record(50, true, 0);
        assert_eq!(latency.at(0), Some(10_000.0));
        latency.record(5_000_000, true, 0);
        assert_eq!(latency.at(0), Some(5_000_000.0));
    }
}
