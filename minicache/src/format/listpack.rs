//! The listpack: a sequence of small strings and integers in one run of bytes.
//!
//! A hash of three fields needs no hash table. Packed end to end, without a pointer, it takes a
//! quarter of the memory, and reading a few hundred consecutive bytes is faster than following
//! links. The price: an element is found by reading all before it, and an insertion moves all after
//! it. So a listpack serves short sequences (limits in
//! [`Limits`](crate::engine::values::Limits)) and the nodes of a long list.
//!
//! # Example
//!
//! The list `ada 1815 -7 lovelace`, as it is in the payload of Redis's `DUMP`:
//!
//! ```text
//! 1c 00 00 00  04 00                          28 bytes in all, 4 elements (little endian)
//! 83  61 64 61                 04             10xxxxxx: a string of 3 bytes; it took 4 bytes
//! c7  17                       02             110xxxxx: 13-bit integer 0x717; took 2
//! df  f9                       02             13-bit integer 0x1ff9, that is -7; took 2
//! 88  6c 6f 76 65 6c 61 63 65  09             a string of 8 bytes; took 9
//! ff                                          the end
//! ```
//!
//! An element is an encoding byte, the rest of the length or integer, the text, and then **the
//! length of all that, written backwards**. A reader at the end of an element learns from its last
//! byte where it starts, so the sequence can be read from both ends. In its predecessor, the
//! ziplist, each element stored the size of the one before it, so one change could cascade through
//! all elements after it. Here no element knows its neighbors.
//!
//! | first byte | element | bytes before the back length |
//! |---|---|---|
//! | `0xxxxxxx` | integer 0 to 127 | 1 |
//! | `10llllll` | string of up to 63 bytes | 1 + length |
//! | `110xxxxx` | integer of 13 bits | 2 |
//! | `1110llll` | string of up to 4095 bytes | 2 + length |
//! | `f0` | string, length in 32 bits | 5 + length |
//! | `f1` `f2` `f3` `f4` | integer of 16, 24, 32, 64 bits | 3, 4, 5, 9 |
//!
//! # Difference from Redis: free bytes on both sides
//!
//! Redis keeps the pack at the start of its allocation, so a change at the front moves all of it.
//! Here free bytes may precede the header, and a change moves the shorter side. With nodes of 8
//! KiB, `LPUSH` takes less than half the time of a version that moves the node, as little as
//! `RPUSH`; a queue (`RPUSH` and `LPOP`) takes less than a third.
//!
//! Counterpart in Redis: `listpack.c`. The format is Salvatore Sanfilippo's "Listpack
//! specification".

use crate::format::number::parse_i64;
use minikit::layout;
use minikit::layout::Hexdump;
use std::{cmp::Ordering, ops::Range};

layout! {
    /// What every listpack begins with.
    pub struct Header = 6 bytes, LittleEndian {
        0..4  total_bytes: u32,  "bytes of the pack, header and end included";
        4..6  num_elements: u16, "elements; 65535 if there are more than it can count";
    }
}

const HEADER: usize = Header::SIZE;
/// The byte after the last element.
const END: u8 = 0xFF;
/// From this number of elements on, the header does not say how many there are.
const COUNT_UNKNOWN: u32 = u16::MAX as u32;
/// Packs stay under 1 GiB, so that no length in this file can exceed its 32 bits.
const BYTES_MAX: usize = 1 << 30;

/// An element of a packed sequence: text, or an integer that was text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// Text that is not the decimal form of an integer.
    Bytes(&'a [u8]),
    /// Text that is, stored in binary.
    Int(i64),
}

impl<'a> Element<'a> {
    /// The element of a text. Equal texts give equal elements.
    pub fn of(text: &'a [u8]) -> Element<'a> {
        parse_i64(text).map_or(Element::Bytes(text), Element::Int)
    }

    /// The text. An integer is written into `scratch`.
    pub fn as_bytes<'b>(self, scratch: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Element::Bytes(bytes) => bytes,
            Element::Int(value) => scratch.format(value).as_bytes(),
        }
    }

    pub fn to_vec(self) -> Vec<u8> {
        self.as_bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// Compares the element's text with `text`, byte by byte.
    pub fn cmp_bytes(self, text: &[u8]) -> Ordering {
        self.as_bytes(&mut itoa::Buffer::new()).cmp(text)
    }

    pub fn text_len(self) -> usize {
        self.as_bytes(&mut itoa::Buffer::new()).len()
    }
}

/// A packed sequence; see the head of the file.
///
/// Offsets count bytes from the header. [`seek`](Listpack::seek), [`find`](Listpack::find) and
/// [`Iter::offset`] return them, and they are valid until the next change.
#[derive(Clone)]
pub struct Listpack {
    /// Free bytes, then the pack: header, elements, end.
    bytes: Vec<u8>,
    /// The offset of the pack in `bytes`.
    start: u32,
    /// The number of elements. The header has it too, up to 65,534.
    count: u32,
}

impl Listpack {
    /// The offset of the first element.
    pub const FIRST: usize = HEADER;

    pub fn new() -> Listpack {
        Listpack::from_encoded(&[], 0)
    }

    /// A sequence of `count` encoded elements.
    fn from_encoded(elements: &[u8], count: u32) -> Listpack {
        let mut bytes = Vec::with_capacity(HEADER + elements.len() + 1);
        bytes.extend_from_slice(&[0; HEADER]);
        bytes.extend_from_slice(elements);
        bytes.push(END);
        let mut pack = Listpack { bytes, start: 0, count };
        pack.write_header();
        pack
    }

    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start as usize..]
    }

    /// Length of [`as_bytes`](Listpack::as_bytes).
    pub fn size(&self) -> usize {
        self.bytes.len() - self.start as usize
    }

    /// Bytes of memory allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    /// The bytes that `element` takes.
    pub fn size_of(element: Element) -> usize {
        Encoded::of(element).len()
    }

    /// Returns true if elements with `added` bytes of text can be added; see `BYTES_MAX`.
    pub fn has_room_for(&self, added: usize) -> bool {
        self.size().saturating_add(added) < BYTES_MAX
    }

    pub fn iter(&self) -> Iter<'_> {
        Iter::over(self.as_bytes())
    }

    /// The elements with these indexes, from either end. Indexes beyond the last are ignored.
    pub fn range(&self, indexes: Range<usize>) -> Iter<'_> {
        let end = self.size() - 1;
        let offset = |index| self.seek(index).unwrap_or(end);
        Iter { front: offset(indexes.start), back: offset(indexes.end), ..self.iter() }
    }

    /// The elements from the one at `offset` on.
    pub fn iter_from(&self, offset: usize) -> Iter<'_> {
        Iter { front: offset, ..self.iter() }
    }

    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        self.iter_from(self.seek(index)?).next()
    }

    /// The offset of the element at `index`, or of the end if `index` is the number of elements.
    pub fn seek(&self, index: usize) -> Option<usize> {
        let from_end = self.len().checked_sub(index)?;
        let mut iter = self.iter();
        if index <= from_end {
            iter.by_ref().take(index).for_each(drop);
            Some(iter.front)
        } else {
            iter.by_ref().rev().take(from_end).for_each(drop);
            Some(iter.back)
        }
    }

    /// The offset after the element at `offset`.
    pub fn after(&self, offset: usize) -> usize {
        offset + self.extent(offset, 1).0
    }

    /// The offset of the first element equal to `element` among every `stride`-th, starting with
    /// the first.
    pub fn find(&self, element: Element, stride: usize) -> Option<usize> {
        let mut iter = self.iter();
        loop {
            let offset = iter.front;
            if iter.next()? == element {
                return Some(offset);
            }
            iter.by_ref().take(stride - 1).for_each(drop);
        }
    }

    /// Inserts before all elements. Amortized constant time.
    pub fn push_front(&mut self, element: Element) {
        self.insert(HEADER, element);
    }

    /// Inserts after all elements. Amortized constant time.
    pub fn push_back(&mut self, element: Element) {
        self.insert(self.size() - 1, element);
    }

    /// Inserts before the element at `offset`, and returns the offset after the new element. Moves
    /// the bytes on the shorter side.
    pub fn insert(&mut self, offset: usize, element: Element) -> usize {
        self.count += 1;
        self.overwrite(offset, 0, element)
    }

    /// Replaces the element at `offset`, and returns the offset after the new one.
    pub fn replace(&mut self, offset: usize, element: Element) -> usize {
        let old = self.extent(offset, 1).0;
        self.overwrite(offset, old, element)
    }

    /// Removes up to `n` elements from `offset` on and returns their number.
    pub fn delete(&mut self, offset: usize, n: usize) -> usize {
        let (bytes, removed) = self.extent(offset, n);
        self.resize(offset, bytes, 0);
        self.count -= removed as u32;
        self.write_header();
        self.give_back_room();
        removed
    }

    /// Removes the elements for which `keep` returns false, in one pass.
    pub fn retain(&mut self, mut keep: impl FnMut(Element) -> bool) {
        let mut kept = Vec::with_capacity(self.size());
        let mut count = 0;
        let mut iter = self.iter();
        loop {
            let from = iter.front;
            let Some(element) = iter.next() else { break };
            if keep(element) {
                kept.extend_from_slice(&self.as_bytes()[from..iter.front]);
                count += 1;
            }
        }
        *self = Listpack::from_encoded(&kept, count);
    }

    /// Keeps the elements before `offset` and returns the others.
    pub fn split_off(&mut self, offset: usize) -> Listpack {
        let count = self.iter_from(offset).count() as u32;
        let right = Listpack::from_encoded(&self.as_bytes()[offset..self.size() - 1], count);
        self.delete(offset, count as usize);
        right
    }

    /// An offset near the middle of the bytes, with elements on both sides if there are two.
    pub fn middle(&self) -> usize {
        let mut iter = self.iter();
        iter.next_back();
        iter.next();
        while iter.front < self.size() / 2 && iter.next().is_some() {}
        iter.front
    }

    pub fn shrink_to_fit(&mut self) {
        if self.bytes.capacity() > self.size() {
            self.move_to(self.size(), 0);
        }
    }

    /// Returns the pack's bytes, each part with its meaning.
    pub fn explain(&self) -> Hexdump<'_> {
        let bytes = self.as_bytes();
        let mut dump = Header::explain(bytes);
        let mut iter = self.iter();
        while let Some(element) = iter.next() {
            let (length, length_bytes) = back_length(&bytes[..iter.front]).unwrap_or_default();
            match element {
                Element::Bytes(text) => {
                    let size = text.len().to_string();
                    dump.value(length - text.len(), "length", size, "a string of this many bytes");
                    dump.bytes(text.len(), "text", "its text");
                }
                Element::Int(number) => {
                    // The first byte names the width; `length` counts that byte too.
                    let bits = match length {
                        1 => 7,
                        2 => 13,
                        more => 8 * (more - 1),
                    };
                    dump.value(length, "integer", number.to_string(), format!("in {bits} bits"));
                }
            }
            let meaning = "bytes of this element so far, read backwards";
            dump.value(length_bytes, "back length", length.to_string(), meaning);
        }
        dump.value(1, "end", String::new(), "no element follows");
        dump
    }

    /// The bytes and the number of the elements from `offset` on, at most `n` of them.
    fn extent(&self, offset: usize, n: usize) -> (usize, usize) {
        let mut iter = self.iter_from(offset);
        let found = iter.by_ref().take(n).count();
        (iter.front - offset, found)
    }

    /// Replaces the `old` bytes at `offset` with `element`.
    fn overwrite(&mut self, offset: usize, old: usize, element: Element) -> usize {
        let encoded = Encoded::of(element);
        self.resize(offset, old, encoded.len());
        let at = self.start as usize + offset;
        encoded.write(&mut self.bytes[at..at + encoded.len()]);
        self.write_header();
        offset + encoded.len()
    }

    /// Turns the `old` bytes at `offset` into `new` bytes, by moving one side of the pack.
    fn resize(&mut self, offset: usize, old: usize, new: usize) {
        let after = self.size() - offset - old;
        let grown = new.saturating_sub(old);

        // The shorter side moves. To grow there, the front needs free bytes, or a sign that there
        // will be more pushes at the front: only then is it worth a new allocation.
        let can_move_front = grown <= self.start as usize || offset == HEADER;
        if offset < after && can_move_front {
            self.move_front(offset, old, new);
        } else {
            self.move_back(offset, old, new);
        }
    }

    /// [`resize`](Self::resize) by moving the header and the elements before `offset`.
    fn move_front(&mut self, offset: usize, old: usize, new: usize) {
        let grown = new.saturating_sub(old);
        if grown > self.start as usize {
            self.make_room(Side::Front, grown);
        }
        let from = self.start as usize;
        let to = from + old - new;
        self.bytes.copy_within(from..from + offset, to);
        self.start = to as u32;
    }

    /// [`resize`](Self::resize) by moving the elements after `offset`.
    fn move_back(&mut self, offset: usize, old: usize, new: usize) {
        let grown = new.saturating_sub(old);
        if grown > self.bytes.capacity() - self.bytes.len() {
            self.make_room(Side::Back, grown);
        }

        // First longer, then the move, then shorter: one of the two does nothing.
        let at = self.start as usize + offset;
        let end = self.bytes.len();
        self.bytes.resize(end + grown, END);
        self.bytes.copy_within(at + old..end, at + new);
        self.bytes.truncate(end + new - old);
    }

    /// Makes `need` bytes free on one side, and in front or in a large pack `1/SLACK` of the size
    /// more, so that many pushes share one copy.
    ///
    /// Growing at the back keeps free bytes in front, but at most `1/SLACK` of the size. None at
    /// all, and pushes at both ends in turn would copy every time; all of them, and a queue (in at
    /// the back, out at the front) would keep every byte that has passed.
    fn make_room(&mut self, side: Side, need: usize) {
        let size = self.size();
        let is_exact = size < LARGE && matches!(side, Side::Back);
        let slack = if is_exact { 0 } else { size / SLACK };
        let grown = rounded(size + need + slack) - size;
        let kept = slack.max(GRANULE).min(self.start as usize);
        match side {
            Side::Front => self.move_to(grown + size, grown),
            Side::Back if self.start == 0 => self.bytes.reserve_exact(grown),
            Side::Back => self.move_to(kept + size + grown, kept),
        }
    }

    /// Moves the pack to a new allocation, with `start` free bytes before it.
    fn move_to(&mut self, capacity: usize, start: usize) {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.resize(start, 0);
        bytes.extend_from_slice(self.as_bytes());
        self.bytes = bytes;
        self.start = start as u32;
    }

    /// Shrinks an allocation of which deletions have left less than a quarter in use.
    fn give_back_room(&mut self) {
        if self.bytes.capacity() > WORTH_SHRINKING && self.size() < self.bytes.capacity() / 4 {
            self.move_to(self.size() + self.size() / SLACK, 0);
        }
    }

    fn write_header(&mut self) {
        let header = Header {
            total_bytes: self.size() as u32,
            num_elements: self.count.min(COUNT_UNKNOWN) as u16,
        };
        self.bytes[self.start as usize..][..HEADER].copy_from_slice(&header.encode());
    }
}

/// A large pack allocates a quarter of its size in advance: each byte is copied about four times
/// until the pack has its final size, and on average a tenth of the memory is unused.
const SLACK: usize = 4;
/// A smaller pack gets what it needs at its back; lists grow in front. Most are small and many:
/// with a quarter in advance, a hash of 8 fields took 1.05 to 1.24 times what it takes in Redis. To
/// copy so few bytes costs less than the command.
const LARGE: usize = 512;

/// What glibc allocates in multiples of.
const GRANULE: usize = 16;

/// The capacity that fills what glibc allocates for `bytes`, with its header of 8.
const fn rounded(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(GRANULE) - 8
}

/// Below this many bytes, shrinking is not worth a call to the allocator.
const WORTH_SHRINKING: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Front,
    Back,
}

/// Reads elements from either end. Bytes that are not a listpack end the iteration; no length in
/// them leads outside of the pack.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    /// The start of the next element.
    front: usize,
    /// The end of the last one.
    back: usize,
}

impl<'a> Iter<'a> {
    /// The elements of a pack given as bytes, trusted or not.
    pub fn over(pack: &'a [u8]) -> Iter<'a> {
        Iter { bytes: pack, front: HEADER, back: pack.len().saturating_sub(1) }
    }

    /// The offset of the element that [`next`](Iterator::next) will yield.
    pub fn offset(&self) -> usize {
        self.front
    }

    /// The last element and its start.
    fn decode_back(&self) -> Option<(Element<'a>, usize)> {
        let (len, len_bytes) = back_length(self.bytes.get(self.front..self.back)?)?;
        let start = self.back.checked_sub(len_bytes + len)?;
        let (element, end) = decode(&self.bytes[..self.back], start)?;

        // The bytes may come from a client. Read forwards, the element must end where it was found.
        (start >= self.front && end == self.back).then_some((element, start))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let Some((element, end)) = decode(&self.bytes[..self.back], self.front) else {
            self.back = self.front.min(self.back);
            return None;
        };
        self.front = end;
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let Some((element, start)) = self.decode_back() else {
            self.back = self.front.min(self.back);
            return None;
        };
        self.back = start;
        Some(element)
    }
}

/// Returns the element at `at` and the start of the next one, or `None` if there is no complete
/// element at `at`.
fn decode(bytes: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let (&first, rest) = bytes.get(at..)?.split_first()?;
    let string = |skip: usize, len: usize| {
        rest.get(skip..)?.get(..len).map(|text| (Element::Bytes(text), 1 + skip + len))
    };
    let integer = |len: usize| little_endian(rest, len).map(|int| (Element::Int(int), 1 + len));
    let (element, len) = match first {
        0x00..=0x7F => (Element::Int(first.into()), 1),
        0x80..=0xBF => string(0, usize::from(first & 0x3F))?,
        0xC0..=0xDF => {
            let bits = u16::from_be_bytes([first, *rest.first()?]);
            // Shifts the sign, bit 12, to the top, and back with copies of it.
            (Element::Int(i64::from((bits << 3) as i16 >> 3)), 2)
        }
        0xE0..=0xEF => string(1, usize::from(first & 0x0F) << 8 | usize::from(*rest.first()?))?,
        0xF0 => string(4, u32::from_le_bytes(*rest.first_chunk()?) as usize)?,
        0xF1 => integer(2)?,
        0xF2 => integer(3)?,
        0xF3 => integer(4)?,
        0xF4 => integer(8)?,
        _ => return None,
    };
    let end = at + len + back_length_bytes(len);
    (end <= bytes.len()).then_some((element, end))
}

/// The signed integer in the first `len` bytes.
fn little_endian(bytes: &[u8], len: usize) -> Option<i64> {
    let mut wide = [0; 8];
    wide[..len].copy_from_slice(bytes.get(..len)?);
    let unused_bits = 64 - 8 * len;
    Some(i64::from_le_bytes(wide) << unused_bits >> unused_bits)
}

/// Reads a back length from its last byte on. Returns the length and the bytes that it took. A byte
/// holds seven bits, the last byte the lowest ones; the top bit is set if the length goes on to the
/// left.
fn back_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut len = 0;
    for (n, byte) in bytes.iter().rev().take(5).enumerate() {
        len |= usize::from(byte & 0x7F) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((len, n + 1));
        }
    }
    None
}

/// Returns the bytes that the back length of an element of `len` bytes takes. The bounds are those
/// of Redis, one less than seven bits per byte could hold.
fn back_length_bytes(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

struct Encoded<'a> {
    /// The encoding byte and the rest of the length or integer.
    head: [u8; 9],
    head_len: usize,
    text: &'a [u8],
}

impl<'a> Encoded<'a> {
    fn of(element: Element<'a>) -> Encoded<'a> {
        match element {
            Element::Int(value) => Encoded::of_int(value),
            Element::Bytes(text) => Encoded::of_text(text),
        }
    }

    fn of_int(value: i64) -> Encoded<'a> {
        let le = value.to_le_bytes();
        match value {
            0..=127 => Encoded::new(le[0], &[], &[]),
            -4096..=4095 => Encoded::new(0xC0 | (le[1] & 0x1F), &le[..1], &[]),
            -0x8000..=0x7FFF => Encoded::new(0xF1, &le[..2], &[]),
            -0x80_0000..=0x7F_FFFF => Encoded::new(0xF2, &le[..3], &[]),
            -0x8000_0000..=0x7FFF_FFFF => Encoded::new(0xF3, &le[..4], &[]),
            _ => Encoded::new(0xF4, &le, &[]),
        }
    }

    fn of_text(text: &'a [u8]) -> Encoded<'a> {
        let le = (text.len() as u32).to_le_bytes();
        match text.len() {
            0..=63 => Encoded::new(0x80 | le[0], &[], text),
            64..=4095 => Encoded::new(0xE0 | le[1], &le[..1], text),
            _ => Encoded::new(0xF0, &le, text),
        }
    }

    fn new(first: u8, more: &[u8], text: &'a [u8]) -> Encoded<'a> {
        let mut head = [first; 9];
        head[1..=more.len()].copy_from_slice(more);
        Encoded { head, head_len: 1 + more.len(), text }
    }

    /// Bytes before the back length.
    fn body(&self) -> usize {
        self.head_len + self.text.len()
    }

    fn len(&self) -> usize {
        self.body() + back_length_bytes(self.body())
    }

    /// Writes the element into exactly [`len`](Self::len) bytes.
    fn write(&self, out: &mut [u8]) {
        let (head, rest) = out.split_at_mut(self.head_len);
        let (text, back) = rest.split_at_mut(self.text.len());
        head.copy_from_slice(&self.head[..self.head_len]);
        text.copy_from_slice(self.text);

        // The back length, from its last byte to its first, which has no top bit.
        let mut len = self.body();
        for byte in back.iter_mut().rev() {
            *byte = 0x80 | (len & 0x7F) as u8;
            len >>= 7;
        }
        back[0] &= 0x7F;
    }
}

#[cfg(test)]
mod tests;
