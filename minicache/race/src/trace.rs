//! Traces: sequences of requested keys, recorded or generated.
//!
//! ```text
//! zipf        2,000,000 requests of 100,000 keys; key k is requested in proportion to 1 / (k + 1)
//! scan        1,000,000 such requests, with a scan of 5,000 new keys after every 10,000
//! loop        10,000 keys, one after the other, 100 times
//! OLTP.lis    the format of the ARC paper: `first_page count …`, so many consecutive pages
//! keys.txt    one key per line, any text
//! ```
//!
//! Generated traces are the same on every machine: they use integers, and floating-point additions
//! and divisions, which IEEE 754 defines exactly. OLTP.lis is from N. Megiddo, D. S. Modha, "ARC: A
//! Self-Tuning, Low Overhead Replacement Cache", FAST 2003.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};

/// The number of keys of the Zipf distribution.
const ZIPF_KEYS: usize = 100_000;
/// The most requests of a recorded trace: 4 GiB in memory.
const REQUESTS_MAX: usize = 1 << 29;

/// A trace, in memory.
pub struct Trace {
    /// The name, as on the command line.
    pub name: String,
    /// The requested keys, in order.
    pub keys: Vec<u64>,
    /// The number of distinct keys.
    pub distinct: usize,
}

impl Trace {
    /// Returns the trace that a command line argument names.
    ///
    /// # Errors
    /// If the file cannot be read, has the wrong format, or has no keys.
    pub fn named(name: &str) -> Result<Trace, String> {
        let keys = match name {
            "zipf" => zipf(42).take(2_000_000).collect(),
            "scan" => scan(),
            "loop" => (0..1_000_000).map(|request| request % 10_000).collect(),
            name => read(name).map_err(|why| format!("{name}: {why}"))?,
        };
        let distinct = keys.iter().collect::<HashSet<_>>().len();
        match distinct {
            0 => Err(format!("{name}: the trace is empty")),
            distinct => Ok(Trace { name: name.to_string(), keys, distinct }),
        }
    }
}

/// Generates key numbers of a Zipf distribution with exponent 1.
pub fn zipf(seed: u64) -> impl Iterator<Item = u64> {
    let mut sums = Vec::with_capacity(ZIPF_KEYS);
    let mut sum = 0.0;
    for key in 0..ZIPF_KEYS {
        sum += 1.0 / (key + 1) as f64;
        sums.push(sum);
    }
    let mut counter = seed;
    std::iter::repeat_with(move || {
        // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
        counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (counter ^ (counter >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);

        // The upper 53 bits make a number in 0..1.
        let random = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        sums.partition_point(|sum| *sum <= random) as u64
    })
}

fn scan() -> Vec<u64> {
    let (mut zipf, mut new_keys) = (zipf(7), ZIPF_KEYS as u64..);
    let mut keys = Vec::new();
    for _ in 0..100 {
        keys.extend(zipf.by_ref().take(10_000));
        keys.extend(new_keys.by_ref().take(5_000));
    }
    keys
}

fn read(name: &str) -> Result<Vec<u64>, String> {
    let failed = |error: std::io::Error| format!("cannot read it: {error}");
    let file: Box<dyn BufRead> = match name {
        "-" | "-.lis" => Box::new(std::io::stdin().lock()),
        path => Box::new(BufReader::new(std::fs::File::open(path).map_err(failed)?)),
    };
    let lines = file.split(b'\n').map(|line| line.map_err(failed));
    if name.ends_with(".lis") { arc(lines) } else { plain(lines) }
}

/// Reads lines of the form `first_page count …`.
fn arc(lines: impl Iterator<Item = Result<Vec<u8>, String>>) -> Result<Vec<u64>, String> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let line = line?;
        let mut words = str::from_utf8(&line).unwrap_or_default().split_ascii_whitespace();
        let (first, count) = (words.next(), words.next());
        let numbers = first.zip(count).and_then(|(first, count)| {
            Some((first.parse::<u64>().ok()?, count.parse::<u32>().ok()?))
        });
        let Some((first, count)) = numbers else {
            return Err(format!("line {number} is not `first_page count …`"));
        };
        if keys.len() + count as usize > REQUESTS_MAX {
            return Err(format!("more than {REQUESTS_MAX} requests"));
        }
        keys.extend((0..u64::from(count)).map(|page| first.wrapping_add(page)));
    }
    Ok(keys)
}

/// Reads one key per line, and numbers the keys from 0.
fn plain(lines: impl Iterator<Item = Result<Vec<u8>, String>>) -> Result<Vec<u64>, String> {
    let mut numbers = HashMap::new();
    let mut keys = Vec::new();
    for line in lines {
        if keys.len() == REQUESTS_MAX {
            return Err(format!("more than {REQUESTS_MAX} requests"));
        }
        let next = numbers.len() as u64;
        keys.push(*numbers.entry(line?).or_insert(next));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first keys of another implementation, which generated the trace for libCacheSim.
    #[test]
    fn the_zipf_trace_is_the_same_everywhere() {
        let first: Vec<u64> = zipf(42).take(10).collect();
        assert_eq!(first, [4395, 3, 15, 35, 0, 20328, 7, 8977, 33, 992]);
        assert_eq!(Trace::named("zipf").map(|trace| trace.distinct), Ok(94_138));
    }

    fn lines(text: &'static str) -> impl Iterator<Item = Result<Vec<u8>, String>> {
        text.lines().map(|line| Ok(line.as_bytes().to_vec()))
    }

    #[test]
    fn files_are_read_or_refused() {
        assert_eq!(arc(lines("7 3 0 0\n2 1 0 1\n")), Ok(vec![7, 8, 9, 2]));
        for wrong in ["7", "7 x", "", "1 4000000000 0 0"] {
            assert!(arc(lines(wrong)).is_err() || wrong.is_empty(), "{wrong}");
        }
        assert_eq!(plain(lines("user:1\nuser:2\nuser:1\n")), Ok(vec![0, 1, 0]));
        assert!(Trace::named("/no/such.lis").is_err());
    }
}
