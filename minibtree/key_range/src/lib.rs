//! Ranges of keys: the part of an index that is read.
//!
//! ```
//! use minibtree_key_range::KeyRange;
//!
//! let range = KeyRange::all().at_least(b"b").up_to(b"c");
//! assert!(range.contains(b"b") && range.contains(b"c\x07") && !range.contains(b"d"));
//! assert!(!KeyRange::all().after(b"b").contains(b"b\xff"));
//! ```
//!
//! Keys are compared as bytes, and a bound also covers the keys that begin with it. In PostgreSQL's
//! `skey.h`, a range is a list of comparisons with typed values.

/// The entries that a scan returns: those whose key, with the TID after it, is at least `start`
/// and less than `end` as bytes.
///
/// A bound stands for all keys that begin with it: `at_least(k)` and `up_to(k)` include the entries
/// of key `k` itself, `after(k)` and `before(k)` leave them out. So the first columns of a
/// composite key are a bound too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The least bytes that are in it.
    pub start: Vec<u8>,
    /// The least bytes behind it; `None`: no end.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Vec::new(), end: None }
    }

    /// The keys that begin with `key`.
    pub fn equal(key: &[u8]) -> KeyRange {
        KeyRange { start: key.to_vec(), end: successor(key) }
    }

    /// Not less than `key`.
    pub fn at_least(self, key: &[u8]) -> KeyRange {
        KeyRange { start: key.to_vec(), ..self }
    }

    /// Greater than every key that begins with `key`.
    pub fn after(self, key: &[u8]) -> KeyRange {
        match successor(key) {
            Some(start) => KeyRange { start, ..self },
            // Nothing is greater than 0xff, 0xff ..: an empty range.
            None => KeyRange { start: Vec::new(), end: Some(Vec::new()) },
        }
    }

    /// Less than `key`.
    pub fn before(self, key: &[u8]) -> KeyRange {
        KeyRange { end: Some(key.to_vec()), ..self }
    }

    /// Not greater than the keys that begin with `key`.
    pub fn up_to(self, key: &[u8]) -> KeyRange {
        KeyRange { end: successor(key), ..self }
    }

    /// Returns true if an entry with these bytes is in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= *self.start && self.end.as_ref().is_none_or(|end| *key < **end)
    }
}

/// The smallest byte string that is greater than all that begin with `key`.
fn successor(key: &[u8]) -> Option<Vec<u8>> {
    let last = key.iter().rposition(|byte| *byte != 0xff)?;
    let mut next = key[..=last].to_vec();
    next[last] += 1;
    Some(next)
}
