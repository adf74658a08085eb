//! Frames: reading RESP as a client does.
//!
//! What follows a line depends on its first byte, so a frame is read part by part. A part is a line
//! or the bytes that a line announced:
//!
//! ```text
//! *2\r\n $3\r\n foo\r\n :-7\r\n
//! │      │      │       └ depth 1: Int(-7); nothing follows, and the frame is complete
//! │      │      └ depth 2: the payload of the string
//! │      └ depth 1: Bulk(3), three bytes and a line end follow
//! └ depth 0: Group(Array, 2), two frames follow
//! ```
//!
//! | byte | RESP2 | | byte | RESP3 |
//! |---|---|---|---|---|
//! | `+` | simple string | | `_` | null |
//! | `-` | error | | `#` | boolean |
//! | `:` | integer | | `,` | double |
//! | `$` | bulk string, or null | | `(` | big number |
//! | `*` | array, or null | | `!` `=` | error and text by length |
//! | | | | `%` `~` `>` | map, set, push |
//!
//! [`Reader`] yields the parts with their place in the buffer; `explain` prints them. [`Frame`] is
//! the tree that they make; the command line client prints that. The server reads none of it: it
//! [parses requests](super::request) and [writes replies](super::reply). The type `|` of RESP3, an
//! attribute, is not supported: Redis sends it only for `DEBUG PROTOCOL`.
//!
//! **What does a hostile length cost?** Nothing. The reader allocates only for groups that are
//! open, at most [`DEPTH_MAX`], and a tree is built only from a frame that has arrived.
//!
//! The counterpart in Redis is `deps/hiredis/read.c`, whose stack of tasks is our `open`.

use crate::format::number::parse_i64;
use std::{fmt, ops::Range};

/// Groups within groups. Redis needs about seven, for `COMMAND DOCS`.
pub const DEPTH_MAX: usize = 64;
/// The longest line, without the payload it announces.
const LINE_MAX: usize = 64 * 1024;

/// What a line announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// Text without line ends.
    Simple(&'a [u8]),
    /// An error: its code, a blank, and the reason.
    Error(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A bulk string of this many bytes.
    Bulk(usize),
    /// An error of this many bytes.
    BulkError(usize),
    /// Text for people of this many bytes. The first four are its format and a colon.
    Verbatim(usize),
    /// A null, in any of its three spellings.
    Null,
    /// True or false.
    Boolean(bool),
    /// A floating-point number, as the server spelled it.
    Double(&'a [u8]),
    /// An integer of any size, as the server spelled it.
    BigNumber(&'a [u8]),
    /// This many frames follow; for maps, this many pairs.
    Group(Group, usize),
}

/// The kinds of frames that consist of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Elements in order.
    Array,
    /// Members in no order.
    Set,
    /// Pairs.
    Map,
    /// A message that is not the reply to a request.
    Push,
}

impl Group {
    /// The number of frames in a group that announced `count`.
    pub fn frames(self, count: usize) -> usize {
        match self {
            Group::Map => count.saturating_mul(2),
            Group::Array | Group::Set | Group::Push => count,
        }
    }
}

/// The first byte that the protocol does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its offset: in the line for [`Head::parse`], in the buffer for [`Reader`].
    pub at: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Why a reader has no next part. Its `Display` names what is missing or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A line is not complete.
    MissingLineEnd,
    /// This many bytes of a string are still to come.
    MissingBytes(usize),
    /// This many frames are still to come; the next has not begun.
    MissingFrames(usize),
    /// The bytes are not RESP.
    Wrong(Mistake),
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |number: usize| if number == 1 { "" } else { "s" };
        match *self {
            Stop::MissingLineEnd => out.write_str("the end of a line"),
            Stop::MissingBytes(count) => {
                write!(out, "{count} byte{} of this string", plural(count))
            }
            Stop::MissingFrames(count) => write!(out, "{count} frame{}", plural(count)),
            Stop::Wrong(Mistake { why, .. }) => out.write_str(why),
        }
    }
}

/// One part of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// Its place in the buffer, line end included.
    pub range: Range<usize>,
    /// The groups and strings around it.
    pub depth: usize,
    /// Its index in the group around it, or `None` outside of groups.
    pub index: Option<(Group, usize)>,
    /// What it is.
    pub content: Content<'b>,
}

/// A line, or the bytes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'b> {
    /// What a line announces.
    Line(Head<'b>),
    /// The payload of a string, without its line end.
    Payload(&'b [u8]),
}

/// Finds the parts of frames, one after another. It remembers where it is: after a `Missing…` the
/// next call continues with the same bytes and more.
#[derive(Default)]
pub struct Reader {
    at: usize,
    /// The groups around the next frame, the innermost last.
    open: Vec<Open>,
    /// The length of the payload that the last line announced.
    payload: Option<usize>,
}

/// A group that is not complete.
struct Open {
    group: Group,
    frames: usize,
    done: usize,
}

impl Reader {
    /// The number of bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Returns true if no frame has been begun and not completed.
    pub fn is_between_frames(&self) -> bool {
        self.open.is_empty() && self.payload.is_none()
    }

    /// The next part of `buffer`. Costs the length of the part, or nothing for a payload.
    ///
    /// # Errors
    /// `Missing…` if it has not arrived, `Wrong` if it is not RESP.
    pub fn next<'b>(&mut self, buffer: &'b [u8]) -> Result<Part<'b>, Stop> {
        if let Some(length) = self.payload {
            return self.payload(buffer, length);
        }
        if self.open.len() > DEPTH_MAX {
            return Err(self.wrong(0, "more than 64 frames within each other"));
        }
        let line = self.line(buffer)?;
        let head = Head::parse(line).map_err(|mistake| self.wrong(mistake.at, mistake.why))?;
        let part = self.part(line.len() + 2, 0, Content::Line(head));

        // Only a line that announces nothing completes its frame.
        match head {
            Head::Bulk(length) | Head::BulkError(length) | Head::Verbatim(length) => {
                self.payload = Some(length);
            }
            Head::Group(group, count) if count > 0 => {
                self.open.push(Open { group, frames: group.frames(count), done: 0 });
            }
            _ => self.complete(),
        }
        Ok(part)
    }

    /// Reads up to the end of the frame, and returns that position. Resumes like [`Reader::next`].
    ///
    /// # Errors
    /// Those of [`Reader::next`].
    pub fn frame_end(&mut self, buffer: &[u8]) -> Result<usize, Stop> {
        loop {
            self.next(buffer)?;
            if self.is_between_frames() {
                return Ok(self.at);
            }
        }
    }

    fn wrong(&self, offset: usize, why: &'static str) -> Stop {
        Stop::Wrong(Mistake { at: self.at + offset, why })
    }

    /// The part of the next `length` bytes.
    fn part<'b>(&mut self, length: usize, deeper: usize, content: Content<'b>) -> Part<'b> {
        let start = self.at;
        self.at += length;
        let index = self.open.last().map(|open| (open.group, open.done));
        Part { range: start..self.at, depth: self.open.len() + deeper, index, content }
    }

    /// The line that begins here, without its end.
    fn line<'b>(&self, buffer: &'b [u8]) -> Result<&'b [u8], Stop> {
        let rest = &buffer[self.at..];
        let Some(first) = rest.first() else {
            let missing = self.open.last().map_or(1, |open| open.frames - open.done);
            return Err(Stop::MissingFrames(missing));
        };
        let Some(end) = rest.iter().take(LINE_MAX).position(|byte| *byte == b'\n') else {
            // A wrong first byte is wrong however the line continues.
            return match Head::parse(std::slice::from_ref(first)) {
                Err(mistake) if mistake.at == 0 => Err(self.wrong(0, mistake.why)),
                _ if rest.len() >= LINE_MAX => {
                    Err(self.wrong(LINE_MAX - 1, "a line of more than 64 KiB"))
                }
                _ => Err(Stop::MissingLineEnd),
            };
        };
        rest[..end].strip_suffix(b"\r").ok_or(self.wrong(end, "a line ends in \\r\\n"))
    }

    /// The bytes of a string, with the line end after them.
    fn payload<'b>(&mut self, buffer: &'b [u8], length: usize) -> Result<Part<'b>, Stop> {
        let rest = &buffer[self.at..];
        let Some(whole) = length.checked_add(2).filter(|whole| *whole <= rest.len()) else {
            return Err(Stop::MissingBytes(length.saturating_add(2) - rest.len()));
        };
        if &rest[length..whole] != b"\r\n" {
            let first = usize::from(rest[length] == b'\r');
            return Err(self.wrong(length + first, "\\r\\n follows the bytes of a string"));
        }
        let part = self.part(whole, 1, Content::Payload(&rest[..length]));
        self.payload = None;
        self.complete();
        Ok(part)
    }

    /// Counts a complete frame in the group around it, which that may complete in turn.
    fn complete(&mut self) {
        while let Some(open) = self.open.last_mut() {
            open.done += 1;
            if open.done < open.frames {
                return;
            }
            self.open.pop();
        }
    }
}

/// A frame as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Text without line ends.
    Simple(Vec<u8>),
    /// An error: its code, a blank, and the reason.
    Error(Vec<u8>),
    /// An integer.
    Int(i64),
    /// Any bytes.
    Bulk(Vec<u8>),
    /// Text for people, without its format.
    Verbatim(Vec<u8>),
    /// A null.
    Null,
    /// True or false.
    Boolean(bool),
    /// A floating-point number, as the server spelled it.
    Double(Vec<u8>),
    /// An integer of any size, as the server spelled it.
    BigNumber(Vec<u8>),
    /// Several frames. Those of a map are keys and values in turn.
    Group(Group, Vec<Frame>),
}

impl Frame {
    /// Returns true if it is an error reply.
    pub fn is_error(&self) -> bool {
        matches!(self, Frame::Error(_))
    }

    /// The frame at the start of `bytes`, and the bytes after it.
    ///
    /// # Errors
    /// Those of [`Reader::next`].
    pub fn split_first(bytes: &[u8]) -> Result<(Frame, &[u8]), Stop> {
        let end = Reader::default().frame_end(bytes)?;
        Ok((Frame::build(&bytes[..end], &mut Reader::default())?, &bytes[end..]))
    }

    /// Builds a frame from the parts that `reader` yields next. The recursion is bounded because
    /// the reader bounds the depth.
    fn build(bytes: &[u8], reader: &mut Reader) -> Result<Frame, Stop> {
        let Content::Line(head) = reader.next(bytes)?.content else {
            unreachable!("the payload of a string is read right after its line");
        };
        let mut payload = || match reader.next(bytes)?.content {
            Content::Payload(payload) => Ok(payload.to_vec()),
            Content::Line(_) => unreachable!("a payload follows the line that announces it"),
        };
        Ok(match head {
            Head::Simple(text) => Frame::Simple(text.to_vec()),
            Head::Error(text) => Frame::Error(text.to_vec()),
            Head::Int(number) => Frame::Int(number),
            Head::Bulk(_) => Frame::Bulk(payload()?),
            Head::BulkError(_) => Frame::Error(payload()?),
            Head::Verbatim(_) => Frame::Verbatim(payload()?.split_off(4)),
            Head::Null => Frame::Null,
            Head::Boolean(value) => Frame::Boolean(value),
            Head::Double(text) => Frame::Double(text.to_vec()),
            Head::BigNumber(text) => Frame::BigNumber(text.to_vec()),
            Head::Group(group, count) => {
                let frames = (0..group.frames(count)).map(|_| Frame::build(bytes, reader));
                Frame::Group(group, frames.collect::<Result<_, _>>()?)
            }
        })
    }
}

impl<'a> Head<'a> {
    /// Reads a line, given without its line end.
    ///
    /// # Errors
    /// The first byte that cannot be there.
    pub fn parse(line: &'a [u8]) -> Result<Head<'a>, Mistake> {
        let Some((kind, rest)) = line.split_first() else {
            return Err(Mistake { at: 0, why: "an empty line where a type was expected" });
        };
        let group = |group| Ok(length(rest)?.map_or(Head::Null, |count| Head::Group(group, count)));
        match kind {
            b'+' => Ok(Head::Simple(rest)),
            b'-' => Ok(Head::Error(rest)),
            b':' => match parse_i64(rest) {
                Some(number) => Ok(Head::Int(number)),
                None => Err(not_digits(rest, "no integer of 64 bits")),
            },
            b'$' => Ok(length(rest)?.map_or(Head::Null, Head::Bulk)),
            b'!' => Ok(Head::BulkError(some_length(rest)?)),
            b'=' => match some_length(rest)? {
                0..4 => Err(Mistake { at: 1, why: "too short for a format and a colon" }),
                bytes => Ok(Head::Verbatim(bytes)),
            },
            b'_' if rest.is_empty() => Ok(Head::Null),
            b'_' => Err(Mistake { at: 1, why: "nothing follows a null" }),
            b'#' => match rest {
                b"t" => Ok(Head::Boolean(true)),
                b"f" => Ok(Head::Boolean(false)),
                _ => Err(Mistake { at: 1, why: "a boolean is t or f" }),
            },
            b',' => match str::from_utf8(rest).is_ok_and(|text| text.parse::<f64>().is_ok()) {
                true => Ok(Head::Double(rest)),
                false => Err(Mistake { at: 1, why: "no floating-point number" }),
            },
            b'(' => {
                let digits = rest.strip_prefix(b"-").unwrap_or(rest);
                match !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
                    true => Ok(Head::BigNumber(rest)),
                    false => Err(not_digits(rest, "no integer")),
                }
            }
            b'*' => group(Group::Array),
            b'~' => group(Group::Set),
            b'>' => group(Group::Push),
            b'%' => group(Group::Map),
            _ => Err(Mistake { at: 0, why: "no type of RESP begins with this byte" }),
        }
    }
}

/// A length, or `None` for -1, which stands for a null.
fn length(digits: &[u8]) -> Result<Option<usize>, Mistake> {
    match parse_i64(digits) {
        Some(-1) => Ok(None),
        Some(length @ 0..) => Ok(Some(length as usize)),
        Some(_) => Err(Mistake { at: 1, why: "a length below -1" }),
        None => Err(not_digits(digits, "no length")),
    }
}

fn some_length(digits: &[u8]) -> Result<usize, Mistake> {
    length(digits)?.ok_or(Mistake { at: 1, why: "a length below 0" })
}

/// A mistake at the first byte that is not a digit, or at the first byte if all are digits.
fn not_digits(text: &[u8], why: &'static str) -> Mistake {
    let sign = usize::from(text.first() == Some(&b'-'));
    let odd = text.iter().skip(sign).position(|byte| !byte.is_ascii_digit());
    Mistake { at: 1 + odd.map_or(0, |odd| odd + sign), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read() {
        for (line, head) in [
            (&b"+OK"[..], Head::Simple(b"OK")),
            (b"-ERR x", Head::Error(b"ERR x")),
            (b":-7", Head::Int(-7)),
            (b"$3", Head::Bulk(3)),
            (b"$-1", Head::Null),
            (b"!21", Head::BulkError(21)),
            (b"=15", Head::Verbatim(15)),
            (b"_", Head::Null),
            (b"#t", Head::Boolean(true)),
            (b",inf", Head::Double(b"inf")),
            (b"(-12345678901234567890123", Head::BigNumber(b"-12345678901234567890123")),
            (b"*-1", Head::Null),
            (b"*0", Head::Group(Group::Array, 0)),
            (b"~2", Head::Group(Group::Set, 2)),
            (b">2", Head::Group(Group::Push, 2)),
            (b"%1", Head::Group(Group::Map, 1)),
        ] {
            assert_eq!(Head::parse(line), Ok(head), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn the_first_wrong_byte_is_named() {
        for (line, at) in [
            (&b""[..], 0),
            (b"OK", 0),
            (b":1x2", 2),
            (b":9223372036854775808", 1),
            (b"$3 ", 2),
            (b"$-2", 1),
            (b"$-x", 2),
            (b"!-1", 1),
            (b"=3", 1),
            (b"_x", 1),
            (b"#yes", 1),
            (b",1,5", 1),
            (b"(12a", 3),
            (b"(-", 1),
            (b"*x", 1),
        ] {
            let mistake = Head::parse(line).expect_err("it is wrong");
            assert_eq!(mistake.at, at, "{}: {}", line.escape_ascii(), mistake.why);
        }
    }

    #[test]
    fn pairs_count_twice() {
        assert_eq!((Group::Map.frames(3), Group::Array.frames(3)), (6, 3));
        assert_eq!(Group::Map.frames(usize::MAX), usize::MAX);
    }

    /// The parts of the example in the head: depth, and the bytes.
    #[test]
    fn parts_of_the_head() {
        let bytes = b"*2\r\n$3\r\nfoo\r\n:-7\r\n";
        let mut reader = Reader::default();
        let mut parts = Vec::new();
        while reader.position() < bytes.len() {
            let part = reader.next(bytes).unwrap();
            parts.push((part.depth, bytes[part.range].escape_ascii().to_string()));
        }
        assert!(reader.is_between_frames());
        let expected = [(0, "*2\\r\\n"), (1, "$3\\r\\n"), (2, "foo\\r\\n"), (1, ":-7\\r\\n")];
        assert_eq!(parts, expected.map(|(depth, text)| (depth, text.to_string())));
    }

    fn tree(bytes: &[u8]) -> Result<Frame, Stop> {
        let (frame, rest) = Frame::split_first(bytes)?;
        assert_eq!(rest, b"", "all of it was read");
        Ok(frame)
    }

    fn bulk(text: &str) -> Frame {
        Frame::Bulk(text.into())
    }

    #[test]
    fn frames_become_trees() {
        use Frame::*;
        let array = |frames| Group(super::Group::Array, frames);
        for (bytes, frame) in [
            (&b"+OK\r\n"[..], Simple(b"OK".into())),
            (b"!5\r\nERR x\r\n", Error(b"ERR x".into())),
            (b"$4\r\na\r\nb\r\n", bulk("a\r\nb")),
            (b"$0\r\n\r\n", bulk("")),
            (b"=7\r\ntxt:abc\r\n", Verbatim(b"abc".into())),
            (b",1.5\r\n", Double(b"1.5".into())),
            (b"(-9\r\n", BigNumber(b"-9".into())),
            (b"*0\r\n", array(vec![])),
            (
                b"%1\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n",
                Group(super::Group::Map, vec![bulk("a"), array(vec![Int(1), Null])]),
            ),
            (b"#t\r\n", Boolean(true)),
        ] {
            assert_eq!(tree(bytes), Ok(frame), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_frame_cut_anywhere_misses_something_and_is_then_resumed() {
        let whole = b"*3\r\n$3\r\na\r\n\r\n#t\r\n%1\r\n+k\r\n*0\r\n";
        for cut in 0..whole.len() {
            let mut reader = Reader::default();
            let stop = reader.frame_end(&whole[..cut]).expect_err("it is cut");
            assert!(!matches!(stop, Stop::Wrong(_)), "cut at {cut}: {stop:?}");
            assert_eq!(reader.frame_end(whole), Ok(whole.len()), "cut at {cut}");
        }
    }

    #[test]
    fn enormous_lengths_take_no_memory_and_deep_nesting_no_stack() {
        let length = usize::MAX >> 1;
        let end = |bytes: &[u8]| Reader::default().frame_end(bytes);
        assert_eq!(end(b"$9223372036854775807\r\nab"), Err(Stop::MissingBytes(length)));
        assert_eq!(end(b"*9223372036854775807\r\n:1\r\n"), Err(Stop::MissingFrames(length - 1)));
        assert!(matches!(end(&b"*1\r\n".repeat(1000)), Err(Stop::Wrong(_))));
        assert!(matches!(end(b"|0\r\n"), Err(Stop::Wrong(_))));
        assert!(matches!(end(&[b'+'; LINE_MAX]), Err(Stop::Wrong(_))));
    }
}
