//! Whether bytes are a reply: a reader of RESP that knows nothing of the one who wrote them.
//!
//! ```text
//! "*2\r\n:1\r\n$1\r\na\r\n+OK\r\n"    the first value ends at 15
//! "_\r\n"                             a value of RESP3; in RESP2 an error
//! "$3\r\nab\r\n"                      an error: the string is cut short
//! ```
//!
//! Counterpart: the readers of clients, such as `deps/hiredis/read.c`.

/// Which protocols a value may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Before `HELLO 3`.
    Resp2,
    /// After it.
    Resp3,
    /// It was said while the protocol changed.
    Either,
}

/// Splits `bytes` into values; what follows the last whole one is an error.
pub fn split(mut bytes: &[u8], speech: Speech) -> Result<Vec<&[u8]>, String> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let mut reader = Reader { bytes, at: 0, speech };
        reader.value(0).map_err(|why| format!("{why} at {} of {}", reader.at, show(bytes)))?;
        let (value, rest) = bytes.split_at(reader.at);
        values.push(value);
        bytes = rest;
    }
    Ok(values)
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// No reply of ours nests deeper: `COMMAND DOCS` has arguments within arguments.
const DEPTH_MAX: usize = 16;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    speech: Speech,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<(), &'static str> {
        if depth == DEPTH_MAX {
            return Err("too deep");
        }
        let line = self.line()?;
        let (kind, text) = line.split_first().ok_or("an empty line")?;
        let elements = match kind {
            b'+' | b'-' => return self.accept(!text.is_empty(), "an empty line of text"),
            b':' => return self.accept(number(text).is_some(), "not an integer"),
            b'$' if text == b"-1" => return self.only(Speech::Resp2),
            b'*' if text == b"-1" => return self.only(Speech::Resp2),
            b'$' => return self.bulk(length(text)?),
            b'*' => length(text)?,
            _ => {
                self.only(Speech::Resp3)?;
                match self.resp3(*kind, text)? {
                    Some(elements) => elements,
                    None => return Ok(()),
                }
            }
        };
        (0..elements).try_for_each(|_| self.value(depth + 1))
    }

    /// A value of RESP3 that is not in RESP2: how many values follow, `None` where that was all.
    fn resp3(&mut self, kind: u8, text: &[u8]) -> Result<Option<usize>, &'static str> {
        match kind {
            b'_' => self.accept(text.is_empty(), "a null with text")?,
            b'#' => self.accept(matches!(text, b"t" | b"f"), "not a boolean")?,
            b',' => self.accept(is_double(text), "not a double")?,
            b'(' => self.accept(text.iter().all(u8::is_ascii_digit), "not a number")?,
            b'=' => self.bulk(length(text)?)?,
            b'~' | b'>' => return length(text).map(Some),
            b'%' => return length(text).map(|pairs| Some(2 * pairs)),
            _ => return Err("no such type"),
        }
        Ok(None)
    }

    /// The next line, without its end.
    fn line(&mut self) -> Result<&'a [u8], &'static str> {
        let rest: &'a [u8] = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let end =
            end.filter(|end| rest[*end..].starts_with(b"\r\n")).ok_or("a line without end")?;
        self.at += end + 2;
        Ok(&rest[..end])
    }

    fn bulk(&mut self, length: usize) -> Result<(), &'static str> {
        let rest = self.bytes[self.at..].get(length..).ok_or("a string cut short")?;
        self.at += length + 2;
        self.accept(rest.starts_with(b"\r\n"), "a string without end")
    }

    fn only(&self, speech: Speech) -> Result<(), &'static str> {
        self.accept([speech, Speech::Either].contains(&self.speech), "the other protocol")
    }

    fn accept(&self, good: bool, otherwise: &'static str) -> Result<(), &'static str> {
        if good { Ok(()) } else { Err(otherwise) }
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn length(text: &[u8]) -> Result<usize, &'static str> {
    let length = number(text).and_then(|number| usize::try_from(number).ok());
    length.ok_or("not a length")
}

fn is_double(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    ["inf", "-inf", "nan"].contains(&text) || text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_head() {
        let pair = &b"*2\r\n:1\r\n$1\r\na\r\n+OK\r\n"[..];
        assert_eq!(split(pair, Speech::Resp2), Ok(vec![&pair[..15], &pair[15..]]));
        assert!(split(b"_\r\n", Speech::Resp3).is_ok());
        assert!(split(b"_\r\n", Speech::Resp2).is_err());
        assert!(split(b"$3\r\nab\r\n", Speech::Either).is_err());
    }
}
