//! The annotated hexdump: bytes on the left, what they are on the right.
//!
//! The only renderer of layout tables. It works from the tables' data, so a new layout adds rows
//! and no code. A dump is built from the front: each call describes the bytes after the last part.
//! That is how parts are shown that a single table cannot express, such as an optional one:
//!
//! ```
//! use minikit::layout::Hexdump;
//!
//! minikit::layout! {
//!     /// The head of an entry.
//!     pub struct Head = 2 bytes, LittleEndian {
//!         0..1  flags: u8,      "bit 0: a deadline follows";
//!         1..2  key_length: u8, "bytes of the key";
//!     }
//! }
//! minikit::layout! {
//!     /// In front of the key if flag bit 0 is set.
//!     pub struct Deadline = 4 bytes, LittleEndian { 0..4 seconds: u32, "Unix time"; }
//! }
//!
//! let bytes = [1, 2, 0x40, 0x42, 0x0f, 0, b'h', b'i', 0xff];
//! let mut dump = Hexdump::new(&bytes);
//! dump.table(&Head::TABLE);
//! if Head::flags.get(&bytes) & 1 == 1 {
//!     dump.table(&Deadline::TABLE);
//! }
//! dump.bytes(Head::key_length.get(&bytes).into(), "key", "the key");
//!
//! assert_eq!(
//!     dump.to_string(),
//!     "0000  01                       flags       1           bit 0: a deadline follows\n\
//!      0001  02                       key_length  2           bytes of the key\n\
//!      0002  40 42 0f 00              seconds     1000000     Unix time\n\
//!      0006  68 69                    key         \"hi\"        the key\n\
//!      0008  ff                       -                       after the end\n",
//! );
//! assert_eq!(dump.part_at(4).expect("described").name, "seconds");
//! ```
//!
//! `{dump:#}` adds to each part the file and line that declare it. Wireshark's packet view is the
//! model: choose a byte, see the field. `xxd` and `hexdump -C` show bytes without names.

use super::Table;
use std::fmt;
use std::ops::Range;

/// Bytes shown on one line of a dump.
const ROW: usize = 8;
/// A longer part is cut after this many bytes; the rest is a count.
const SHOWN_BYTES_MAX: usize = 64;

/// Some bytes that belong together, and what they are.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where they are, counted from the start of the dump.
    pub range: Range<usize>,
    /// The name of the field, with the outer fields in front: `header.crc`.
    pub name: String,
    /// The value, printed.
    pub value: String,
    /// What the field says.
    pub meaning: String,
    /// File and line that declare the field; none for bytes that no table describes.
    pub source: Option<(&'static str, u32)>,
}

/// Bytes and the parts they consist of: in order, without gaps.
#[derive(Clone, Debug)]
pub struct Hexdump<'a> {
    bytes: &'a [u8],
    parts: Vec<Part>,
    /// File and line that declare what follows. [`Hexdump::table`] sets it itself.
    pub source: Option<(&'static str, u32)>,
}

impl<'a> Hexdump<'a> {
    /// A dump of `bytes` with nothing described yet.
    pub fn new(bytes: &'a [u8]) -> Hexdump<'a> {
        Hexdump { bytes, parts: Vec::new(), source: None }
    }

    /// Where the next part begins.
    pub fn end(&self) -> usize {
        self.parts.last().map_or(0, |part| part.range.end)
    }

    /// The parts described so far.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part that byte `offset` belongs to, if it has been described.
    pub fn part_at(&self, offset: usize) -> Option<&Part> {
        let index = self.parts.partition_point(|part| part.range.end <= offset);
        self.parts.get(index)
    }

    /// Describes the bytes after the last part by a layout, the part of variable length included.
    /// If the bytes end early, so do the fields.
    pub fn table(&mut self, table: &'static Table) {
        let start = self.end();
        self.fields(table, "");

        if let Some(tail) = &table.tail
            && let Some(layout) = self.bytes.get(start..)
            && let Ok(end) = (tail.end)(layout)
        {
            self.source = Some((table.file, tail.line));
            self.bytes(end - table.size, tail.name, tail.meaning);
        }
        self.source = None;
    }

    /// Describes the next `length` bytes, or the rest if there are fewer, as a part without a
    /// layout.
    pub fn bytes(&mut self, length: usize, name: &str, meaning: impl Into<String>) {
        let value = text(self.next(length).unwrap_or_else(|cut| cut));
        self.value(length, name, value, meaning);
    }

    /// Describes the next `length` bytes, or the rest if there are fewer, as a part whose value
    /// the caller has decoded.
    pub fn value(&mut self, length: usize, name: &str, value: String, meaning: impl Into<String>) {
        let start = self.end();
        let end = start.saturating_add(length).min(self.bytes.len());
        // A part of which no byte is there is not shown.
        if start < end {
            let (name, meaning, source) = (name.into(), meaning.into(), self.source);
            self.parts.push(Part { range: start..end, name, value, meaning, source });
        }
    }

    /// Adds the fields of `table` with `prefix` in front of their names. A field that is a layout
    /// is replaced by its own fields.
    fn fields(&mut self, table: &'static Table, prefix: &str) {
        for field in table.fields {
            let name = format!("{prefix}{}", field.name);
            match field.table {
                Some(inner) => self.fields(inner, &format!("{name}.")),
                None => {
                    let length = field.range.len();
                    let value = match self.next(length) {
                        Ok(bytes) => (field.show)(bytes),
                        Err(cut) => format!("cut: {} of {length}", cut.len()),
                    };
                    self.source = Some((table.file, field.line));
                    self.value(length, &name, value, field.meaning);
                }
            }
        }
    }

    /// The next `length` bytes, or as an error the fewer that are left.
    fn next(&self, length: usize) -> Result<&'a [u8], &'a [u8]> {
        let rest = self.bytes.get(self.end()..).unwrap_or_default();
        rest.get(..length).ok_or(rest)
    }
}

impl fmt::Display for Hexdump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What no part describes is shown too: a reader must see every byte.
        let mut all = self.clone();
        all.source = None;
        if all.end() < all.bytes.len() {
            let rest = all.bytes.len() - all.end();
            all.value(rest, "-", String::new(), "after the end");
        }

        let name_width = all.parts.iter().map(|part| part.name.len()).max().unwrap_or(0);
        let value_width = all.parts.iter().map(|part| part.value.len()).max().unwrap_or(0);
        let value_width = value_width.clamp(10, 24);
        let meaning_width = all.parts.iter().map(|part| part.meaning.len()).max().unwrap_or(0);
        for Part { range, name, value, meaning, source } in &all.parts {
            let source = source.filter(|_| f.alternate()).map_or(String::new(), |(file, line)| {
                format!("{:1$}  {file}:{line}", "", meaning_width - meaning.len())
            });
            let bytes = &self.bytes[range.clone()];
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
            for (row, bytes) in shown.chunks(ROW).enumerate() {
                let offset = range.start + row * ROW;
                let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let hex = hex.join(" ");
                match row {
                    0 => writeln!(
                        f,
                        "{offset:04x}  {hex:<23}  {name:<name_width$}  {value:<value_width$}  \
                         {meaning}{source}"
                    )?,
                    _ => writeln!(f, "{offset:04x}  {hex}")?,
                }
            }
            if shown.len() < bytes.len() {
                writeln!(f, "      .. {} bytes more", bytes.len() - shown.len())?;
            }
        }
        Ok(())
    }
}

/// Bytes as text if they are printable ASCII, else how many there are.
pub(super) fn text(bytes: &[u8]) -> String {
    /// Longer text is cut: the hexadecimal column shows it anyway.
    const TEXT_MAX: usize = 20;

    match str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) => {
            let cut = if text.len() > TEXT_MAX { ".." } else { "" };
            format!("\"{}{cut}\"", &text[..text.len().min(TEXT_MAX)])
        }
        _ => format!("{} bytes", bytes.len()),
    }
}
