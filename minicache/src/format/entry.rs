//! The format of an entry: one key, its value and its deadline in one slot.
//!
//! Redis uses a dictionary entry, a key string, a value object and often a value string for one
//! pair: with four pointers and three allocation headers, the 13 bytes of `SET foo_000001 bar` take
//! 88 (`dict.c`, `sds.c`, `object.c`). Here the pair is one run of bytes:
//!
//! ```text
//!  01 | 2a 00 00 | 0a | 66 6f 6f 5f 30 30 30 30 30 31 | 03 | 62 61 72
//!  |    |          |    foo_000001                      |    bar
//!  |    |          key length                           value length
//!  |    24 bits for the eviction policy (Redis' lru field)
//!  flags: a string in the entry, no deadline
//! ```
//!
//! 19 bytes, in a 24-byte slot. The parts in order; all numbers are little-endian:
//!
//! | part | bytes | present |
//! |------|-------|---------|
//! | [`Head`] | 4 | always |
//! | [`Links`] | 8 | with a deadline: the entry's place in the expiry wheel |
//! | [`NearDeadline`] or [`FarDeadline`] | 5 or 8 | with a deadline |
//! | key length | 1, or a [`LongLength`] of 5 from 255 bytes on | always |
//! | key | | always |
//! | value | integer: 8; string: its length as above, then its bytes; object number: 4 | always |
//!
//! So a deadline usually costs 13 bytes, and only keys with a deadline take them. `minicache
//! explain entry` prints any entry with these tables.

use minikit::layout;
use minikit::layout::{Hexdump, Uint, hex};

layout! {
    /// The start of every entry.
    pub struct Head = 4 bytes, LittleEndian {
        0..1  flags: u8 => describe_flags, "bits 0-1: kind of value; bits 2-3: form of deadline";
        1..4  clock: [u8; 3] => describe_clock, "eviction policy's bits; LRU: second of last use";
    }
}

layout! {
    /// The entry's links in the doubly linked list of a slot of the expiry wheel.
    pub struct Links = 8 bytes, LittleEndian {
        0..4  previous: u32 => hex, "previous entry of the wheel slot's list, or the slot itself";
        4..8  next: u32 => hex,     "next entry of the list, or 0xffffffff";
    }
}

layout! {
    /// A deadline from 2025 to November 2059.
    pub struct NearDeadline = 5 bytes, LittleEndian {
        0..5  deadline: Uint<5> => describe_near, "stored as ms since 2025";
    }
}

layout! {
    /// Any other deadline.
    pub struct FarDeadline = 8 bytes, LittleEndian {
        0..8  deadline: i64, "Unix time in ms";
    }
}

layout! {
    /// The length of a key or value of 255 bytes or more. A shorter one is a single byte.
    pub struct LongLength = 5 bytes, LittleEndian {
        0..1  mark: u8,    "255: a length of four bytes follows";
        1..5  length: u32, "bytes of what follows";
    }
}

const LINKS: usize = Links::SIZE;
/// Bytes before the links, or before the key length if there is no deadline.
const HEAD: usize = Head::SIZE;
/// The epoch of the 5-byte deadlines: 2025-01-01T00:00:00Z in Unix milliseconds.
const NEAR_EPOCH_MS: i64 = 1_735_689_600_000;
/// The range of the 5-byte deadlines: 2^40 ms, almost 35 years.
const NEAR_REACH_MS: i64 = 1 << 40;
/// The [`LongLength::mark`]; a smaller byte is the length itself.
const LONG: u8 = 0xff;

const KIND_INT: u8 = 0;
const KIND_INLINE: u8 = 1;
const KIND_OBJECT: u8 = 2;
const KIND_MASK: u8 = 0b11;
const DEADLINE_NONE: u8 = 0 << 2;
const DEADLINE_NEAR: u8 = 1 << 2;
const DEADLINE_FAR: u8 = 2 << 2;
const DEADLINE_MASK: u8 = 0b1100;

/// The value part of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryValue<'a> {
    /// A string in the decimal form of a number, stored as the number for `INCR`.
    Int(i64),
    /// The bytes of a string.
    Inline(&'a [u8]),
    /// The number of an object on the heap: a container, or a string that is too long for a shared
    /// page or grows in place.
    Object(u32),
}

impl EntryValue<'_> {
    fn size(&self) -> usize {
        match self {
            EntryValue::Int(_) => 8,
            EntryValue::Inline(bytes) => length_size(bytes.len()) + bytes.len(),
            EntryValue::Object(_) => 4,
        }
    }
}

/// Returns the number of bytes that an entry of these parts takes.
pub fn size_of(key: &[u8], value: EntryValue<'_>, deadline: Option<i64>) -> usize {
    HEAD + deadline_size(deadline_kind(deadline))
        + length_size(key.len())
        + key.len()
        + value.size()
}

/// Writes an entry into `slot`, which must have at least [`size_of`] bytes. The caller sets the
/// links afterwards, when the entry joins a list of the wheel.
pub fn write(
    slot: &mut [u8],
    key: &[u8],
    value: EntryValue<'_>,
    deadline: Option<i64>,
    clock: u32,
) {
    // The flags come first: `set_deadline` and every later reader depend on them.
    let kind = match value {
        EntryValue::Int(_) => KIND_INT,
        EntryValue::Inline(_) => KIND_INLINE,
        EntryValue::Object(_) => KIND_OBJECT,
    };
    slot[0] = kind | deadline_kind(deadline);
    set_clock(slot, clock);
    let mut at = HEAD + deadline_size(slot[0]);
    if let Some(deadline) = deadline {
        set_deadline(slot, deadline);
    }

    at += write_length(&mut slot[at..], key.len());
    slot[at..at + key.len()].copy_from_slice(key);
    at += key.len();

    match value {
        EntryValue::Int(number) => slot[at..at + 8].copy_from_slice(&number.to_le_bytes()),
        EntryValue::Object(id) => slot[at..at + 4].copy_from_slice(&id.to_le_bytes()),
        EntryValue::Inline(bytes) => {
            at += write_length(&mut slot[at..], bytes.len());
            slot[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
}

#[inline]
pub fn key(slot: &[u8]) -> &[u8] {
    let (at, length) = key_span(slot);
    &slot[at..at + length]
}

/// Returns true if this is the entry of `key`.
#[inline]
pub fn has_key(slot: &[u8], key: &[u8]) -> bool {
    let at = HEAD + deadline_size(slot[0]);

    // Almost every key is short. Comparing its length byte first rejects most other keys without
    // reading their text.
    match slot[at] {
        LONG => self::key(slot) == key,
        length => usize::from(length) == key.len() && slot[at + 1..].starts_with(key),
    }
}

#[inline]
pub fn value(slot: &[u8]) -> EntryValue<'_> {
    let (key_at, key_length) = key_span(slot);
    let rest = &slot[key_at + key_length..];
    match slot[0] & KIND_MASK {
        KIND_INT => EntryValue::Int(i64::from_le_bytes(array(rest))),
        KIND_OBJECT => EntryValue::Object(u32::from_le_bytes(array(rest))),
        _ => {
            let (size, length) = read_length(rest);
            EntryValue::Inline(&rest[size..size + length])
        }
    }
}

/// Returns the bytes of an inline value, to be changed in place; `None` for the other kinds.
#[inline]
pub fn inline_mut(slot: &mut [u8]) -> Option<&mut [u8]> {
    if slot[0] & KIND_MASK != KIND_INLINE {
        return None;
    }
    let (key_at, key_length) = key_span(slot);
    let rest = &mut slot[key_at + key_length..];
    let (size, length) = read_length(rest);
    Some(&mut rest[size..size + length])
}

/// Overwrites an inline value with one of the same length. Returns false, and changes nothing, if
/// the value is not inline, has another length, or the entry has a deadline.
///
/// This is the fast path of `SET`: nothing is allocated, no index or list changes.
#[inline]
pub fn overwrite(slot: &mut [u8], bytes: &[u8]) -> bool {
    if slot[0] != KIND_INLINE | DEADLINE_NONE {
        return false;
    }
    match inline_mut(slot) {
        Some(value) if value.len() == bytes.len() => {
            value.copy_from_slice(bytes);
            true
        }
        _ => false,
    }
}

/// Overwrites an integer. Returns false, and changes nothing, if the value is not an integer.
pub fn set_int(slot: &mut [u8], number: i64) -> bool {
    if slot[0] & KIND_MASK != KIND_INT {
        return false;
    }
    let (key_at, key_length) = key_span(slot);
    slot[key_at + key_length..][..8].copy_from_slice(&number.to_le_bytes());
    true
}

#[inline]
pub fn clock(slot: &[u8]) -> u32 {
    let [low, middle, high] = Head::clock.get(slot);
    u32::from_le_bytes([low, middle, high, 0])
}

/// Replaces the policy's 24 bits; higher bits of `clock` are dropped.
#[inline]
pub fn set_clock(slot: &mut [u8], clock: u32) {
    let [low, middle, high, _] = clock.to_le_bytes();
    Head::clock.put(slot, [low, middle, high]);
}

/// Returns true if the entry has a deadline, and so is linked into the expiry wheel.
#[inline]
pub fn has_deadline(slot: &[u8]) -> bool {
    slot[0] & DEADLINE_MASK != DEADLINE_NONE
}

/// Returns the deadline in Unix milliseconds.
#[inline(always)]
pub fn deadline(slot: &[u8]) -> Option<i64> {
    let at = HEAD + LINKS;
    match slot[0] & DEADLINE_MASK {
        DEADLINE_NEAR => Some(unix_ms(NearDeadline::deadline.get(&slot[at..]))),
        DEADLINE_FAR => Some(FarDeadline::deadline.get(&slot[at..])),
        _ => None,
    }
}

/// Returns true if `deadline` can replace the current one without changing the entry's size.
pub fn deadline_fits(slot: &[u8], deadline: Option<i64>) -> bool {
    slot[0] & DEADLINE_MASK == deadline_kind(deadline)
}

/// Replaces the deadline with one that [fits](deadline_fits).
pub fn set_deadline(slot: &mut [u8], deadline: i64) {
    let kind = slot[0] & DEADLINE_MASK;
    let rest = &mut slot[HEAD + LINKS..];
    match kind {
        DEADLINE_NEAR => {
            NearDeadline::deadline.put(rest, Uint((deadline - NEAR_EPOCH_MS) as u64));
        }
        _ => FarDeadline::deadline.put(rest, deadline),
    }
}

/// Returns the links of an entry with a deadline: previous and next.
pub fn links(slot: &[u8]) -> (u32, u32) {
    let links = &slot[HEAD..];
    (Links::previous.get(links), Links::next.get(links))
}

pub fn set_previous(slot: &mut [u8], previous: u32) {
    Links::previous.put(&mut slot[HEAD..], previous);
}

pub fn set_next(slot: &mut [u8], next: u32) {
    Links::next.put(&mut slot[HEAD..], next);
}

/// Returns a dump of the entry's bytes that explains each part.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for explain and tests"))]
pub fn explain(slot: &[u8]) -> Hexdump<'_> {
    let stored = value(slot);
    let mut dump = Hexdump::new(&slot[..size_of(key(slot), stored, deadline(slot))]);
    dump.table(&Head::TABLE);
    if has_deadline(slot) {
        dump.table(&Links::TABLE);
    }
    match slot[0] & DEADLINE_MASK {
        DEADLINE_NEAR => dump.table(&NearDeadline::TABLE),
        DEADLINE_FAR => dump.table(&FarDeadline::TABLE),
        _ => {}
    }

    explain_text(&mut dump, key(slot), "key", "the key");
    match stored {
        EntryValue::Int(number) => {
            dump.value(8, "value", number.to_string(), "the value, an integer");
        }
        EntryValue::Object(id) => {
            dump.value(4, "value", id.to_string(), "the value: an object with this number");
        }
        EntryValue::Inline(bytes) => explain_text(&mut dump, bytes, "value", "the value"),
    }
    dump
}

/// Describes a text and the length before it.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for explain and tests"))]
fn explain_text(dump: &mut Hexdump<'_>, text: &[u8], name: &str, meaning: &str) {
    match length_size(text.len()) {
        1 => dump.value(1, "length", text.len().to_string(), format!("bytes of the {name}")),
        _ => dump.table(&LongLength::TABLE),
    }
    dump.bytes(text.len(), name, meaning);
}

fn describe_flags(flags: u8) -> String {
    let kind = match flags & KIND_MASK {
        KIND_INT => "integer",
        KIND_INLINE => "string",
        _ => "object",
    };
    let deadline = match flags & DEADLINE_MASK {
        DEADLINE_NEAR => "near",
        DEADLINE_FAR => "far",
        _ => "no",
    };
    format!("{kind}, {deadline} deadline")
}

/// Prints [`Head::clock`], a number in 24 bits.
fn describe_clock([low, middle, high]: [u8; 3]) -> String {
    u32::from_le_bytes([low, middle, high, 0]).to_string()
}

fn describe_near(since_2025: Uint<5>) -> String {
    format!("Unix {} ms", unix_ms(since_2025))
}

fn unix_ms(since_2025: Uint<5>) -> i64 {
    NEAR_EPOCH_MS + since_2025.0 as i64
}

/// Returns the byte at which the key starts, and its length.
#[inline]
fn key_span(slot: &[u8]) -> (usize, usize) {
    let at = HEAD + deadline_size(slot[0]);
    let (size, length) = read_length(&slot[at..]);
    (at + size, length)
}

fn deadline_kind(deadline: Option<i64>) -> u8 {
    match deadline {
        None => DEADLINE_NONE,
        Some(at) if (NEAR_EPOCH_MS..NEAR_EPOCH_MS + NEAR_REACH_MS).contains(&at) => DEADLINE_NEAR,
        Some(_) => DEADLINE_FAR,
    }
}

/// Returns the bytes of links and deadline.
#[inline]
fn deadline_size(flags: u8) -> usize {
    match flags & DEADLINE_MASK {
        DEADLINE_NEAR => LINKS + NearDeadline::SIZE,
        DEADLINE_FAR => LINKS + FarDeadline::SIZE,
        _ => 0,
    }
}

fn length_size(length: usize) -> usize {
    if length < usize::from(LONG) { 1 } else { LongLength::SIZE }
}

fn write_length(out: &mut [u8], length: usize) -> usize {
    if length < usize::from(LONG) {
        out[0] = length as u8;
        return 1;
    }
    out[0] = LONG;
    LongLength::length.put(out, length as u32);
    LongLength::SIZE
}

/// Reads a length. Returns the bytes that the length itself takes, and the length.
#[inline]
fn read_length(bytes: &[u8]) -> (usize, usize) {
    match bytes[0] {
        LONG => (LongLength::SIZE, LongLength::length.get(bytes) as usize),
        short => (1, usize::from(short)),
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes[..N].try_into().expect("the slice is N bytes long")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(key: &[u8], value: EntryValue<'_>, deadline: Option<i64>) -> Vec<u8> {
        let mut slot = vec![0; size_of(key, value, deadline)];
        write(&mut slot, key, value, deadline, 0x2a);
        slot
    }

    #[test]
    fn the_specimen_of_the_head() {
        let slot = written(b"foo_000001", EntryValue::Inline(b"bar"), None);
        assert_eq!(slot, b"\x01\x2a\x00\x00\x0afoo_000001\x03bar");
    }

    #[test]
    fn every_part_comes_back() {
        let long = vec![b'x'; 1000];
        let values = [EntryValue::Int(i64::MIN), EntryValue::Inline(&long), EntryValue::Object(7)];
        let deadlines = [None, Some(0), Some(NEAR_EPOCH_MS + 5), Some(i64::MAX)];
        for wanted in values {
            for at in deadlines {
                for name in [&b""[..], b"k", &long[..254], &long[..255]] {
                    let slot = written(name, wanted, at);
                    assert_eq!((key(&slot), value(&slot), deadline(&slot)), (name, wanted, at));
                    assert_eq!((clock(&slot), has_deadline(&slot)), (0x2a, at.is_some()));
                }
            }
        }
    }

    #[test]
    fn links_and_deadline_do_not_touch_the_rest() {
        let mut slot = written(b"key", EntryValue::Int(5), Some(NEAR_EPOCH_MS));
        set_previous(&mut slot, 11);
        set_next(&mut slot, u32::MAX);
        set_deadline(&mut slot, NEAR_EPOCH_MS + NEAR_REACH_MS - 1);
        assert!(set_int(&mut slot, 6));
        assert_eq!(links(&slot), (11, u32::MAX));
        assert_eq!(deadline(&slot), Some(NEAR_EPOCH_MS + NEAR_REACH_MS - 1));
        assert_eq!((key(&slot), value(&slot)), (&b"key"[..], EntryValue::Int(6)));
        assert!(!deadline_fits(&slot, None) && !deadline_fits(&slot, Some(i64::MAX)));
    }

    #[test]
    fn an_explanation_names_every_byte() {
        let slot = written(b"foo_000001", EntryValue::Inline(b"bar"), None);
        let parts = explain(&slot).parts().to_vec();
        let ranges: Vec<_> = parts.into_iter().map(|part| part.range).collect();
        assert_eq!(ranges, [0..1, 1..4, 4..5, 5..15, 15..16, 16..19]);

        let long = vec![b'x'; 300];
        let inline = EntryValue::Inline(&long);
        for stored in [EntryValue::Int(-1), inline, EntryValue::Object(7)] {
            for at in [None, Some(0), Some(1_800_000_000_000)] {
                for name in [&b"k"[..], &long] {
                    let mut slot = written(name, stored, at);
                    let size = slot.len();
                    slot.extend_from_slice(b"rest of the slot");
                    assert_eq!(explain(&slot).end(), size);
                    assert!(!explain(&slot).to_string().contains("after the end"));
                }
            }
        }
    }
}
