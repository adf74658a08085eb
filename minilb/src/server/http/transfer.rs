//! Bytes between sockets and an exchange: reads into its input buffers, writes from its output
//! buffers, and the deadline of each.
//!
//! ```text
//! client socket  ──read──> from_client   exchange   to_upstream ──write──> server socket
//! client socket <──write── to_client                from_upstream <──read── server socket
//! ```
//!
//! All reads of a core go through one scratch buffer, within one poll. It is larger than most
//! messages: a read that does not fill it tells the runtime that nothing more is there, which saves
//! the read that would find nothing.
//!
//! NGINX counterpart: `ngx_unix_recv`, `ngx_linux_sendfile_chain`, without a chain of buffers.

use crate::server::forward::Endpoint;
use crate::wire::buffer::Buffer;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// A socket nearly always takes this much at once.
const SHORT_BYTES: usize = 4 * 1024;

/// Reads once and appends to `into`. Ready with the number of bytes; 0 at the end.
pub fn poll_read(
    cx: &mut Context<'_>,
    from: &mut (impl AsyncRead + Unpin),
    scratch: &RefCell<Box<[u8]>>,
    into: &mut Buffer,
) -> Poll<io::Result<usize>> {
    let mut scratch = scratch.borrow_mut();
    let mut read = ReadBuf::new(&mut scratch);
    ready!(Pin::new(from).poll_read(cx, &mut read))?;
    into.append(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

/// Writes once. Ready with the number of bytes, of which there must be some.
pub fn poll_write(
    cx: &mut Context<'_>,
    to: &mut impl Endpoint,
    from: &mut Buffer,
) -> Poll<io::Result<usize>> {
    // This saves the runtime's bookkeeping, which only pays off when a socket is full.
    let socket = to.socket().filter(|_| from.len() <= SHORT_BYTES);
    let written = match socket.map(|it| it.try_write(from.filled())) {
        Some(Ok(written)) => written,
        _ => ready!(Pin::new(to).poll_write(cx, from.filled()))?,
    };
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    from.consume(written);
    Poll::Ready(Ok(written))
}
