//! Commands to Redis and its replies: the part of RESP2 that the script needs.
//!
//! ```text
//! GET key        *2\r\n$3\r\nGET\r\n$3\r\nkey\r\n
//! +OK\r\n        Text("OK")           $3\r\nfoo\r\n   Text("foo")
//! *2\r\n:1\r\n:2\r\n   Integers([1, 2])
//! -ERR no\r\n    Error("ERR no")
//! ```
//!
//! The crate `redis` would bring all commands, clusters and pools. The gateway sends five commands
//! (AUTH, SELECT, SCRIPT LOAD, EVALSHA, EVAL), with three kinds of replies. Others are an error.

/// The longest line or string, in bytes.
const TEXT_MAX: usize = 4096;
/// The longest array. The script replies with two numbers, and two per limit.
const ARRAY_MAX: usize = 1024;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A simple or bulk string.
    Text(String),
    /// `CODE message`
    Error(String),
    /// An array of integers, as the script returns.
    Integers(Vec<i64>),
}

/// The bytes are not a reply that the gateway understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Appends a command.
pub fn command<'a>(parts: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads the reply at the start of `bytes`, and returns it with its length. `None`: incomplete.
///
/// # Errors
/// If it is malformed, or longer than any reply to the gateway's commands.
pub fn read(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let Some((kind, text, mut end)) = line(bytes)? else { return Ok(None) };
    let reply = match kind {
        b'+' => Reply::Text(text.to_owned()),
        b'-' => Reply::Error(text.to_owned()),
        b'$' => {
            let length = length(text, TEXT_MAX)?;
            let Some(body) = bytes.get(end..end + length + 2) else { return Ok(None) };
            let body = body.strip_suffix(b"\r\n").ok_or(Malformed)?;
            end += length + 2;
            Reply::Text(String::from_utf8_lossy(body).into_owned())
        }
        b'*' => {
            let mut numbers = Vec::new();
            for _ in 0..length(text, ARRAY_MAX)? {
                let Some((b':', text, more)) = line(&bytes[end..])? else {
                    return if end == bytes.len() || bytes[end] == b':' {
                        Ok(None)
                    } else {
                        Err(Malformed)
                    };
                };
                numbers.push(number(text)?);
                end += more;
            }
            Reply::Integers(numbers)
        }
        _ => return Err(Malformed),
    };
    Ok(Some((reply, end)))
}

/// Returns the first byte of a line, the rest of it, and its length including the line end.
fn line(bytes: &[u8]) -> Result<Option<(u8, &str, usize)>, Malformed> {
    let Some(end) = memchr::memchr(b'\n', &bytes[..bytes.len().min(TEXT_MAX)]) else {
        return if bytes.len() < TEXT_MAX { Ok(None) } else { Err(Malformed) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Malformed)?;
    let (kind, text) = line.split_first().ok_or(Malformed)?;
    let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
    Ok(Some((*kind, text, end + 1)))
}

fn number(text: &str) -> Result<i64, Malformed> {
    text.parse().map_err(|_| Malformed)
}

fn length(text: &str, max: usize) -> Result<usize, Malformed> {
    text.parse().ok().filter(|it| *it <= max).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replies_of_the_head() {
        let text = |it: &str| Reply::Text(it.to_owned());
        for (bytes, reply) in [
            ("+OK\r\n", text("OK")),
            ("$3\r\nfoo\r\n", text("foo")),
            ("*2\r\n:1\r\n:-2\r\n", Reply::Integers(vec![1, -2])),
            ("-ERR no\r\n", Reply::Error("ERR no".to_owned())),
        ] {
            let whole = format!("{bytes}+next");
            assert_eq!(read(whole.as_bytes()), Ok(Some((reply, bytes.len()))), "{bytes}");
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes.as_bytes()[..end]), Ok(None), "{bytes} to {end}");
            }
        }
        let mut out = Vec::new();
        command([&b"GET"[..], b"key"].into_iter(), &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
    }

    #[test]
    fn lengths_are_checked_before_use() {
        for bytes in
            ["$99999999999\r\n", "*1025\r\n", "$-1\r\n", "*1\r\n+a\r\n", "?\r\n", "\r\n", ":\n"]
        {
            assert_eq!(read(bytes.as_bytes()), Err(Malformed), "{bytes}");
        }
        assert_eq!(read(&[b'+'; TEXT_MAX]), Err(Malformed));
    }
}
