//! COPY FROM: from bytes to lines.
//!
//! Messages need not end where lines do: pgbench sends a message per line, psql fills its buffer.
//! So the search for the end of a line goes on where the last message has ended:
//!
//! ```text
//! 1,"two       the quote is open: the line end that follows belongs to the value
//! lines"       here is the end
//! \.           the end of the data
//! ```
//!
//! The first line end is that of the others: a carriage return, a line feed, or both.

use crate::fields::Fields;
use crate::options::{Header, Options};
use memchr::{memchr_iter, memchr2, memchr3};
use minibtree_types::error::{Result, SqlError, code};

/// The longest line in bytes: that of the longest message. PostgreSQL's is 1 GB.
const LINE_MAX: usize = 64 << 20;

/// Reads rows from lines.
pub struct Decoder {
    pub(crate) options: Options,
    pub(crate) names: Vec<String>,
    /// The columns that are never NULL.
    pub(crate) not_null: Vec<bool>,
    /// The columns that quotes do not keep from being NULL.
    pub(crate) null: Vec<bool>,
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
    /// How much of it has no end.
    scanned: usize,
    is_quoted: bool,
    line_end: Option<LineEnd>,
    /// How many lines have ended.
    lines: u64,
    has_ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    CarriageReturn,
    LineFeed,
    Both,
}

/// A line without its end.
struct Line {
    length: usize,
    /// Where the next one begins.
    next: usize,
    /// The end of the data follows.
    is_last: bool,
}

impl Decoder {
    /// A decoder of rows with these columns.
    ///
    /// # Errors
    /// `42703` if an option names another column.
    pub fn new(options: Options, names: &[&str]) -> Result<Decoder> {
        Ok(Decoder {
            not_null: options.force_not_null.of(names)?,
            null: options.force_null.of(names)?,
            names: names.iter().map(|it| it.to_string()).collect(),
            options,
            partial: Vec::new(),
            scanned: 0,
            is_quoted: false,
            line_end: None,
            lines: 0,
            has_ended: false,
        })
    }

    /// How many lines were read, those inside of quotes included.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Gives each line that is complete to `row`.
    ///
    /// # Errors
    /// `22P04` if the data is malformed, `22021` if it is no text, and those of `row`.
    pub fn receive(
        &mut self,
        data: &[u8],
        row: impl FnMut(Fields<'_>) -> Result<()>,
    ) -> Result<()> {
        if self.has_ended {
            return Ok(());
        }
        if self.partial.is_empty() {
            self.read(data, false, row)?;
        } else {
            self.partial.extend_from_slice(data);
            let bytes = std::mem::take(&mut self.partial);
            self.read(&bytes, false, row)?;
        }
        if self.partial.len() > LINE_MAX {
            let text = format!("a line of COPY data is longer than {LINE_MAX} bytes");
            return Err(SqlError::new(code::PROGRAM_LIMIT_EXCEEDED, text));
        }
        Ok(())
    }

    /// The data has ended: a last line may have no end.
    ///
    /// # Errors
    /// As [`Decoder::receive`].
    pub fn finish(&mut self, row: impl FnMut(Fields<'_>) -> Result<()>) -> Result<()> {
        let bytes = std::mem::take(&mut self.partial);
        self.read(&bytes, true, row)?;
        // Data without a header has an empty one.
        match (self.lines, self.options.header) {
            (0, Header::Match) => Fields::new(self, b"")?.check_header(),
            _ => Ok(()),
        }
    }

    /// Reads lines. What has no line end yet becomes `partial`, which is empty before.
    fn read(
        &mut self,
        mut rest: &[u8],
        is_end: bool,
        mut row: impl FnMut(Fields<'_>) -> Result<()>,
    ) -> Result<()> {
        while !rest.is_empty() && !self.has_ended {
            let line = match self.next_line(rest, is_end) {
                Ok(Some(line)) => line,
                Ok(None) if is_end => Line { length: rest.len(), next: rest.len(), is_last: true },
                Ok(None) => break,
                Err(error) => return Err(self.failed_in_next_line(error)),
            };
            (self.scanned, self.is_quoted, self.has_ended) = (0, false, line.is_last);
            let text = &rest[..line.length];
            rest = &rest[line.next..];
            if line.is_last && text.is_empty() {
                break;
            }

            let is_header = self.lines == 0 && self.options.header != Header::Absent;
            self.lines += 1;
            let fields = Fields::new(self, text)?;
            if is_header {
                fields.check_header()?;
            } else {
                row(fields)?;
            }
            if self.options.is_csv {
                self.lines += memchr_iter(b'\n', text).count() as u64;
            }
        }
        if !self.has_ended {
            self.partial = rest.to_vec();
        }
        Ok(())
    }

    /// Errors are reported with the number of the line that they are in.
    fn failed_in_next_line(&mut self, error: SqlError) -> SqlError {
        self.lines += 1;
        error
    }

    /// The first line; `None` if its end has not arrived.
    fn next_line(&mut self, bytes: &[u8], is_end: bool) -> Result<Option<Line>> {
        let Options { is_csv, quote, escape, .. } = self.options;
        if is_csv && self.scanned == 0 && bytes.starts_with(b"\\") {
            // In CSV, a backslash is only special if this line has nothing else.
            match bytes.get(1..4) {
                None if !is_end => return Ok(None),
                _ if bytes.get(1) == Some(&b'.') => {
                    if let Ok(line) = self.last_line(&bytes[2..], 0) {
                        return Ok(Some(line));
                    }
                }
                _ => {}
            }
        }

        loop {
            let rest = &bytes[self.scanned..];
            let found = match (is_csv, self.is_quoted) {
                (false, _) => memchr3(b'\n', b'\r', b'\\', rest),
                (true, false) => memchr3(b'\n', b'\r', quote, rest),
                (true, true) => memchr2(quote, escape, rest),
            };
            let Some(at) = found.map(|it| self.scanned + it) else {
                self.scanned = bytes.len();
                return Ok(None);
            };
            // Most of them have a meaning together with the next byte.
            self.scanned = at;
            let next = bytes.get(at + 1);
            if next.is_none() && !is_end && bytes[at] != b'\n' {
                return Ok(None);
            }
            match bytes[at] {
                byte if is_csv && self.is_quoted && byte == escape && escape != quote => {
                    self.scanned = at + 2;
                }
                byte if is_csv && byte == quote => {
                    self.is_quoted = !self.is_quoted;
                    self.scanned = at + 1;
                }
                b'\n' => return self.end_line(LineEnd::LineFeed, at).map(Some),
                b'\r' if next == Some(&b'\n') && self.line_end != Some(LineEnd::CarriageReturn) => {
                    return self.end_line(LineEnd::Both, at).map(Some);
                }
                b'\r' => return self.end_line(LineEnd::CarriageReturn, at).map(Some),
                _ if next == Some(&b'.') => {
                    let after = &bytes[at + 2..];
                    if !is_end && after.len() < 2 && !after.starts_with(b"\n") {
                        return Ok(None);
                    }
                    return self.last_line(after, at).map(Some);
                }
                _ => self.scanned = at + 2,
            }
            self.scanned = self.scanned.min(bytes.len());
        }
    }

    fn end_line(&mut self, end: LineEnd, length: usize) -> Result<Line> {
        let known = *self.line_end.get_or_insert(end);
        if known != end {
            let (byte, escape) = match end {
                LineEnd::LineFeed => ("newline", "\\n"),
                LineEnd::CarriageReturn | LineEnd::Both => ("carriage return", "\\r"),
            };
            let (kind, hint) = match self.options.is_csv {
                true => ("unquoted", format!("Use quoted CSV field to represent {byte}.")),
                false => ("literal", format!("Use \"{escape}\" to represent {byte}.")),
            };
            let error = error!(BAD_COPY_FILE_FORMAT, "{kind} {byte} found in data");
            return Err(error.hint(&hint));
        }
        let next = length + if end == LineEnd::Both { 2 } else { 1 };
        Ok(Line { length, next, is_last: false })
    }

    /// What comes before `\.`, which a line end has to follow.
    fn last_line(&self, after: &[u8], length: usize) -> Result<Line> {
        let end = match after {
            [b'\r', b'\n', ..] => LineEnd::Both,
            [b'\n', ..] => LineEnd::LineFeed,
            [b'\r', ..] => LineEnd::CarriageReturn,
            _ => return Err(error!(BAD_COPY_FILE_FORMAT, "end-of-copy marker corrupt")),
        };
        if self.line_end.is_some_and(|it| it != end) {
            let text = "end-of-copy marker does not match previous newline style";
            return Err(SqlError::new(code::BAD_COPY_FILE_FORMAT, text));
        }
        Ok(Line { length, next: length + 2 + after.len(), is_last: true })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Argument, Decoder, Direction, Options};
    use minibtree_types::error::Result;

    /// The rows of data that comes in pieces of this size; NULL is `-`.
    fn rows(data: &str, piece: usize, given: &[(&str, &str)]) -> Result<Vec<String>> {
        let argument = |text: &str| Argument::Text(text.to_owned());
        let given: Vec<_> = given.iter().map(|it| (it.0.to_owned(), argument(it.1))).collect();
        let mut decoder = Decoder::new(Options::new(&given, Direction::From)?, &["a", "b"])?;
        let mut rows = Vec::new();
        let mut row = |fields: crate::Fields<'_>| -> Result<()> {
            let fields = fields.map(|it| Ok(it?.map_or("-".into(), |it| it.into_owned())));
            rows.push(fields.collect::<Result<Vec<_>>>()?.join("|"));
            Ok(())
        };
        for piece in data.as_bytes().chunks(piece) {
            decoder.receive(piece, &mut row)?;
        }
        decoder.finish(&mut row)?;
        Ok(rows)
    }

    #[test]
    fn lines_may_come_in_any_pieces() {
        let csv = &[("format", "csv")][..];
        for (data, given, expected) in [
            ("1\ta\n2\t\\N\n", &[][..], &["1|a", "2|-"][..]),
            ("1\ta\r\n2\tb", &[], &["1|a", "2|b"]),
            ("1\ta\r2\tb\r\\.\rmore", &[], &["1|a", "2|b"]),
            ("1\ta\\\nb\n\\.\nmore\n", &[], &["1|a\nb"]),
            ("1\\\t\ta\\t\\x41\\101\\q\\\\\n", &[], &["1\t|a\tAAq\\"]),
            ("1,\"a\nb\"\n2,\n", csv, &["1|a\nb", "2|-"]),
            ("1,\"\"\n2,\"a\"\"b\"x\n", csv, &["1|", "2|a\"bx"]),
            ("\\.,a\n\\.\n1,b\n", csv, &["\\.|a"]),
            ("1,\"a\r\nb\"\r\n2,c\r\n", csv, &["1|a\r\nb", "2|c"]),
            ("1,'a\\'b\n'\n", &[csv[0], ("quote", "'"), ("escape", "\\")], &["1|a'b\n"]),
            ("a,b\n1,x\n", &[csv[0], ("header", "match")], &["1|x"]),
        ] {
            for piece in 1..=data.len() {
                let found = rows(data, piece, given).expect(data);
                assert_eq!(found, expected, "{data:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn malformed_data_is_refused_as_by_postgresql() {
        let csv = [("format", "csv")];
        let with_header = [("header", "match")];
        for (data, given, expected) in [
            ("1\ta\n2\tb\r\n", &[][..], "literal carriage return found in data"),
            ("1\ta\r\n2\tb\n", &[], "literal newline found in data"),
            ("1\ta\n\\.x\n", &[], "end-of-copy marker corrupt"),
            ("1\ta\r\n\\.\n", &[], "end-of-copy marker does not match previous newline style"),
            ("1\n", &[], "missing data for column \"b\""),
            ("1\ta\tb\n", &[], "extra data after last expected column"),
            ("1,\"a\n", &csv, "unterminated CSV quoted field"),
            ("1,a\n1,b\r\n", &csv, "unquoted carriage return found in data"),
            ("a\n", &with_header, "wrong number of fields in header line: got 1, expected 2"),
            (
                "a\tc\n",
                &with_header,
                "column name mismatch in header line field 2: got \"c\", expected \"b\"",
            ),
            ("1\t\\377\n", &[], "invalid byte sequence for encoding \"UTF8\": 0xff"),
            ("1\t\0\n", &[], "invalid byte sequence for encoding \"UTF8\": 0x00"),
        ] {
            let error = rows(data, 64, given).expect_err(data);
            assert_eq!(error.message, expected, "{data:?}");
        }
    }
}
