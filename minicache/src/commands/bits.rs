//! Strings as rows of bits (`bitops.c`).
//!
//! Bit 0 is the highest bit of the first byte:
//!
//! ```text
//! SETBIT seen 1 1         01000000                    "@"        (integer) 0, as it was
//! SETBIT seen 15 1        01000000 00000001           "@\x01"    (integer) 0
//! BITCOUNT seen           two bits are set                       (integer) 2
//! BITPOS seen 1 2 -1 BIT  the first one set from bit 2 on        (integer) 15
//! BITOP NOT rest seen     10111111 11111110           "\xbf\xfe" (integer) 2, the length
//! ```
//!
//! A string that a bit is written to grows with zeros as far as it must, and stays on the heap.
//! `BITFIELD`, for integers of any width, is left out.

use super::{Call, store_result};
use crate::engine::error::{Answer, Error};
use crate::engine::events::Events;
use crate::engine::object::{Object, Str};
use crate::format::number::parse_i64;
use std::ops::Range;

/// `SETBIT key offset value`
pub fn setbit(c: &mut Call) -> Answer {
    let offset = bit_offset(c, c.arg(2), 1)?;
    let on = match parse_i64(c.arg(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Error::new("ERR bit is not an integer or out of range")),
    };
    let key = c.key(1);
    let text = c.keyspace.text_mut(key)?;
    let grew = grow(text, offset / 8 + 1);
    let byte = &mut text[offset / 8];
    let mask = 0x80 >> (offset % 8);
    let was = *byte & mask != 0;
    *byte = if on { *byte | mask } else { *byte & !mask };
    if grew || was != on {
        c.keyspace.changed(Events::STRING, "setbit", key);
    }
    c.out.answer_int(was.into())
}

/// `GETBIT key offset`
pub fn getbit(c: &mut Call) -> Answer {
    let offset = bit_offset(c, c.arg(2), 1)?;
    let mut scratch = itoa::Buffer::new();
    let text = text(c.keyspace.string(c.key(1))?, &mut scratch);
    let on = text.get(offset / 8).is_some_and(|byte| byte & (0x80 >> (offset % 8)) != 0);
    c.out.answer_int(on.into())
}

/// `BITCOUNT key [start end [BYTE | BIT]]`
pub fn bitcount(c: &mut Call) -> Answer {
    let mut scratch = itoa::Buffer::new();
    let Some(found) = c.keyspace.string(c.key(1))? else { return c.out.answer_int(0) };
    let text = found.as_bytes(&mut scratch);
    let args = c.args;
    let int = |at: usize| parse_i64(args.at(at)).ok_or(Error::NOT_AN_INTEGER);
    let bits = match args.len() {
        2 => 0..text.len() * 8,
        4 | 5 => {
            let (start, end) = (int(2)?, int(3)?);
            if start < 0 && end < 0 && start > end {
                0..0
            } else {
                Unit::parse(args.get(4))?.range(start, end, text.len())
            }
        }
        _ => return Err(Error::SYNTAX),
    };
    c.out.answer_count(ones(text, bits))
}

/// `BITPOS key bit [start [end [BYTE | BIT]]]`
pub fn bitpos(c: &mut Call) -> Answer {
    let wanted = match c.int(2)? {
        0 => false,
        1 => true,
        _ => return Err(Error::new("ERR The bit argument must be 1 or 0.")),
    };
    let mut scratch = itoa::Buffer::new();
    let Some(found) = c.keyspace.string(c.key(1))? else {
        return c.out.answer_int(if wanted { -1 } else { 0 });
    };
    let text = found.as_bytes(&mut scratch);
    let args = c.args;
    let int = |at: usize| parse_i64(args.at(at)).ok_or(Error::NOT_AN_INTEGER);
    let bits = match args.len() {
        3 => 0..text.len() * 8,
        4 => Unit::Byte.range(int(3)?, -1, text.len()),
        5 | 6 => {
            let start = int(3)?;
            Unit::parse(args.get(5))?.range(start, int(4)?, text.len())
        }
        _ => return Err(Error::SYNTAX),
    };
    // Behind a string are zeros without end, unless it was said where to stop.
    let open = args.len() < 5 && !bits.is_empty() && !wanted;
    let behind = if open { text.len() as i64 * 8 } else { -1 };
    c.out.answer_int(first(text, bits, wanted).map_or(behind, |at| at as i64))
}

/// `BITOP AND|OR|XOR|NOT destkey key [key ...]`
pub fn bitop(c: &mut Call) -> Answer {
    match () {
        _ if c.is(1, "and") => combine(c, |one, other| one & other),
        _ if c.is(1, "or") => combine(c, |one, other| one | other),
        _ if c.is(1, "xor") => combine(c, |one, other| one ^ other),
        _ if c.is(1, "not") => negate(c),
        _ => Err(Error::SYNTAX),
    }
}

fn combine(c: &mut Call, with: impl Fn(u8, u8) -> u8) -> Answer {
    let mut scratch = itoa::Buffer::new();
    let mut result = text(c.keyspace.string(c.key(3))?, &mut scratch).to_vec();
    for key in c.args.from(4).iter() {
        let other = text(c.keyspace.string(c.keyspace.key(key))?, &mut scratch);
        grow(&mut result, other.len());
        let (both, rest) = result.split_at_mut(other.len());
        both.iter_mut().zip(other).for_each(|(one, other)| *one = with(*one, *other));
        rest.iter_mut().for_each(|one| *one = with(*one, 0));
    }
    store(c, result)
}

fn negate(c: &mut Call) -> Answer {
    if c.args.len() != 4 {
        return Err(Error::new("ERR BITOP NOT must be called with a single source key."));
    }
    let mut scratch = itoa::Buffer::new();
    let source = text(c.keyspace.string(c.key(3))?, &mut scratch);
    let result = source.iter().map(|byte| !byte).collect();
    store(c, result)
}

fn store(c: &mut Call, result: Vec<u8>) -> Answer {
    store_result(c, c.key(2), (result.len(), Object::Text(result)), Events::STRING, "set")
}

/// The bytes of a string that may not be there.
fn text<'b>(found: Option<Str<'b>>, scratch: &'b mut itoa::Buffer) -> &'b [u8] {
    found.map_or(b"", |text| text.as_bytes(scratch))
}

/// Pads a string with zeros to `len` bytes. Returns true if it was shorter.
fn grow(text: &mut Vec<u8>, len: usize) -> bool {
    let shorter = text.len() < len;
    if shorter {
        text.resize(len, 0);
    }
    shorter
}

/// An offset in units of `scale` bits, whose byte a string may have.
fn bit_offset(c: &Call, digits: &[u8], scale: i64) -> Result<usize, Error> {
    let bytes_max = c.settings.proto_max_bulk_len as i64;
    let offset = parse_i64(digits).and_then(|offset| offset.checked_mul(scale));
    offset
        .filter(|offset| *offset >= 0 && offset / 8 < bytes_max)
        .map(|offset| offset as usize)
        .ok_or(Error::new("ERR bit offset is not an integer or out of range"))
}

/// What the ends of a range count.
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn parse(word: Option<&[u8]>) -> Result<Unit, Error> {
        match word {
            None => Ok(Unit::Byte),
            Some(word) if word.eq_ignore_ascii_case(b"byte") => Ok(Unit::Byte),
            Some(word) if word.eq_ignore_ascii_case(b"bit") => Ok(Unit::Bit),
            Some(_) => Err(Error::SYNTAX),
        }
    }

    /// The bits from `start` to `end`, both included and cut to a string of `len` bytes. Negative
    /// numbers count from its end.
    fn range(self, start: i64, end: i64, len: usize) -> Range<usize> {
        let (total, scale) = match self {
            Unit::Byte => (len as i64, 8),
            Unit::Bit => (len as i64 * 8, 1),
        };
        let place = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
        let (start, end) = (place(start), place(end).min(total - 1));
        if start > end { 0..0 } else { start as usize * scale..(end as usize + 1) * scale }
    }
}

/// How many of these bits are set.
fn ones(text: &[u8], bits: Range<usize>) -> usize {
    if bits.is_empty() {
        return 0;
    }
    let bytes = &text[bits.start / 8..bits.end.div_ceil(8)];
    let before = bytes[0] & !(0xFF >> (bits.start % 8));
    let behind = bytes[bytes.len() - 1] & (0x7F >> ((bits.end - 1) % 8));
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words = words.iter().map(|word| u64::from_ne_bytes(*word).count_ones() as usize);
    let in_rest = rest.iter().map(|byte| byte.count_ones() as usize);
    let outside = (before.count_ones() + behind.count_ones()) as usize;
    in_words.sum::<usize>() + in_rest.sum::<usize>() - outside
}

/// The first of these bits that is `wanted`.
fn first(text: &[u8], bits: Range<usize>, wanted: bool) -> Option<usize> {
    let dull = if wanted { 0x00 } else { 0xFF };
    let mut mask = 0xFF >> (bits.start % 8);
    let (mut at, end) = (bits.start / 8, bits.end.div_ceil(8));
    while at < end {
        let byte = (text[at] ^ dull) & mask;
        if byte != 0 {
            // In the last byte it may be after the range.
            let bit = at * 8 + byte.leading_zeros() as usize;
            return (bit < bits.end).then_some(bit);
        }
        at += 1;
        mask = 0xFF;
        let words = text[at..end].as_chunks::<8>().0;
        at += 8 * words.iter().take_while(|word| **word == [dull; 8]).count();
    }
    None
}

#[cfg(test)]
mod tests;
