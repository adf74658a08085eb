//! One key, its value and its deadline in one slot.
//!
//! Redis spends a dictionary entry, a key string, a value object and often a value string on one
//! pair: four pointers and three allocation headers around 13 bytes of `SET foo_000001 bar` come to
//! 88 bytes (`dict.c`, `sds.c`, `object.c`). Here the pair is one run of bytes:
//!
//! ```text
//!  01 | 2a 00 00 | 0a | 66 6f 6f 5f 30 30 30 30 30 31 | 03 | 62 61 72
//!  |    |          |    foo_000001                      |    bar
//!  |    |          key length                           value length
//!  |    24 bits for the eviction policy (Redis' lru field)
//!  flags: no deadline, bytes inline
//! ```
//!
//! 19 bytes, in a 24-byte slot. A key with a deadline carries 13 bytes more, in front of the key
//! length: the deadline in 5 bytes and the two links of the expiry wheel's list. All numbers are
//! little-endian.
//!
//! | part | bytes | present |
//! |------|-------|---------|
//! | flags | 1 | always; bits 0-1 the value's kind, bits 2-3 the deadline's |
//! | clock | 3 | always |
//! | previous, next | 4 + 4 | with a deadline |
//! | deadline | 5 near, 8 far | with a deadline; near: milliseconds since 2025, enough until 2059 |
//! | key length | 1, or 5 from 255 bytes on | always |
//! | key | | always |
//! | value | 8 integer; 1 or 5 and the bytes; 4 object number | always |

/// Bytes of flags and clock.
pub(super) const HEAD: usize = 4;
/// Bytes of the two list links.
pub(super) const LINKS: usize = 8;
/// Where the 5-byte deadlines count from: 2025-01-01T00:00:00Z in Unix milliseconds.
const NEAR_EPOCH_MS: i64 = 1_735_689_600_000;
/// How far 5 bytes reach: 2^40 ms, almost 35 years.
const NEAR_REACH_MS: i64 = 1 << 40;
/// A length byte that says: four bytes of length follow.
const LONG: u8 = 0xff;

const KIND_INT: u8 = 0;
const KIND_INLINE: u8 = 1;
const KIND_OBJECT: u8 = 2;
const KIND_MASK: u8 = 0b11;
const DEADLINE_NONE: u8 = 0 << 2;
const DEADLINE_NEAR: u8 = 1 << 2;
const DEADLINE_FAR: u8 = 2 << 2;
const DEADLINE_MASK: u8 = 0b1100;

/// What an entry holds in its value part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryValue<'a> {
    /// A string that is the decimal form of this number.
    Int(i64),
    /// A string, byte for byte.
    Inline(&'a [u8]),
    /// The number of an object on the heap: a container, or a string too long or too lively to lie
    /// inline.
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

/// Bytes an entry of these parts needs.
pub fn size_of(key: &[u8], value: EntryValue<'_>, deadline: Option<i64>) -> usize {
    HEAD + deadline_size(deadline_kind(deadline))
        + length_size(key.len())
        + key.len()
        + value.size()
}

/// Writes an entry into `slot`, which must have [`size_of`] bytes at least. The links start as
/// zero.
pub fn write(
    slot: &mut [u8],
    key: &[u8],
    value: EntryValue<'_>,
    deadline: Option<i64>,
    clock: u32,
) {
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

/// The key.
#[inline]
pub fn key(slot: &[u8]) -> &[u8] {
    let (at, length) = key_place(slot);
    &slot[at..at + length]
}

/// Returns true if this is the entry of `key`.
#[inline]
pub fn has_key(slot: &[u8], key: &[u8]) -> bool {
    let at = HEAD + deadline_size(slot[0]);
    match slot[at] {
        LONG => self::key(slot) == key,
        length => usize::from(length) == key.len() && slot[at + 1..].starts_with(key),
    }
}

/// The value part.
#[inline]
pub fn value(slot: &[u8]) -> EntryValue<'_> {
    let (key_at, key_length) = key_place(slot);
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

/// The bytes of an inline value, to be changed in place; `None` for the other kinds.
#[inline]
pub fn inline_mut(slot: &mut [u8]) -> Option<&mut [u8]> {
    if slot[0] & KIND_MASK != KIND_INLINE {
        return None;
    }
    let (key_at, key_length) = key_place(slot);
    let rest = &mut slot[key_at + key_length..];
    let (size, length) = read_length(rest);
    Some(&mut rest[size..size + length])
}

/// Overwrites an inline value by one of the same length. Returns false, and changes nothing, if the
/// value is not inline, has another length, or the entry has a deadline. The quickest way to `SET`.
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
    let (key_at, key_length) = key_place(slot);
    slot[key_at + key_length..][..8].copy_from_slice(&number.to_le_bytes());
    true
}

/// The 24 bits the eviction policy keeps.
#[inline]
pub fn clock(slot: &[u8]) -> u32 {
    u32::from_le_bytes([slot[1], slot[2], slot[3], 0])
}

/// Replaces the policy's 24 bits; higher bits of `clock` are dropped.
#[inline]
pub fn set_clock(slot: &mut [u8], clock: u32) {
    slot[1..HEAD].copy_from_slice(&clock.to_le_bytes()[..3]);
}

/// Returns true if the entry has a deadline, and so is linked into the expiry wheel.
#[inline]
pub fn has_deadline(slot: &[u8]) -> bool {
    slot[0] & DEADLINE_MASK != DEADLINE_NONE
}

/// The deadline in Unix milliseconds.
#[inline]
pub fn deadline(slot: &[u8]) -> Option<i64> {
    let at = HEAD + LINKS;
    match slot[0] & DEADLINE_MASK {
        DEADLINE_NEAR => {
            let mut wide = [0; 8];
            wide[..5].copy_from_slice(&slot[at..at + 5]);
            Some(NEAR_EPOCH_MS + i64::from_le_bytes(wide))
        }
        DEADLINE_FAR => Some(i64::from_le_bytes(array(&slot[at..]))),
        _ => None,
    }
}

/// Returns true if `deadline` can replace the current one without changing the entry's size.
pub fn deadline_fits(slot: &[u8], deadline: Option<i64>) -> bool {
    slot[0] & DEADLINE_MASK == deadline_kind(deadline)
}

/// Replaces the deadline by one that [fits](deadline_fits).
pub fn set_deadline(slot: &mut [u8], deadline: i64) {
    let at = HEAD + LINKS;
    match slot[0] & DEADLINE_MASK {
        DEADLINE_NEAR => {
            slot[at..at + 5].copy_from_slice(&(deadline - NEAR_EPOCH_MS).to_le_bytes()[..5]);
        }
        _ => slot[at..at + 8].copy_from_slice(&deadline.to_le_bytes()),
    }
}

/// The expiry wheel's links of an entry with a deadline: previous and next.
pub fn links(slot: &[u8]) -> (u32, u32) {
    (u32::from_le_bytes(array(&slot[HEAD..])), u32::from_le_bytes(array(&slot[HEAD + 4..])))
}

/// Replaces the link to the previous entry.
pub fn set_previous(slot: &mut [u8], previous: u32) {
    slot[HEAD..HEAD + 4].copy_from_slice(&previous.to_le_bytes());
}

/// Replaces the link to the next entry.
pub fn set_next(slot: &mut [u8], next: u32) {
    slot[HEAD + 4..HEAD + 8].copy_from_slice(&next.to_le_bytes());
}

/// Where the key starts, and its length.
#[inline]
pub(super) fn key_place(slot: &[u8]) -> (usize, usize) {
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

/// Bytes of links and deadline.
#[inline]
pub(super) fn deadline_size(flags: u8) -> usize {
    match flags & DEADLINE_MASK {
        DEADLINE_NEAR => LINKS + 5,
        DEADLINE_FAR => LINKS + 8,
        _ => 0,
    }
}

fn length_size(length: usize) -> usize {
    if length < usize::from(LONG) { 1 } else { 5 }
}

fn write_length(out: &mut [u8], length: usize) -> usize {
    if length < usize::from(LONG) {
        out[0] = length as u8;
        return 1;
    }
    out[0] = LONG;
    out[1..5].copy_from_slice(&(length as u32).to_le_bytes());
    5
}

/// The bytes the length itself takes, and the length.
#[inline]
fn read_length(bytes: &[u8]) -> (usize, usize) {
    match bytes[0] {
        LONG => (5, u32::from_le_bytes(array(&bytes[1..])) as usize),
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
}
