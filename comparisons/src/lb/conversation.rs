//! What our own load says to a proxy, in `http` as in `stream`: the same GET again and again.
//!
//! ```text
//! GET / HTTP/1.1\r\nHost: a\r\n\r\n          one of 64 connections, kept open
//! HTTP/1.1 200 OK ... hello, world\n         every answer is compared
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::systems::{FILE_BYTES, SHORT};
use crate::Result;
use crate::generator::{self, Load, Outcome, Pace, Traffic};

/// A request for the short text.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Requests for the short text over kept connections. All answers are compared with it.
///
/// # Errors
/// If an answer is wrong or missing.
pub fn drive(
    address: SocketAddr,
    connections: usize,
    requests: u64,
    pace: Pace,
) -> Result<Outcome> {
    generator::drive(Load { address, connections, requests, pace }, &mut Get)
}

struct Get;

impl Traffic for Get {
    type Asked = ();

    fn request(&mut self, _sequence: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(REQUEST);
    }

    fn answer(&mut self, (): &(), bytes: &[u8]) -> Result<Option<usize>> {
        let Some(head) = end_of_head(bytes) else { return Ok(None) };
        let Some(body) = bytes.get(head..head + SHORT.len()) else { return Ok(None) };
        if !bytes.starts_with(b"HTTP/1.1 200 ") || body != SHORT.as_bytes() {
            return Err(String::from_utf8_lossy(&bytes[..head]).into_owned().into());
        }
        Ok(Some(head + body.len()))
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    Some(bytes.windows(4).position(|it| it == b"\r\n\r\n")? + 4)
}

/// Downloads the large file once. All of it must arrive.
///
/// # Errors
/// If it does not.
pub fn download(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut buffer = vec![0; 256 * 1024];
    let mut received = stream.read(&mut buffer)?;
    let head = end_of_head(&buffer[..received]).ok_or("the response has no head")?;
    if !buffer.starts_with(b"HTTP/1.1 200") {
        return Err(String::from_utf8_lossy(&buffer[..head]).into_owned().into());
    }
    while received < head + FILE_BYTES as usize {
        match stream.read(&mut buffer)? {
            0 => return Err("the response was cut off".into()),
            count => received += count,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_after_its_body_and_is_compared() {
        let fine = format!("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{SHORT}");
        let answer = |text: &str| Get.answer(&(), text.as_bytes());
        assert_eq!(answer(&format!("{fine}HTTP/1.1")).unwrap(), Some(fine.len()));
        for end in 0..fine.len() {
            assert_eq!(answer(&fine[..end]).unwrap(), None);
        }
        assert!(answer(&fine.replace("200", "502")).is_err());
        assert!(answer(&fine.replace("hello", "hallo")).is_err());
    }
}
