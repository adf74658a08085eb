//! What a server sends, read into a tree.
//!
//! ```text
//! %1\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n   ->   Group(Map, [Bulk("a"), Group(Array, [Int(1), Null])])
//! ```
//!
//! Read from a stream as it comes, each byte once, so that a reply of a million elements costs a
//! million steps. Lengths are not believed: memory is taken for bytes that came. Attributes
//! (`|`, about the reply behind them) are read and dropped. The counterpart in Redis is
//! `deps/hiredis/read.c`.

use crate::wire::frame::{Group, Head};
use std::io::{self, BufRead, ErrorKind, Read};

/// The longest line, without what it announces.
const LINE_MAX: u64 = 64 * 1024;
/// Replies within replies. Redis needs about seven, for `COMMAND DOCS`.
const DEPTH_MAX: usize = 64;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Text without line ends.
    Simple(Vec<u8>),
    /// An error: its code, a blank, the reason.
    Error(Vec<u8>),
    /// An integer.
    Int(i64),
    /// Any bytes.
    Bulk(Vec<u8>),
    /// Text for people, without its format.
    Verbatim(Vec<u8>),
    /// Nothing.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A floating-point number, as the server spelled it.
    Double(Vec<u8>),
    /// An integer of any size, as the server spelled it.
    BigNumber(Vec<u8>),
    /// Replies together. Those of a map are keys and values in turn.
    Group(Group, Vec<Reply>),
}

impl Reply {
    /// Whether it says that something went wrong.
    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// `UnexpectedEof` where the stream ends within it, `InvalidData` where it is not the protocol,
    /// and whatever the stream says.
    pub fn read(source: &mut impl BufRead) -> io::Result<Reply> {
        read_within(source, 0)
    }
}

fn read_within(source: &mut impl BufRead, depth: usize) -> io::Result<Reply> {
    if depth > DEPTH_MAX {
        return Err(invalid(format!("more than {DEPTH_MAX} replies within each other")));
    }
    let line = read_line(source)?;
    let head = Head::parse(&line).map_err(|mistake| {
        invalid(format!("{} in {:?}", mistake.why, String::from_utf8_lossy(&line)))
    })?;
    Ok(match head {
        Head::Simple(text) => Reply::Simple(text.to_vec()),
        Head::Error(text) => Reply::Error(text.to_vec()),
        Head::Int(number) => Reply::Int(number),
        Head::Bulk(length) => Reply::Bulk(read_bytes(source, length)?),
        Head::BulkError(length) => Reply::Error(read_bytes(source, length)?),
        Head::Verbatim(length) => Reply::Verbatim(read_bytes(source, length)?.split_off(4)),
        Head::Null => Reply::Null,
        Head::Boolean(yes) => Reply::Boolean(yes),
        Head::Double(text) => Reply::Double(text.to_vec()),
        Head::BigNumber(text) => Reply::BigNumber(text.to_vec()),
        Head::Group(Group::Attribute, count) => {
            for _ in 0..Group::Attribute.frames(count) {
                read_within(source, depth + 1)?;
            }
            read_within(source, depth + 1)?
        }
        Head::Group(group, count) => {
            let mut parts = Vec::new();
            for _ in 0..group.frames(count) {
                parts.push(read_within(source, depth + 1)?);
            }
            Reply::Group(group, parts)
        }
    })
}

/// A line without its end.
fn read_line(source: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    source.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\r\n") {
        line.truncate(line.len() - 2);
        return Ok(line);
    }
    match line.len() as u64 {
        LINE_MAX => Err(invalid("a line without end".to_string())),
        _ if line.ends_with(b"\n") => Err(invalid("a line ends without \\r".to_string())),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// So many bytes, and the line end behind them.
fn read_bytes(source: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if source.by_ref().take(length as u64).read_to_end(&mut bytes)? < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let mut end = [0; 2];
    source.read_exact(&mut end)?;
    match &end {
        b"\r\n" => Ok(bytes),
        _ => Err(invalid("bytes longer than announced".to_string())),
    }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not a reply: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Reply, ErrorKind> {
        let reply = Reply::read(&mut bytes).map_err(|error| error.kind())?;
        assert_eq!(bytes, b"", "all of it was read");
        Ok(reply)
    }

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(text.into())
    }

    #[test]
    fn replies_become_trees() {
        use Reply::*;
        for (bytes, reply) in [
            (&b"+OK\r\n"[..], Simple(b"OK".into())),
            (b"!5\r\nERR x\r\n", Error(b"ERR x".into())),
            (b"$4\r\na\r\nb\r\n", bulk("a\r\nb")),
            (b"$0\r\n\r\n", bulk("")),
            (b"=7\r\ntxt:abc\r\n", Verbatim(b"abc".into())),
            (b",1.5\r\n", Double(b"1.5".into())),
            (b"(-9\r\n", BigNumber(b"-9".into())),
            (b"*0\r\n", Group(super::Group::Array, vec![])),
            (
                b"%1\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n",
                Group(
                    super::Group::Map,
                    vec![bulk("a"), Group(super::Group::Array, vec![Int(1), Null])],
                ),
            ),
            (b"|1\r\n+ttl\r\n:9\r\n#t\r\n", Boolean(true)),
        ] {
            assert_eq!(read(bytes), Ok(reply), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_reply_cut_anywhere_is_the_end_of_the_stream() {
        let whole = b"*2\r\n$3\r\nabc\r\n%1\r\n+k\r\n:1\r\n";
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Err(ErrorKind::UnexpectedEof), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused_without_taking_memory_for_it() {
        let deep = b"*1\r\n".repeat(100);
        for bytes in
            [&b"OK\r\n"[..], b"+OK\n", b":x\r\n", b"$1\r\nab\r\n", b"HTTP/1.1 400\r\n", &deep]
        {
            assert_eq!(read(bytes), Err(ErrorKind::InvalidData), "{}", bytes.escape_ascii());
        }
        assert_eq!(read(b"$9223372036854775807\r\nab"), Err(ErrorKind::UnexpectedEof));
        assert_eq!(read(b"*9223372036854775807\r\n:1\r\n"), Err(ErrorKind::UnexpectedEof));
    }
}
