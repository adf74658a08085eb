//! From a line to its values.
//!
//! ```text
//! text  a\tb \N \\N                   a, tab, b; NULL; \N
//! csv   "a ""b""",,"",c"d,"e          a "b"; NULL; empty; cd,e
//! ```

use crate::Decoder;
use memchr::memchr2;
use minibtree_types::error::{Result, SqlError};
use minibtree_utf8::checked;
use std::borrow::Cow;

/// The values of a line, which must be as many as columns; `None` is NULL.
pub struct Fields<'a> {
    decoder: &'a Decoder,
    line: &'a str,
    /// What is left; `None` after the last value.
    rest: Option<&'a str>,
    index: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(decoder: &'a Decoder, line: &'a [u8]) -> Result<Fields<'a>> {
        let line = checked(line)?;
        Ok(Fields { decoder, line, rest: Some(line), index: 0 })
    }

    /// The number of the line, and its text.
    pub fn line(&self) -> (u64, &'a str) {
        (self.decoder.lines(), self.line)
    }

    /// Compares the header with the names of the columns, if it has to match them.
    pub(crate) fn check_header(mut self) -> Result<()> {
        if self.decoder.options.header != crate::options::Header::Match {
            return Ok(());
        }
        let mut found = Vec::new();
        while self.rest.is_some() {
            found.push(self.value()?);
        }
        let (count, expected) = (found.len(), self.decoder.names.len());
        if count != expected {
            return Err(error!(
                BAD_COPY_FILE_FORMAT,
                "wrong number of fields in header line: got {count}, expected {expected}"
            ));
        }
        for (number, (found, name)) in (1..).zip(found.iter().zip(&self.decoder.names)) {
            let shown = match found {
                Some(found) if found == name => continue,
                Some(found) => format!("\"{found}\""),
                None => format!("null value (\"{}\")", self.decoder.options.null),
            };
            return Err(error!(
                BAD_COPY_FILE_FORMAT,
                "column name mismatch in header line field {number}: got {shown}, expected \
                 \"{name}\""
            ));
        }
        Ok(())
    }

    /// What is wrong with the rest of the line. That is reported before a bad value.
    pub fn malformed(&mut self) -> Option<SqlError> {
        while self.rest.is_some() {
            if let Some(Err(error)) = self.next() {
                return Some(error);
            }
        }
        None
    }

    /// The next value of the rest, which is not empty.
    fn value(&mut self) -> Result<Option<Cow<'a, str>>> {
        let options = &self.decoder.options;
        let rest = self.rest.unwrap_or_default();
        if options.is_csv {
            let (text, was_quoted, length) = self.quoted(rest)?;
            self.rest = rest.get(length + 1..);
            let is_null = !was_quoted && rest[..length] == options.null;
            return Ok((!is_null).then_some(text));
        }

        // After the last backslash and the byte that it changes, which may be a delimiter.
        let mut end = 0;
        let length = loop {
            match memchr2(options.delimiter, b'\\', rest.as_bytes().get(end..).unwrap_or(&[])) {
                None => break rest.len(),
                Some(at) if rest.as_bytes()[end + at] == b'\\' => end += at + 2,
                Some(at) => break end + at,
            }
        };
        self.rest = rest.get(length + 1..);
        let field = &rest[..length];
        match end {
            _ if field == options.null => Ok(None),
            0 => Ok(Some(Cow::Borrowed(field))),
            _ => unescape(field).map(Some),
        }
    }

    /// The first value of a line of CSV, whether it has quotes, and its length there.
    fn quoted(&self, rest: &'a str) -> Result<(Cow<'a, str>, bool, usize)> {
        let (delimiter, quote, escape) = {
            let options = &self.decoder.options;
            (options.delimiter, options.quote, options.escape)
        };
        let bytes = rest.as_bytes();
        let first = memchr2(delimiter, quote, bytes).unwrap_or(bytes.len());
        if bytes.get(first) != Some(&quote) {
            return Ok((Cow::Borrowed(&rest[..first]), false, first));
        }

        let mut text = bytes[..first].to_vec();
        let (mut at, mut is_inside) = (first, false);
        while let Some(&byte) = bytes.get(at) {
            let next = bytes.get(at + 1).copied();
            let is_escaped = next.is_some_and(|it| it == quote || it == escape);
            if is_inside && byte == escape && is_escaped {
                text.extend(next);
                at += 1;
            } else if byte == quote {
                is_inside = !is_inside;
            } else if byte == delimiter && !is_inside {
                break;
            } else {
                text.push(byte);
            }
            at += 1;
        }
        if is_inside {
            return Err(error!(BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
        }
        Ok((Cow::Owned(checked(&text)?.to_owned()), true, at))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Option<Cow<'a, str>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let Decoder { names, options, not_null, null, .. } = self.decoder;
        let Some(name) = names.get(self.index) else {
            self.rest?;
            while self.rest.is_some() {
                if let Err(error) = self.value() {
                    return Some(Err(error));
                }
            }
            let text = "extra data after last expected column";
            return Some(Err(error!(BAD_COPY_FILE_FORMAT, "{text}")));
        };
        if self.rest.is_none() {
            self.index = names.len();
            return Some(Err(error!(BAD_COPY_FILE_FORMAT, "missing data for column \"{name}\"")));
        }
        let value = self.value();
        let (keep, drop) = (not_null[self.index], null[self.index]);
        self.index += 1;
        Some(value.map(|value| match value {
            None if keep => Some(Cow::Borrowed(options.null.as_str())),
            Some(text) if drop && text == options.null => None,
            value => value,
        }))
    }
}

/// What CONTEXT shows of data: at most 100 bytes.
pub fn shortened(text: &str) -> String {
    match text.len() > 100 {
        true => format!("{}...", &text[..text.floor_char_boundary(100)]),
        false => text.to_owned(),
    }
}

/// Replaces what follows backslashes.
fn unescape(field: &str) -> Result<Cow<'_, str>> {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let Some((byte, after)) = rest.split_first() else { break };
        text.push(match byte {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            // A byte as one to three octal digits, or as one or two hexadecimal ones.
            b'0'..=b'7' => {
                text.push(number(&mut rest, 8, 3));
                continue;
            }
            b'x' if after.first().is_some_and(u8::is_ascii_hexdigit) => {
                rest = after;
                text.push(number(&mut rest, 16, 2));
                continue;
            }
            other => *other,
        });
        rest = after;
    }
    Ok(Cow::Owned(checked(&text)?.to_owned()))
}

/// Takes digits off the front. What does not fit a byte is cut.
fn number(rest: &mut &[u8], base: u32, digits_max: usize) -> u8 {
    let mut number = 0u32;
    for _ in 0..digits_max {
        let Some((byte, after)) = rest.split_first() else { break };
        let Some(digit) = char::from(*byte).to_digit(base) else { break };
        (number, *rest) = (number * base + digit, after);
    }
    number as u8
}
