//! Which byte is what: entries and listpacks taken apart, for those who look at them.
//!
//! ```text
//! 0..1    flags: the value inline, no deadline
//! 1..4    clock
//! 4..5    key length 10
//! 5..15   the key
//! ```
//!
//! `minicache explain` prints these beside the bytes. The parts of anything are in order, without
//! gaps, and end where it ends; a test holds every shape against that. Redis draws its layouts in
//! comments (`sds.h`, `listpack.c`), which nobody can check.

use super::entry::{self, EntryValue, HEAD, LINKS, deadline_size, key_place};
use super::listpack::{Element, HEADER, Listpack, back_length};
use std::ops::Range;

/// Some bytes that belong together, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where they are.
    pub range: Range<usize>,
    /// What they say.
    pub meaning: String,
}

/// Parts one behind the other.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    end: usize,
}

impl Parts {
    /// Adds what reaches from the end of the last part to `end`.
    fn up_to(&mut self, end: usize, meaning: impl Into<String>) {
        if end > self.end {
            self.parts.push(Part { range: self.end..end, meaning: meaning.into() });
        }
        self.end = end;
    }
}

/// The parts of an entry that lies in `slot`, and where they end.
pub fn of_entry(slot: &[u8]) -> Vec<Part> {
    let mut parts = Parts::default();
    let stored = entry::value(slot);
    let kind = match stored {
        EntryValue::Int(_) => "an integer",
        EntryValue::Inline(_) => "a string, inline",
        EntryValue::Object(_) => "an object on the heap",
    };
    let with = if entry::has_deadline(slot) { "with a deadline" } else { "without deadline" };
    parts.up_to(1, format!("flags: {kind}, {with}"));
    let clock = entry::clock(slot);
    parts.up_to(HEAD, format!("24 bits of the eviction policy (LRU: last use, in s): {clock}"));
    if let Some(deadline) = entry::deadline(slot) {
        let (previous, next) = entry::links(slot);
        let before = "previous entry in its slot of the expiry wheel, or the slot itself";
        parts.up_to(HEAD + LINKS / 2, format!("{before}: {previous:#x}"));
        parts.up_to(HEAD + LINKS, format!("next entry, or none: {next:#x}"));
        let end = HEAD + deadline_size(slot[0]);
        parts.up_to(end, format!("deadline, Unix time {deadline} ms"));
    }
    let (key_at, key_length) = key_place(slot);
    parts.up_to(key_at, format!("length of the key: {key_length}"));
    parts.up_to(key_at + key_length, "the key");
    let value_at = parts.end;
    match stored {
        EntryValue::Int(number) => parts.up_to(value_at + 8, format!("the value: {number}")),
        EntryValue::Object(id) => parts.up_to(value_at + 4, format!("the value: object {id}")),
        EntryValue::Inline(bytes) => {
            let all = entry::size_of(entry::key(slot), stored, entry::deadline(slot));
            parts.up_to(all - bytes.len(), format!("length of the value: {}", bytes.len()));
            parts.up_to(all, "the value");
        }
    }
    parts.parts
}

/// The parts of a listpack, from its header to its end.
pub fn of_listpack(pack: &Listpack) -> Vec<Part> {
    let bytes = pack.as_bytes();
    let mut parts = Parts::default();
    parts.up_to(4, format!("bytes in all: {}", bytes.len()));
    parts.up_to(HEADER, format!("elements: {}", pack.len()));
    let mut iter = pack.iter();
    while let Some(element) = iter.next() {
        let end = iter.offset();
        let (length, length_bytes) = back_length(&bytes[..end]).unwrap_or_default();
        let body = end - length_bytes;
        match element {
            Element::Bytes(text) => {
                parts.up_to(body - text.len(), format!("a string of length {}", text.len()));
                parts.up_to(body, "its text");
            }
            Element::Int(number) => {
                let bits = [7, 13, 16, 24, 32, 64][integer_class(length)];
                parts.up_to(body, format!("an integer in {bits} bits: {number}"));
            }
        }
        parts.up_to(end, format!("its length, to be read backwards: {length}"));
    }
    parts.up_to(bytes.len(), "the end");
    parts.parts
}

/// Which of the six integer encodings takes so many bytes.
fn integer_class(length: usize) -> usize {
    match length {
        0..=5 => length.saturating_sub(1),
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts, as long as they lie one behind the other.
    fn joined(parts: &[Part]) -> Option<Range<usize>> {
        let follows = |pair: &[Part]| pair[0].range.end == pair[1].range.start;
        parts.windows(2).all(follows).then(|| 0..parts.last().unwrap().range.end)
    }

    #[test]
    fn the_specimen_of_the_head() {
        let mut slot = vec![0; 24];
        entry::write(&mut slot, b"foo_000001", EntryValue::Inline(b"bar"), None, 0x2a);
        let ranges: Vec<_> = of_entry(&slot).into_iter().map(|part| part.range).collect();
        assert_eq!(ranges, [0..1, 1..4, 4..5, 5..15, 15..16, 16..19]);
    }

    #[test]
    fn parts_of_entries_have_no_gaps() {
        let long = vec![b'x'; 300];
        for stored in [
            EntryValue::Int(-1),
            EntryValue::Inline(b""),
            EntryValue::Inline(&long),
            EntryValue::Object(7),
        ] {
            for deadline in [None, Some(0), Some(1_800_000_000_000)] {
                for key in [&b"k"[..], &long] {
                    let size = entry::size_of(key, stored, deadline);
                    let mut slot = vec![0; size + 5];
                    entry::write(&mut slot, key, stored, deadline, 1);
                    assert_eq!(joined(&of_entry(&slot)), Some(0..size));
                }
            }
        }
    }

    #[test]
    fn parts_of_listpacks_have_no_gaps() {
        let long = vec![b'x'; 5000];
        let mut pack = Listpack::new();
        assert_eq!(joined(&of_listpack(&pack)), Some(0..7));
        for text in [&b"a"[..], b"", &long[..63], &long[..64], &long] {
            pack.push_back(Element::Bytes(text));
        }
        for number in [0, 127, -1, 4095, 30_000, -8_000_000, 2_000_000_000, i64::MIN] {
            pack.push_back(Element::Int(number));
        }
        let parts = of_listpack(&pack);
        assert_eq!(joined(&parts), Some(0..pack.size()));
        let meanings: String = parts.iter().map(|part| part.meaning.as_str()).collect();
        for bits in
            ["7 bits: 127", "13 bits: -1", "16 bits: 30000", "24 bits", "32 bits", "64 bits"]
        {
            assert!(meanings.contains(bits), "{bits}: {meanings}");
        }
    }
}
