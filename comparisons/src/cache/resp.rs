//! As much of Redis's protocol as measuring needs: write a command, find the end of a reply, read
//! one answer. Independent of minicache's codec, so that both cannot share a mistake. Counterpart
//! in Redis: `deps/hiredis/read.c`.
//!
//! ```text
//! command ["GET", "k"]       *2 CRLF $3 CRLF GET CRLF $1 CRLF k CRLF
//! reply   $3 CRLF abc CRLF   ends at byte 9
//! reply   *2 CRLF :1 CRLF    not complete: one more element is to come
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;

/// Appends the head of a command; `words` bulks must follow.
pub fn array(out: &mut Vec<u8>, words: usize) {
    write!(out, "*{words}\r\n").expect("a Vec takes every byte");
}

/// Appends one word of a command.
pub fn bulk(out: &mut Vec<u8>, word: &[u8]) {
    write!(out, "${}\r\n", word.len()).expect("a Vec takes every byte");
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// Appends a whole command.
pub fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    array(out, words.len());
    words.iter().for_each(|word| bulk(out, word));
}

/// The end of the first reply in `bytes`; `None` while it is incomplete.
///
/// # Errors
/// If the bytes are not RESP2.
pub fn reply_end(bytes: &[u8]) -> Result<Option<usize>> {
    let mut at = 0usize;
    let mut wanted = 1i64;
    while wanted > 0 {
        let Some(rest) = bytes.get(at..) else { return Ok(None) };
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = &rest[..length];
        at += length + 1;
        wanted -= 1;
        match line.first() {
            Some(b'+' | b'-' | b':') => (),
            Some(b'$') => at += usize::try_from(number(line)?).map_or(0, |length| length + 2),
            Some(b'*') => wanted += number(line)?.max(0),
            _ => return Err(format!("not a reply: {:?}", String::from_utf8_lossy(line)).into()),
        }
    }
    Ok((at <= bytes.len()).then_some(at))
}

/// The number after the first byte of a reply's line. Servers bound bulks at 512 MB and arrays at
/// a million elements or so; anything far beyond is a broken reply.
fn number(line: &[u8]) -> Result<i64> {
    std::str::from_utf8(&line[1..])
        .ok()
        .and_then(|text| text.trim_end().parse::<i64>().ok())
        .filter(|number| *number < 1 << 32)
        .ok_or_else(|| format!("not a length: {:?}", String::from_utf8_lossy(line)).into())
}

/// A connection for one request at a time.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects; `limit` bounds connecting and every read afterwards.
    pub fn connect(address: SocketAddr, limit: Duration) -> Result<Client> {
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        Ok(Client { stream })
    }

    /// Sends a command and returns the text of its answer: the line of a status or a number, the
    /// content of a bulk (empty for nil), the raw bytes of an array. An error reply is an error.
    pub fn ask(&mut self, words: &[&str]) -> Result<String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut out = Vec::new();
        command(&mut out, &words);
        self.stream.write_all(&out)?;
        let reply = self.read_reply()?;
        let text = String::from_utf8_lossy(&reply).into_owned();
        let (line, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
        match text.as_bytes().first() {
            Some(b'-') => Err(format!("{}: {}", words[0].escape_ascii(), &line[1..]).into()),
            Some(b'+' | b':') => Ok(line[1..].to_string()),
            Some(b'$') => Ok(rest.strip_suffix("\r\n").unwrap_or("").to_string()),
            _ => Ok(text),
        }
    }

    fn read_reply(&mut self) -> Result<Vec<u8>> {
        let mut reply = Vec::new();
        let mut chunk = [0; 16 * 1024];
        while reply_end(&reply)?.is_none() {
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err("the server closed the connection".into());
            }
            reply.extend_from_slice(&chunk[..count]);
        }
        Ok(reply)
    }
}

/// Returns true if the server at `address` answers PING with PONG: it is ready, not only listening.
pub fn answers_ping(address: SocketAddr) -> bool {
    Client::connect(address, Duration::from_secs(2))
        .and_then(|mut client| client.ask(&["PING"]))
        .is_ok_and(|answer| answer == "PONG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_bulks() {
        let mut out = Vec::new();
        command(&mut out, &[b"GET", b"k"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }

    #[test]
    fn every_reply_ends_where_it_ends_and_not_before() {
        let replies: [&[u8]; 8] = [
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":12\r\n",
            b"$3\r\na\nb\r\n",
            b"$-1\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*2\r\n*2\r\n:1\r\n$0\r\n\r\n$1\r\nx\r\n",
        ];
        for reply in replies {
            for cut in 0..reply.len() {
                assert_eq!(reply_end(&reply[..cut]).unwrap(), None, "{cut} of {reply:?}");
            }
            let followed = [reply, b"+PONG\r\n"].concat();
            assert_eq!(reply_end(&followed).unwrap(), Some(reply.len()));
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        assert!(reply_end(b"HTTP/1.1 400\r\n").is_err());
        assert!(reply_end(b"$x\r\n").is_err());
        assert!(reply_end(b"*99999999999999\r\n").is_err());
        assert!(reply_end(b"\r\n").is_err());
    }
}
