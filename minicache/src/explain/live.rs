//! The state of a running server, from its admin endpoint.
//!
//! ```text
//! $ minicache serve --admin 127.0.0.1:9121 &
//! $ minicache explain live 127.0.0.1:9121
//! minicache
//!
//! SERVER
//!   version   0.1.0
//!   ...
//! ```
//!
//! It is the state page (`server::inspect`) as text.

use std::io::{Read, Write};
use std::{net::TcpStream, time::Duration};

/// The longest wait for the server.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Our page is a few KiB; this bounds what another server can make us read.
const PAGE_MAX: u64 = 16 << 20;

/// The page of the server whose admin endpoint is at `address`.
///
/// # Errors
/// If nothing answers there, or another program does.
pub fn look(address: &str) -> Result<String, String> {
    let answer = fetch(address).map_err(|error| {
        format!(
            "no admin endpoint at {address}: {error}; start the server with `--admin {address}`, \
             or with MINICACHE_ADMIN={address} where it is started like a redis-server"
        )
    })?;
    page(&answer).map_err(|why| format!("{address}: {why}"))
}

fn fetch(address: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /xray.txt HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(PAGE_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The body of an HTTP response, or what else the answer is.
fn page(answer: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(answer);
    if text.starts_with(['-', '+', '$', '*']) {
        return Err("this is where the server talks to its clients; the admin endpoint has an \
                    address of its own (`--admin`)"
            .to_string());
    }
    let (head, body) = text.split_once("\r\n\r\n").ok_or("this is no admin endpoint")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_string()),
        _ => Err(format!("it answers {}", head.lines().next().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_servers_are_recognized() {
        let page = |text: &str| page(text.as_bytes());
        assert_eq!(
            page("HTTP/1.1 200 OK\r\nA: b\r\n\r\nminicache\n"),
            Ok("minicache\n".to_string())
        );
        let resp = page("-ERR wrong number of arguments for 'get' command\r\n").unwrap_err();
        assert!(resp.contains("--admin"), "{resp}");
        assert_eq!(
            page("HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err(),
            "it answers HTTP/1.1 404 Not Found"
        );
        assert_eq!(page("SSH-2.0-x\r\n").unwrap_err(), "this is no admin endpoint");
    }
}
