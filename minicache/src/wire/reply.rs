//! Replies: writing values in the protocol that the client chose.
//!
//! RESP2 has five types; RESP3 (`HELLO 3`) also has maps, sets, doubles and more. A handler calls
//! the same function for both:
//!
//! | call | RESP2 | RESP3 |
//! |------|-------|-------|
//! | `null()` | `$-1\r\n` | `_\r\n` |
//! | `null_array()` | `*-1\r\n` | `_\r\n` |
//! | `map(1)`, then a key and a value | `*2\r\n…` | `%1\r\n…` |
//! | `set(2)` | `*2\r\n…` | `~2\r\n…` |
//! | `double(1.5)` | `$3\r\n1.5\r\n` | `,1.5\r\n` |
//! | `push(3)` | `*3\r\n…` | `>3\r\n…` |
//!
//! The replies to a whole pipeline go to one buffer and one write.
//!
//! Counterpart in Redis: `addReply*` in `networking.c`, which keeps a buffer and a list of blocks.

use crate::engine::error::Answer;
use crate::format::listpack::Element;
use crate::format::number::DtoaBuf;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The default, which every client understands.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// A buffer of replies.
#[derive(Default)]
pub struct Reply {
    bytes: Vec<u8>,
    /// The protocol of the next reply.
    pub protocol: Protocol,
}

/// A position in a reply at which a header will be inserted; see [`Reply::mark`].
#[derive(Clone, Copy)]
pub struct Mark(usize);

impl Reply {
    /// An empty buffer.
    pub fn new(protocol: Protocol) -> Reply {
        Reply { bytes: Vec::new(), protocol }
    }

    /// The bytes written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The buffer itself, for the caller to take, cut or reuse.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The number of bytes written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns true if nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes `+OK`.
    pub fn ok(&mut self) {
        self.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string. `text` must not contain a line end.
    pub fn simple(&mut self, text: &str) {
        self.bytes.push(b'+');
        self.line(text.as_bytes());
    }

    /// An error: its code, a blank, and the reason. Line ends become blanks. Each character up to
    /// U+00FF is written as one byte, so that an error can quote arguments that are not UTF-8.
    pub fn error(&mut self, text: &str) {
        self.bytes.push(b'-');
        self.bytes.extend(text.chars().map(|character| match character {
            '\r' | '\n' => b' ',
            _ => u8::try_from(character).unwrap_or(b'?'),
        }));
        self.end_line();
    }

    /// An integer.
    pub fn int(&mut self, number: i64) {
        match number {
            0 => self.bytes.extend_from_slice(b":0\r\n"),
            1 => self.bytes.extend_from_slice(b":1\r\n"),
            _ => self.header(b':', number),
        }
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.int(count as i64);
    }

    /// A bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len() as i64);
        self.line(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// A text and another, such as a name and its value in a map.
    pub(crate) fn pair(&mut self, name: &str, value: &str) {
        self.text(name);
        self.text(value);
    }

    pub(crate) fn bulk_int(&mut self, number: i64) {
        self.bulk(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A stored string, or an element of a listpack, as a bulk string.
    pub fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Int(number) => self.bulk_int(number),
            Element::Bytes(bytes) => self.bulk(bytes),
        }
    }

    /// An element, or null for `None`.
    pub fn element_or_null(&mut self, element: Option<Element<'_>>) {
        match element {
            Some(element) => self.element(element),
            None => self.null(),
        }
    }

    /// A null in place of a string.
    pub fn null(&mut self) {
        let nothing: &[u8] = if self.resp3() { b"_\r\n" } else { b"$-1\r\n" };
        self.bytes.extend_from_slice(nothing);
    }

    /// A null in place of an array.
    pub fn null_array(&mut self) {
        let nothing: &[u8] = if self.resp3() { b"_\r\n" } else { b"*-1\r\n" };
        self.bytes.extend_from_slice(nothing);
    }

    /// The header of an array of `count` replies.
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count as i64);
    }

    /// The header of a map of `count` pairs.
    pub fn map(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', 2 * count as i64),
            Protocol::Resp3 => self.header(b'%', count as i64),
        }
    }

    pub(crate) fn set(&mut self, count: usize) {
        self.header(if self.resp3() { b'~' } else { b'*' }, count as i64);
    }

    /// [`ok`](Self::ok), as the last step of a handler. So are the next four.
    pub fn answer_ok(&mut self) -> Answer {
        self.ok();
        Ok(())
    }

    pub(crate) fn answer_int(&mut self, number: i64) -> Answer {
        self.int(number);
        Ok(())
    }

    pub(crate) fn answer_count(&mut self, count: usize) -> Answer {
        self.count(count);
        Ok(())
    }

    pub(crate) fn answer_null(&mut self) -> Answer {
        self.null();
        Ok(())
    }

    /// An array without parts.
    pub fn answer_empty(&mut self) -> Answer {
        self.array(0);
        Ok(())
    }

    /// The header of a push message of `count` parts.
    pub fn push(&mut self, count: usize) {
        self.header(if self.resp3() { b'>' } else { b'*' }, count as i64);
    }

    /// A floating-point number.
    pub fn double(&mut self, number: f64) {
        let mut scratch = DtoaBuf::new();
        let text = scratch.format(number);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.bytes.push(b',');
                self.line(text);
            }
        }
    }

    /// Text for people, such as `INFO`. RESP3 marks it `txt`.
    pub fn verbatim(&mut self, text: &str) {
        match self.protocol {
            Protocol::Resp2 => self.text(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.bytes.extend_from_slice(b"txt:");
                self.line(text.as_bytes());
            }
        }
    }

    /// Marks this position. After the elements are written and counted, one of the `*_at` functions
    /// inserts their header here. That moves the elements, so it costs their length.
    pub fn mark(&self) -> Mark {
        Mark(self.bytes.len())
    }

    pub(crate) fn array_at(&mut self, mark: Mark, count: usize) {
        self.insert_at(mark, |reply| reply.array(count));
    }

    pub(crate) fn map_at(&mut self, mark: Mark, pairs: usize) {
        self.insert_at(mark, |reply| reply.map(pairs));
    }

    /// Inserts the output of `write` at a mark.
    pub fn insert_at(&mut self, mark: Mark, write: impl FnOnce(&mut Reply)) {
        let end = self.bytes.len();
        write(self);

        // The header is now after the elements; a rotation puts it before them.
        let inserted = self.bytes.len() - end;
        self.bytes[mark.0..].rotate_right(inserted);
    }

    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.bytes.truncate(mark.0);
    }

    fn resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    fn header(&mut self, kind: u8, number: i64) {
        self.bytes.push(kind);
        if (0..10).contains(&number) {
            self.bytes.push(b'0' + number as u8);
        } else {
            self.bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        self.end_line();
    }

    fn line(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.end_line();
    }

    fn end_line(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Reply)) -> (String, String) {
        let one = |protocol| {
            let mut reply = Reply::new(protocol);
            write(&mut reply);
            String::from_utf8_lossy(reply.bytes()).into_owned()
        };
        (one(Protocol::Resp2), one(Protocol::Resp3))
    }

    #[test]
    fn the_table_of_the_head() {
        type Row = (fn(&mut Reply), &'static str, &'static str);
        let rows: [Row; 7] = [
            (|r| r.null(), "$-1\r\n", "_\r\n"),
            (|r| r.null_array(), "*-1\r\n", "_\r\n"),
            (|r| r.map(1), "*2\r\n", "%1\r\n"),
            (|r| r.set(2), "*2\r\n", "~2\r\n"),
            (|r| r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (|r| r.push(3), "*3\r\n", ">3\r\n"),
            (|r| r.verbatim("a:1"), "$3\r\na:1\r\n", "=7\r\ntxt:a:1\r\n"),
        ];
        for (write, resp2, resp3) in rows {
            assert_eq!(both(write), (resp2.to_string(), resp3.to_string()));
        }
    }

    #[test]
    fn a_header_can_come_last() {
        let (written, _) = both(|reply| {
            reply.ok();
            let mark = reply.mark();
            (0..12).for_each(|n| reply.int(n));
            reply.array_at(mark, 12);
        });
        assert!(written.starts_with("+OK\r\n*12\r\n:0\r\n:1\r\n"), "{written}");
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(both(|reply| reply.error("ERR a\r\nb")).0, "-ERR a  b\r\n");
    }

    #[test]
    fn an_error_quotes_bytes() {
        let mut reply = Reply::new(Protocol::Resp2);
        reply.error("ERR \u{ff}\u{e9} \u{20ac}");
        assert_eq!(reply.bytes(), b"-ERR \xff\xe9 ?\r\n");
    }
}
