//! A cached value as bytes, and when it is loaded again.
//!
//! All readers of a key that expires miss at the same moment. With XFetch (Vattani, Chierichetti,
//! Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015) each reader draws a
//! number in (0, 1] and loads early if `now - load_ms * beta * ln(draw)` is past the deadline:
//!
//! ```text
//! load_ms 100, beta 1     drawn 0.5: from  69 ms before the deadline on
//!                         drawn 0.1: from 230 ms
//!                         drawn 0.01: from 460 ms; a second before it, 1 of 22,026 readers
//! ```
//!
//! So a key that is read often is loaded once, shortly before its deadline, and one that is hardly
//! read expires. A value that is slow to load is loaded earlier.

use super::Value;

/// A value, or the knowledge that there is none, with what a later reader needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value; `None` if the backend has none.
    pub value: Value,
    /// The deadline, in ms since 1970.
    pub expires_ms: u64,
    /// How long loading took.
    pub load_ms: u32,
}

/// Bytes before the value: a tag, the deadline and the time of loading.
const HEAD: usize = 1 + 8 + 4;

impl Entry {
    /// Returns true if a reader that draws this number must load the value again.
    pub fn is_due(&self, now_ms: u64, beta: f64, drawn: f64) -> bool {
        let early_ms = f64::from(self.load_ms) * beta * -drawn.ln();
        now_ms as f64 + early_ms >= self.expires_ms as f64
    }

    /// The bytes that a store keeps.
    pub fn encode(&self) -> Vec<u8> {
        let tag = if self.value.is_some() { b'v' } else { b'-' };
        let head = [&[tag][..], &self.expires_ms.to_be_bytes(), &self.load_ms.to_be_bytes()];
        [head.concat().as_slice(), self.value.as_deref().unwrap_or_default()].concat()
    }

    /// The entry in these bytes, or `None` if something else has written them.
    pub fn decode(bytes: &[u8]) -> Option<Entry> {
        let (head, value) = bytes.split_at_checked(HEAD)?;
        let value = match head[0] {
            b'v' => Some(value.into()),
            b'-' if value.is_empty() => None,
            _ => return None,
        };
        let expires_ms = u64::from_be_bytes(*head[1..].first_chunk()?);
        Some(Entry { value, expires_ms, load_ms: u32::from_be_bytes(*head[9..].first_chunk()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_being_bytes() {
        for value in [None, Some(b"".as_slice().into()), Some(b"Ada".as_slice().into())] {
            let entry = Entry { value, expires_ms: 1 << 41, load_ms: 7 };
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
        for foreign in [b"".as_slice(), b"v1234567", b"-123456789012x", b"?123456789012"] {
            assert_eq!(Entry::decode(foreign), None);
        }
    }

    /// The numbers in the head of the file.
    #[test]
    fn a_slow_value_is_loaded_early_by_chance() {
        let entry = Entry { value: None, expires_ms: 10_000, load_ms: 100 };
        for (drawn, early_ms) in [(1.0, 0), (0.5, 69), (0.1, 230), (0.01, 460)] {
            assert!(entry.is_due(10_000 - early_ms, 1.0, drawn), "{drawn}");
            assert!(!entry.is_due(10_000 - early_ms - 1, 1.0, drawn), "{drawn}");
        }
        let chance = (-1000.0 / f64::from(entry.load_ms)).exp();
        assert_eq!((1.0 / chance) as u32, 22_026);
        assert!(!entry.is_due(9_999, 0.0, 1e-9), "beta 0 is never early");
    }
}
