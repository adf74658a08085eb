//! Encoding and decoding the protocol's types: integers, strings, arrays and tagged fields.
//!
//! Every message has an old and a *flexible* encoding (KIP-482), depending on its version. Integers
//! are big-endian in both. Lengths differ, and a flexible struct ends with tagged fields, a map
//! from numbers to bytes from which a receiver skips unknown numbers. This broker needs no tagged
//! fields: it skips all of them, and ends its own structs with a count of 0.
//!
//! | type | old | flexible |
//! |---|---|---|
//! | `String` | `i16` length, bytes | length + 1 as [uvarint](Decoder::uvarint), bytes |
//! | `Vec<u8>`, [`Records`] | `i32` length, bytes | length + 1 as uvarint, bytes |
//! | `Vec<T>` | `i32` count, elements | count + 1 as uvarint, elements |
//! | null | length -1 | 0 |
//! | end of a struct | | count of tagged fields; for each its tag, size and bytes |
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use minilog::wire::codec::{Decoder, Encoder, WireType};
//!
//! let topics = vec![String::from("orders")];
//! let encode = |is_flexible| {
//!     let mut encoder = Encoder::new(0, is_flexible);
//!     topics.encode(&mut encoder);
//!     encoder.into_vec()
//! };
//! assert_eq!(encode(false), b"\0\0\0\x01\0\x06orders");
//! assert_eq!(encode(true), b"\x02\x07orders");
//!
//! let mut decoder = Decoder::new(Bytes::from_static(b"\x02\x07orders"), 0, true);
//! assert_eq!(Vec::<String>::decode(&mut decoder)?, topics);
//!
//! // A count is compared with the remaining bytes before memory is allocated.
//! let mut decoder = Decoder::new(Bytes::from_static(b"\x7f\xff\xff\xff\0\x06orders"), 0, false);
//! assert_eq!(
//!     Vec::<String>::decode(&mut decoder).unwrap_err().to_string(),
//!     "byte 4: 2147483647 elements announced and 8 bytes left",
//! );
//! # Ok::<(), minilog::wire::codec::DecodeError>(())
//! ```
//!
//! # Which data is copied?
//!
//! Record batches are not copied: [`Records`] share the memory of the frame from which they were
//! decoded, and an encoded [`Frame`] refers to its batches instead of containing them. Strings and
//! group metadata are copied on purpose. They are short, and a broker keeps some of them for hours:
//! if a member id shared the memory of its frame, it would keep the whole frame allocated.
//!
//! # How much memory can a hostile frame allocate?
//!
//! No length is trusted. The count of an array must not exceed the remaining bytes. All arrays of a
//! message together may take at most [`ARRAY_BYTES_MAX`] of memory, because an element of one byte
//! on the wire can be a struct of a hundred bytes in memory. The stack is not at risk, because no
//! message contains itself.
//!
//! # Counterparts in Kafka
//!
//! `ByteBufferAccessor.java`, `SendBuilder.java` and `MessageSizeAccumulator.java`. Kafka computes
//! the size of a message in a first pass and writes it in a second; here there is one pass, and the
//! size is filled in at the end. Kafka keeps unknown tagged fields; here a decoder drops them.
//! Kafka sends tagged fields, which librdkafka before 2.2 miscounts; here it gets none. Java
//! replaces bytes that are not UTF-8 by U+FFFD; here they are an error.

use super::ErrorCode;
use crate::engine::log::segment::Slice;
use crate::format::properties::Uuid;
use bytes::Bytes;
use std::fmt;
use std::ops::RangeInclusive;

/// The memory limit for all arrays of one message. It fits 300,000 partitions of a fetch request.
pub const ARRAY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The longest string, as in Kafka: the old encoding cannot represent a longer one.
const STRING_MAX: usize = i16::MAX as usize;

/// A type that a field of a message can have.
pub trait WireType: Sized {
    /// The type on the wire.
    const KIND: Kind;
    /// True for `Option`.
    const IS_NULLABLE: bool = false;

    /// Reads a value.
    fn decode(decoder: &mut Decoder) -> Result<Self, DecodeError>;

    /// Writes a value.
    fn encode(&self, encoder: &mut Encoder);

    /// Returns true for `None`.
    fn is_null(&self) -> bool {
        false
    }
}

/// A type that is prefixed with its length. A special length means null, so `Option` of such a type
/// is a [`WireType`] too.
pub trait LengthPrefixed: Sized {
    /// The type on the wire.
    const KIND: Kind;

    /// Reads what follows the length.
    fn decode_content(decoder: &mut Decoder, length: usize) -> Result<Self, DecodeError>;

    /// The length or count to write.
    fn length(&self) -> usize;

    /// Writes what follows the length.
    fn encode_content(&self, encoder: &mut Encoder);
}

/// A type on the wire as data, for `explain` and the tables of fields.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A type of a fixed size: its name in Kafka, its size, and how to print it.
    Fixed(&'static str, usize, Show),
    /// A UTF-8 string.
    String,
    /// Bytes that the broker does not interpret.
    Bytes,
    /// Record batches.
    Records,
    /// Elements of one kind.
    Array(&'static Kind),
    /// A struct with its own table.
    Struct(&'static super::schema::Table),
}

/// Decodes a value and prints it.
pub type Show = fn(&mut Decoder) -> Result<String, DecodeError>;

/// The reason why bytes cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The struct and its field, if the error is in one.
    pub field: Option<(&'static str, &'static str)>,
    /// The position in the frame.
    pub at: usize,
    /// What is wrong there.
    pub problem: String,
}

impl DecodeError {
    /// Adds the name of the field, unless the error has that of an inner field already.
    #[cold]
    pub fn in_field(mut self, table: &'static str, field: &'static str) -> DecodeError {
        self.field = self.field.or(Some((table, field)));
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((table, field)) = self.field {
            write!(f, "{table}.{field} at ")?;
        }
        write!(f, "byte {}: {}", self.at, self.problem)
    }
}

impl std::error::Error for DecodeError {}

/// Reads values from a frame.
#[derive(Debug)]
pub struct Decoder {
    frame: Bytes,
    /// The position of the next value.
    pub at: usize,
    version: i16,
    is_flexible: bool,
    /// How much more memory arrays may allocate.
    array_bytes: usize,
}

impl Decoder {
    /// A decoder at the start of `frame`, for a message of `version`.
    pub fn new(frame: Bytes, version: i16, is_flexible: bool) -> Decoder {
        Decoder { frame, at: 0, version, is_flexible, array_bytes: ARRAY_BYTES_MAX }
    }

    /// Decodes the rest of the frame as a message of another version: the body after the header.
    pub fn with_version(self, version: i16, is_flexible: bool) -> Decoder {
        Decoder { version, is_flexible, ..self }
    }

    /// The number of bytes left.
    pub fn remaining(&self) -> usize {
        self.frame.len() - self.at
    }

    /// An error at the current position.
    #[cold]
    fn error(&self, problem: impl Into<String>) -> DecodeError {
        DecodeError { field: None, at: self.at, problem: problem.into() }
    }

    /// The next `length` bytes.
    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&[u8], DecodeError> {
        let left = self.remaining();
        if length > left {
            return Err(self.error(format!("{length} bytes needed and {left} left")));
        }
        self.at += length;
        Ok(&self.frame[self.at - length..self.at])
    }

    /// Reads an unsigned integer of at most 32 bits, seven bits per byte, the lowest first.
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 && value <= u32::MAX.into() {
                return Ok(value as u32);
            }
        }
        Err(self.error("a variable-length integer has more than 32 bits"))
    }

    /// Reads the length of a value of this kind; `None` for null.
    pub fn length(&mut self, kind: &Kind) -> Result<Option<usize>, DecodeError> {
        let is_string = matches!(kind, Kind::String);
        let length = match (self.is_flexible, is_string) {
            (true, _) => i64::from(self.uvarint()?) - 1,
            (false, true) => i16::decode(self)?.into(),
            (false, false) => i32::decode(self)?.into(),
        };
        match length {
            -1 => Ok(None),
            0.. if !is_string || length <= STRING_MAX as i64 => Ok(Some(length as usize)),
            _ => Err(self.error(format!("{length} cannot be a length"))),
        }
    }

    /// Reads a field of a struct if the version of the message is in `versions`. Null is an error
    /// before version `null_from`.
    #[inline]
    pub fn field<T: WireType>(
        &mut self,
        versions: RangeInclusive<i16>,
        null_from: Option<i16>,
        value: &mut T,
    ) -> Result<(), DecodeError> {
        if versions.contains(&self.version) {
            *value = T::decode(self)?;
            if value.is_null() && null_from.is_none_or(|first| self.version < first) {
                return Err(self.null());
            }
        }
        Ok(())
    }

    fn null(&self) -> DecodeError {
        self.error("null is not allowed in this version")
    }

    /// Reads the end of a struct. Skips the tagged fields of a flexible one.
    pub fn end_struct(&mut self) -> Result<(), DecodeError> {
        let count = if self.is_flexible { self.uvarint()? } else { 0 };
        for _ in 0..count {
            let _tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            self.take(size)?;
        }
        Ok(())
    }
}

/// Writes values into a frame.
#[derive(Debug)]
pub struct Encoder {
    frame: Frame,
    version: i16,
    is_flexible: bool,
}

impl Encoder {
    /// An encoder of a message of `version`.
    pub fn new(version: i16, is_flexible: bool) -> Encoder {
        Encoder { frame: Frame::default(), version, is_flexible }
    }

    /// Continues the frame with a message of another version: the body after the header.
    pub fn with_version(self, version: i16, is_flexible: bool) -> Encoder {
        Encoder { version, is_flexible, ..self }
    }

    /// Writes bytes as they are.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.frame.bytes.extend_from_slice(bytes);
    }

    /// Writes an unsigned integer, seven bits per byte, the lowest first: 300 is `ac 02`.
    pub fn uvarint(&mut self, mut value: u32) {
        while value > 0x7f {
            self.frame.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.frame.bytes.push(value as u8);
    }

    /// Writes the length of a value of this kind, or null.
    fn length(&mut self, kind: &Kind, length: Option<usize>) {
        assert!(length.is_none_or(|length| length < i32::MAX as usize), "the value is too long");
        match kind {
            _ if self.is_flexible => self.uvarint(length.map_or(0, |length| length as u32 + 1)),
            Kind::String => length.map_or(-1, |length| length as i16).encode(self),
            _ => length.map_or(-1, |length| length as i32).encode(self),
        }
    }

    /// Writes a field of a struct if the version of the message is in `versions`. Before version
    /// `null_from`, null is written as an empty value.
    #[inline]
    pub fn field<T: WireType>(
        &mut self,
        versions: RangeInclusive<i16>,
        null_from: Option<i16>,
        value: &T,
    ) {
        match null_from {
            _ if !versions.contains(&self.version) => {}
            Some(first) if self.version < first && value.is_null() => {
                self.length(&T::KIND, Some(0));
            }
            _ => value.encode(self),
        }
    }

    /// Writes the end of a struct: a flexible one has 0 tagged fields.
    pub fn end_struct(&mut self) {
        if self.is_flexible {
            self.uvarint(0);
        }
    }

    /// The bytes written, including records, in one piece.
    pub fn into_vec(self) -> Vec<u8> {
        self.frame.to_vec()
    }

    /// Fills in the size, for which the first bytes are reserved. Returns the frame.
    pub fn finish_frame(self) -> Frame {
        let mut frame = self.frame;
        let size = i32::try_from(frame.size() - Frame::SIZE_BYTES);
        let size = size.expect("max.message.bytes and fetch.max.bytes are 32 bits");
        frame.bytes[..Frame::SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
        frame
    }
}

/// An encoded message, prefixed with its size: bytes, and the record batches between them, which
/// are in memory or in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    bytes: Vec<u8>,
    /// Records and the positions in `bytes` where they belong, in ascending order.
    records: Vec<(usize, Records)>,
}

/// Part of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Bytes, at least one.
    Bytes(&'a [u8]),
    /// A range of a file.
    File(&'a Slice),
}

impl Frame {
    /// The length of the size prefix of every frame. The size does not include the prefix.
    pub const SIZE_BYTES: usize = 4;

    /// The size of the whole frame, including the prefix.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.records.iter().map(|(_, records)| records.length()).sum::<usize>()
    }

    /// The pieces of the frame in order. No piece is empty.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let starts = std::iter::once(0).chain(self.records.iter().map(|(at, _)| *at));
        let ends = self.records.iter().map(|(at, _)| *at).chain([self.bytes.len()]);
        let bytes = starts.zip(ends).map(|(start, end)| Piece::Bytes(&self.bytes[start..end]));
        let records = self.records.iter().map(|(_, records)| match records {
            Records::Bytes(bytes) => Piece::Bytes(bytes),
            Records::File(slice) => Piece::File(slice),
        });
        let pieces = bytes.zip(records.chain([Piece::Bytes(&[])])).flat_map(|(a, b)| [a, b]);
        pieces.filter(|it| *it != Piece::Bytes(&[]))
    }

    /// The frame in one piece. Copies the records.
    ///
    /// # Panics
    /// If it refers to a file: only the server reads those.
    pub fn to_vec(&self) -> Vec<u8> {
        let bytes = self.pieces().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::File(slice) => panic!("{slice:?} are in a file"),
        });
        bytes.collect::<Vec<_>>().concat()
    }
}

/// Types of a fixed size: the name in Kafka, and the conversions from and to bytes.
macro_rules! fixed {
    ($( $type:ident, $name:literal: $from:expr, $to:expr; )*) => { $(
        impl WireType for $type {
            const KIND: Kind = Kind::Fixed($name, size_of::<$type>(), |decoder| {
                $type::decode(decoder).map(|it| it.to_string())
            });

            #[inline]
            fn decode(decoder: &mut Decoder) -> Result<$type, DecodeError> {
                let bytes = decoder.take(size_of::<$type>())?;
                Ok($from(bytes.try_into().expect("take returns what it is asked")))
            }

            #[inline]
            fn encode(&self, encoder: &mut Encoder) {
                encoder.put(&$to(*self));
            }
        }
    )* };
}

fixed! {
    i8, "int8": i8::from_be_bytes, i8::to_be_bytes;
    i16, "int16": i16::from_be_bytes, i16::to_be_bytes;
    i32, "int32": i32::from_be_bytes, i32::to_be_bytes;
    i64, "int64": i64::from_be_bytes, i64::to_be_bytes;
    bool, "bool": |bytes: [u8; 1]| bytes != [0], |it| [u8::from(it)];
    Uuid, "uuid": Uuid, |it: Uuid| it.0;
    ErrorCode, "int16": |it| ErrorCode(i16::from_be_bytes(it)), |it: ErrorCode| it.0.to_be_bytes();
}

impl<T: LengthPrefixed> WireType for T {
    const KIND: Kind = <T as LengthPrefixed>::KIND;

    fn decode(decoder: &mut Decoder) -> Result<T, DecodeError> {
        Option::<T>::decode(decoder)?.ok_or_else(|| decoder.null())
    }

    fn encode(&self, encoder: &mut Encoder) {
        encoder.length(&<T as LengthPrefixed>::KIND, Some(self.length()));
        self.encode_content(encoder);
    }
}

impl<T: LengthPrefixed> WireType for Option<T> {
    const KIND: Kind = <T as LengthPrefixed>::KIND;
    const IS_NULLABLE: bool = true;

    fn decode(decoder: &mut Decoder) -> Result<Option<T>, DecodeError> {
        let length = decoder.length(&<T as LengthPrefixed>::KIND)?;
        length.map(|length| T::decode_content(decoder, length)).transpose()
    }

    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Some(value) => value.encode(encoder),
            None => encoder.length(&<T as LengthPrefixed>::KIND, None),
        }
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

impl LengthPrefixed for String {
    const KIND: Kind = Kind::String;

    fn decode_content(decoder: &mut Decoder, length: usize) -> Result<String, DecodeError> {
        let text = str::from_utf8(decoder.take(length)?).map(str::to_owned);
        text.map_err(|_| decoder.error("a string is not UTF-8"))
    }

    /// Names come from a decoder and are short enough. An error message that quotes one can be too
    /// long to encode; such a message is truncated.
    fn length(&self) -> usize {
        self.floor_char_boundary(STRING_MAX)
    }

    fn encode_content(&self, encoder: &mut Encoder) {
        encoder.put(&self.as_bytes()[..self.length()]);
    }
}

impl LengthPrefixed for Vec<u8> {
    const KIND: Kind = Kind::Bytes;

    fn decode_content(decoder: &mut Decoder, length: usize) -> Result<Vec<u8>, DecodeError> {
        Ok(decoder.take(length)?.to_vec())
    }

    fn length(&self) -> usize {
        self.len()
    }

    fn encode_content(&self, encoder: &mut Encoder) {
        encoder.put(self);
    }
}

impl<T: WireType> LengthPrefixed for Vec<T> {
    const KIND: Kind = Kind::Array(&T::KIND);

    fn decode_content(decoder: &mut Decoder, count: usize) -> Result<Vec<T>, DecodeError> {
        // Every element is at least one byte long.
        let left = decoder.remaining();
        if count > left {
            let text = format!("{count} elements announced and {left} bytes left");
            return Err(decoder.error(text));
        }
        let left = decoder.array_bytes.checked_sub(count * size_of::<T>());
        decoder.array_bytes = left.ok_or_else(|| {
            let text = format!("the arrays of the message need more than {ARRAY_BYTES_MAX} bytes");
            decoder.error(text)
        })?;

        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::decode(decoder)?);
        }
        Ok(elements)
    }

    fn length(&self) -> usize {
        self.len()
    }

    fn encode_content(&self, encoder: &mut Encoder) {
        self.iter().for_each(|element| element.encode(encoder));
    }
}

/// Record batches: bytes, or a range of a file for `sendfile`.
#[derive(Clone, Debug, PartialEq)]
pub enum Records {
    /// Bytes in memory. A decoder returns only these.
    Bytes(Bytes),
    /// A range of a segment, which is sent from the page cache to the socket.
    File(Slice),
}

impl Records {
    /// The bytes, if they are in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            Records::File(_) => None,
        }
    }
}

impl Default for Records {
    fn default() -> Records {
        Records::Bytes(Bytes::new())
    }
}

impl LengthPrefixed for Records {
    const KIND: Kind = Kind::Records;

    fn decode_content(decoder: &mut Decoder, length: usize) -> Result<Records, DecodeError> {
        let start = decoder.at;
        decoder.take(length)?;
        Ok(Records::Bytes(decoder.frame.slice(start..decoder.at)))
    }

    fn length(&self) -> usize {
        match self {
            Records::Bytes(bytes) => bytes.len(),
            Records::File(slice) => slice.length,
        }
    }

    fn encode_content(&self, encoder: &mut Encoder) {
        encoder.frame.records.push((encoder.frame.bytes.len(), self.clone()));
    }
}
