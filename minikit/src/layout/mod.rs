//! Byte layouts as tables: one declaration gives the struct, its codec, its documentation, a
//! compile-time check and an annotated hexdump.
//!
//! A drawing of a file format in a comment drifts from the code that reads the bytes: nothing
//! compares the two. Here the table *is* the code. [`layout!`](crate::layout!) takes the byte
//! range, name, type and meaning of every field and produces
//!
//! * a struct with one public field per row, `encode`, `decode` (exactly `SIZE` bytes) and `read`
//!   (from a longer slice, with a typed error if it is too short);
//! * one associated constant per field, an [`At`]: `Header::crc.get(page)` reads that field alone,
//!   `Header::crc.put(page, crc)` patches it in place, `Header::crc.range()` is its byte range. The
//!   offset is a constant, so `get` is one bounds check and one load, and the check disappears if
//!   the compiler knows the length of `page`;
//! * a table in the rustdoc of the struct;
//! * [`Table`] and its [`Field`]s as data, from which the only renderer, [`Hexdump`], explains
//!   bytes, with the line of each declaration. It shows as many fields as there are bytes.
//!
//! # Example
//!
//! ```
//! use minikit::layout::{self, LayoutError};
//!
//! minikit::layout! {
//!     /// The header in front of every record.
//!     pub struct RecordHeader = 9 bytes, BigEndian {
//!         0..4  crc:    u32 => layout::hex, "CRC-32C of what follows";
//!         4..8  length: u32,                "bytes of the payload";
//!         8..9  flags:  u8 => describe,     "bit 0: the payload is compressed";
//!         tail 9..9 + length payload,       "what the producer sent";
//!     }
//! }
//!
//! fn describe(flags: u8) -> String {
//!     if flags & 1 == 1 { "compressed".into() } else { "plain".into() }
//! }
//!
//! let header = RecordHeader { crc: 0, length: 5, flags: 0 };
//! let mut bytes = header.encode().to_vec();
//! bytes.extend_from_slice(b"hello, and the next record");
//!
//! // One field of a page, without decoding the rest.
//! RecordHeader::crc.put(&mut bytes, 0xc0ffee);
//! assert_eq!(RecordHeader::crc.get(&bytes), 0xc0ffee);
//! assert_eq!(RecordHeader::crc.range(), 0..4);
//!
//! // The whole header, and the part of variable length.
//! assert_eq!(RecordHeader::read(&bytes)?, RecordHeader { crc: 0xc0ffee, ..header });
//! assert_eq!(RecordHeader::tail(&bytes)?, b"hello");
//! assert_eq!(
//!     RecordHeader::tail(&bytes[..10]).unwrap_err().to_string(),
//!     "RecordHeader.payload needs 14 bytes and only 10 are there: the data was cut short",
//! );
//!
//! // The same table explains the bytes.
//! let dump = RecordHeader::explain(&bytes[..14]);
//! assert_eq!(
//!     dump.to_string(),
//!     "0000  00 c0 ff ee              crc      0xc0ffee    CRC-32C of what follows\n\
//!      0004  00 00 00 05              length   5           bytes of the payload\n\
//!      0008  00                       flags    plain       bit 0: the payload is compressed\n\
//!      0009  68 65 6c 6c 6f           payload  \"hello\"     what the producer sent\n",
//! );
//! let part = dump.part_at(6).expect("byte 6 belongs to a field");
//! assert_eq!((part.name.as_str(), part.value.as_str()), ("length", "5"));
//! # Ok::<(), LayoutError>(())
//! ```
//!
//! # What a row may be
//!
//! Every number is read in the byte order of its table. Types are integers of 8 to 64 bits,
//! [`Uint<N>`] (an integer in `N` bytes), `[u8; N]`, and any other layout, which brings its own
//! byte order. Several values packed into the bits of one byte are one field whose meaning names
//! the bits; `=> path` names a function that prints the value. A last row `tail` is the part of
//! variable length: `tail 9..` is the rest of the slice, `tail 9..12 + length` ends `length` bytes
//! after byte 12. The struct holds the fixed part only, so it has no lifetime and is `Copy`.
//!
//! Optional parts in the middle are several tables in a row: see [`Hexdump::table`].
//!
//! # The compile-time check
//!
//! A gap, an overlap, a type that does not fill its range and a wrong sum do not compile. A gap:
//!
//! ```compile_fail
//! minikit::layout! {
//!     /// No field has byte 4.
//!     pub struct Gap = 9 bytes, BigEndian { 0..4 a: u32, "a"; 5..9 b: u32, "b"; }
//! }
//! ```
//!
//! # Counterparts
//!
//! Kafka generates readers, writers and a documentation page from JSON schemas
//! (`clients/src/main/resources/common/message`); Wireshark's dissectors hold tables of fields for
//! display only. `zerocopy` and `bytemuck` map structs onto bytes without copying, but say nothing
//! about meaning, and a Rust struct cannot express a gapless big-endian layout without wrappers.

mod hexdump;

pub use hexdump::{Hexdump, Part};
pub use minikit_line::line_of;

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// Which end of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Most significant byte first: Kafka, PostgreSQL's protocol, most network formats.
    BigEndian,
    /// Least significant byte first: what x86-64 and ARM store.
    LittleEndian,
}

/// The layout of one struct, as data.
#[derive(Debug)]
pub struct Table {
    /// The name of the struct.
    pub name: &'static str,
    /// Bytes of the fixed part.
    pub size: usize,
    /// The fields of the fixed part in order, without gaps.
    pub fields: &'static [Field],
    /// The part of variable length after them.
    pub tail: Option<Tail>,
    /// The source file of the declaration, as `file!()` gives it.
    pub file: &'static str,
}

/// One row of a [`Table`].
#[derive(Debug)]
pub struct Field {
    /// The bytes of the field, counted from the start of the layout.
    pub range: Range<usize>,
    /// The name of the field.
    pub name: &'static str,
    /// What the field says, in a few words.
    pub meaning: &'static str,
    /// The line that declares the field.
    pub line: u32,
    /// Prints the value. It is given exactly the bytes of the field.
    pub show: fn(&[u8]) -> String,
    /// The table of the type, if the field is itself a layout.
    pub table: Option<&'static Table>,
}

/// The part of variable length at the end of a [`Table`].
#[derive(Debug)]
pub struct Tail {
    /// The name of the part.
    pub name: &'static str,
    /// What the part holds.
    pub meaning: &'static str,
    /// The line that declares the part.
    pub line: u32,
    /// Returns where the part ends in a slice that begins with this layout.
    pub end: fn(&[u8]) -> Result<usize, LayoutError>,
}

/// Why bytes could not be read as a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The slice ends before the layout does. More bytes may help: the reader of a socket waits,
    /// the reader of a log treats it as a torn write.
    TooShort {
        /// The struct.
        layout: &'static str,
        /// The part of variable length, or nothing for the fixed part.
        tail: Option<&'static str>,
        /// Bytes needed, counted from the start of the layout.
        needed: usize,
        /// Bytes the slice has.
        available: usize,
    },
    /// A length field is negative or ends its tail before the tail begins. More bytes cannot help:
    /// the data is damaged, or is not of this layout.
    BadLength {
        /// The struct.
        layout: &'static str,
        /// The length field.
        field: &'static str,
        /// What it says.
        value: i128,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::TooShort { layout, tail, needed, available } => {
                let (dot, tail) = tail.map_or(("", ""), |tail| (".", tail));
                write!(
                    f,
                    "{layout}{dot}{tail} needs {needed} bytes and only {available} are there: \
                     the data was cut short"
                )
            }
            LayoutError::BadLength { layout, field, value } => write!(
                f,
                "{layout}.{field} is {value}, which cannot be a length: the data is damaged, or \
                 it is not a {layout}"
            ),
        }
    }
}

impl std::error::Error for LayoutError {}

/// A type that can be a field: a fixed number of bytes, read and written in a byte order.
pub trait FieldType: Copy {
    /// Bytes of the encoded value.
    const SIZE: usize;
    /// The table of the type, if it is itself a layout.
    const TABLE: Option<&'static Table> = None;

    /// Decodes exactly [`FieldType::SIZE`] bytes.
    fn read(bytes: &[u8], order: ByteOrder) -> Self;

    /// Encodes into exactly [`FieldType::SIZE`] bytes.
    fn write(self, bytes: &mut [u8], order: ByteOrder);

    /// The value as a hexdump prints it.
    fn show(self) -> String;
}

/// The place of one field of type `T` within its layout; `layout!` makes one per row.
///
/// Reading and writing panic if the slice ends before the field, as indexing does. Check the length
/// once where a page or message comes in.
#[derive(Clone, Copy, Debug)]
pub struct At<T> {
    start: usize,
    order: ByteOrder,
    value: PhantomData<T>,
}

impl<T: FieldType> At<T> {
    /// A field at byte `start` of its layout.
    pub const fn new(start: usize, order: ByteOrder) -> At<T> {
        At { start, order, value: PhantomData }
    }

    /// The first byte of the field.
    pub const fn start(self) -> usize {
        self.start
    }

    /// The byte after the field.
    pub const fn end(self) -> usize {
        self.start + T::SIZE
    }

    /// The bytes of the field.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end()
    }

    /// Reads the field from `bytes`, which begin with the layout.
    #[inline(always)]
    pub fn get(self, bytes: &[u8]) -> T {
        T::read(&bytes[self.range()], self.order)
    }

    /// Writes the field into `bytes`, which begin with the layout.
    #[inline(always)]
    pub fn put(self, bytes: &mut [u8], value: T) {
        value.write(&mut bytes[self.range()], self.order);
    }
}

macro_rules! integers {
    ($($int:ty)*) => { $(
        impl FieldType for $int {
            const SIZE: usize = size_of::<$int>();

            #[inline(always)]
            fn read(bytes: &[u8], order: ByteOrder) -> $int {
                let bytes = bytes.try_into().expect("a field is given exactly SIZE bytes");
                match order {
                    ByteOrder::BigEndian => <$int>::from_be_bytes(bytes),
                    ByteOrder::LittleEndian => <$int>::from_le_bytes(bytes),
                }
            }

            #[inline(always)]
            fn write(self, bytes: &mut [u8], order: ByteOrder) {
                bytes.copy_from_slice(&match order {
                    ByteOrder::BigEndian => self.to_be_bytes(),
                    ByteOrder::LittleEndian => self.to_le_bytes(),
                });
            }

            fn show(self) -> String {
                self.to_string()
            }
        }
    )* };
}

integers!(u8 u16 u32 u64 i8 i16 i32 i64);

/// An unsigned integer in `N` bytes, for the widths that Rust has no type for.
///
/// `N` is at most 8. Writing drops the bits that do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uint<const N: usize>(pub u64);

impl<const N: usize> FieldType for Uint<N> {
    const SIZE: usize = N;

    #[inline(always)]
    fn read(bytes: &[u8], order: ByteOrder) -> Uint<N> {
        let mut wide = [0; 8];
        Uint(match order {
            ByteOrder::BigEndian => {
                wide[8 - N..].copy_from_slice(bytes);
                u64::from_be_bytes(wide)
            }
            ByteOrder::LittleEndian => {
                wide[..N].copy_from_slice(bytes);
                u64::from_le_bytes(wide)
            }
        })
    }

    #[inline(always)]
    fn write(self, bytes: &mut [u8], order: ByteOrder) {
        match order {
            ByteOrder::BigEndian => bytes.copy_from_slice(&self.0.to_be_bytes()[8 - N..]),
            ByteOrder::LittleEndian => bytes.copy_from_slice(&self.0.to_le_bytes()[..N]),
        }
    }

    fn show(self) -> String {
        self.0.to_string()
    }
}

impl<const N: usize> FieldType for [u8; N] {
    const SIZE: usize = N;

    #[inline(always)]
    fn read(bytes: &[u8], _order: ByteOrder) -> [u8; N] {
        bytes.try_into().expect("a field is given exactly SIZE bytes")
    }

    #[inline(always)]
    fn write(self, bytes: &mut [u8], _order: ByteOrder) {
        bytes.copy_from_slice(&self);
    }

    fn show(self) -> String {
        hexdump::text(&self)
    }
}

/// Prints a number in hexadecimal; for `=> layout::hex` in a table: checksums, flags, addresses.
pub fn hex(value: impl fmt::LowerHex) -> String {
    format!("{value:#x}")
}

/// Returns what is wrong with the rows of a layout, each a start, an end and the size of its type.
///
/// `layout!` calls it while the crate compiles.
#[doc(hidden)]
pub const fn check(rows: &[(usize, usize, usize)], size: usize) -> Option<&'static str> {
    let mut next = 0;
    let mut index = 0;
    while index < rows.len() {
        let (start, end, type_size) = rows[index];
        if start > next {
            return Some("layout: a gap in front of a field");
        }
        if start < next {
            return Some("layout: a field overlaps the one before it");
        }
        if end < start || end - start != type_size {
            return Some("layout: the type of a field does not fill its byte range");
        }
        next = end;
        index += 1;
    }
    if next == size { None } else { Some("layout: the fields do not add up to the size declared") }
}

/// Returns the end of a tail that starts at `start` and ends `length` bytes after `base`.
#[doc(hidden)]
pub fn tail_end(
    layout: &'static str,
    field: &'static str,
    start: usize,
    base: usize,
    length: i128,
) -> Result<usize, LayoutError> {
    let end = usize::try_from(length).ok().and_then(|length| base.checked_add(length));
    end.filter(|&end| end >= start).ok_or(LayoutError::BadLength { layout, field, value: length })
}

/// Declares a byte layout; the head of [the module](mod@crate::layout) explains the rows.
#[macro_export]
macro_rules! layout {
    ($(#[$attribute:meta])* $vis:vis struct $name:ident = $size:literal bytes, $order:ident {
        $( $start:literal .. $end:literal $field:ident : $kind:ty $(=> $show:path)?,
           $meaning:literal; )*
        $( tail $tail_start:literal .. $( $base:literal + $length:ident )? $tail:ident,
           $tail_meaning:literal; )?
    }) => {
        $(#[$attribute])*
        ///
        /// | bytes | field | type | meaning |
        /// |-------|-------|------|---------|
        $(#[doc = concat!("| ", $start, "..", $end, " | `", stringify!($field), "` | `",
            stringify!($kind), "` | ", $meaning, " |")])*
        $(#[doc = concat!("| ", $tail_start, "..", $($base, " + ", stringify!($length),)? " | `",
            stringify!($tail), "` | bytes | ", $tail_meaning, " |")])?
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis struct $name { $( #[doc = $meaning] pub $field: $kind, )* }

        const _: () = {
            let rows = [$( ($start, $end, <$kind as $crate::layout::FieldType>::SIZE) ),*];
            if let Some(problem) = $crate::layout::check(&rows, $size) {
                panic!("{}", problem);
            }
            $( assert!($tail_start == $size, "layout: the tail begins after the last field"); )?
        };

        #[allow(dead_code, non_upper_case_globals)]
        impl $name {
            /// Bytes of the fixed part.
            $vis const SIZE: usize = $size;

            /// The layout, as data.
            $vis const TABLE: $crate::layout::Table = $crate::layout::Table {
                name: stringify!($name),
                size: $size,
                fields: &[$( $crate::layout::Field {
                    range: $start..$end,
                    name: stringify!($field),
                    meaning: $meaning,
                    line: $crate::layout::line_of!($field),
                    show: |bytes| {
                        let value = <$kind as $crate::layout::FieldType>::read(
                            bytes, $crate::layout::ByteOrder::$order);
                        $crate::layout!(@show value $(, $show)?)
                    },
                    table: <$kind as $crate::layout::FieldType>::TABLE,
                } ),*],
                tail: $crate::layout!(@tail $($tail, $tail_meaning, Self::tail_end)?),
                file: file!(),
            };

            $(
                #[doc = concat!("Bytes ", $start, "..", $end, ": ", $meaning)]
                $vis const $field: $crate::layout::At<$kind> =
                    $crate::layout::At::new($start, $crate::layout::ByteOrder::$order);
            )*

            /// The bytes of the fixed part.
            $vis fn encode(&self) -> [u8; $size] {
                let mut bytes = [0; $size];
                $( Self::$field.put(&mut bytes, self.$field); )*
                bytes
            }

            /// Decodes the fixed part.
            $vis fn decode(bytes: &[u8; $size]) -> Self {
                $name { $( $field: Self::$field.get(bytes), )* }
            }

            /// Decodes the fixed part from the beginning of a slice that may be longer. Returns
            /// an error if it is shorter.
            $vis fn read(bytes: &[u8]) -> Result<Self, $crate::layout::LayoutError> {
                match bytes.first_chunk() {
                    Some(bytes) => Ok(Self::decode(bytes)),
                    None => Err($crate::layout::LayoutError::TooShort {
                        layout: stringify!($name),
                        tail: None,
                        needed: $size,
                        available: bytes.len(),
                    }),
                }
            }

            /// The bytes of the slice field by field, as far as they go.
            $vis fn explain(bytes: &[u8]) -> $crate::layout::Hexdump<'_> {
                let mut dump = $crate::layout::Hexdump::new(bytes);
                dump.table(&Self::TABLE);
                dump
            }

            $(
                #[doc = concat!("The bytes of `", stringify!($tail), "`: ", $tail_meaning, ".\n\n",
                    "Returns an error if the slice, which begins with the layout, is too short ",
                    "or the length in it is impossible.")]
                $vis fn tail(bytes: &[u8]) -> Result<&[u8], $crate::layout::LayoutError> {
                    let end = Self::tail_end(bytes)?;
                    bytes.get($size..end).ok_or($crate::layout::LayoutError::TooShort {
                        layout: stringify!($name),
                        tail: Some(stringify!($tail)),
                        needed: end,
                        available: bytes.len(),
                    })
                }

                /// Where the part of variable length ends, counted from the start of the layout.
                /// The slice needs the fixed part only.
                $vis fn tail_end(bytes: &[u8]) -> Result<usize, $crate::layout::LayoutError> {
                    let _header = Self::read(bytes)?;
                    $crate::layout!(@end $name, bytes, _header $(, $base, $length)?)
                }
            )?
        }

        impl $crate::layout::FieldType for $name {
            const SIZE: usize = $size;
            const TABLE: Option<&'static $crate::layout::Table> = Some(&$name::TABLE);

            #[inline(always)]
            fn read(bytes: &[u8], _order: $crate::layout::ByteOrder) -> Self {
                $name { $( $field: Self::$field.get(bytes), )* }
            }

            #[inline(always)]
            fn write(self, bytes: &mut [u8], _order: $crate::layout::ByteOrder) {
                $( Self::$field.put(bytes, self.$field); )*
            }

            fn show(self) -> String {
                stringify!($name).into()
            }
        }
    };

    (@show $value:ident) => { $crate::layout::FieldType::show($value) };
    (@show $value:ident, $show:path) => { $show($value) };
    (@tail) => { None };
    (@tail $name:ident, $meaning:literal, $end:path) => {
        Some($crate::layout::Tail {
            name: stringify!($name), meaning: $meaning, end: $end,
            line: $crate::layout::line_of!($name),
        })
    };
    (@end $name:ident, $bytes:ident, $header:ident) => { Ok($bytes.len()) };
    (@end $name:ident, $bytes:ident, $header:ident, $base:literal, $length:ident) => {
        $crate::layout::tail_end(stringify!($name), stringify!($length), $name::SIZE, $base,
            i128::from($header.$length))
    };
}

#[cfg(test)]
mod tests;
