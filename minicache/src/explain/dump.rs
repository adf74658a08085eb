//! Bytes in columns: where they are, what they are, and what they mean.
//!
//! ```text
//! offset  bytes                    text        meaning
//!      0  2b 4f 4b 0d 0a           +OK\r\n     simple string
//! ```
//!
//! Eight bytes a row. What is long is shown by its beginning; a line says how much is left out.

use std::fmt::Write;
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
    /// Where they are. An empty range is a remark on what stands before it.
    pub range: Range<usize>,
    /// How deep they lie within others.
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

/// The parts of `bytes` as a table.
pub fn table(bytes: &[u8], parts: &[Part]) -> String {
    let shown = &parts[..parts.len().min(PARTS_MAX)];
    let rows: Vec<Row> = shown.iter().flat_map(|part| rows(bytes, part)).collect();
    let width = rows.iter().map(|row| row.text.chars().count()).max().unwrap_or(0).max(ROW);
    let head = Row {
        offset: "offset".to_string(),
        hex: "bytes".to_string(),
        text: "text".to_string(),
        meaning: "meaning".to_string(),
    };
    let mut out = String::new();
    for Row { offset, hex, text, meaning } in std::iter::once(&head).chain(&rows) {
        let line = format!("{offset:>6}  {hex:<23}  {text:<width$}  {meaning}");
        writeln!(out, "{}", line.trim_end()).expect("writing to a string cannot fail");
    }
    if let Some(next) = parts.get(PARTS_MAX) {
        let (more, rest) = (parts.len() - PARTS_MAX, bytes.len() - next.range.start);
        writeln!(out, "   ...  {more} more parts, {rest} bytes").expect("as above");
    }
    out
}

#[derive(Default)]
struct Row {
    offset: String,
    hex: String,
    text: String,
    meaning: String,
}

/// The rows of one part. The first has the meaning.
fn rows(bytes: &[u8], part: &Part) -> Vec<Row> {
    let slice = bytes.get(part.range.clone()).unwrap_or_default();
    let meaning = format!("{}{}", "  ".repeat(part.depth), part.meaning);
    if slice.is_empty() {
        return vec![Row { meaning, ..Row::default() }];
    }
    let mut meaning = Some(meaning);
    let row = |(index, bytes): (usize, &[u8])| Row {
        offset: (part.range.start + index * ROW).to_string(),
        hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
        text: bytes.iter().map(|byte| visible(*byte)).collect(),
        meaning: meaning.take().unwrap_or_default(),
    };
    let mut rows: Vec<Row> = slice.chunks(ROW).enumerate().map(row).take(ROWS_MAX).collect();
    let hidden = slice.len().saturating_sub(ROW * ROWS_MAX);
    if hidden > 0 {
        let hex = format!("{} more", count(hidden, "byte"));
        rows.push(Row { offset: "...".to_string(), hex, ..Row::default() });
    }
    rows
}

/// A byte as one would write it; a dot where one would not.
fn visible(byte: u8) -> String {
    match byte {
        b'\r' => "\\r".to_string(),
        b'\n' => "\\n".to_string(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => ".".to_string(),
    }
}

/// A number and what is counted: `1 byte`, `2 bytes`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
