//! Frames from the reader's side: what one line of RESP announces.
//!
//! Whatever follows a line depends on its first byte, so a frame is read line by line:
//!
//! ```text
//! *2\r\n          Group(Array, 2): two frames follow
//! $3\r\n foo\r\n  Bulk(3): three bytes and a line end follow
//! :-7\r\n         Int(-7): nothing follows
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
//! | | | | `\|` | attribute: about the frame behind it |
//!
//! The server never reads these (it [parses requests](super::request) and [writes
//! replies](super::reply)); the command line client and `explain` do. Lengths are given, not
//! believed: whoever reads on takes memory for bytes that came. The counterpart in Redis is
//! `deps/hiredis/read.c`.

use crate::format::number::parse_i64;

/// What a line announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// Text without line ends.
    Simple(&'a [u8]),
    /// An error: its code, a blank, and the reason.
    Error(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A bulk string of so many bytes.
    Bulk(usize),
    /// An error of so many bytes.
    BulkError(usize),
    /// Text for people of so many bytes, of which the first four are its format and a colon.
    Verbatim(usize),
    /// Nothing, in any of its three spellings.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A floating-point number, as it is spelled.
    Double(&'a [u8]),
    /// An integer of any size, as it is spelled.
    BigNumber(&'a [u8]),
    /// So many frames follow, or for maps and attributes so many pairs.
    Group(Group, usize),
}

/// The kinds of frames that consist of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Anything in order.
    Array,
    /// Members in no order.
    Set,
    /// Pairs.
    Map,
    /// A message that answers no request.
    Push,
    /// Pairs about the frame that follows them.
    Attribute,
}

impl Group {
    /// How many frames `count` stands for.
    pub fn frames(self, count: usize) -> usize {
        match self {
            Group::Map | Group::Attribute => count.saturating_mul(2),
            Group::Array | Group::Set | Group::Push => count,
        }
    }
}

/// Why a line is none: which byte of it is the first wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Counted from the start of the line.
    pub at: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl<'a> Head<'a> {
    /// Reads a line, given without its line end.
    ///
    /// # Errors
    /// The first byte that is wrong.
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
            b'|' => group(Group::Attribute),
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

/// A mistake at the first byte that is no digit; at the first of all where each of them is one.
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
            (b"|1", Head::Group(Group::Attribute, 1)),
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
        assert_eq!(Group::Attribute.frames(usize::MAX), usize::MAX);
    }
}
