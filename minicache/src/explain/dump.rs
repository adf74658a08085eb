//! Hexdumps with a meaning beside the bytes.
//!
//! ```text
//! offset  bytes                    text        meaning
//!      0  2b 4f 4b 0d 0a           +OK\r\n     simple string
//! ```
//!
//! Eight bytes per row. Of a long part the first rows are shown, and the number of bytes left out.

use crate::wire::frame::{Mistake, Stop};
use std::ops::Range;

/// Bytes in one row.
const ROW: usize = 8;
/// Rows of one part that are shown.
const ROWS_MAX: usize = 4;
/// Parts that are shown; a reply may have a million.
const PARTS_MAX: usize = 250;

/// Some bytes of a whole, and their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where they are. An empty range is a remark on the part before it.
    pub range: Range<usize>,
    /// The number of parts around them.
    pub depth: usize,
    /// What they are.
    pub meaning: String,
}

impl Part {
    /// A part.
    pub fn new(range: Range<usize>, depth: usize, meaning: impl Into<String>) -> Part {
        Part { range, depth, meaning: meaning.into() }
    }
}

/// The parts of some bytes, collected from left to right.
pub(super) struct Annotated<'b> {
    bytes: &'b [u8],
    parts: Vec<Part>,
    /// The end of the last part.
    pub(super) at: usize,
}

impl<'b> Annotated<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Annotated<'b> {
        Annotated { bytes, parts: Vec::new(), at: 0 }
    }

    /// The bytes after the last part.
    pub(super) fn rest(&self) -> &'b [u8] {
        &self.bytes[self.at..]
    }

    /// Adds the next `length` bytes.
    pub(super) fn push(&mut self, length: usize, depth: usize, meaning: impl Into<String>) {
        self.parts.push(Part::new(self.at..self.at + length, depth, meaning));
        self.at += length;
    }

    /// All parts, up to the last byte: the bytes after `stop` are marked.
    pub(super) fn finish(mut self, stop: Option<impl Into<Stopped>>) -> Vec<Part> {
        let end = self.bytes.len();
        match stop.map(Into::into) {
            None => {}
            Some(Stopped::Missing(what)) => self.push(end - self.at, 0, format!("MISSING: {what}")),
            Some(Stopped::Wrong { at, why }) => {
                if at > self.at {
                    self.push(at - self.at, 0, "");
                }
                self.push(end.min(at + 1) - at, 0, format!("WRONG: {why}"));
                if self.at < end {
                    self.push(end - self.at, 0, "not read");
                }
            }
        }
        self.parts
    }
}

/// Why the bytes after the last part have no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// What has not arrived.
    Missing(String),
    /// The first byte that the protocol does not allow.
    Wrong { at: usize, why: String },
}

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Stopped {
        match stop {
            Stop::Wrong(Mistake { at, why }) => Stopped::Wrong { at, why: why.to_string() },
            missing => Stopped::Missing(missing.to_string()),
        }
    }
}

/// The parts of `bytes` as a table.
pub fn table(bytes: &[u8], parts: &[Part]) -> String {
    let mut rows = vec![["offset", "bytes", "text", "meaning"].map(String::from)];
    parts.iter().take(PARTS_MAX).for_each(|part| push_rows(&mut rows, bytes, part));

    let width = rows.iter().map(|[_, _, text, _]| text.chars().count()).max().unwrap_or(0).max(ROW);
    let mut out = String::new();
    for [offset, hex, text, meaning] in &rows {
        let line = format!("{offset:>6}  {hex:<23}  {text:<width$}  {meaning}");
        out += line.trim_end();
        out += "\n";
    }
    if let Some(next) = parts.get(PARTS_MAX) {
        let (more, rest) = (parts.len() - PARTS_MAX, bytes.len() - next.range.start);
        out += &format!("   ...  {more} more parts, {rest} bytes\n");
    }
    out
}

/// Adds the rows of one part: offset, bytes, text, and in the first row the meaning.
fn push_rows(rows: &mut Vec<[String; 4]>, bytes: &[u8], part: &Part) {
    let slice = bytes.get(part.range.clone()).unwrap_or_default();
    let mut meaning = format!("{}{}", "  ".repeat(part.depth), part.meaning);
    for (index, bytes) in slice.chunks(ROW).enumerate().take(ROWS_MAX) {
        let offset = (part.range.start + index * ROW).to_string();
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = bytes.iter().map(|byte| visible(*byte)).collect();
        rows.push([offset, hex.join(" "), text, std::mem::take(&mut meaning)]);
    }
    if slice.is_empty() {
        rows.push([String::new(), String::new(), String::new(), meaning]);
    } else if slice.len() > ROW * ROWS_MAX {
        let more = format!("{} more", count(slice.len() - ROW * ROWS_MAX, "byte"));
        rows.push(["...".to_string(), more, String::new(), String::new()]);
    }
}

/// A byte as text: itself, an escape, or a dot.
fn visible(byte: u8) -> String {
    match byte {
        b'\r' => "\\r".to_string(),
        b'\n' => "\\n".to_string(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => ".".to_string(),
    }
}

/// A number with its noun: `1 byte`, `2 bytes`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
