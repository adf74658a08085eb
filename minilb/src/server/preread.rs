//! What is read of a client before anything is known of it: the header of the PROXY protocol, and
//! the first message of TLS.
//!
//! # Reading no byte too many
//!
//! The bytes after a header belong to another reader (TLS, HTTP or a server), so they must stay in
//! the socket. `recv` with `MSG_PEEK` shows what has come without taking it. Only bytes that are
//! surely of the header are taken:
//!
//! ```text
//! peek   PROXY TCP4 192.0.              incomplete: take these 17 bytes
//! peek   2.9 ... 443\r\n GET / HTTP     complete after 27 more: take 27
//! ```
//!
//! Nearly always all of it has come, which costs two system calls per connection. To wait for more
//! without taking what is there would not do: the socket stays readable.
//!
//! NGINX counterpart: `ngx_stream_proxy_protocol_handler` (`ngx_stream_handler.c`) and
//! `ngx_stream_core_preread_phase` (`ngx_stream_core_module.c`). NGINX wants a header of the PROXY
//! protocol in one piece.

use crate::wire::client_hello::{self, ClientHello};
use crate::wire::proxy_protocol::{self, Addresses, HEADER_BYTES_MAX};
use minikit::server::Stream;
use rustix::net::{RecvFlags, recv};
use std::io;
use std::time::Duration;
use tokio::io::Interest;
use tokio::time::timeout;

/// Takes the header of the PROXY protocol from a socket; bytes after it stay there.
///
/// # Errors
/// If there is none, if it does not come in time, or if reading fails.
pub async fn proxy_protocol(client: &Stream, limit: Duration) -> io::Result<Option<Addresses>> {
    let mut taken = Vec::new();
    let read = async {
        let parse = proxy_protocol::parse;
        let header = examine(client, HEADER_BYTES_MAX, &mut taken, parse).await?;
        let header = header.map_err(|_| broken("broken header while reading PROXY protocol"))?;
        let mut rest = vec![0; header.length - taken.len()];
        take(client, &mut rest).await?;
        Ok(header.addresses)
    };
    in_time(limit, read).await
}

/// Looks at the first message of a TLS client, of at most `bytes_max` bytes. Bytes that had to be
/// taken from the socket are appended to `taken`. A client that speaks something else gives an
/// empty message.
///
/// # Errors
/// If the message is too long or does not come in time, or if reading fails.
pub async fn client_hello(
    client: &Stream,
    limit: Duration,
    bytes_max: usize,
    taken: &mut Vec<u8>,
) -> io::Result<ClientHello> {
    let hello = in_time(limit, examine(client, bytes_max, taken, client_hello::parse)).await?;
    Ok(hello.unwrap_or_default())
}

/// Returns true if a client begins as TLS does. Takes nothing from the socket.
///
/// # Errors
/// If the client closes or reading fails.
pub async fn is_tls(client: &Stream) -> io::Result<bool> {
    let mut first = [0];
    match receive(client, &mut first, RecvFlags::PEEK).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        // 22 is a handshake, 128 the form that SSLv2 had for one.
        _ => Ok(matches!(first, [22 | 128])),
    }
}

/// Returns true if a client begins with the preface of HTTP/2, of which three bytes are enough: no
/// method begins like it. Takes nothing from the socket.
///
/// # Errors
/// If the client closes or reading fails.
pub async fn is_http2(client: &Stream) -> io::Result<bool> {
    let mut first = [0; 3];
    receive(client, &mut first, RecvFlags::PEEK).await?;
    Ok(&first == b"PRI")
}

pub(super) async fn in_time<T>(
    limit: Duration,
    read: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(limit, read).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Shows `parse` what has come, until it finds something or fails. Bytes are taken from the socket
/// only while it wants more.
async fn examine<T, E>(
    client: &Stream,
    bytes_max: usize,
    taken: &mut Vec<u8>,
    parse: impl Fn(&[u8]) -> Result<Option<T>, E>,
) -> io::Result<Result<T, E>> {
    loop {
        let start = taken.len();
        taken.resize(bytes_max, 0);
        let count = receive(client, &mut taken[start..], RecvFlags::PEEK).await?;
        taken.truncate(start + count);

        if let Some(parsed) = parse(taken).transpose() {
            taken.truncate(start);
            return Ok(parsed);
        }
        match count {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if taken.len() == bytes_max => return Err(broken("preread buffer full")),
            _ => take(client, &mut taken[start..]).await?,
        }
    }
}

/// Reads so many bytes.
async fn take(client: &Stream, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match receive(client, into, RecvFlags::empty()).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => into = &mut into[count..],
        }
    }
    Ok(())
}

/// Waits for bytes, and returns how many were put into the buffer; 0 at the end.
async fn receive(client: &Stream, into: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    client.when(Interest::READABLE, |it| Ok(recv(it, &mut *into, flags)?.1)).await
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
